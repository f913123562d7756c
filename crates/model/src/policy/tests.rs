//! Are the words of Policy Rules the words of the contract, and does their hash cover them?

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use strum::IntoEnumIterator as _;

use super::*;
use crate::digest::Digest;
use crate::id::{RuleId, TenantId};
use crate::permille::Permille;

fn words(list: impl Iterator<Item = &'static str>) -> String {
    list.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_words_of_the_contract_do_not_change() {
    assert_eq!(
        words(RuleScope::iter().map(RuleScope::as_str)),
        "GLOBAL TENANT PROJECT AGENT"
    );
    assert_eq!(
        words(EnforcementMode::iter().map(EnforcementMode::as_str)),
        "DRY_RUN LOG WARN BLOCK"
    );
    assert_eq!(
        words(EnforcementAction::iter().map(EnforcementAction::as_str)),
        "BLOCKED WARNED LOGGED DRY_RUN"
    );
    assert_eq!(
        words(RuleStatus::iter().map(RuleStatus::as_str)),
        "ACTIVE RETIRED"
    );
    assert_eq!(
        words(RuleType::iter().map(RuleType::as_str)),
        "CONDITION PII_FILTER SAFETY_BASIC CONTENT_ACCURACY PROMPT_INJECTION"
    );
    assert_eq!(
        words(RuleSource::iter().map(RuleSource::as_str)),
        "MANUAL SYSTEM LEARNED"
    );
    assert_eq!(words(Stage::iter().map(Stage::as_str)), "INPUT OUTPUT");
    assert_eq!(words(OnStream::iter().map(OnStream::as_str)), "BLOCK ANNOTATE");
    assert_eq!(
        words(ProposalType::iter().map(ProposalType::as_str)),
        "CREATE MODIFY RETIRE"
    );
    assert_eq!(
        words(ProposalStatus::iter().map(ProposalStatus::as_str)),
        "PENDING APPROVED REJECTED EXPIRED"
    );
    assert_eq!(words(ProposedBy::iter().map(ProposedBy::as_str)), "SYSTEM HUMAN");
    assert_eq!(
        words(PreventionOutcome::iter().map(PreventionOutcome::as_str)),
        "prevented mitigated failed"
    );
}

#[test]
fn only_block_refuses() {
    let refusing: Vec<_> = EnforcementMode::iter().filter(|mode| mode.refuses()).collect();
    assert_eq!(refusing, [EnforcementMode::Block]);
    assert_eq!(EnforcementMode::iter().max(), Some(EnforcementMode::Block));
    assert_eq!(
        words(EnforcementMode::iter().map(|mode| mode.action().as_str())),
        "DRY_RUN LOGGED WARNED BLOCKED"
    );
}

#[test]
fn a_proposal_ends_once() {
    let ends = |from: ProposalStatus| ProposalStatus::iter().filter(|to| from.may_become(*to)).count();
    assert_eq!(ProposalStatus::iter().map(ends).collect::<Vec<_>>(), [3, 0, 0, 0]);
}

fn definition() -> Definition {
    Definition {
        name: "no large models".to_string(),
        description: None,
        rule_type: RuleType::Condition,
        stage: Stage::Input,
        condition: Some("run.model == \"gpt-4o\"".to_string()),
        min_confidence: PREVENTION_CONFIDENCE,
        scope: RuleScope::Tenant,
        scope_id: None,
        mode: EnforcementMode::Block,
        on_stream: OnStream::Block,
    }
}

#[test]
fn every_field_of_a_definition_is_covered_by_its_hash() {
    let hash = |definition: &Definition, tenant: u128, id: u128, status| {
        definition
            .canonical(TenantId::from_bits(tenant), RuleId::from_bits(id), status)
            .digest()
    };
    let original = hash(&definition(), 1, 1, RuleStatus::Active);
    assert_ne!(original, hash(&definition(), 2, 1, RuleStatus::Active));
    assert_ne!(original, hash(&definition(), 1, 2, RuleStatus::Active));
    assert_ne!(original, hash(&definition(), 1, 1, RuleStatus::Retired));
    let changes: [fn(&mut Definition); 10] = [
        |it| it.name.push('x'),
        |it| it.description = Some(String::new()),
        |it| it.rule_type = RuleType::PiiFilter,
        |it| it.stage = Stage::Output,
        |it| it.condition = None,
        |it| it.min_confidence = Permille::ONE,
        |it| it.scope = RuleScope::Agent,
        |it| it.scope_id = Some("a".to_string()),
        |it| it.mode = EnforcementMode::Warn,
        |it| it.on_stream = OnStream::Annotate,
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut other = definition();
        change(&mut other);
        assert_ne!(original, hash(&other, 1, 1, RuleStatus::Active), "change {index}");
    }
    assert_ne!(original, Digest::ZERO);
}
