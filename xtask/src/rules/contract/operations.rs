//! Does every operation say what a client has to know of it?

use std::collections::BTreeMap;

use serde::Deserialize;

use super::committed::document;
use crate::config::{Config, Name};
use crate::json::Node;
use crate::model::Broken;
use crate::openapi::{Document, Operation};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-CONTRACT-002`.
pub(super) struct Complete;

const INFO: Info = Info {
    id: "ARCH-CONTRACT-002",
    title: "every operation has an id of its own, a summary, a tag, a refusal and says who may call it",
    family: Family::Contract,
    why: "Generators make one function per operationId: two operations with one id become one function, and which \
          one is chance. An operation without a 4xx answer has clients that do not expect to be refused.",
    fix: "Say it at the handler: `operation_id = \"list_limits\"`, `tag`, `responses`, `security`.",
    scope: "operations of the OpenAPI document; paths of `open` are for everybody and must say so",
    needles: &[],
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    /// Paths that need no credential.
    open: Vec<Name>,
}

impl Rule for Complete {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        config.options::<Options>(INFO.id).map(|_| ())
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(document) = document(ctx, out) else {
            return;
        };
        let options: Options = ctx.options(&INFO);
        let operations = document.operations();
        out.examined("", operations.len());
        let mut ids: BTreeMap<&str, &Operation<'_>> = BTreeMap::new();
        for operation in &operations {
            let open = options.open.iter().any(|path| path.as_ref() == operation.path);
            texts(document, operation, out);
            access(document, operation, open, out);
            let Some(id) = operation.node.get("operationId") else {
                continue;
            };
            let text = id.text().unwrap_or_default();
            if let Some(first) = ids.get(text) {
                let message = format!(
                    "`{text}` is the id of two operations: {} and {}",
                    first.name(),
                    operation.name()
                );
                let remedy = "give each an id of its own, with the noun in it: `list_limits`, `list_keys`";
                let earlier = document.span(first.range.clone());
                out.report(
                    Finding::new(document.span(id.range.clone()), message, remedy)
                        .also(earlier, "the other one"),
                );
            } else {
                ids.insert(text, operation);
            }
        }
        for path in &options.open {
            if !operations.iter().any(|operation| operation.path == path.as_ref()) {
                let message = format!("the document has no path `{}`", path.as_ref());
                let remedy = "remove it from `open`, so that the list stays true";
                out.report(Finding::new(ctx.config.span(path), message, remedy));
            }
        }
    }
}

fn texts(document: &Document, operation: &Operation<'_>, out: &mut Sink<'_>) {
    let said = |name: &str| {
        let node = operation.node.get(name);
        let text = node
            .and_then(Node::text)
            .is_some_and(|text| !text.trim().is_empty());
        text || node.is_some_and(|node| !node.items().is_empty())
    };
    for (name, remedy) in [
        ("operationId", "add `operation_id = \"…\"`: verb and noun"),
        (
            "summary",
            "begin the handler's documentation with a line that says what it does",
        ),
        ("tags", "add `tag = \"…\"`: the group that it is shown in"),
        ("responses", "say what it answers"),
    ] {
        let has = if name == "responses" {
            operation
                .node
                .get(name)
                .is_some_and(|node| !node.members().is_empty())
        } else {
            said(name)
        };
        if !has {
            let message = format!("{} has no `{name}`", operation.name());
            out.report(Finding::new(
                document.span(operation.range.clone()),
                message,
                remedy,
            ));
        }
    }
}

/// A list of requirements without any that has a name is open: `[]`, `[{}]`.
pub(super) fn needs_credential(document: &Document, operation: &Operation<'_>) -> bool {
    let own = operation
        .node
        .get("security")
        .or_else(|| document.root.get("security"));
    own.is_some_and(|list| {
        !list.items().is_empty() && list.items().iter().all(|one| !one.members().is_empty())
    })
}

fn access(document: &Document, operation: &Operation<'_>, open: bool, out: &mut Sink<'_>) {
    let place = || document.span(operation.range.clone());
    match (open, needs_credential(document, operation)) {
        (true, true) => {
            let message = format!(
                "{} is open, and the document asks for a credential",
                operation.name()
            );
            let remedy = "say so at the handler: `security(())`";
            out.report(Finding::new(place(), message, remedy));
        }
        (false, false) => {
            let message = format!("{} says of no credential that it needs it", operation.name());
            let remedy = "add `security((\"bearer\" = []))`, or list the path in `open`";
            out.report(Finding::new(place(), message, remedy));
        }
        _ => {}
    }
    let responses = operation
        .node
        .get("responses")
        .map(Node::members)
        .unwrap_or_default();
    if !open && !responses.iter().any(|(status, ..)| status.starts_with('4')) {
        let message = format!("{} has no 4xx answer", operation.name());
        let remedy = "say how it refuses: 401 and 403 at least";
        out.report(Finding::new(place(), message, remedy));
    }
}
