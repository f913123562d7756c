//! Is the committed OpenAPI document one that a client could be generated from?

use std::collections::BTreeSet;

use crate::json::Node;
use crate::model::Span;
use crate::openapi::Document;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-CONTRACT-001`.
pub(super) struct Committed;

const INFO: Info = Info {
    id: "ARCH-CONTRACT-001",
    title: "the OpenAPI document is committed, whole, and of this version",
    family: Family::Contract,
    why: "Clients are generated from the document: one dangling `$ref` stops them all. A snapshot that waits for \
          review is a contract that nobody has read.",
    fix: "Run the tests of the API, review the snapshot, and commit it.",
    scope: "the file of `[contract] document`, its references, and pending snapshots everywhere",
    needles: &[],
};

impl Rule for Committed {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(path) = &ctx.config.contract.document else {
            out.off("`[contract]` names no document");
            return;
        };
        for pending in pending(ctx) {
            let remedy = "review it: `cargo insta review`, or set INSTA_UPDATE=always and read the diff";
            out.report(Finding::new(
                Span::file(pending),
                "a snapshot waits for review",
                remedy,
            ));
        }
        out.examined("", 1);
        let document = match ctx.document() {
            None => return,
            Some(Ok(document)) => document,
            Some(Err((span, what))) => {
                let message = format!("the OpenAPI document could not be read: {what}");
                let remedy = "run the tests of the API, which write it, and commit the file";
                out.report(
                    Finding::new(span.clone(), message, remedy).also(ctx.config.span(path), "named here"),
                );
                return;
            }
        };
        version(ctx, document, out);
        references(document, out);
    }
}

/// Snapshots that wait, also where git ignores them.
fn pending(ctx: &Ctx<'_>) -> BTreeSet<String> {
    let waits = |path: &&str| path.ends_with(".snap.new") || path.ends_with(".pending-snap");
    let mut found: BTreeSet<_> = ctx
        .workspace
        .files
        .paths()
        .filter(waits)
        .map(str::to_owned)
        .collect();
    let root = &ctx.workspace.root;
    if !root.as_os_str().is_empty() {
        let known = ctx.workspace.files.with_extension("snap");
        let new = known.map(|(path, _)| format!("{path}.new"));
        found.extend(new.filter(|path| root.join(path).exists()));
    }
    found
}

/// The version of `[workspace.package]` in the root manifest.
fn workspace_version(ctx: &Ctx<'_>) -> Option<String> {
    let manifest: toml::Table = ctx.workspace.text("Cargo.toml").parse().ok()?;
    let package = manifest.get("workspace")?.get("package")?;
    package.get("version")?.as_str().map(str::to_owned)
}

fn version(ctx: &Ctx<'_>, document: &Document, out: &mut Sink<'_>) {
    let Some(ours) = workspace_version(ctx) else {
        return;
    };
    out.examined("", 1);
    let stated = document.root.pointer("/info/version");
    let theirs = stated.map(Node::plain).unwrap_or_default();
    if theirs != ours {
        let span = stated.map_or_else(
            || Span::file(&document.path),
            |node| document.span(node.range.clone()),
        );
        let message = format!("the document is of version `{theirs}`, the workspace of `{ours}`");
        out.report(Finding::new(span, message, "write the snapshot anew"));
    }
}

fn references(document: &Document, out: &mut Sink<'_>) {
    document.root.walk("", &mut |name, node| {
        let Some(place) = node.text().filter(|_| name == "$ref") else {
            return;
        };
        out.examined("", 1);
        if !place.starts_with('#') || document.root.pointer(place).is_none() {
            let message = format!("`{place}` leads nowhere");
            let remedy = "name a part of this document: add the schema to its components";
            out.report(Finding::new(document.span(node.range.clone()), message, remedy));
        }
    });
}

/// The document when the rule file names one that can be read; why not is `ARCH-CONTRACT-001`'s to say.
pub(super) fn document<'a>(ctx: &'a Ctx<'_>, out: &mut Sink<'_>) -> Option<&'a Document> {
    match ctx.document() {
        None => out.off("`[contract]` names no document"),
        Some(Err(_)) => out.off("the document could not be read"),
        Some(Ok(document)) => return Some(document),
    }
    None
}
