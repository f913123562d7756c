//! Does a function have one transaction, and does it end without waiting?

use super::graph::{Graph, Kind};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-INTENT-003`.
pub(super) struct Signatures;

const INFO: Info = Info {
    id: "ARCH-INTENT-003",
    title: "a function has one transaction and is not async",
    family: Family::Intents,
    why: "Two transactions commit apart, and whoever awaits in one holds its locks for as long as somebody else likes.",
    fix: "Take one transaction, make the function synchronous, and await before or after.",
    scope: "product functions and closures that take a transaction: directly, through generics, where clauses, aliases \
            and structs around one",
    needles: &[],
};

impl Rule for Signatures {
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
            if let [first, second, ..] = node.intents.as_slice()
                && node.kind == Kind::Function
            {
                let message = format!("`{}` takes a second transaction", node.path);
                let finding = Finding::new(
                    file.span(second.1),
                    message,
                    "take one, or split the function in two",
                );
                out.report(finding.label("the second").also(file.span(first.1), "the first"));
            }
            let closure = (node.signature.start..node.signature.end)
                .find(|at| node.kind == Kind::Closure && file.word(*at) == "async");
            if let Some(at) = node.is_async.or(closure) {
                let message = format!("`{}` takes a transaction and is async", node.path);
                let remedy = "make it synchronous; await before the transaction begins or after it ended";
                let finding = Finding::new(file.span(at), message, remedy);
                let mark = node.intents.first().map_or(node.at, |(_, mark)| *mark);
                out.report(finding.also(file.span(mark), "the transaction"));
            }
        }
    }
}
