//! What does the engine `attribution` decide?

use domain::attribution::{Facts, NAME, VERSION, attribute, rules};
use model::breach::BreachType;
use model::incident::{Failure, FailureCode, IncidentCategory};
use strum::IntoEnumIterator as _;

#[test]
fn every_failure_code_breach_and_category_has_its_attribution() {
    let mut decided = vec![format!(
        "{NAME} {VERSION}: {}",
        rules().collect::<Vec<_>>().join(", ")
    )];
    let mut say = |what: String, facts: &Facts<'_>| {
        let got = attribute(facts);
        let (to, rule, version) = (got.to.as_str(), got.rule, got.rule_version);
        decided.push(format!("{what}: {to} by {rule} {version}"));
    };
    for code in FailureCode::iter() {
        for upstream_status in [None, Some(400), Some(429), Some(503)] {
            let failure = Failure {
                code,
                error_class: "test".to_owned(),
                upstream_status,
            };
            let of = Facts::of_category(domain::incidents::category(code));
            let facts = Facts {
                failure: Some(&failure),
                ..of
            };
            say(format!("{} {upstream_status:?}", code.as_str()), &facts);
        }
    }
    for breach in BreachType::iter() {
        let of = Facts::of_category(IncidentCategory::RateLimit);
        let facts = Facts {
            breach: Some(breach),
            ..of
        };
        say(breach.as_str().to_owned(), &facts);
    }
    for category in IncidentCategory::iter() {
        say(category.as_str().to_owned(), &Facts::of_category(category));
    }
    crate::golden(NAME, "attributions", &decided);
}
