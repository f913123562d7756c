//! Which drafts come out of failures, and what are they at odds with?

use alloc::string::ToString as _;
use alloc::vec;

use model::id::RuleId;
use model::incident::FailureCode;
use model::policy::EnforcementMode::{Block, DryRun, Warn};

use super::*;
use crate::policy::condition::compile;
use crate::policy::context::Context;

fn request(input: &str) -> RequestTraits {
    RequestTraits {
        provider: Some("openai".to_string()),
        model: Some("gpt-\"4\"\\".to_string()),
        agent: None,
        feature: Some("chat".to_string()),
        tools: vec!["search".to_string(), "shell".to_string()],
        input_fingerprint: Some(input.to_string()),
    }
}

fn signature() -> Signature {
    Signature {
        failure: Failure {
            code: FailureCode::ExecutionTimeout,
            error_class: "upstream_timeout".to_string(),
            upstream_status: None,
        },
        request: request("f1"),
    }
}

fn run(input: &str, failed: bool) -> Recorded {
    Recorded {
        request: request(input),
        failure: failed.then(|| signature().failure),
    }
}

fn holds(draft: &Draft, change: impl Fn(&mut Context<'static>)) -> bool {
    let mut context = Context {
        provider: "openai",
        model: "gpt-\"4\"\\",
        feature: "chat",
        tools: &["search", "shell"],
        input_fingerprint: "f1",
        ..Context::default()
    };
    change(&mut context);
    let condition = draft.definition.condition.as_deref().unwrap();
    compile(condition).unwrap().holds(&context).unwrap()
}

#[test]
fn a_draft_meets_the_failure_and_nothing_that_differs_from_it() {
    let draft = draft_from(&signature(), &[]);
    assert!(holds(&draft, |_| {}));
    assert!(!holds(&draft, |it| it.provider = "azure"));
    assert!(!holds(&draft, |it| it.model = "gpt-4"));
    assert!(!holds(&draft, |it| it.agent = "support"));
    assert!(!holds(&draft, |it| it.feature = ""));
    assert!(!holds(&draft, |it| it.tools = &["search"]));
    assert!(!holds(&draft, |it| it.input_fingerprint = "f2"));
    assert_eq!(
        (draft.confidence, draft.definition.mode),
        (PREVENTION_CONFIDENCE, EnforcementMode::Block)
    );
}

/// A failure of a request with so many tools, and runs like it with these inputs, of which all have failed.
fn with_tools(count: usize, name: fn(usize) -> String, inputs: &[&str]) -> (Signature, Vec<Recorded>) {
    let tools: Vec<String> = (0..count).map(name).collect();
    let like = |input: &str| RequestTraits {
        tools: tools.clone(),
        ..request(input)
    };
    let failed = Signature {
        request: like("f1"),
        ..signature()
    };
    let recorded = inputs.iter().map(|input| Recorded {
        request: like(input),
        failure: Some(signature().failure),
    });
    (failed, recorded.collect())
}

#[test]
fn a_draft_is_always_a_rule_that_can_be_made_however_many_tools_there_are() {
    let names: [fn(usize) -> String; 3] = [
        |nth| format!("{nth:064}"),
        |nth| format!("{}{nth:03}", ".-".repeat(30)),
        |nth| format!("{nth:03}{}", "x".repeat(2_000)),
    ];
    for name in names {
        for count in [0, 1, 40, 60, 200, 300] {
            for inputs in [&["f1"][..], &["f1", "f2", "f3"]] {
                let (failed, history) = with_tools(count, name, inputs);
                let draft = draft_from(&failed, &history);
                let problems = crate::policy::draft::validate(&draft.definition).err();
                assert_eq!(problems, None, "{count} tools");
                let tools: Vec<&str> = failed.request.tools.iter().map(String::as_str).collect();
                let condition = compile(draft.definition.condition.as_deref().unwrap()).unwrap();
                let like = |tools: &[&str]| {
                    condition.holds(&Context {
                        provider: "openai",
                        model: "gpt-\"4\"\\",
                        feature: "chat",
                        tools,
                        input_fingerprint: "f1",
                        ..Context::default()
                    })
                };
                assert_eq!(like(&tools), Ok(true), "{count} tools");
                if (1..=256).contains(&count) && tools[0].len() <= 1_024 {
                    assert_eq!(like(&tools[1..]), Ok(false), "{count} tools");
                }
            }
        }
    }
}

#[test]
fn a_draft_that_names_fewer_tools_counts_what_it_meets() {
    let inputs = ["f1", "f2", "f3", "f4", "f5", "f6"];
    let (failed, mut history) = with_tools(60, |nth| format!("{nth:064}"), &inputs);
    let mut other = history[0].clone();
    other.request.tools[59] = "z".to_string();
    other.failure = None;
    // As many tools, and the same first ones: a rule that cannot name all of them meets it.
    history.extend([other.clone(), other]);
    let draft = draft_from(&failed, &history);
    assert_eq!((draft.failures_met, draft.successes_met), (6, 2));
    assert_eq!(draft.confidence, confidence(6, 2));
}

#[test]
fn a_draft_has_a_name_that_a_rule_may_have() {
    let mut hidden = signature();
    hidden.request.model = Some("gpt\u{200b}-4".to_string());
    let draft = draft_from(&hidden, &[]);
    assert_eq!(crate::policy::draft::validate(&draft.definition).err(), None);
    assert_eq!(draft.definition.name, "Prevent EXECUTION_TIMEOUT with gpt-4");
}

#[test]
fn the_input_is_left_out_when_the_failure_recurs_with_others() {
    let recurring = [run("f1", true), run("f2", true), run("f3", true)];
    let draft = draft_from(&signature(), &recurring);
    assert!(holds(&draft, |it| it.input_fingerprint = "f9"));
    assert_eq!(
        (
            draft.failures_met,
            draft.successes_met,
            draft.confidence.to_string().as_str()
        ),
        (3, 0, "0.800")
    );
    // The wider rule would meet too much that succeeds.
    let mixed = [
        run("f1", true),
        run("f2", true),
        run("f3", false),
        run("f4", false),
    ];
    let draft = draft_from(&signature(), &mixed);
    assert!(!holds(&draft, |it| it.input_fingerprint = "f2"));
    assert_eq!((draft.failures_met, draft.successes_met), (1, 0));
}

#[test]
fn a_draft_that_is_not_sure_enough_warns() {
    let draft = draft_from(
        &signature(),
        &[run("f1", true), run("f1", false), run("f1", false)],
    );
    assert_eq!(draft.confidence.to_string(), "0.199");
    assert_eq!(draft.definition.mode, EnforcementMode::Warn);
}

#[test]
fn confidence_grows_with_failures_and_falls_with_successes() {
    let shown = |failures, successes| confidence(failures, successes).to_string();
    assert_eq!(
        (shown(0, 0), shown(1, 0), shown(2, 0), shown(3, 0)),
        ("0.000".into(), "0.600".into(), "0.700".into(), "0.800".into())
    );
    assert_eq!(
        (shown(6, 0), shown(1000, 0), shown(9, 1), shown(1, 1)),
        ("0.950".into(), "0.950".into(), "0.855".into(), "0.300".into())
    );
}

#[test]
fn high_severity_or_recurrence_is_worth_a_proposal() {
    assert!(is_worth_a_proposal(Severity::Sev1, 1) && is_worth_a_proposal(Severity::Sev2, 1));
    assert!(!is_worth_a_proposal(Severity::Sev3, 2));
    assert!(is_worth_a_proposal(Severity::Sev4, 3));
}

fn definition(condition: &str, mode: EnforcementMode) -> Definition {
    Definition {
        condition: Some(condition.to_string()),
        mode,
        ..draft_from(&signature(), &[]).definition
    }
}

#[test]
fn conflicts_are_found_and_named() {
    let draft = definition("run.model == 'a  b' && run.stream", Block);
    let agent = |name: &str| Definition {
        scope: RuleScope::Agent,
        scope_id: Some(name.to_string()),
        ..definition("run.stream", Block)
    };
    for (other, expected) in [
        (
            definition("run.stream&&run.model=='a  b'", Block),
            Some("DUPLICATE"),
        ),
        (
            definition("run.stream && run.model == 'a  b'", Warn),
            Some("CONTRADICTING_MODE"),
        ),
        (definition("run.stream && run.model == 'a b'", Warn), None),
        (definition("run.stream || run.model == 'a  b'", Block), None),
        (definition("run.stream", Block), Some("SHADOWED")),
        (definition("run.stream", Warn), None),
        (definition("run.stream && run.model == 'a  b'", DryRun), None),
        (agent("support"), None),
        (definition("run.agent == 'x'", Block), None),
    ] {
        let active = [ActiveRule {
            id: RuleId::from_bits(1),
            definition: &other,
            signature: None,
        }];
        let found = ActiveRules::from_iter(active).conflicts(&draft, None, None);
        let kinds: Vec<&'static str> = found.iter().map(|conflict| conflict.kind.into()).collect();
        assert_eq!(kinds, expected.into_iter().collect::<Vec<_>>(), "{other:?}");
    }
    let other = definition("run.agent == 'x'", Block);
    let active = [ActiveRule {
        id: RuleId::from_bits(1),
        definition: &other,
        signature: Some(signature().id()),
    }];
    let found = ActiveRules::from_iter(active).conflicts(&draft, Some(signature().id()), None);
    assert_eq!(
        found.first().map(|conflict| (conflict.kind, conflict.blocking)),
        Some((ConflictKind::SameSignature, false))
    );
    let narrow = agent("support");
    let broad = definition("run.stream", Block);
    let active = [ActiveRule {
        id: RuleId::from_bits(1),
        definition: &broad,
        signature: None,
    }];
    assert_eq!(
        ActiveRules::from_iter(active)
            .conflicts(&narrow, None, None)
            .first()
            .map(|conflict| conflict.kind),
        Some(ConflictKind::Duplicate)
    );
}

#[test]
fn a_difference_names_the_fields() {
    let before = definition("run.stream", EnforcementMode::Warn);
    let after = Definition {
        description: None,
        ..definition("run.stream", EnforcementMode::Block)
    };
    let changes: Vec<_> = diff(&before, &after)
        .into_iter()
        .map(|change| (change.field, change.after))
        .collect();
    assert_eq!(
        changes,
        [
            ("description", None),
            ("enforcement_mode", Some("BLOCK".to_string()))
        ]
    );
    assert!(diff(&before, &before).is_empty());
}
