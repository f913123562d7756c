//! Are what happened and what is made of it committed apart?

use std::collections::BTreeSet;

use super::graph::{Graph, Kind, covers};
use crate::config::Name;
use crate::model::Span;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-INTENT-009`.
pub(super) struct Separate;

const INFO: Info = Info {
    id: "ARCH-INTENT-009",
    title: "facts and their interpretation are committed apart",
    family: Family::Intents,
    why: "If the interpretation has a defect, the facts must be there when it is repaired: what rolls back an incident \
          must not roll back the run that failed.",
    fix: "Commit the facts; interpret them in a transaction of its own, which can be repeated.",
    scope: "tables that product functions and closures with a transaction write, with all that they call by name: \
            diesel's builders, SQL in strings and constants, macros of the crate itself",
    needles: &[],
};

impl Rule for Separate {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(graph) = Graph::of(ctx, out) else { return };
        let config = &ctx.config.transactions;
        if config.facts.is_empty() || config.interpretation.is_empty() {
            out.off("the rule file does not say which tables are facts and which are interpretation");
            return;
        }
        let both = |index: usize| {
            let facts = written(graph, index, &config.facts);
            let made = written(graph, index, &config.interpretation);
            Some((facts.into_iter().next()?, made.into_iter().next()?))
        };
        for (index, node) in graph.transactions() {
            let Some(file) = graph.file(ctx.workspace, index) else {
                continue;
            };
            if !written(graph, index, &config.facts).is_empty()
                || !written(graph, index, &config.interpretation).is_empty()
            {
                out.examined(&file.krate, 1);
            }
            let Some((fact, made)) = both(index) else { continue };
            // Whoever calls one that mixes them is not the one to change.
            let inner = node.deeds().calls.iter().map(|(to, _)| *to);
            let mut mixing = inner.filter(|to| graph.node(*to).is_some_and(|node| node.kind != Kind::Text));
            if mixing.any(|to| both(to).is_some()) {
                continue;
            }
            let message = format!(
                "`{}` writes `{}`, which is a fact, and `{}`, which is interpretation",
                node.path, fact.table, made.table
            );
            let span = |written: &Written| -> Span { graph.span(ctx.workspace, written.node, written.at) };
            let mark = node.intents.first().map_or(node.at, |(_, mark)| *mark);
            out.report(
                Finding::new(file.span(mark), message, INFO.fix)
                    .label("in this transaction")
                    .also(span(&fact), "the fact")
                    .also(span(&made), "the interpretation"),
            );
        }
    }
}

/// A table that is written, and where.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Written {
    table: String,
    node: usize,
    at: usize,
}

/// Tables of these names that a node writes, itself or through others.
fn written(graph: &Graph, from: usize, names: &[Name]) -> BTreeSet<Written> {
    let mut found = BTreeSet::new();
    for index in graph.below(from) {
        let Some(node) = graph.node(index) else { continue };
        let writes = graph.does(index, |node| node.deeds().does.writes.is_some());
        for (table, at) in node.deeds().does.tables.iter().filter(|_| writes) {
            if names.iter().any(|name| covers(name.as_ref(), table)) {
                let (table, at) = (table.clone(), *at);
                found.insert(Written {
                    table,
                    node: index,
                    at,
                });
            }
        }
    }
    found
}
