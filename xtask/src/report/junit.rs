//! The report for CI servers: one test case for each rule.

use std::fmt::Write;

use super::Told;
use super::human;
use super::places::place;

pub(super) fn text(told: &Told<'_>) -> String {
    let outcome = told.outcome;
    let failed = outcome
        .rules
        .iter()
        .filter(|ran| outcome.findings.iter().any(|found| found.rule == ran.info.id));
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        text,
        "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\">",
        escape(told.title),
        outcome.rules.len(),
        failed.count(),
        outcome.broken.len()
    );
    let _ = writeln!(text, "  <testsuite name=\"{}\">", escape(told.title));
    for ran in &outcome.rules {
        let found: Vec<_> = outcome
            .findings
            .iter()
            .filter(|found| found.rule == ran.info.id)
            .collect();
        let _ = write!(
            text,
            "    <testcase classname=\"{}\" name=\"{}\"",
            ran.info.family.command(),
            ran.info.id
        );
        if found.is_empty() && ran.off.is_none() {
            text.push_str("/>\n");
            continue;
        }
        text.push_str(">\n");
        if let Some(off) = ran.off {
            let _ = writeln!(text, "      <skipped message=\"{}\"/>", escape(off));
        }
        for found in found {
            let line = place(told.workspace, &found.primary).line;
            let _ = writeln!(
                text,
                "      <failure type=\"{}\" message=\"{}\">{}:{line}\n{}</failure>",
                found.rule,
                escape(&found.message),
                escape(&found.primary.path),
                escape(&human::one(told.workspace, found, false))
            );
        }
        text.push_str("    </testcase>\n");
    }
    for broken in &outcome.broken {
        let _ = writeln!(
            text,
            "    <testcase classname=\"input\" name=\"{}\"><error message=\"{}\"/></testcase>",
            escape(&broken.path),
            escape(&broken.to_string())
        );
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML 1.0 has no other control characters.
            c if c.is_control() && !matches!(c, '\n' | '\t') => escaped.push('\u{FFFD}'),
            c => escaped.push(c),
        }
    }
    escaped
}
