//! Does a client of the last release still work, or does the changelog say that it does not?

use std::fs;

use anyhow::{Context as _, Result, bail};

use super::changelog::Changelog;
use super::committed::document;
use super::operations::needs_credential;
use super::shapes::{Break, Sent, Shapes};
use crate::config::{Config, Name};
use crate::json::Node;
use crate::model::{Span, Workspace};
use crate::openapi::{Document, Operation};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-CONTRACT-005`.
pub(super) struct Compatible;

const INFO: Info = Info {
    id: "ARCH-CONTRACT-005",
    title: "what breaks clients of the last release has a note in the changelog",
    family: Family::Contract,
    why: "Whoever upgrades reads the changelog, not the diff of a document. Before the first release the committed \
          document stands for it, so that a break is a decision from the first day on.",
    fix: "Keep the old form beside the new one, or write `- Breaking: METHOD /path …` under Unreleased.",
    scope: "operations, parameters, bodies, answers and headers of the OpenAPI document, against `[contract] released`",
    needles: &[],
};

impl Rule for Compatible {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let contract = &ctx.config.contract;
        let Some(new) = document(ctx, out) else { return };
        let (Some(released), Some(changelog)) = (&contract.released, &contract.changelog) else {
            out.off("`[contract]` names no released document or no changelog");
            return;
        };
        let changelog = Changelog::read(ctx.workspace.text(changelog.as_ref()));
        let today = ctx.workspace.text(&new.path).get(new.root.range.clone());
        if today == Some(ctx.workspace.text(released.as_ref()).trim()) {
            out.examined("", new.operations().len());
            stale(new, &changelog, out);
            return;
        }
        let old = match Document::read(ctx.workspace, released.as_ref()) {
            Ok(old) => old,
            Err((span, what)) => {
                let message = format!("the released document could not be read: {what}");
                let remedy = "write it with `cargo xtask check-contract --accept`";
                out.report(Finding::new(span, message, remedy).also(ctx.config.span(released), "named here"));
                return;
            }
        };
        stale(&old, &changelog, out);
        for (operation, found) in breaks(&old, new, out) {
            if changelog.names(&operation) {
                continue;
            }
            let message = format!("{operation}: {}", found.what);
            let note = format!("keep the old form, or write `- Breaking: {operation} …` under Unreleased");
            let remedy = match changelog.released {
                Some(_) => note,
                None => {
                    format!("{note}; before the first release, `cargo xtask check-contract --accept` will do")
                }
            };
            let span = if found.range.is_empty() {
                Span::file(&new.path)
            } else {
                new.span(found.range)
            };
            out.report(Finding::new(span, message, remedy));
        }
    }
}

/// The released document must be that of the newest release.
fn stale(old: &Document, changelog: &Changelog<'_>, out: &mut Sink<'_>) {
    let Some(released) = changelog.released else {
        return;
    };
    let version = old.root.pointer("/info/version");
    let stated = version.map(Node::plain).unwrap_or_default();
    if stated != released {
        let span = version.map_or_else(|| Span::file(&old.path), |node| old.span(node.range.clone()));
        let message = format!("the newest release is {released}, and this document is of {stated}");
        let remedy = "write it with `cargo xtask check-contract --accept`, in the commit of the release";
        out.report(Finding::new(span, message, remedy));
    }
}

/// Everything that breaks, by operation, in the order of the old document.
fn breaks(old: &Document, new: &Document, out: &mut Sink<'_>) -> Vec<(String, Break)> {
    let operations = new.operations();
    let mut found = Vec::new();
    for was in old.operations() {
        out.examined("", 1);
        let is = operations
            .iter()
            .find(|is| is.method == was.method && is.path == was.path);
        let Some(is) = is else {
            let gone = Break {
                what: "it is gone".to_owned(),
                range: 0..0,
            };
            found.push((was.name(), gone));
            continue;
        };
        if needs_credential(new, is) && !needs_credential(old, &was) {
            let closed = Break {
                what: "it needs a credential now".to_owned(),
                range: is.range.clone(),
            };
            found.push((was.name(), closed));
        }
        let mut sends = Shapes::new(old, new, Sent::ByClient);
        parameters(&mut sends, &was, is);
        body(&mut sends, was.node, is);
        let mut reads = Shapes::new(old, new, Sent::ByServer);
        answers(&mut reads, &was, is);
        let all = sends.breaks.into_iter().chain(reads.breaks);
        found.extend(all.map(|one| (was.name(), one)));
    }
    found
}

fn all_parameters<'a>(document: &'a Document, operation: &Operation<'a>) -> Vec<(String, &'a Node)> {
    let lists = [operation.item.get("parameters"), operation.node.get("parameters")];
    let all = lists.into_iter().flatten().flat_map(Node::items);
    all.map(|node| {
        let node = document.resolve(node);
        let part = |name: &str| node.get(name).map(Node::plain).unwrap_or_default();
        (format!("{} parameter `{}`", part("in"), part("name")), node)
    })
    .collect()
}

fn is_required(node: &Node) -> bool {
    node.get("required").is_some_and(Node::is_true)
}

fn parameters<'a>(shapes: &mut Shapes<'a>, was: &Operation<'a>, is: &Operation<'a>) {
    let (old, new) = (all_parameters(shapes.old, was), all_parameters(shapes.new, is));
    for (name, node) in &old {
        match new.iter().find(|(known, _)| known == name) {
            Some((_, now)) => {
                if let (Some(was), Some(is)) = (node.get("schema"), now.get("schema")) {
                    shapes.compare(&format!("the {name}"), was, is);
                }
            }
            None => shapes.breaks.push(Break {
                what: format!("the {name} is gone"),
                range: is.range.clone(),
            }),
        }
    }
    for (name, node) in &new {
        let before = old.iter().find(|(known, _)| known == name);
        if is_required(node) && !before.is_some_and(|(_, was)| is_required(was)) {
            shapes.breaks.push(Break {
                what: format!("the {name} is required now"),
                range: node.range.clone(),
            });
        }
    }
}

fn body<'a>(shapes: &mut Shapes<'a>, was: &'a Node, is: &Operation<'a>) {
    let old = was.get("requestBody").map(|node| shapes.old.resolve(node));
    let new = is.node.get("requestBody").map(|node| shapes.new.resolve(node));
    if let Some(new) = new.filter(|new| is_required(new) && !old.is_some_and(is_required)) {
        shapes.breaks.push(Break {
            what: "a body is required now".to_owned(),
            range: new.range.clone(),
        });
    }
    match (old, new) {
        (Some(old), Some(new)) => content(shapes, "the body", old, new),
        (Some(_), None) => shapes.breaks.push(Break {
            what: "it takes no body any more".to_owned(),
            range: is.range.clone(),
        }),
        _ => {}
    }
}

/// Compares `content` by media type.
fn content<'a>(shapes: &mut Shapes<'a>, at: &str, old: &'a Node, new: &'a Node) {
    for (media, _, was) in old.get("content").map(Node::members).unwrap_or_default() {
        match new.get("content").and_then(|content| content.get(media)) {
            Some(is) => {
                if let (Some(was), Some(is)) = (was.get("schema"), is.get("schema")) {
                    shapes.compare(at, was, is);
                }
            }
            None => shapes.breaks.push(Break {
                what: format!("{at} is not `{media}` any more"),
                range: new.range.clone(),
            }),
        }
    }
}

fn answers<'a>(shapes: &mut Shapes<'a>, was: &Operation<'a>, is: &Operation<'a>) {
    let all = was.node.get("responses").map(Node::members).unwrap_or_default();
    for (status, _, old) in all {
        let Some(new) = is.node.get("responses").and_then(|all| all.get(status)) else {
            shapes.breaks.push(Break {
                what: format!("the answer {status} is gone"),
                range: is.range.clone(),
            });
            continue;
        };
        let (old, new) = (shapes.old.resolve(old), shapes.new.resolve(new));
        content(shapes, &format!("the answer {status}"), old, new);
        for (name, ..) in old.get("headers").map(Node::members).unwrap_or_default() {
            if new.get("headers").and_then(|all| all.get(name)).is_none() {
                shapes.breaks.push(Break {
                    what: format!("the answer {status} has lost the header `{name}`"),
                    range: new.range.clone(),
                });
            }
        }
    }
}

/// Writes today's document as the released one: before the first release, or once with each.
pub(crate) fn accept(workspace: &Workspace, config: &Config) -> Result<String> {
    let contract = &config.contract;
    let path = |name: &Option<Name>| name.as_ref().map(|name| name.as_ref().clone());
    let all = (
        path(&contract.document),
        path(&contract.released),
        path(&contract.changelog),
    );
    let (Some(document), Some(released), Some(changelog)) = all else {
        bail!("`[contract]` of the rule file names no document, no released one or no changelog");
    };
    let read = |path: &str| {
        Document::read(workspace, path).map_err(|(span, what)| anyhow::anyhow!("{}: {what}", span.path))
    };
    let new = read(&document)?;
    let version = |document: &Document| document.root.pointer("/info/version").map(Node::plain);
    if let Some(last) = Changelog::read(workspace.text(&changelog)).released {
        let before = read(&released).ok().and_then(|old| version(&old));
        if before.as_deref() == Some(last) || version(&new).as_deref() != Some(last) {
            bail!("the document of {last} stays as it was released: write a note `Breaking: …` instead");
        }
    }
    let text = workspace
        .text(&document)
        .get(new.root.range.clone())
        .unwrap_or_default();
    let file = workspace.root.join(&released);
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    fs::write(&file, format!("{text}\n")).with_context(|| format!("cannot write {released}"))?;
    Ok(released)
}
