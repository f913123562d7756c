//! Which policies are loaded?

use alloc::vec;

use serde_json::json;

use super::*;

fn written() -> serde_json::Value {
    json!({
        "id": "test", "version": "1.0.0", "description": "d",
        "eligibility": {"minConfidence": "LOW", "allowedSeverities": ["SEV2", "SEV3"], "minDetections": 1,
            "maxAgeMinutes": 1},
        "authorityRestrictions": {"allowedAuthorities": ["AUTO_ENGINE", "ON_CALL_SRE"],
            "severityOverrides": {"SEV3": ["ON_CALL_SRE"]}},
        "deferralConditions": {"pendingIncidentForService": true, "cooldownMinutes": 0},
        "rejectionConditions": {"duplicateCandidate": true, "staleCandidate": true, "insufficientEvidence": true},
        "definitiveEvidence": {"ruleIds": ["a"], "minDetections": 1, "autoEngineSeverities": ["SEV2"]}
    })
}

fn refused(change: impl Fn(&mut serde_json::Value)) -> PolicyProblem {
    let mut policy = written();
    change(&mut policy);
    LoadedPolicy::load(serde_json::from_value(policy).unwrap())
        .unwrap_err()
        .problem
}

#[test]
fn a_policy_that_cannot_be_meant_is_refused() {
    use PolicyProblem as Problem;
    assert!(LoadedPolicy::load(serde_json::from_value(written()).unwrap()).is_ok());
    assert_eq!(
        refused(|it| it["description"] = json!(" ")),
        Problem::NoDescription
    );
    for (field, value) in [
        ("allowedSeverities", json!([])),
        ("requiredBlastRadiusScope", json!([])),
        ("allowedServices", json!([])),
    ] {
        assert_eq!(
            refused(|it| it["eligibility"][field] = value.clone()),
            Problem::EmptyList { field }
        );
    }
    for (field, value) in [("minDetections", 0), ("minDetections", 101), ("maxAgeMinutes", 0)] {
        assert_eq!(
            refused(|it| it["eligibility"][field] = json!(value)),
            Problem::OutOfRange { field }
        );
    }
    let field = "allowedAuthorities";
    assert_eq!(
        refused(|it| it["authorityRestrictions"][field] = json!([])),
        Problem::EmptyList { field }
    );
    let severity = Severity::Sev3;
    for authorities in [
        json!([]),
        json!(["HUMAN_OPERATOR"]),
        json!(["ON_CALL_SRE", "EMERGENCY_OVERRIDE"]),
    ] {
        let problem =
            refused(|it| it["authorityRestrictions"]["severityOverrides"]["SEV3"] = authorities.clone());
        assert_eq!(problem, Problem::OverrideNotAllowed { severity });
    }
    let without =
        |it: &mut serde_json::Value| it["rejectionConditions"]["insufficientEvidence"] = json!(false);
    assert_eq!(refused(without), Problem::EvidenceLeftOut);
}

#[test]
fn evidence_is_left_out_only_where_those_on_call_promote() {
    let mut policy = written();
    policy["rejectionConditions"]["insufficientEvidence"] = json!(false);
    policy["authorityRestrictions"] = json!({"allowedAuthorities": ["ON_CALL_SRE", "EMERGENCY_OVERRIDE"]});
    policy["definitiveEvidence"] = json!(null);
    assert!(LoadedPolicy::load(serde_json::from_value(policy).unwrap()).is_ok());
}

#[test]
fn what_is_definitive_is_named_and_no_more_than_the_policy_speaks_for() {
    use PolicyProblem as Problem;
    let definitive =
        |field: &str, value: serde_json::Value| refused(|it| it["definitiveEvidence"][field] = value.clone());
    assert_eq!(
        definitive("ruleIds", json!([])),
        Problem::EmptyList { field: "ruleIds" }
    );
    let field = "definitiveEvidence.minDetections";
    assert_eq!(
        definitive("minDetections", json!(0)),
        Problem::OutOfRange { field }
    );
    // SEV1 is not allowed at all; SEV3 is kept for those on call.
    for severity in ["SEV1", "SEV3"] {
        assert_eq!(
            definitive("autoEngineSeverities", json!([severity])),
            Problem::AutoEngineSeverity
        );
    }
    let people = |it: &mut serde_json::Value| {
        it["authorityRestrictions"]["allowedAuthorities"] = json!(["ON_CALL_SRE"]);
    };
    assert_eq!(refused(people), Problem::AutoEngineSeverity);
}

#[test]
fn unknown_fields_and_words_are_refused() {
    let reads = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut policy = written();
        change(&mut policy);
        serde_json::from_value::<PromotionPolicy>(policy).is_ok()
    };
    assert!(reads(&|_| ()));
    assert!(!reads(&|it| it["extra"] = json!(1)));
    for part in [
        "eligibility",
        "authorityRestrictions",
        "deferralConditions",
        "rejectionConditions",
        "definitiveEvidence",
    ] {
        assert!(!reads(&|it| it[part]["extra"] = json!(1)), "{part}");
    }
    assert!(!reads(
        &|it| it["eligibility"]["allowedSeverities"] = json!(["SEV5"])
    ));
    assert!(!reads(
        &|it| it["authorityRestrictions"]["allowedAuthorities"] = json!(["AUTOMATED_SYSTEM"])
    ));
    assert!(!reads(
        &|it| it["rejectionConditions"] = json!({"duplicateCandidate": true})
    ));
}

#[test]
fn several_versions_stand_side_by_side_and_none_twice() {
    let policy = |version: &str| {
        let mut policy = written();
        policy["version"] = json!(version);
        serde_json::from_value::<PromotionPolicy>(policy).unwrap()
    };
    let all = Policies::load(vec![policy("1.10.0"), policy("1.9.0")]).unwrap();
    let versions: Vec<_> = all
        .iter()
        .map(|it| alloc::format!("{}", it.policy().version))
        .collect();
    assert_eq!(versions, ["1.9.0", "1.10.0"]);
    assert!(all.get(&"test@1.9.0".parse().unwrap()).is_some());
    assert!(all.get(&"test@2.0.0".parse().unwrap()).is_none());
    let twice = Policies::load(vec![policy("1.0.0"), policy("1.0.0")]).unwrap_err();
    assert_eq!(twice.problem, PolicyProblem::Twice);
    let mut broken = policy("1.0.0");
    broken.description.clear();
    let error = Policies::load(vec![broken]).unwrap_err();
    assert_eq!(
        alloc::format!("{error}"),
        "the policy test@1.0.0 cannot be loaded: the description is empty"
    );
}
