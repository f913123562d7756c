//! What is each thing put down to, and is everything?

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use proptest::prelude::*;
use strum::IntoEnumIterator as _;

use super::*;

fn failure(code: FailureCode, error_class: &str, upstream_status: Option<u16>) -> Failure {
    Failure {
        code,
        error_class: error_class.to_owned(),
        upstream_status,
    }
}

fn fired(rule_type: RuleType, stage: Stage) -> Fired {
    Fired { rule_type, stage }
}

/// The rule that decides about these, and what it puts them down to.
fn said(
    category: IncidentCategory,
    failure: Option<&Failure>,
    breach: Option<BreachType>,
    fired: &[Fired],
) -> (&'static str, Attribution) {
    let facts = Facts {
        category,
        failure,
        breach,
        fired,
    };
    let got = attribute(&facts);
    let name = rules().find(|name| *name == got.rule).unwrap_or("nobody");
    (name, got.to)
}

type Case = ((&'static str, Attribution), (&'static str, Attribution));

const RESIDUAL_SAYS: (&str, Attribution) = (RESIDUAL, Attribution::InfraTimeout);

/// Failed LLM Runs, with what stopped them.
fn runs() -> Vec<Case> {
    use FailureCode as Code;
    let run = |code, class: &str, status, fired: &[Fired]| {
        let failed = failure(code, class, status);
        said(IncidentCategory::ExecutionFailure, Some(&failed), None, fired)
    };
    let accuracy = fired(RuleType::ContentAccuracy, Stage::Output);
    let safety = fired(RuleType::SafetyBasic, Stage::Output);
    let injection = fired(RuleType::PromptInjection, Stage::Input);
    let broke = |fired: &[Fired]| run(Code::StepFailure, "server_error", Some(500), fired);
    let wrong = |fired: &[Fired]| run(Code::Unknown, "invalid_request_error", Some(400), fired);
    let other = |code, class: &str, status| run(code, class, status, &[]);
    let (model, user) = (Attribution::ModelHallucination, Attribution::UserMisuse);
    Vec::from([
        (broke(&[accuracy]), ("content-accuracy", model)),
        (broke(&[accuracy, injection]), ("content-accuracy", model)),
        (
            broke(&[safety, injection]),
            ("several-policies", Attribution::PolicyConflict),
        ),
        (
            other(Code::Unknown, "previous_response_not_found", Some(400)),
            ("context-not-there", Attribution::ContextMissing),
        ),
        (
            other(Code::ExecutionTimeout, "upstream_timeout", None),
            ("llm-timeout-or-5xx", Attribution::InfraTimeout),
        ),
        (
            broke(&[injection]),
            ("llm-timeout-or-5xx", Attribution::InfraTimeout),
        ),
        (
            other(Code::BudgetExceeded, "insufficient_quota", Some(429)),
            ("budget", Attribution::BudgetExceeded),
        ),
        (wrong(&[injection]), ("input-policy", user)),
        (wrong(&[safety]), ("policy-violated", user)),
        (wrong(&[]), ("request-refused", user)),
        (
            other(Code::StepFailure, "upstream_credential_rejected", Some(401)),
            RESIDUAL_SAYS,
        ),
        (
            other(Code::RateLimitExceeded, "requests", Some(429)),
            RESIDUAL_SAYS,
        ),
        (other(Code::AgentCrash, "hold_expired", None), RESIDUAL_SAYS),
    ])
}

/// Limits that were hit, and what is known by its kind only.
fn others() -> Vec<Case> {
    use IncidentCategory as Category;
    let breach = |breach| said(Category::RateLimit, None, Some(breach), &[]);
    let kind = |category| said(category, None, None, &[]);
    let budget = ("budget", Attribution::BudgetExceeded);
    Vec::from([
        (breach(BreachType::Exhausted), budget),
        (breach(BreachType::Breached), budget),
        (kind(Category::BudgetExceeded), budget),
        (
            breach(BreachType::Throttled),
            ("own-rate-full", Attribution::UserMisuse),
        ),
        (breach(BreachType::Violated), RESIDUAL_SAYS),
        (
            kind(Category::PolicyViolation),
            ("policy-violated", Attribution::UserMisuse),
        ),
        (kind(Category::Manual), RESIDUAL_SAYS),
    ])
}

#[test]
fn every_rule_has_a_case_that_it_alone_decides() {
    let table: Vec<_> = runs().into_iter().chain(others()).collect();
    for (got, expected) in &table {
        assert_eq!(got, expected);
    }
    let decided: BTreeSet<_> = table.iter().map(|((name, _), _)| *name).collect();
    assert_eq!(decided, rules().collect(), "a rule without a case");
    let to: BTreeSet<_> = table.iter().map(|((_, to), _)| to.as_str()).collect();
    assert_eq!(to, Attribution::iter().map(Attribution::as_str).collect());
}

#[test]
fn no_two_rules_have_one_name_and_the_last_one_matches_always() {
    let names: BTreeSet<_> = rules().collect();
    assert_eq!(names.len(), rules().count());
    assert_eq!(rules().last(), Some(RESIDUAL));
    for category in IncidentCategory::iter() {
        assert!(
            ORDER
                .iter()
                .any(|rule| (rule.matches)(&Facts::of_category(category)))
        );
    }
}

fn word<T: strum::IntoEnumIterator + core::fmt::Debug + Clone + 'static>() -> impl Strategy<Value = T> {
    prop::sample::select(T::iter().collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn whatever_is_known_one_named_rule_decides_and_says_the_same_again(
        category in word::<IncidentCategory>(),
        failed in prop::option::of((word::<FailureCode>(), "[a-z_]{0,30}", prop::option::of(100_u16..=999))),
        breach in prop::option::of(word::<BreachType>()),
        fired in prop::collection::btree_set((word::<RuleType>(), word::<Stage>()), 0..4),
    ) {
        let failed = failed.map(|(code, class, status)| failure(code, &class, status));
        let fired: Vec<_> = fired.into_iter().map(|(rule_type, stage)| Fired { rule_type, stage }).collect();
        let facts = Facts { category, failure: failed.as_ref(), breach, fired: &fired };
        let got = attribute(&facts);
        let at = ORDER.iter().position(|rule| rule.name == got.rule);
        prop_assert!(at.is_some());
        // It is the first that matches, whatever comes behind it.
        let first = ORDER.iter().position(|rule| (rule.matches)(&facts));
        prop_assert_eq!(at, first);
        prop_assert_eq!(got.rule_version, 1);
        prop_assert_eq!(&got, &attribute(&facts));
    }
}
