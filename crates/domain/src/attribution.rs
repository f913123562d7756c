//! What is an Incident put down to?
//!
//! The rules have one order, and the first that matches decides. The last one matches always, so that every Incident is
//! put down to something and there is no word for not knowing: what nobody who can be named has to answer for is the
//! infrastructure's.

use alloc::borrow::ToOwned as _;

use model::breach::BreachType;
use model::incident::{Attributed, Attribution, Failure, FailureCode, IncidentCategory};
use model::policy::{RuleType, Stage};

/// The engine's name in decision snapshots.
pub const NAME: &str = "attribution";
/// The engine's version; raised with every change of what it decides.
pub const VERSION: &str = "2";

/// Words by which providers say that what a request refers to is not there.
const NOT_THERE: [&str; 8] = [
    "container_expired",
    "context_missing",
    "conversation_not_found",
    "file_not_found",
    "item_not_found",
    "previous_response_not_found",
    "prompt_not_found",
    "vector_store_not_found",
];

/// A Policy Rule that stopped the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Fired {
    /// Of which type.
    pub rule_type: RuleType,
    /// On what: the request or the answer.
    pub stage: Stage,
}

/// Everything the decision depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Facts<'a> {
    /// Of which kind the Incident is.
    pub category: IncidentCategory,
    /// How the LLM Run failed, if one did.
    pub failure: Option<&'a Failure>,
    /// How a Limit was hit, if one was.
    pub breach: Option<BreachType>,
    /// The Policy Rules that stopped the call, each once.
    pub fired: &'a [Fired],
}

impl Facts<'_> {
    /// Those of an Incident of which nothing is known but its kind.
    pub const fn of_category(category: IncidentCategory) -> Self {
        Self {
            category,
            failure: None,
            breach: None,
            fired: &[],
        }
    }
}

/// A rule: a version never changes.
#[derive(Clone, Copy)]
struct Rule {
    name: &'static str,
    version: i64,
    to: Attribution,
    matches: fn(&Facts<'_>) -> bool,
}

const fn rule(name: &'static str, to: Attribution, matches: fn(&Facts<'_>) -> bool) -> Rule {
    Rule {
        name,
        version: 1,
        to,
        matches,
    }
}

/// In which order the rules are asked. Where several apply, what was said about the content stands before what was said
/// about the request, and that before where it ran.
const ORDER: [Rule; 10] = [
    rule("content-accuracy", Attribution::ModelHallucination, |of| {
        of.fired
            .iter()
            .any(|it| it.rule_type == RuleType::ContentAccuracy)
    }),
    rule("several-policies", Attribution::PolicyConflict, |of| {
        of.fired.len() > 1
    }),
    rule("context-not-there", Attribution::ContextMissing, |of| {
        of.failure
            .is_some_and(|it| NOT_THERE.contains(&it.error_class.as_str()))
    }),
    rule("llm-timeout-or-5xx", Attribution::InfraTimeout, |of| {
        of.failure.is_some_and(timed_out_or_broke)
    }),
    rule("budget", Attribution::BudgetExceeded, |of| {
        matches!(of.breach, Some(BreachType::Exhausted | BreachType::Breached))
            || matches!(
                of.category,
                IncidentCategory::BudgetExceeded | IncidentCategory::CostAnomaly
            )
            || of
                .failure
                .is_some_and(|it| it.code == FailureCode::BudgetExceeded)
    }),
    rule("input-policy", Attribution::UserMisuse, |of| {
        of.fired.iter().any(|it| it.stage == Stage::Input)
    }),
    rule("policy-violated", Attribution::UserMisuse, |of| {
        of.category == IncidentCategory::PolicyViolation || !of.fired.is_empty()
    }),
    rule("own-rate-full", Attribution::UserMisuse, |of| {
        of.breach == Some(BreachType::Throttled)
    }),
    rule("request-refused", Attribution::UserMisuse, |of| {
        of.failure.is_some_and(is_a_mistake_of_the_caller)
    }),
    rule(RESIDUAL, Attribution::InfraTimeout, |_| true),
];

/// The rule that matches when no other does.
pub const RESIDUAL: &str = "residual-infrastructure";

/// What an Incident is put down to.
pub fn attribute(facts: &Facts<'_>) -> Attributed {
    let [.., residual] = ORDER;
    let first = ORDER.iter().find(|rule| (rule.matches)(facts));
    let Rule {
        name, version, to, ..
    } = *first.unwrap_or(&residual);
    Attributed {
        to,
        rule: name.to_owned(),
        rule_version: version,
    }
}

/// The names of the rules, in their order.
pub fn rules() -> impl Iterator<Item = &'static str> {
    ORDER.iter().map(|rule| rule.name)
}

fn timed_out_or_broke(failure: &Failure) -> bool {
    let broke = failure.upstream_status.is_some_and(|status| status >= 500);
    broke || failure.code == FailureCode::ExecutionTimeout
}

/// The provider took the request for one that could never be served. That it does not know us, or is called too often,
/// is no mistake of whoever sent it.
fn is_a_mistake_of_the_caller(failure: &Failure) -> bool {
    let refused = matches!(failure.upstream_status, Some(400..=499));
    refused && !matches!(failure.upstream_status, Some(401 | 403 | 408 | 429))
}

#[cfg(test)]
mod tests;
