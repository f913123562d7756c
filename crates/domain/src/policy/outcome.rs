//! What does an answer say about the rules that were judged?

use alloc::format;
use alloc::string::String;

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
    let mut value = String::from(match judgement.outcome {
        Outcome::Allow => "allow",
        Outcome::Warn => "warn",
        Outcome::Block => "block",
    });
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
