//! How did an LLM Run fail, in the words that decide about severity?

use alloc::borrow::ToOwned as _;
use alloc::string::String;

use model::incident::{Failure, FailureCode};
use model::run::RunStatus;

use super::code_in;

/// What stands for a report that is no word.
const OTHER: &str = "other";
/// What stands for no report.
const NONE: &str = "unknown";
/// The longest word, in bytes.
const WORD_MAX: usize = 64;

/// How a run failed: what is recorded of it, told apart by what is to be done about it.
///
/// The status is that of a run that failed or crashed. `error_code` is a word of ours (`upstream_timeout`) or the
/// provider's (`context_length_exceeded`); what is no word is not kept, for it could be a message. A word that names a
/// failure code is one.
pub fn failure(status: RunStatus, error_code: Option<&str>, http_status: Option<u16>) -> Failure {
    Failure {
        code: code(status, error_code, http_status),
        error_class: class(error_code),
        upstream_status: http_status,
    }
}

fn class(error_code: Option<&str>) -> String {
    let is_word = |word: &str| {
        let mut bytes = word.bytes();
        word.len() <= WORD_MAX && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    };
    match error_code {
        None | Some("") => NONE.to_owned(),
        Some(word) if is_word(word) => word.to_owned(),
        Some(_) => OTHER.to_owned(),
    }
}

fn code(status: RunStatus, error_code: Option<&str>, http_status: Option<u16>) -> FailureCode {
    let word = error_code.unwrap_or_default();
    if status == RunStatus::Crashed {
        return FailureCode::AgentCrash;
    }
    let named = code_in(word);
    if named != FailureCode::Unknown {
        return named;
    }
    match word {
        "upstream_timeout" | "timeout" | "timeout_error" | "request_timeout" | "deadline_exceeded" => {
            FailureCode::ExecutionTimeout
        }
        // Nobody is served by this provider until somebody changes the configuration.
        "upstream_credential_rejected" => FailureCode::StepFailure,
        "insufficient_quota" | "billing_error" | "billing_hard_limit_reached" => FailureCode::BudgetExceeded,
        "rate_limit_error" | "tokens" | "requests" => FailureCode::RateLimitExceeded,
        "context_length_exceeded"
        | "string_above_max_length"
        | "request_too_large"
        | "upstream_too_large"
        | "overloaded_error" => FailureCode::ResourceExhaustion,
        _ => by_status(word, http_status),
    }
}

/// What the provider's status says, where its word says nothing.
fn by_status(word: &str, http_status: Option<u16>) -> FailureCode {
    match http_status {
        Some(408 | 504) => FailureCode::ExecutionTimeout,
        Some(402) => FailureCode::BudgetExceeded,
        Some(429) => FailureCode::RateLimitExceeded,
        Some(413 | 529) => FailureCode::ResourceExhaustion,
        // The provider took the request for a mistake of whoever sent it: nothing broke that others depend on.
        Some(400..=499) => FailureCode::Unknown,
        Some(500..) => FailureCode::StepFailure,
        // It gave no answer, broke off, or said within its answer that it failed.
        _ if !word.is_empty() => FailureCode::StepFailure,
        _ => FailureCode::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_of_a_run_says_how_it_failed() {
        use FailureCode as Code;
        let table: [(Option<&str>, Option<u16>, Code); 26] = [
            (Some("upstream_timeout"), None, Code::ExecutionTimeout),
            // A stream that fell silent had begun well.
            (Some("upstream_timeout"), Some(200), Code::ExecutionTimeout),
            (Some("upstream_status_504"), Some(504), Code::ExecutionTimeout),
            (Some("upstream_status_408"), Some(408), Code::ExecutionTimeout),
            (Some("upstream_unreachable"), None, Code::StepFailure),
            (Some("upstream_error"), Some(200), Code::StepFailure),
            (Some("upstream_malformed"), Some(200), Code::StepFailure),
            (Some("upstream_incomplete"), Some(200), Code::StepFailure),
            (Some("upstream_credential_rejected"), Some(401), Code::StepFailure),
            (Some("upstream_too_large"), Some(200), Code::ResourceExhaustion),
            (Some("upstream_status_500"), Some(500), Code::StepFailure),
            (Some("server_error"), Some(500), Code::StepFailure),
            (Some("api_error"), Some(200), Code::StepFailure),
            (Some("invalid_request_error"), Some(400), Code::Unknown),
            (Some("model_not_found"), Some(404), Code::Unknown),
            (
                Some("context_length_exceeded"),
                Some(400),
                Code::ResourceExhaustion,
            ),
            (Some("overloaded_error"), Some(529), Code::ResourceExhaustion),
            (Some("upstream_status_413"), Some(413), Code::ResourceExhaustion),
            (Some("rate_limit_exceeded"), Some(429), Code::RateLimitExceeded),
            (Some("upstream_status_429"), Some(429), Code::RateLimitExceeded),
            // Both come with 429, and only one of them passes by waiting.
            (Some("insufficient_quota"), Some(429), Code::BudgetExceeded),
            (Some("upstream_status_402"), Some(402), Code::BudgetExceeded),
            (Some("skill_error"), Some(200), Code::SkillError),
            (Some("RETRY_EXHAUSTED"), None, Code::RetryExhausted),
            (None, Some(200), Code::Unknown),
            (None, None, Code::Unknown),
        ];
        for (error_code, http_status, expected) in table {
            let found = failure(RunStatus::Failed, error_code, http_status);
            assert_eq!(found.code, expected, "{error_code:?} {http_status:?}");
            assert_eq!(found.upstream_status, http_status);
        }
        let crashed = failure(RunStatus::Crashed, Some("hold_expired"), None);
        assert_eq!(
            (crashed.code, crashed.error_class.as_str()),
            (Code::AgentCrash, "hold_expired")
        );
    }

    #[test]
    fn a_message_is_no_class() {
        let class = |word: Option<&str>| failure(RunStatus::Failed, word, None).error_class;
        assert_eq!(class(Some("server_error")), "server_error");
        assert_eq!(class(Some("The model `gpt-5` said: my name is Ann")), OTHER);
        let long = "x".repeat(65);
        assert_eq!(class(Some(&long)), OTHER);
        assert_eq!((class(None).as_str(), class(Some("")).as_str()), (NONE, NONE));
    }
}
