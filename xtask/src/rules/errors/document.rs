//! Does the API's document describe what no client may see?

use serde_json::Value;

use crate::model::Span;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-ENV-002`.
pub(super) struct Document;

const INFO: Info = Info {
    id: "ARCH-ENV-002",
    title: "the OpenAPI document has no part of an error envelope",
    family: Family::Errors,
    why: "The envelope is forensic: what is in the document is in a client, and stays there.",
    fix: "Take it out of the view; a client gets the request id.",
    scope: "names of schemas, properties and parameters, and values of enums, in the committed OpenAPI document",
    needles: &[],
};

impl Rule for Document {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let path = &ctx.config.errors.openapi;
        if path.is_empty() {
            out.off("the rule file names no `openapi` document");
            return;
        }
        let text = ctx.workspace.text(path);
        let read = ctx.workspace.root.join(path);
        // Snapshots are no kind of file that is read with the tree.
        let own = if text.is_empty() {
            std::fs::read_to_string(read).unwrap_or_default()
        } else {
            text.to_owned()
        };
        let start = own.find("\n{").map_or(0, |at| at + 1);
        let document = own
            .get(start..)
            .and_then(|json| serde_json::from_str::<Value>(json).ok());
        let Some(document) = document else {
            out.examined("", 1);
            out.report(Finding::new(
                Span::file(path),
                "the OpenAPI document cannot be read",
                "correct `openapi` in the rule file",
            ));
            return;
        };
        let mut names = Vec::new();
        walk(&document, "", &mut names);
        names.sort();
        names.dedup();
        let errors = &ctx.config.errors;
        for name in &names {
            out.examined("", 1);
            let hidden = errors
                .fields
                .iter()
                .chain(&errors.forensic)
                .any(|own| own == name)
                || errors
                    .prefixes
                    .iter()
                    .any(|prefix| name.starts_with(prefix.as_str()));
            if hidden {
                let at = own.find(&format!("\"{name}\"")).unwrap_or(0);
                let span = if text.is_empty() {
                    Span::file(path)
                } else {
                    Span::bytes(path, at..at + name.len() + 2)
                };
                out.report(Finding::new(
                    span,
                    format!("the document tells clients of `{name}`"),
                    INFO.fix,
                ));
            }
        }
    }
}

fn walk(value: &Value, key: &str, names: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                if matches!(key, "properties" | "schemas") {
                    names.push(name.clone());
                }
                if name == "name"
                    && let Some(text) = inner.as_str()
                {
                    names.push(text.to_owned());
                }
                walk(inner, name, names);
            }
        }
        Value::Array(list) => {
            for inner in list {
                if matches!(key, "enum" | "required")
                    && let Some(text) = inner.as_str()
                {
                    names.push(text.to_owned());
                }
                walk(inner, key, names);
            }
        }
        _ => {}
    }
}
