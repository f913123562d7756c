//! The report for programs. The schema stands in xtask/schema/report.json.

use serde::Serialize;

use super::Told;
use super::places::place;
use crate::model::{Span, Workspace};
use crate::rule::Finding;

/// Raised when a key changes its meaning.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    command: &'a str,
    outcome: &'static str,
    findings: Vec<Entry<'a>>,
    exempt: Vec<Exempt<'a>>,
    baseline: Vec<Entry<'a>>,
    broken: Vec<Broken<'a>>,
    rules: Vec<RuleEntry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    rule: &'a str,
    severity: &'static str,
    #[serde(rename = "crate")]
    krate: &'a str,
    layer: &'a str,
    item: &'a str,
    message: &'a str,
    remedy: &'a str,
    fingerprint: &'a str,
    at: Location<'a>,
    also: Vec<Location<'a>>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    label: &'a str,
}

#[derive(Serialize)]
struct Exempt<'a> {
    reason: &'a str,
    finding: Entry<'a>,
}

#[derive(Serialize)]
struct Broken<'a> {
    path: &'a str,
    line: usize,
    column: usize,
    message: &'a str,
}

#[derive(Serialize)]
struct RuleEntry<'a> {
    id: &'a str,
    title: &'a str,
    command: &'a str,
    examined: usize,
    crates: usize,
    findings: usize,
    off: Option<&'a str>,
    data: &'a serde_json::Value,
}

pub(super) fn text(told: &Told<'_>) -> String {
    let outcome = told.outcome;
    let report = Report {
        format: FORMAT,
        command: told.title,
        outcome: match outcome.exit_code() {
            0 => "clean",
            1 => "findings",
            _ => "broken",
        },
        findings: outcome
            .findings
            .iter()
            .map(|found| entry(told.workspace, found))
            .collect(),
        exempt: outcome
            .exempt
            .iter()
            .map(|(found, reason)| Exempt {
                reason,
                finding: entry(told.workspace, found),
            })
            .collect(),
        baseline: outcome
            .known
            .iter()
            .map(|found| entry(told.workspace, found))
            .collect(),
        broken: outcome
            .broken
            .iter()
            .map(|broken| Broken {
                path: &broken.path,
                line: broken.line,
                column: broken.column,
                message: &broken.what,
            })
            .collect(),
        rules: outcome
            .rules
            .iter()
            .map(|ran| RuleEntry {
                id: ran.info.id,
                title: ran.info.title,
                command: ran.info.family.command(),
                examined: ran.total(),
                crates: ran.examined.keys().filter(|name| !name.is_empty()).count(),
                findings: outcome
                    .findings
                    .iter()
                    .filter(|found| found.rule == ran.info.id)
                    .count(),
                off: ran.off,
                data: &ran.data,
            })
            .collect(),
    };
    // Strings and numbers always serialise.
    let mut text = serde_json::to_string_pretty(&report).unwrap_or_default();
    text.push('\n');
    text
}

fn entry<'a>(workspace: &Workspace, found: &'a Finding) -> Entry<'a> {
    Entry {
        rule: found.rule,
        severity: "error",
        krate: &found.krate,
        layer: &found.layer,
        item: &found.item,
        message: &found.message,
        remedy: &found.remedy,
        fingerprint: &found.fingerprint,
        at: location(workspace, &found.primary, &found.label),
        also: found
            .secondary
            .iter()
            .map(|(span, label)| location(workspace, span, label))
            .collect(),
    }
}

fn location<'a>(workspace: &Workspace, span: &'a Span, label: &'a str) -> Location<'a> {
    let place = place(workspace, span);
    Location {
        path: &span.path,
        line: place.line,
        column: place.column,
        end_line: place.end_line,
        end_column: place.end_column,
        label,
    }
}
