//! Does the API's document describe what no client may see?

use std::collections::BTreeMap;
use std::ops::Range;

use crate::json::Node;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-ENV-002`.
pub(super) struct Document;

const INFO: Info = Info {
    id: "ARCH-ENV-002",
    title: "the OpenAPI document has no part of an error envelope",
    family: Family::Errors,
    why: "The envelope is forensic: what is in the document is in a client, and stays there.",
    fix: "Take it out of the view; a client gets the request id.",
    scope: "names of schemas, properties, headers and parameters, and values of enums, in the committed OpenAPI document",
    needles: &[],
};

impl Rule for Document {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if !super::configured(ctx, out) {
            return;
        }
        let document = match ctx.document() {
            None => {
                out.off("the rule file names no document in [contract]");
                return;
            }
            Some(Ok(document)) => document,
            Some(Err((span, what))) => {
                out.examined("", 1);
                let message = format!("the OpenAPI document cannot be read: {what}");
                let remedy = "correct it, or `document` of [contract]";
                out.report(Finding::new(span.clone(), message, remedy));
                return;
            }
        };
        let errors = &ctx.config.errors;
        let hidden = |name: &str| {
            let mut names = errors.fields.iter().chain(&errors.forensic);
            names.any(|own| own == name)
                || errors
                    .prefixes
                    .iter()
                    .any(|prefix| name.starts_with(prefix.as_str()))
        };
        for (name, place) in names(&document.root) {
            out.examined("", 1);
            if hidden(name) {
                let message = format!("the document tells clients of `{name}`");
                out.report(Finding::new(document.span(place), message, INFO.fix));
            }
        }
    }
}

/// Every name that clients see, where it stands first.
fn names(root: &Node) -> BTreeMap<&str, Range<usize>> {
    let mut found: BTreeMap<&str, Range<usize>> = BTreeMap::new();
    let mut note = |name, place: &Range<usize>| {
        let first = found.entry(name).or_insert_with(|| place.clone());
        if place.start < first.start {
            *first = place.clone();
        }
    };
    root.walk("", &mut |key, node| {
        if matches!(key, "properties" | "schemas" | "headers") {
            node.members()
                .iter()
                .for_each(|(name, place, _)| note(name, place));
        }
        if matches!(key, "name" | "enum" | "required")
            && let Some(text) = node.text()
        {
            note(text, &node.range);
        }
    });
    found
}
