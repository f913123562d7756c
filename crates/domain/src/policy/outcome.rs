//! What does an answer say about the rules that were judged?

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use model::decision::Outcome;
use model::policy::EnforcementMode;

use super::{Judgement, Reason};

/// The most rules that the header names.
const NAMED_MAX: usize = 8;

/// The value of `x-plimsoll-policy-outcome`, a list of RFC 9651: what was decided (`allow`, `warn` or `block`), then the
/// rules that matched in the order of the judgement, each with its id and version, `error` where it could not be judged;
/// `more` counts those that are not named.
///
/// `allow, dry-run;rule=PR-01J…;version=2`
pub fn header(judgement: &Judgement) -> String {
    let mut value = String::from(word(judgement.outcome));
    for found in judgement.matches.iter().take(NAMED_MAX) {
        let mode = match found.mode {
            EnforcementMode::DryRun => "dry-run",
            EnforcementMode::Log => "log",
            EnforcementMode::Warn => "warn",
            EnforcementMode::Block => "block",
        };
        let error = if matches!(found.reason, Reason::PolicyError { .. }) {
            ";error"
        } else {
            ""
        };
        let named = format!(", {mode};rule={};version={}{error}", found.rule, found.version);
        value.push_str(&named);
    }
    let more = judgement.matches.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        let counted = format!(", more;count={more}");
        value.push_str(&counted);
    }
    value
}

/// What is said of a request whose answer was judged too: the more restrictive of both, then the rules that matched the
/// request, then those that matched the answer.
pub fn with_answer(request: Option<&str>, answer: &Judgement) -> String {
    let said = header(answer);
    let Some(request) = request else { return said };
    let parts = |said: &str| {
        let (outcome, matches) = said.split_once(", ").unwrap_or((said, ""));
        (String::from(outcome), String::from(matches))
    };
    let ((before, asked), (after, answered)) = (parts(request), parts(&said));
    let severity = |said: &str| SEVERITY.iter().position(|outcome| word(*outcome) == said);
    let outcome = if severity(&after) > severity(&before) {
        after
    } else {
        before
    };
    let parts: Vec<String> = [outcome, asked, answered]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(", ")
}

/// From mild to severe.
const SEVERITY: [Outcome; 3] = [Outcome::Allow, Outcome::Warn, Outcome::Block];

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allow => "allow",
        Outcome::Warn => "warn",
        Outcome::Block => "block",
    }
}
