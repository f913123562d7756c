//! How many recorded exchanges ran with which SDK, why did the others not, and does the document say the same?

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

const BEGIN: &str = "<!-- measured -->\n";
const END: &str = "<!-- /measured -->\n";

/// The report of `sdk_equality.py` in Markdown.
pub(super) fn of(report: &Value) -> String {
    let mut text = String::new();
    let number = |value: &Value| value.as_u64().unwrap();
    let versions = report["versions"].as_object().unwrap();
    let versions: Vec<String> = versions
        .iter()
        .map(|(name, version)| format!("{name} {}", version.as_str().unwrap()))
        .collect();
    let (usable, recordings) = (number(&report["usable"]), number(&report["recordings"]));
    writeln!(
        text,
        "{usable} of {recordings} recordings ran, with {}.\n",
        versions.join(", ")
    )
    .unwrap();

    text.push_str(
        "| SDK | operation | client and answer | ran | equal | did not run |\n|---|---|---|---|---|---|\n",
    );
    let mut total = [0; 3];
    for mode in report["modes"].as_array().unwrap() {
        let word = |name: &str| mode[name].as_str().unwrap();
        let sdk = if word("endpoint") == "messages" {
            "anthropic"
        } else {
            "openai"
        };
        let counts = ["ran", "equal", "refused"].map(|name| number(&mode[name]));
        for (sum, count) in total.iter_mut().zip(counts) {
            *sum += count;
        }
        let [ran, equal, refused] = counts;
        writeln!(
            text,
            "| {sdk} | {} | {} | {ran} | {equal} | {refused} |",
            word("endpoint"),
            word("mode")
        )
        .unwrap();
    }
    let [ran, equal, refused] = total;
    writeln!(text, "| | | all | **{ran}** | **{equal}** | **{refused}** |\n").unwrap();

    let reasons = report["refused"].as_object().unwrap();
    if reasons.is_empty() {
        text.push_str("No call did not run, so there is no reason to give.\n\n");
    } else {
        text.push_str("| why a call did not run | calls |\n|---|---|\n");
        for (reason, calls) in reasons {
            writeln!(text, "| {} | {calls} |", reason.replace('|', "/")).unwrap();
        }
        text.push('\n');
    }

    text.push_str("| what Plimsoll recorded of a call | calls |\n|---|---|\n");
    for (outcome, calls) in report["costs"].as_object().unwrap() {
        writeln!(text, "| {outcome} | {calls} |").unwrap();
    }
    text
}

/// Panics if the document does not hold this table, or writes it there if `PLIMSOLL_UPDATE_DOCS` is 1.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no configuration; whether a document may be rewritten only its writer can say"
)]
pub(super) fn is_documented(table: &str, document: &Path) {
    let text = std::fs::read_to_string(document).unwrap();
    let update = std::env::var_os("PLIMSOLL_UPDATE_DOCS").is_some_and(|value| value == "1");
    if update {
        std::fs::write(document, with(&text, table)).unwrap();
    } else {
        let said = between(&text);
        assert_eq!(
            said,
            table,
            "{} does not say what was measured; run this test with PLIMSOLL_UPDATE_DOCS=1",
            document.display()
        );
    }
}

fn parts(text: &str) -> (&str, &str, &str) {
    let (before, rest) = text
        .split_once(BEGIN)
        .expect("the document says where the table begins");
    let (table, after) = rest
        .split_once(END)
        .expect("the document says where the table ends");
    (before, table, after)
}

fn between(text: &str) -> &str {
    parts(text).1
}

fn with(text: &str, table: &str) -> String {
    let (before, _, after) = parts(text);
    format!("{before}{BEGIN}{table}{END}{after}")
}

#[test]
fn a_table_names_every_reason_and_is_found_again_in_its_document() {
    let report = serde_json::json!({
        "versions": {"openai": "3"}, "usable": 2, "recordings": 3,
        "modes": [{"endpoint": "messages", "mode": "sync plain", "ran": 1, "equal": 1, "refused": 0},
                  {"endpoint": "embeddings", "mode": "async plain", "ran": 1, "equal": 0, "refused": 2}],
        "refused": {"embeddings: TypeError: no | input": 2}, "costs": {"priced: equal": 2},
    });
    let table = of(&report);
    for line in [
        "2 of 3 recordings ran, with openai 3.",
        "| anthropic | messages | sync plain | 1 | 1 | 0 |",
        "| openai | embeddings | async plain | 1 | 0 | 2 |",
        "| | | all | **2** | **1** | **2** |",
        "| embeddings: TypeError: no / input | 2 |",
        "| priced: equal | 2 |",
    ] {
        assert!(
            table.lines().any(|found| found == line),
            "{line} is not in\n{table}"
        );
    }
    let document = format!("a\n{BEGIN}old\n{END}b\n");
    let written = with(&document, &table);
    assert_eq!(between(&written), table);
    assert!(written.starts_with("a\n") && written.ends_with("b\n"));
}
