//! How is an error written, as an answer of its own or as the last event of a stream?

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::web::Bytes;
use serde_json::json;
use services::gateway::Cut;
use services::ledger::Forbidden;

use super::{Dialect, LlmError};
use crate::llm::{cut, headers};

impl LlmError {
    pub(crate) fn response(&self, dialect: Dialect) -> HttpResponse {
        let request_id = infra::correlation::current_id();
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        if self.no_retry {
            response.insert_header(("x-should-retry", "false"));
        }
        if let Some(answer) = &self.refused {
            headers::limits(&mut response, dialect, &answer.output, answer.at);
            headers::policy(&mut response, answer.policy.as_deref());
            headers::handling(&mut response, answer);
            response.insert_header(("x-plimsoll-decision-id", answer.decision.to_string()));
            if let Some(run) = &answer.run {
                response.insert_header(("x-plimsoll-run-id", run.id.to_string()));
            }
        }
        if let Some((run, decision)) = &self.run {
            response.insert_header(("x-plimsoll-run-id", run.as_str()));
            response.insert_header(("x-plimsoll-decision-id", decision.as_str()));
        }
        if let Some(policy) = &self.policy {
            response.insert_header((headers::POLICY_OUTCOME, policy.outcome.as_str()));
            let named = [
                ("x-plimsoll-rule-id", &policy.rule),
                ("x-plimsoll-incident-id", &policy.incident),
            ];
            for (name, value) in named {
                if let Some(value) = value {
                    response.insert_header((name, value.as_str()));
                }
            }
        }
        let mut body = self.body(dialect);
        if let (Dialect::Anthropic, Some(members)) = (dialect, body.as_object_mut()) {
            members.insert("request_id".to_owned(), json!(request_id));
        }
        response
            .insert_header((CONTENT_TYPE, "application/json"))
            .body(body.to_string())
    }

    fn body(&self, dialect: Dialect) -> serde_json::Value {
        match dialect {
            Dialect::OpenAi => json!({ "error": {
                "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
            } }),
            Dialect::Anthropic => json!({
                "type": "error",
                "error": { "type": anthropic_type(self.status, self.code), "message": self.message },
            }),
        }
    }

    /// Why a stream ends before its end; `cut_off` is what is said where a limit ends it.
    pub(crate) fn cut(cut: &Cut, forbidden: Option<&Forbidden>, cut_off: &str) -> Self {
        match (cut, forbidden) {
            (Cut::Withheld, Some(forbidden)) => Self::forbidden(forbidden),
            (cut, _) if cut.code() == cut::WORD => {
                Self::new(504, "policy_violation", cut::WORD, cut_off.to_owned())
            }
            _ => Self::new(
                502,
                "server_error",
                cut.code(),
                "The provider's answer broke off.",
            ),
        }
    }

    /// The error as the last event of a stream.
    pub(crate) fn event(&self, dialect: Dialect) -> Bytes {
        let body = self.body(dialect);
        Bytes::from(match dialect {
            Dialect::OpenAi => format!("data: {body}\n\n"),
            Dialect::Anthropic => format!("event: error\ndata: {body}\n\n"),
        })
    }
}

/// Anthropic's word for a status.
fn anthropic_type(status: StatusCode, code: &str) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 if code == "insufficient_quota" => "billing_error",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        504 => "timeout_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}
