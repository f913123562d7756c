//! Which rules of other scopes keep a draft from being approved?

use alloc::string::ToString as _;
use alloc::vec::Vec;

use model::permille::Permille;
use model::policy::EnforcementMode::{Block, DryRun, Log, Warn};
use model::policy::OnStream::{Annotate, Block as Cut};
use model::policy::RuleType;

use super::*;

fn definition(scope: RuleScope, scope_id: &str, mode: EnforcementMode) -> Definition {
    Definition {
        name: "a rule".to_string(),
        description: None,
        rule_type: RuleType::Condition,
        stage: Stage::Input,
        condition: Some("run.model == 'x'".to_string()),
        min_confidence: Permille::new(600),
        scope,
        scope_id: (!scope_id.is_empty()).then(|| scope_id.to_string()),
        mode,
        on_stream: OnStream::Block,
    }
}

/// How the draft is at odds with the one rule that is active, and whether that keeps it from being approved.
fn found(active: &Definition, draft: &Definition) -> Option<(&'static str, bool)> {
    let rule = ActiveRule {
        id: RuleId::from_bits(1),
        definition: active,
        signature: None,
    };
    let conflicts = ActiveRules::from_iter([rule]).conflicts(draft, None, None);
    let found: Vec<_> = conflicts
        .iter()
        .map(|conflict| (conflict.kind.into(), conflict.blocking))
        .collect();
    assert!(found.len() <= 1);
    found.first().copied()
}

#[test]
fn a_rule_is_a_duplicate_of_one_that_meets_all_that_it_meets() {
    let everyone = |mode| definition(RuleScope::Tenant, "", mode);
    let agent = |name, mode| definition(RuleScope::Agent, name, mode);
    let project = |name, mode| definition(RuleScope::Project, name, mode);
    let twin = Some(("DUPLICATE", true));
    for (active, draft, expected) in [
        (everyone(Block), everyone(Block), twin),
        (everyone(Block), agent("crawler", Block), twin),
        (everyone(Warn), project("shop", Warn), twin),
        (agent("crawler", Block), agent("crawler", Block), twin),
        // Most of what these meet is met by nothing that is active.
        (agent("crawler", Block), everyone(Block), None),
        (project("shop", Warn), everyone(Warn), None),
        (agent("crawler", Block), project("shop", Block), None),
        (project("shop", Block), agent("crawler", Block), None),
        (agent("crawler", Block), agent("writer", Block), None),
    ] {
        assert_eq!(found(&active, &draft), expected, "{active:?} {draft:?}");
    }
}

#[test]
fn another_mode_contradicts_and_blocks_in_the_same_scope_alone() {
    let everyone = |mode| definition(RuleScope::Tenant, "", mode);
    let agent = |name, mode| definition(RuleScope::Agent, name, mode);
    let project = |name, mode| definition(RuleScope::Project, name, mode);
    let (blocks, told) = (
        Some(("CONTRADICTING_MODE", true)),
        Some(("CONTRADICTING_MODE", false)),
    );
    for (one, other, expected) in [
        (everyone(Warn), everyone(Block), blocks),
        (project("shop", Log), project("shop", Block), blocks),
        // The stricter one of the two wins where both apply, and both are wanted.
        (everyone(Warn), project("shop", Block), told),
        (everyone(Block), agent("crawler", Log), told),
        (agent("crawler", Warn), project("shop", Block), told),
        (agent("crawler", Warn), agent("writer", Block), None),
        (everyone(DryRun), everyone(Block), None),
    ] {
        assert_eq!(found(&one, &other), expected, "{one:?} {other:?}");
        assert_eq!(found(&other, &one), expected, "{other:?} {one:?}");
    }
}

#[test]
fn what_is_done_in_streams_is_part_of_what_a_rule_of_answers_does() {
    let of = |stage, mode, on_stream| Definition {
        stage,
        on_stream,
        ..definition(RuleScope::Tenant, "", mode)
    };
    let (input, output) = (Stage::Input, Stage::Output);
    let twin = Some(("DUPLICATE", true));
    for (active, draft, expected) in [
        (of(output, Block, Annotate), of(output, Block, Cut), None),
        (
            of(output, Block, Cut),
            of(output, Block, Annotate),
            Some(("SHADOWED", false)),
        ),
        (of(output, Block, Annotate), of(output, Block, Annotate), twin),
        // Nothing of a request is streamed, and what refuses nothing annotates in any case.
        (of(input, Block, Annotate), of(input, Block, Cut), twin),
        (of(output, Warn, Annotate), of(output, Warn, Cut), twin),
    ] {
        assert_eq!(found(&active, &draft), expected, "{active:?} {draft:?}");
    }
}
