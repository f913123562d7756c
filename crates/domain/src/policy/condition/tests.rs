//! Which conditions are refused, and which hold?

use alloc::format;

use model::money::NanoUsd;
use proptest::prelude::*;

use super::*;

fn context() -> Context<'static> {
    Context {
        model: "gpt-4o",
        provider: "openai",
        agent: "support",
        hour: 22,
        weekday: 6,
        input_tokens: 1000,
        cost: Some(NanoUsd(50_000_000)),
        tools: &["search", "shell"],
        ..Context::default()
    }
}

fn holds(source: &str) -> Result<bool, Fault> {
    compile(source).unwrap().holds(&context())
}

/// Code, line, column and the text that is wrong.
fn refused(source: &str) -> Vec<(&'static str, usize, usize, &str)> {
    compile(source)
        .err()
        .unwrap_or_default()
        .iter()
        .map(|problem| {
            let place = problem.place;
            (
                problem.code.as_str(),
                place.line,
                place.column,
                &source[place.start..place.end],
            )
        })
        .collect()
}

#[test]
fn conditions_hold_or_do_not() {
    for (source, expected) in [
        ("run.model == 'gpt-4o' && run.provider != \"azure\"", true),
        ("run.model in ['gpt-4', 'gpt-4o-mini']", false),
        ("'shell' in tools && size(tools) == 2", true),
        ("tools == ['search', 'shell']", true),
        ("tools.exists(t, t.startsWith('sh'))", true),
        ("tools.all(t, t.size() > 5)", false),
        ("tools.exists_one(t, t.contains('ea'))", true),
        ("tools.exists(t, ['a', 'shell'].exists(x, x == t))", true),
        ("run.model.matches('^gpt-4(o|-turbo)?$')", true),
        (
            "run.model.endsWith('-mini') ? false : time.hour >= 22 || time.weekday > 5",
            true,
        ),
        ("!(time.hour in [8, 9, 10])", true),
        ("has(run.agent) && !has(run.project)", true),
        ("has(estimate.cost_usd) && has(findings.pii.kinds)", false),
        ("estimate.cost_usd == 0.05", true),
        (
            "estimate.cost_usd > 0.050000001 || estimate.cost_usd + 1 < 1.05",
            false,
        ),
        ("1 > estimate.cost_usd", true),
        (
            "estimate.input_tokens * 2 - 1 == 1999 && 7 % 4 == 3 && -(2) < 0",
            true,
        ),
        ("failure.known || failure.status != 0 || failure.count > 0", false),
        ("// a comment\n  run.stream == false", true),
        ("tools.exists(run, run == 'shell')", true),
        ("[1, 2, 3].all(n, n < time.hour)", true),
        ("size('zwölf') == 5", true),
    ] {
        assert_eq!(holds(source), Ok(expected), "{source}");
    }
}

#[test]
fn a_fault_counts_only_where_it_decides() {
    let zero = "estimate.output_tokens";
    for (source, expected) in [
        (format!("1 / {zero} > 0"), Err(Fault::DivisionByZero)),
        (format!("1 % {zero} > 0"), Err(Fault::DivisionByZero)),
        (format!("1 / {zero} > 0 || true"), Ok(true)),
        (format!("1 / {zero} > 0 && false"), Ok(false)),
        (format!("1 / {zero} > 0 && true"), Err(Fault::DivisionByZero)),
        (
            format!("tools.exists(t, t == 'shell' || 1 / {zero} > 0)"),
            Ok(true),
        ),
        (
            format!("tools.all(t, 1 / {zero} > 0)"),
            Err(Fault::DivisionByZero),
        ),
        (
            "9223372036854775807 + estimate.input_tokens > 0".to_string(),
            Err(Fault::Overflow),
        ),
        (
            "-(-9223372036854775808 + 0) > 0".to_string(),
            Err(Fault::Overflow),
        ),
    ] {
        assert_eq!(holds(&source), expected, "{source}");
    }
    let unpriced = Context {
        cost: None,
        ..context()
    };
    let judged = |source| compile(source).unwrap().holds(&unpriced);
    assert_eq!(
        judged("estimate.cost_usd > 1"),
        Err(Fault::Unknown("estimate.cost_usd"))
    );
    assert_eq!(
        judged("has(estimate.cost_usd) && estimate.cost_usd > 1"),
        Ok(false)
    );
}

