//! The report for code scanning: SARIF 2.1.0.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Told;
use super::places::place;
use crate::model::{Span, Workspace};
use crate::registry;
use crate::rule::Finding;

/// The schema that `xtask/schema/sarif-2.1.0.json` is a copy of.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub(super) fn text(told: &Told<'_>) -> String {
    let outcome = told.outcome;
    let rules: Vec<_> = registry::all()
        .iter()
        .map(|rule| {
            let info = rule.info();
            json!({
                "id": info.id,
                "shortDescription": { "text": info.title },
                "fullDescription": { "text": info.why },
                "help": { "text": info.fix },
                "defaultConfiguration": { "level": "error" },
            })
        })
        .collect();
    let mut results: Vec<_> = outcome
        .findings
        .iter()
        .map(|found| result(told.workspace, found, None))
        .collect();
    for (found, reason) in &outcome.exempt {
        let suppression = json!([{ "kind": "inSource", "status": "accepted", "justification": reason }]);
        results.push(result(told.workspace, found, Some(suppression)));
    }
    for found in &outcome.known {
        let suppression = json!([{ "kind": "external", "status": "accepted", "justification": "baseline" }]);
        results.push(result(told.workspace, found, Some(suppression)));
    }
    let notifications: Vec<_> = outcome
        .broken
        .iter()
        .map(|broken| {
            let region = match broken.line {
                0 => json!({ "startLine": 1 }),
                line => json!({ "startLine": line, "startColumn": broken.column }),
            };
            let physical = json!({ "artifactLocation": artifact(&broken.path), "region": region });
            json!({
                "level": "error",
                "message": { "text": broken.what },
                "locations": [{ "physicalLocation": physical }],
            })
        })
        .collect();
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "cargo xtask check",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "automationDetails": { "id": format!("architecture/{}", told.title) },
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": { "ROOT": { "description": { "text": "The root of the workspace." } } },
            "invocations": [{
                "executionSuccessful": outcome.broken.is_empty(),
                "exitCode": outcome.exit_code(),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    });
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn result(workspace: &Workspace, found: &Finding, suppressions: Option<Value>) -> Value {
    let related: Vec<_> = found
        .secondary
        .iter()
        .map(|(span, label)| {
            let mut location = location(workspace, span);
            if let Some(location) = location.as_object_mut() {
                location.insert("message".to_owned(), json!({ "text": label }));
            }
            location
        })
        .collect();
    let rules = registry::all();
    let index = rules.iter().position(|rule| rule.info().id == found.rule);
    let mut result = json!({
        "ruleId": found.rule,
        "level": "error",
        "message": { "text": format!("{}. Fix: {}", found.message, found.remedy) },
        "locations": [location(workspace, &found.primary)],
        "partialFingerprints": { "architecture/v1": found.fingerprint },
        "properties": { "crate": found.krate, "layer": found.layer, "item": found.item },
    });
    if let Some(result) = result.as_object_mut() {
        if let Some(index) = index {
            result.insert("ruleIndex".to_owned(), json!(index));
        }
        if !related.is_empty() {
            result.insert("relatedLocations".to_owned(), Value::Array(related));
        }
        if let Some(suppressions) = suppressions {
            result.insert("suppressions".to_owned(), suppressions);
        }
    }
    result
}

fn location(workspace: &Workspace, span: &Span) -> Value {
    let artifact = artifact(&span.path);
    let place = place(workspace, span);
    // Code scanning needs a line; a file as a whole is its first one.
    let region = if place.line == 0 {
        json!({ "startLine": 1 })
    } else {
        json!({
            "startLine": place.line,
            "startColumn": place.column,
            "endLine": place.end_line,
            "endColumn": place.end_column,
        })
    };
    json!({ "physicalLocation": { "artifactLocation": artifact, "region": region } })
}

/// The file of a place. What concerns the tree as a whole is shown at its manifest: an empty address is no place.
fn artifact(path: &str) -> Value {
    let path = if path.is_empty() { "Cargo.toml" } else { path };
    json!({ "uri": uri(path), "uriBaseId": "ROOT" })
}

/// A path as a relative URI: everything but unreserved characters and `/` escaped.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        if plain {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}
