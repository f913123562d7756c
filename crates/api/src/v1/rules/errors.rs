//! How are the refusals of Policy Rules said?

use adapters::problem::{FieldProblem, TextPlace};
use services::policies::PolicyError;
use services::words::{NotOnRecord, RuleProblem};

use crate::idempotency;
use crate::problem::ApiError;

/// How a rule is refused.
pub(crate) fn rule_error(error: PolicyError) -> ApiError {
    match error {
        PolicyError::NotFound => ApiError::not_found(),
        PolicyError::Invalid(problems) => invalid("", problems),
        PolicyError::TwoPersons => self_approval(
            "A Policy Rule takes two persons here. Propose it, and let another person approve it.",
        ),
        PolicyError::Lockout => ApiError::new(
            422,
            "policy-self-lockout",
            "Policy Rule locks everybody out",
            "It asks about nothing and would refuse every LLM Run. Freeze the keys instead, or name a project or an agent.",
        ),
        PolicyError::Scope => ApiError::new(
            403,
            "insufficient-scope",
            "Insufficient scope",
            "GLOBAL Policy Rules are set by operators, and all others by their tenant.",
        ),
        PolicyError::Exists(twin) => ApiError::new(
            409,
            "already-exists",
            "Already exists",
            format!("{twin} demands the same and does the same."),
        ),
        PolicyError::Quota => ApiError::new(
            403,
            "quota-exceeded",
            "Quota exceeded",
            "There may be 1000 ACTIVE Policy Rules; retire one first.",
        ),
        PolicyError::Tampered => ApiError::new(
            409,
            "integrity-failed",
            "Integrity failed",
            "What is stored of the Policy Rule is not what was decided last. Retire it and make another one.",
        ),
        PolicyError::Retired => ApiError::new(
            409,
            "rule-retired",
            "Policy Rule retired",
            "The Policy Rule was retired, which is for good. Make another one.",
        ),
        PolicyError::Version(version) => ApiError::new(
            409,
            "version-conflict",
            "Version conflict",
            format!("The Policy Rule has version {version} now. Look at it and try again."),
        ),
        PolicyError::NotOnRecord(why) => not_on_record(match why {
            NotOnRecord::Answers => {
                "A Policy Rule of the stage OUTPUT judges answers, which are not on record."
            }
            NotOnRecord::Contents => {
                "It asks what is found in the request, which is not on record. Start it in the mode DRY_RUN instead."
            }
        }),
        PolicyError::Busy => ApiError::histories(),
        PolicyError::Once(error) => idempotency::refusal(error),
        PolicyError::Store(error) => error.into(),
    }
}

/// One person wants to do what takes two.
pub(crate) fn self_approval(detail: &str) -> ApiError {
    ApiError::new(403, "self-approval", "Self-approval", detail)
}

/// What the rule asks about was never written down: to answer that it matches nothing would be wrong.
pub(crate) fn not_on_record(detail: &str) -> ApiError {
    ApiError::new(422, "not-on-record", "Not on record", detail)
}

/// A condition that is wrong and one that is too much have codes of their own. `within` is the pointer of the definition.
pub(crate) fn invalid(within: &str, problems: Vec<RuleProblem>) -> ApiError {
    let conditions: Vec<_> = problems.iter().filter_map(|it| it.condition.as_ref()).collect();
    let (wrong, only_too_much) = (
        !conditions.is_empty(),
        conditions.iter().all(|problem| problem.code.is_complexity()),
    );
    let fields = problems.into_iter().map(|problem| FieldProblem {
        pointer: format!("{within}/{}", problem.field),
        place: problem.condition.as_ref().map(|found| TextPlace {
            code: found.code.as_str(),
            line: found.place.line,
            column: found.place.column,
            start: found.place.start,
            end: found.place.end,
        }),
        detail: match &problem.condition {
            Some(found) => format!(
                "line {}, column {}: {}",
                found.place.line, found.place.column, problem.detail
            ),
            None => problem.detail,
        },
    });
    let error = ApiError::invalid(fields.collect());
    let detail = error.detail.clone();
    let of_condition = match (wrong, only_too_much) {
        (false, _) => return error,
        (true, true) => ApiError::new(422, "policy-too-complex", "Policy Rule too complex", detail),
        (true, false) => ApiError::new(422, "policy-invalid", "Policy Rule not valid", detail),
    };
    ApiError {
        errors: error.errors,
        ..of_condition
    }
}
