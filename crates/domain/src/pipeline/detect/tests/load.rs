//! Which rules are refused when they are loaded?

use super::*;

#[test]
fn values_that_an_operator_cannot_compare_with_are_refused_when_loaded() {
    use Operator as Op;
    for (operator, value, expected) in [
        (Op::Equals, json!([1]), "a single value"),
        (Op::NotEquals, json!({}), "a single value"),
        (Op::Contains, json!(1), "a text"),
        (Op::NotContains, json!(null), "a text"),
        (Op::StartsWith, json!([]), "a text"),
        (Op::EndsWith, json!(true), "a text"),
        (Op::MatchesRegex, json!(1), "a text"),
        (Op::GreaterThan, json!("1"), "a whole number"),
        (Op::LessThan, json!(null), "a whole number"),
        (Op::GreaterThanOrEquals, json!([1]), "a whole number"),
        (Op::LessThanOrEquals, json!(true), "a whole number"),
        (Op::Exists, json!(true), "no value"),
        (Op::NotExists, json!(1), "no value"),
        (Op::In, json!("a"), "a list"),
        (Op::NotIn, json!(1), "a list"),
    ] {
        let field = "f".to_string();
        let problem = asks("f", operator, &value).unwrap_err();
        assert_eq!(
            problem,
            RuleProblem::WrongValue { field, expected },
            "{} {value}",
            operator.as_str()
        );
    }
}

#[test]
fn a_pattern_that_is_none_is_refused_when_loaded() {
    for pattern in ["(", "a{1000000}", &"x".repeat(257), "\\p{Greek}(", "(?=a)"] {
        let problem = asks("f", Operator::MatchesRegex, &json!(pattern)).unwrap_err();
        assert_eq!(
            problem,
            RuleProblem::InvalidPattern { field: "f".into() },
            "{pattern}"
        );
    }
}

#[test]
fn a_number_that_nobody_justifies_is_refused() {
    let mut rule = written(&json!([condition(
        "attributes.value",
        Operator::GreaterThan,
        &json!(900)
    )]));
    let unjustified = RuleProblem::Unjustified {
        field: "attributes.value".into(),
        threshold: 900,
    };
    assert_eq!(load(rule.clone()).unwrap_err(), unjustified);
    for (field, threshold) in [("attributes.value", 901), ("attributes.other", 900)] {
        rule["thresholdJustifications"] =
            json!([{"field": field, "threshold": threshold, "source": "s", "rationale": "r", "owner": "o"}]);
        assert_eq!(load(rule.clone()).unwrap_err(), unjustified);
    }
    rule["thresholdJustifications"] = json!([{"field": "attributes.value", "threshold": 900, "source": "s", "rationale": " ", "owner": "o"}]);
    let field = "thresholdJustifications".to_string();
    assert_eq!(load(rule.clone()).unwrap_err(), RuleProblem::EmptyText { field });
    rule["thresholdJustifications"][0]["rationale"] = json!("r");
    assert!(load(rule).is_ok());
    // Equality is no threshold.
    assert!(load(written(&json!([condition("a", Operator::Equals, &json!(900))]))).is_ok());
}

#[test]
fn unknown_fields_and_words_are_refused() {
    let refused = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut rule = written(&json!([condition("a", Operator::Equals, &json!(1))]));
        change(&mut rule);
        serde_json::from_value::<DetectionRule>(rule).is_err()
    };
    assert!(!refused(&|_| ()));
    assert!(refused(&|rule| rule["extra"] = json!(1)));
    assert!(refused(&|rule| rule["signalMatcher"] = json!({"extra": []})));
    assert!(refused(&|rule| rule["conditions"][0]["extra"] = json!(1)));
    assert!(refused(&|rule| rule["conditions"][0]["operator"] = json!("like")));
    assert!(refused(&|rule| rule["conditions"][0]["value"] = json!(0.5)));
    assert!(refused(&|rule| rule["ruleVersion"] = json!("1.0")));
    assert!(refused(&|rule| rule["ruleId"] = json!("Rule 1")));
    assert!(refused(&|rule| rule["outputSeverity"] = json!("SEV1")));
    assert!(refused(&|rule| rule["category"] = json!("OTHER")));
}

#[test]
fn names_and_versions_are_unique_and_texts_are_not_empty() {
    let empty = |field: &str| {
        let mut rule = written(&json!([]));
        rule[field] = json!(" ");
        load(rule).unwrap_err()
    };
    for field in ["name", "description", "owner"] {
        assert_eq!(empty(field), RuleProblem::EmptyText { field: field.into() });
    }
    let twice = written(&json!([
        condition("a", Operator::Equals, &json!(1)),
        condition("b", Operator::Equals, &json!(1))
    ]));
    assert_eq!(
        load(twice).unwrap_err(),
        RuleProblem::TwoConditions {
            condition_id: "c".into()
        }
    );
    let nowhere = written(&json!([condition("", Operator::Equals, &json!(1))]));
    assert_eq!(
        load(nowhere).unwrap_err(),
        RuleProblem::EmptyText { field: String::new() }
    );
    let rule = |version: &str| {
        let mut rule = written(&json!([]));
        rule["ruleVersion"] = json!(version);
        serde_json::from_value::<DetectionRule>(rule).unwrap()
    };
    let error = DetectionRules::load(vec![rule("1.10.0"), rule("1.9.0")]).unwrap_err();
    assert_eq!(
        (error.problem, error.rule.version.to_string().as_str()),
        (RuleProblem::TwoVersions, "1.10.0")
    );
    let rules = DetectionRules::load(vec![rule("1.0.0")]).unwrap();
    assert!(rules.get(&"test@1.0.0".parse().unwrap()).is_some());
    assert!(rules.get(&"test@1.0.1".parse().unwrap()).is_none());
}