#[test]
fn what_is_too_large_to_be_judged_is_a_fault() {
    let long = "x".repeat(1025);
    let many: Vec<_> = (0..257).map(|_| "x").collect();
    let condition = |source| compile(source).unwrap();
    let text = Context {
        model: &long,
        ..context()
    };
    assert_eq!(
        condition("run.model == 'x'").holds(&text),
        Err(Fault::TooLarge("run.model"))
    );
    for tools in [&many[..], &[long.as_str()]] {
        let list = Context { tools, ..context() };
        assert_eq!(
            condition("'x' in tools").holds(&list),
            Err(Fault::TooLarge("tools"))
        );
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (source, expected) in [
        ("", &[("SYNTAX", 1, 1, "")][..]),
        ("run.model == ", &[("SYNTAX", 1, 14, "")]),
        ("true\n  &&& false", &[("SYNTAX", 2, 5, "&")]),
        ("run.modle == 'x'", &[("UNKNOWN_NAME", 1, 1, "run.modle")]),
        ("'ü' == 'ü' && foo", &[("UNKNOWN_NAME", 1, 15, "foo")]),
        (
            "lower(run.model) == 'x'",
            &[("UNKNOWN_FUNCTION", 1, 6, "(run.model")],
        ),
        ("run.model", &[("NOT_BOOL", 1, 1, "run.model")]),
        ("run.model > 1", &[("TYPE_MISMATCH", 1, 1, "run.model > 1")]),
        (
            "run.stream < true",
            &[("TYPE_MISMATCH", 1, 1, "run.stream < true")],
        ),
        (
            "time.hour in tools",
            &[("TYPE_MISMATCH", 1, 1, "time.hour in tools")],
        ),
        (
            "estimate.input_tokens > 1.5",
            &[("TYPE_MISMATCH", 1, 1, "estimate.input_tokens > 1.5")],
        ),
        (
            "estimate.cost_usd > 0.0000000001",
            &[("TYPE_MISMATCH", 1, 21, "0.0000000001")],
        ),
        (
            "1 && !2",
            &[("TYPE_MISMATCH", 1, 1, "1"), ("TYPE_MISMATCH", 1, 7, "2")],
        ),
        ("run.model.matches('(')", &[("INVALID_PATTERN", 1, 19, "'('")]),
        (
            "run.model.matches('(?=x)')",
            &[("INVALID_PATTERN", 1, 19, "'(?=x)'")],
        ),
        (
            "run.model.matches('(x{100}){100}')",
            &[("PATTERN_TOO_LARGE", 1, 19, "'(x{100}){100}'")],
        ),
        (
            "run.model.matches(run.agent)",
            &[("UNSUPPORTED", 1, 19, "run.agent")],
        ),
        (
            "tools.map(t, t) == tools",
            &[("UNSUPPORTED", 1, 1, "tools.map(t, t")],
        ),
        ("tools[0] == 'x'", &[("UNSUPPORTED", 1, 1, "tools[0")]),
        (
            "1u == 1u",
            &[("UNSUPPORTED", 1, 1, "1u"), ("UNSUPPORTED", 1, 7, "1u")],
        ),
        (
            "tools.exists(a, tools.exists(b, a == b))",
            &[("TOO_COSTLY", 1, 1, "tools.exists(a, tools.exists(b, a == b))")],
        ),
        ("run.model in ['a', 1]", &[("TYPE_MISMATCH", 1, 14, "['a', 1")]),
    ] {
        assert_eq!(refused(source), expected, "{source}");
    }
}

#[test]
fn a_mistyped_name_gets_a_suggestion() {
    let message = |source| compile(source).unwrap_err()[0].message.clone();
    assert_eq!(
        message("run.modle == 'x'"),
        "there is no `run.modle`; did you mean `run.model`?"
    );
    assert_eq!(
        message("model == 'x'"),
        "there is no `model`; did you mean `run.model`?"
    );
    assert_eq!(message("time == 1"), "`time` has parts: time.hour, time.weekday");
    assert_eq!(message("nothing_like_it"), "there is no `nothing_like_it`");
}

#[test]
fn what_is_too_much_is_refused_as_such() {
    let code = |source: &str| compile(source).unwrap_err()[0].code;
    let nested =
        |open: &str, close: &str, times: usize| format!("{}true{}", open.repeat(times), close.repeat(times));
    assert_eq!(code(&"x".repeat(4097)), ProblemCode::TooLong);
    assert_eq!(code(&"x".repeat(64 * 1024)), ProblemCode::TooLong);
    assert_eq!(code(&nested("(", ")", 1000)), ProblemCode::TooLong);
    assert_eq!(code(&nested("(", ")", 100)), ProblemCode::TooDeep);
    assert_eq!(code(&nested("[", "]", 100)), ProblemCode::TooDeep);
    assert_eq!(
        code(&format!("true{}", " && true".repeat(250))),
        ProblemCode::TooDeep
    );
    assert_eq!(code(&format!("1{} > 0", "+1".repeat(250))), ProblemCode::TooDeep);
    assert_eq!(code(&format!("a{}", ".b".repeat(500))), ProblemCode::UnknownName);
    assert_eq!(
        code("tools.all(a, ['x'].all(b, ['y'].all(c, a == b)))"),
        ProblemCode::TooDeep
    );
    let patterns = format!("true{}", " && run.model.matches('x')".repeat(16));
    assert_eq!(code(&patterns), ProblemCode::TooDeep);
    for code in <ProblemCode as strum::IntoEnumIterator>::iter() {
        assert_eq!(code.is_complexity(), code.as_str().contains("TOO_"), "{code:?}");
    }
}

#[test]
fn a_list_of_texts_costs_what_its_texts_cost() {
    let cost = |source: &str| compile(source).unwrap().cost();
    // Two nodes, and 256 texts of 16 times 64 bytes.
    assert_eq!(cost("run.agent in tools"), 2 + 256 * 16);
    assert_eq!(cost("tools == findings.pii.kinds"), 2 + 256 * 16);
    // What is written out is no longer than it is.
    assert_eq!(cost("'shell' in tools"), 2 + 256);
    assert_eq!(cost("run.agent in ['a', 'b']"), 1 + 3 + 2);
    assert_eq!(cost("tools == ['a', 'b']"), 1 + 3 + 2);
    let long = "x".repeat(640);
    assert_eq!(cost(&format!("'{long}' in tools")), 2 + 256 * 10);
    assert_eq!(cost(&format!("run.agent in ['a', '{long}']")), 1 + 3 + 11);
    assert_eq!(cost("time.hour in [1, 2]"), 1 + 3 + 2);
    // As the documentation has it.
    assert!(
        cost("tools.exists(tool, tool in ['shell', 'exec']) && (time.hour < 6 || time.weekday > 5)")
            < COST_MAX
    );
    for (source, fits) in [
        (
            "run.agent in tools || run.key in tools || run.model in tools || run.feature in tools",
            true,
        ),
        ("tools.exists(tool, tool in findings.pii.kinds)", false),
        (
            "run.agent in tools && run.key in tools && run.model in tools && run.feature in tools && run.project in tools",
            false,
        ),
    ] {
        let code = compile(source).err().map(|problems| problems[0].code);
        assert_eq!(code, (!fits).then_some(ProblemCode::TooCostly), "{source}");
    }
}

#[test]
fn a_pattern_that_backtracks_elsewhere_is_linear_here() {
    let condition = compile("run.model.matches('^(a+)+$')").unwrap();
    let text = format!("{}b", "a".repeat(1000));
    assert_eq!(
        condition.holds(&Context {
            model: &text,
            ..context()
        }),
        Ok(false)
    );
}

#[test]
fn a_condition_knows_what_it_needs() {
    let needs = |source| compile(source).unwrap().needs;
    assert_eq!(needs("run.stream"), [Needs::Request]);
    assert_eq!(
        needs("failure.known || run.stream"),
        [Needs::Failure, Needs::Request]
    );
    assert_eq!(needs("has(findings.pii.kinds)"), [Needs::Findings]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_compiler_panic(source in any::<String>()) {
        let _ = compile(&source);
    }

    #[test]
    fn no_heap_of_tokens_makes_the_compiler_panic(
        tokens in prop::collection::vec(prop::sample::select(&TOKENS[..]), 0..60),
    ) {
        let source = tokens.join(" ");
        match compile(&source) {
            Ok(compiled) => {
                let _ = compiled.holds(&context());
            }
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                for problem in problems {
                    prop_assert!(source.get(problem.place.start..problem.place.end).is_some());
                }
            }
        }
    }
}

const TOKENS: [&str; 42] = [
    "run", ".", "model", "tools", "(", ")", "[", "]", "{", "}", ",", ":", "?", "&&", "||", "!", "-", "+",
    "*", "/", "%", "==", "!=", "<", "<=", ">", "in", "has", "exists", "all", "map", "size", "matches", "'a'",
    "'ü", "\"", "1", "1.5", "2u", "null", "`", "b'\\xff'",
];
