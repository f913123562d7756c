//! Is what is shipped in order, and does each file say what it is called?

use alloc::format;
use alloc::string::String;

use model::versioned::Versioned;

use super::*;

#[test]
fn every_file_is_called_after_what_stands_in_it_and_loads() {
    let named = |files: &[File], references: Vec<Versioned>| {
        let expected: Vec<String> = references
            .iter()
            .map(|it| format!("{}.v{}", it.id, it.version))
            .collect();
        let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, expected);
    };
    named(
        DETECTION_RULES,
        detection_rules()
            .unwrap()
            .iter()
            .map(|it| it.rule().reference())
            .collect(),
    );
    named(
        CORRELATION_RULES,
        correlation_rules()
            .unwrap()
            .iter()
            .map(CorrelationRule::reference)
            .collect(),
    );
    named(
        POLICIES,
        policies()
            .unwrap()
            .iter()
            .map(|it| it.policy().reference())
            .collect(),
    );
}

#[test]
fn every_rule_that_is_named_is_there() {
    let (rules, policies) = (detection_rules().unwrap(), policies().unwrap());
    let known = |name: &model::versioned::Name| rules.iter().any(|rule| rule.rule().rule_id == *name);
    for rule in correlation_rules().unwrap().iter() {
        assert!(policies.get(&rule.policy).is_some(), "{}", rule.id);
        assert!(rule.filters.rule_ids.iter().all(known), "{}", rule.id);
    }
    for policy in policies.iter() {
        let definitive = policy.policy().definitive_evidence.as_ref();
        assert!(
            definitive.is_none_or(|it| it.rule_ids.iter().all(known)),
            "{}",
            policy.policy().id
        );
    }
}

#[test]
fn a_file_that_is_no_rule_is_named() {
    let error = read::<DetectionRule>(&[("broken.v1.0.0", "{}")]).unwrap_err();
    assert_eq!(format!("{error}"), "the file broken.v1.0.0 cannot be read");
}
