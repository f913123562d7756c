//! Does a transaction begin within another one?

use super::graph::{Graph, Intent};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-INTENT-007`.
pub(super) struct Nested;

const INFO: Info = Info {
    id: "ARCH-INTENT-007",
    title: "no transaction begins within another one",
    family: Family::Intents,
    why: "The inner one waits for the connection or the row that the outer one holds: the deadlock of one caller with \
          itself, which no retry ends.",
    fix: "Do both in one transaction, or the one after the other.",
    scope: "product functions and closures that take a transaction, with all that they call by name at any depth; \
            calls through trait objects and functions in variables are not seen",
    needles: &[],
};

impl Rule for Nested {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(graph) = Graph::of(ctx, out) else { return };
        for (index, node) in graph.transactions() {
            let Some(file) = graph.file(ctx.workspace, index) else {
                continue;
            };
            out.examined(&file.krate, 1);
            let Some(way) = graph.way(index, |node| !node.deeds().opens.is_empty()) else {
                continue;
            };
            let Some((intent, opened)) = graph
                .node(way.end)
                .and_then(|end| end.deeds().opens.first().copied())
            else {
                continue;
            };
            let told = way.told(graph);
            let message = format!("`{}` begins a second transaction{told}", node.path);
            let at = way.leaves_at().unwrap_or(opened);
            let mut finding = Finding::new(file.span(at), message, INFO.fix);
            if !way.steps.is_empty() {
                let label = format!("a transaction that is {} begins here", intent.word());
                finding = finding.also(graph.span(ctx.workspace, way.end, opened), label);
            }
            let mark = node.intents.first().map_or(node.at, |(_, mark)| *mark);
            let outer = node.intent().map_or("", Intent::word);
            out.report(finding.also(file.span(mark), format!("within one that is {outer}")));
        }
    }
}
