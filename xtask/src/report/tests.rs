//! Is a verdict told the same way in every form, twice?

use super::*;
use crate::registry;
use crate::selftest::{Case, FIXTURES, cases, execute};

fn case(id: &str, name: &str) -> Case {
    let rule = registry::all()
        .into_iter()
        .find(|rule| rule.info().id == id)
        .unwrap();
    let root = crate::check::root().join(FIXTURES);
    let all = cases(&root, rule).unwrap();
    all.into_iter()
        .find(|case| case.name() == format!("{id}/{name}"))
        .unwrap()
}

fn told(format: Format, id: &str, name: &str) -> String {
    let (workspace, mut outcome) = execute(&case(id, name));
    outcome.rules.retain(|ran| ran.info.id == id);
    let told = Told {
        title: "check-layers",
        workspace: &workspace,
        outcome: &outcome,
        colour: false,
    };
    render(format, &told)
}

const EDGE: (&str, &str) = ("ARCH-EDGE-001", "fail/01-use");
const EXEMPT: (&str, &str) = ("ARCH-EXPECT-001", "pass/in-order");

#[test]
fn the_json_of_a_finding_is_frozen() {
    insta::assert_snapshot!(told(Format::Json, EDGE.0, EDGE.1));
}

#[test]
fn the_sarif_of_a_finding_is_frozen() {
    let text = told(Format::Sarif, EDGE.0, EDGE.1);
    // The list of rules grows with every rule; the rest must not change.
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    document["runs"][0]["tool"]["driver"]["rules"]
        .as_array_mut()
        .unwrap()
        .truncate(1);
    document["runs"][0]["results"][0]["ruleIndex"] = 0.into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
}

#[test]
fn github_and_junit_show_the_line() {
    insta::assert_snapshot!(told(Format::Github, EDGE.0, EDGE.1));
    insta::assert_snapshot!(told(Format::Junit, EDGE.0, EDGE.1));
}

#[test]
fn an_exempt_finding_is_a_suppression_with_its_reason() {
    let text = told(Format::Sarif, EXEMPT.0, EXEMPT.1);
    assert!(text.contains("\"kind\": \"inSource\""), "{text}");
    assert!(
        text.contains("\"justification\": \"the shared cursor moves next week\""),
        "{text}"
    );
}

#[test]
fn two_runs_are_byte_equal() {
    for format in [
        Format::Human,
        Format::Json,
        Format::Sarif,
        Format::Github,
        Format::Junit,
    ] {
        for (id, name) in [EDGE, EXEMPT, ("ARCH-FENCE-001", "fail/nested-group")] {
            assert_eq!(told(format, id, name), told(format, id, name));
        }
    }
}

#[test]
fn every_key_of_the_json_is_in_the_schema() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../schema/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&told(Format::Json, EDGE.0, EDGE.1)).unwrap();
    let keys =
        |value: &serde_json::Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(keys(&report), keys(&schema["properties"]));
    let finding = &report["findings"][0];
    assert_eq!(keys(finding), keys(&schema["$defs"]["finding"]["properties"]));
    assert_eq!(
        keys(&finding["at"]),
        keys(&schema["$defs"]["location"]["properties"])
    );
    let rule = &schema["properties"]["rules"]["items"]["properties"];
    assert_eq!(keys(&report["rules"][0]), keys(rule));
}

#[test]
fn broken_input_says_where_and_is_no_success() {
    use crate::load::testing::workspace;
    for (path, text, place) in [
        (
            "architecture.toml",
            "[layers.L1]\nmay_use = []\nmay_sue = []\n",
            "architecture.toml:3:1",
        ),
        (
            "crates/a/Cargo.toml",
            "[package]\nname = \"a\n",
            "crates/a/Cargo.toml:2:",
        ),
        (
            "crates/a/src/lib.rs",
            "fn f() {\n    (\n}\n",
            "crates/a/src/lib.rs:3:1",
        ),
    ] {
        let mut files = vec![
            ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n"),
            ("crates/a/Cargo.toml", "[package]\nname = \"a\"\n"),
        ];
        files.retain(|file| file.0 != path);
        files.push((path, text));
        let mut tree = workspace(&files);
        crate::check::read_config(&mut tree, None);
        let outcome = Outcome {
            broken: tree.broken.clone(),
            ..Outcome::default()
        };
        assert_eq!(outcome.exit_code(), 2, "{path}");
        let told = Told {
            title: "check",
            workspace: &tree,
            outcome: &outcome,
            colour: false,
        };
        let human = render(Format::Human, &told);
        assert!(human.contains(place), "{human}");
        assert!(render(Format::Sarif, &told).contains("\"executionSuccessful\": false"));
    }
}
