//! Does a compiled condition say what CEL's own interpreter says?

use cel::{Context as CelContext, Program};
use domain::policy::condition::compile;
use domain::policy::context::Context;
use proptest::prelude::*;

/// Expressions of each type, by depth.
fn int(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        (-3_i64..100).prop_map(|number| number.to_string()),
        Just("estimate.input_tokens".to_owned()),
        Just("estimate.output_tokens".to_owned()),
        Just("time.hour".to_owned()),
        Just("9223372036854775807".to_owned()),
        Just("size(tools)".to_owned()),
        Just("run.model.size()".to_owned()),
    ];
    leaf.prop_recursive(depth, 16, 2, |inner| {
        (
            inner.clone(),
            prop::sample::select(&["+", "-", "*", "/", "%"][..]),
            inner,
        )
            .prop_map(|(left, sign, right)| format!("({left} {sign} {right})"))
    })
    .boxed()
}

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(
        &[
            "run.model",
            "run.agent",
            "run.project",
            "'gpt-4o'",
            "'ü'",
            "''",
            "'search'",
        ][..],
    )
    .prop_map(str::to_owned)
}

fn truth() -> BoxedStrategy<String> {
    let compared = prop::sample::select(&["==", "!=", "<", "<=", ">", ">="][..]);
    let leaf = prop_oneof![
        Just("true".to_owned()),
        Just("run.stream".to_owned()),
        (int(2), compared.clone(), int(2)).prop_map(|(left, sign, right)| format!("{left} {sign} {right}")),
        (text(), compared, text()).prop_map(|(left, sign, right)| format!("{left} {sign} {right}")),
        text().prop_map(|text| format!("{text} in tools")),
        int(1).prop_map(|number| format!("{number} in [1, 2, 22]")),
        (
            text(),
            prop::sample::select(&["startsWith", "endsWith", "contains"][..]),
            text()
        )
            .prop_map(|(left, name, right)| format!("{left}.{name}({right})")),
        Just("tools == ['search', 'shell']".to_owned()),
    ];
    leaf.prop_recursive(3, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|it| format!("!({it})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) && ({right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) || ({right})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a}) ? ({b}) : ({c})")),
            (
                prop::sample::select(&["all", "exists", "exists_one"][..]),
                inner.clone()
            )
                .prop_map(|(name, it)| format!("tools.{name}(t, t == 'shell' || ({it}))")),
            (prop::sample::select(&["all", "exists"][..]), inner)
                .prop_map(|(name, it)| format!("[1, 0, 3].{name}(n, 6 / n > 2 && ({it}))")),
        ]
    })
    .boxed()
}

fn reference(source: &str, given: &Context<'_>) -> Result<bool, String> {
    let mut context = CelContext::default();
    let texts = |pairs: &[(&str, cel::Value)]| {
        let map: std::collections::HashMap<String, cel::Value> = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        cel::Value::from(map)
    };
    let text = |text: &str| cel::Value::from(text.to_owned());
    let run = texts(&[
        ("model", text(given.model)),
        ("agent", text(given.agent)),
        ("project", text(given.project)),
        ("stream", cel::Value::Bool(given.stream)),
    ]);
    let estimate = texts(&[
        ("input_tokens", cel::Value::Int(given.input_tokens)),
        ("output_tokens", cel::Value::Int(given.output_tokens)),
    ]);
    context.add_variable_from_value("run", run);
    context.add_variable_from_value("estimate", estimate);
    context.add_variable_from_value("time", texts(&[("hour", cel::Value::Int(given.hour))]));
    let tools: Vec<cel::Value> = given.tools.iter().map(|tool| text(tool)).collect();
    context.add_variable_from_value("tools", cel::Value::from(tools));
    let program = Program::compile(source).map_err(|error| error.to_string())?;
    match program.execute(&context) {
        Ok(cel::Value::Bool(truth)) => Ok(truth),
        Ok(other) => panic!("{source} is {other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

const TOOLS: &[&[&str]] = &[&[], &["shell"], &["search", "shell"]];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_compiled_says_what_the_interpreter_says(
        source in truth(),
        model in prop::sample::select(&["gpt-4o", "", "ü", "search"][..]),
        input_tokens in prop::sample::select(&[0_i64, 1, 1000, i64::MAX, i64::MIN][..]),
        hour in 0_i64..24,
        stream: bool,
        tools in prop::sample::select(TOOLS),
    ) {
        let given = Context { model, agent: "search", input_tokens, hour, stream, tools, ..Context::default() };
        // What is nested deeper or costs more than conditions may is refused, which is tested elsewhere.
        let Ok(compiled) = compile(&source) else { return Err(TestCaseError::reject("too much")) };
        let (ours, theirs) = (compiled.holds(&given), reference(&source, &given));
        match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs, "{}", source),
            (Err(_), Err(_)) => {}
            _ => prop_assert!(false, "{source}: {ours:?} and {theirs:?}"),
        }
    }
}
