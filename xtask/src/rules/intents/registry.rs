//! Is the list of all functions that take a transaction the one that was reviewed?

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::graph::{Graph, Intent, Kind, Node};
use crate::model::Span;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-INTENT-001`.
pub(super) struct Registered;

const INFO: Info = Info {
    id: "ARCH-INTENT-001",
    title: "every function that takes a transaction is in the registry, with its intent and its callers",
    family: Family::Intents,
    why: "Who may write what, and who does, is read in one place; a new writer shows as a line in review.",
    fix: "Run `cargo xtask check-layers --accept` and commit the document.",
    scope: "product functions and closures that take a transaction, against the document that the rule file names",
    needles: &[],
};

const BEGIN: &str = "<!-- intents: begin; written by `cargo xtask check-layers --accept` -->";
const END: &str = "<!-- intents: end -->";

impl Rule for Registered {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn prepare(&self, ctx: &Ctx<'_>) {
        Graph::ahead(ctx);
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(graph) = Graph::of(ctx, out) else { return };
        let path = &ctx.config.transactions.registry;
        if path.is_empty() {
            out.off("the rule file names no `registry`");
            return;
        }
        let entries = entries(ctx, graph);
        for entry in &entries {
            out.examined(&entry.krate, 1);
        }
        out.data(serde_json::to_value(&entries).unwrap_or_default());
        let text = ctx.workspace.text(path);
        let Some((before, rest)) = text.split_once(BEGIN) else {
            let message = format!("`{path}` has no list of transactions between its markers");
            out.report(Finding::new(Span::file(path), message, INFO.fix));
            return;
        };
        let known = rest.split_once(END).map_or(rest, |(list, _)| list);
        let list = render(&entries, path);
        let (old, new): (BTreeSet<&str>, BTreeSet<&str>) = (rows(known).collect(), rows(&list).collect());
        let start = before.len();
        for row in new.difference(&old) {
            let entry = entries
                .iter()
                .find(|entry| row.starts_with(&format!("| `{}` |", entry.name)));
            let span = entry.map_or_else(|| Span::file(path), |entry| entry.span.clone());
            let message = match entry {
                Some(entry) => format!("the registry does not say this of `{}`", entry.name),
                None => format!("the registry lacks: {row}"),
            };
            out.report(Finding::new(span, message, INFO.fix).label((*row).to_owned()));
        }
        for row in old.difference(&new) {
            let at = text.find(row).unwrap_or(start);
            let name = row.split('`').nth(1).unwrap_or_default();
            let message = format!("the registry says of `{name}` what is not so");
            let span = Span::bytes(path, at..at + row.len());
            out.report(Finding::new(span, message, INFO.fix).label("no longer true"));
        }
    }

    fn accepted(&self, ctx: &Ctx<'_>) -> Option<(String, String)> {
        let config = &ctx.config.transactions;
        if config.registry.is_empty() || config.krate.is_empty() {
            return None;
        }
        let text = ctx.workspace.text(&config.registry);
        let list = render(&entries(ctx, Graph::shared(ctx)), &config.registry);
        let (before, after) = match text.split_once(BEGIN) {
            Some((before, rest)) => (before, rest.split_once(END).map_or("\n", |(_, after)| after)),
            None => (text, "\n"),
        };
        let gap = if before.is_empty() || before.ends_with("\n\n") {
            ""
        } else {
            "\n"
        };
        let written = format!("{before}{gap}{BEGIN}\n{list}{END}{after}");
        Some((config.registry.clone(), written))
    }
}

/// One line of the registry.
#[derive(serde::Serialize)]
struct Entry {
    name: String,
    intent: &'static str,
    path: String,
    callers: Vec<String>,
    #[serde(skip)]
    krate: String,
    #[serde(skip)]
    span: Span,
    #[serde(skip)]
    is_closure: bool,
}

fn entries(ctx: &Ctx<'_>, graph: &Graph) -> Vec<Entry> {
    let entry = |index: usize, node: &Node| {
        let file = graph.file(ctx.workspace, index)?;
        let callers = graph.callers_of(index).filter_map(|caller| graph.node(caller));
        let callers: BTreeSet<_> = callers.map(|caller| caller.path.clone()).collect();
        Some(Entry {
            name: node.path.clone(),
            intent: node.intent().map_or("", Intent::word),
            path: file.path.clone(),
            callers: callers.into_iter().collect(),
            krate: file.krate.clone(),
            span: file.span(node.at),
            is_closure: node.kind == Kind::Closure,
        })
    };
    let all = graph.transactions();
    let outside = all.filter(|(_, node)| !super::at_home(ctx, &node.module));
    let mut entries: Vec<_> = outside.filter_map(|(index, node)| entry(index, node)).collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

fn rows(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| line.starts_with("| `"))
}

fn render(entries: &[Entry], registry: &str) -> String {
    let up = "../".repeat(registry.matches('/').count());
    let mut text = String::new();
    let _ = writeln!(text, "\n| Transaction | Intent | File |\n|---|---|---|");
    for entry in entries.iter().filter(|entry| entry.is_closure) {
        let (name, intent, path) = (&entry.name, entry.intent, &entry.path);
        let _ = writeln!(text, "| `{name}` | {intent} | [{path}]({up}{path}) |");
    }
    let _ = writeln!(
        text,
        "\n| Function | Intent | File | Called by |\n|---|---|---|---|"
    );
    for entry in entries.iter().filter(|entry| !entry.is_closure) {
        let callers: Vec<_> = entry.callers.iter().map(|caller| format!("`{caller}`")).collect();
        let callers = if callers.is_empty() {
            "–".to_owned()
        } else {
            callers.join(", ")
        };
        let (name, intent, path) = (&entry.name, entry.intent, &entry.path);
        let _ = writeln!(text, "| `{name}` | {intent} | [{path}]({up}{path}) | {callers} |");
    }
    text.push('\n');
    text
}
