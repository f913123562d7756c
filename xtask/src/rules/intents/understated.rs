//! Does anybody do more than the transaction promises?

use super::graph::{Graph, Intent, Kind, Node, Way};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-INTENT-005`.
pub(super) struct Understated;

const INFO: Info = Info {
    id: "ARCH-INTENT-005",
    title: "a transaction that reads does not write, one that writes does not lock",
    family: Family::Intents,
    why: "The engine refuses a write in a reading transaction when it runs, which is when a customer waits; a row lock \
          nobody declared is the deadlock nobody expects.",
    fix: "Take the transaction that says what is done: `WriteTx` to write, `LockTx` to lock rows.",
    scope: "product functions and closures that take a transaction, with all that they call by name: diesel's builders, \
            statements, SQL in strings and constants, macros of the crate itself",
    needles: &[],
};

impl Rule for Understated {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(graph) = Graph::of(ctx, out) else { return };
        for (index, node) in graph.transactions() {
            let Some(file) = graph.file(ctx.workspace, index) else {
                continue;
            };
            if super::at_home(ctx, &node.module) {
                continue;
            }
            out.examined(&file.krate, 1);
            // What a called function does against its own transaction is a finding there.
            let reach = |does: fn(&Node) -> Option<usize>| {
                graph
                    .way(index, move |node| does(node).is_some())
                    .filter(|way| !crosses(graph, index, way, node))
            };
            let writes = |node: &Node| node.deeds().does.writes.or(node.deeds().does.executes);
            let locks = |node: &Node| node.deeds().does.locks;
            let (way, what, needed) = match node.intent() {
                Some(Intent::Read) => match (reach(locks), reach(writes)) {
                    (Some(way), _) => (way, "locks rows", "take a transaction that may lock"),
                    (None, Some(way)) => (way, "writes", "take a transaction that writes, or only read"),
                    (None, None) => continue,
                },
                Some(Intent::Write) => match reach(locks) {
                    Some(way) => (way, "locks rows", "take a transaction that may lock"),
                    None => continue,
                },
                _ => continue,
            };
            let end = graph.node(way.end);
            let shown = end.and_then(|end| {
                end.deeds()
                    .does
                    .locks
                    .filter(|_| what == "locks rows")
                    .or_else(|| writes(end))
            });
            let word = node.intent().map_or("", Intent::word);
            let message = format!("`{}` is {word} and {what}{}", node.path, way.told(graph));
            let at = way.leaves_at().or(shown).unwrap_or(node.at);
            let mut finding = Finding::new(file.span(at), message, needed);
            if let (false, Some(shown)) = (way.steps.is_empty(), shown) {
                finding = finding.also(graph.span(ctx.workspace, way.end, shown), "here");
            }
            let mark = node.intents.first().map_or(node.at, |(_, mark)| *mark);
            out.report(finding.also(file.span(mark), format!("the transaction is {word}")));
        }
    }
}

/// Whether another transaction of the same intent is on the way: the finding is there.
fn crosses(graph: &Graph, from: usize, way: &Way, node: &Node) -> bool {
    let steps = way.steps.iter().map(|(step, _)| *step).chain([way.end]);
    steps.filter(|step| *step != from).any(|step| {
        let other = graph.node(step).filter(|other| other.kind != Kind::Text);
        other.is_some_and(|other| !other.intents.is_empty() && other.intent() == node.intent())
    })
}
