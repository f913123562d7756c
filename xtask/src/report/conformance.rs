//! Do the reports keep their schemas: SARIF 2.1.0 as OASIS published it, and our own?

use boon::{Compiler, SchemaIndex, Schemas};
use rayon::prelude::*;
use serde_json::Value;

use super::*;
use crate::model::{Broken, Span};
use crate::registry;
use crate::rule::Finding;
use crate::selftest::{FIXTURES, cases, execute};

const SARIF: &str = include_str!("../../schema/sarif-2.1.0.json");
const REPORT: &str = include_str!("../../schema/report.json");

struct Schema {
    all: Schemas,
    index: SchemaIndex,
}

impl Schema {
    fn of(text: &str) -> Self {
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        compiler
            .add_resource("schema.json", serde_json::from_str(text).unwrap())
            .unwrap();
        let mut all = Schemas::new();
        let index = compiler.compile("schema.json", &mut all).unwrap();
        Self { all, index }
    }

    /// What is wrong with a document; nothing when it is valid.
    fn faults(&self, document: &str) -> String {
        let document: Value = serde_json::from_str(document).unwrap();
        let judged = self.all.validate(&document, self.index);
        judged.map_or_else(|error| format!("{error:#}"), |()| String::new())
    }
}

fn told(workspace: &Workspace, outcome: &Outcome, format: Format) -> String {
    let told = Told {
        title: "check",
        workspace,
        outcome,
        colour: false,
    };
    render(format, &told)
}

/// The first fixture of each rule and kind, so that every rule's data and places are seen.
fn every_rule(fails: bool) {
    let schemas = [
        (Format::Sarif, Schema::of(SARIF)),
        (Format::Json, Schema::of(REPORT)),
    ];
    let root = crate::check::root().join(FIXTURES);
    let first = |rule| {
        cases(&root, rule)
            .unwrap()
            .into_iter()
            .find(|case| case.fails == fails)
    };
    let all: Vec<_> = registry::all().into_iter().filter_map(first).collect();
    assert!(all.len() > 60, "{}", all.len());
    all.par_iter().for_each(|case| {
        let (workspace, outcome) = execute(case);
        assert_eq!(
            fails,
            outcome
                .findings
                .iter()
                .any(|found| found.rule == case.rule.info().id)
        );
        for (format, schema) in &schemas {
            let text = told(&workspace, &outcome, *format);
            assert_eq!(schema.faults(&text), "", "{} as {format:?}", case.name());
        }
    });
}

#[test]
fn a_report_with_findings_keeps_its_schema_for_every_rule() {
    every_rule(true);
}

#[test]
fn a_clean_report_keeps_its_schema_for_every_rule() {
    every_rule(false);
}

#[test]
fn exempt_known_and_broken_keep_their_schema() {
    let workspace = Workspace::default();
    let finding = |path: &str| Finding {
        rule: "ARCH-EDGE-001",
        ..Finding::new(Span::file(path), "100 % \"wrong\"\n", "mend it").also(Span::file("b.rs"), "there")
    };
    let outcome = Outcome {
        findings: vec![finding("crates/ä b/src/lib.rs"), finding("")],
        exempt: vec![(finding("a.rs"), "a reason of its own".to_owned())],
        known: vec![finding("c#d.rs")],
        broken: vec![
            Broken::file("", "no manifest"),
            Broken::at("a.toml", "x\ny", 2, "odd"),
        ],
        ..Outcome::default()
    };
    let sarif = told(&workspace, &outcome, Format::Sarif);
    assert_eq!(Schema::of(SARIF).faults(&sarif), "");
    assert!(sarif.contains("crates/%C3%A4%20b/src/lib.rs"), "{sarif}");
    assert!(sarif.contains("c%23d.rs"), "{sarif}");
    let document: Value = serde_json::from_str(&sarif).unwrap();
    let run = &document["runs"][0];
    let found = run["results"].as_array().unwrap().iter();
    let input = run["invocations"][0]["toolExecutionNotifications"].as_array();
    for told in found.chain(input.unwrap()) {
        let place = &told["locations"][0]["physicalLocation"];
        assert_ne!(place["artifactLocation"]["uri"], "", "{told}");
        assert_eq!(place["artifactLocation"]["uriBaseId"], "ROOT", "{told}");
        assert!(place["region"]["startLine"].as_u64() > Some(0), "{told}");
    }
    let report = told(&workspace, &outcome, Format::Json);
    assert_eq!(Schema::of(REPORT).faults(&report), "");
}

#[test]
fn the_schemas_refuse_what_is_wrong() {
    let sarif = Schema::of(SARIF);
    let minimal = |results: &str| {
        format!(
            "{{\"version\":\"2.1.0\",\"runs\":[{{\"tool\":{{\"driver\":{{\"name\":\"x\"}}}},\"results\":[{results}]}}]}}"
        )
    };
    assert_eq!(sarif.faults(&minimal("{\"message\":{\"text\":\"x\"}}")), "");
    for wrong in [
        "{}",
        "{\"message\":{\"text\":\"x\"},\"level\":\"fatal\"}",
        "{\"message\":{\"text\":\"x\"},\"locations\":[{\"physicalLocation\":{\"region\":{\"startLine\":0}}}]}",
        "{\"message\":{\"text\":\"x\"},\"rule\":\"misspelt key\"}",
    ] {
        assert_ne!(sarif.faults(&minimal(wrong)), "", "{wrong}");
    }
    let report = Schema::of(REPORT);
    assert_ne!(report.faults("{}"), "");
    let mut document: Value =
        serde_json::from_str(&told(&Workspace::default(), &Outcome::default(), Format::Json)).unwrap();
    assert_eq!(report.faults(&document.to_string()), "");
    document["findings"] = serde_json::json!([{ "rule": 1 }]);
    assert_ne!(report.faults(&document.to_string()), "");
}

#[test]
fn an_annotation_names_lines_and_columns_in_characters_and_escapes_its_parts() {
    use crate::load::testing::workspace;
    let text = "fn a() {}\n/* äöü */ fn b() {}\nfn c() {\n}\n";
    let path = "crates/a/src/50%,b:c.rs";
    let tree = workspace(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n"),
        ("crates/a/Cargo.toml", "[package]\nname = \"a\"\n"),
        (path, text),
    ]);
    let at = |what: &str| {
        let start = text.find(what).unwrap();
        let span = Span::bytes(path, start..start + what.len());
        Finding {
            rule: "ARCH-EDGE-001",
            ..Finding::new(span, "100 %, a: b\r", "first\nsecond")
        }
    };
    let mut file = at("fn a");
    file.primary = Span::file("docs/a.md");
    let outcome = Outcome {
        findings: vec![at("fn b()"), at("fn c() {\n}"), file],
        ..Outcome::default()
    };
    let text = told(&tree, &outcome, Format::Github);
    let data = "::100 %25, a: b%0D%0Afix: first%0Asecond";
    let place = "::error file=crates/a/src/50%25%2Cb%3Ac.rs";
    let expected = format!(
        "{place},line=2,endLine=2,col=11,endColumn=17,title=ARCH-EDGE-001{data}\n\
         {place},line=3,endLine=4,title=ARCH-EDGE-001{data}\n\
         ::error file=docs/a.md,title=ARCH-EDGE-001{data}\n\
         check: 3 findings\n"
    );
    assert_eq!(text, expected);
}
