//! Does anybody ask for a stronger transaction than is needed?

use serde::Deserialize;

use super::graph::{Graph, Intent, Kind, Node};
use crate::config::{Config, Name};
use crate::model::{Broken, Span};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-INTENT-004`.
pub(super) struct Excess;

const INFO: Info = Info {
    id: "ARCH-INTENT-004",
    title: "a transaction that may lock locks, one that may write writes",
    family: Family::Intents,
    why: "An intent that says more than is done hides what is done: reviewers look for locks that are not there, and \
          reads wait in the queue of writes.",
    fix: "Ask for the weaker transaction: `read` instead of `write`, `write` instead of `locked`.",
    scope: "product functions and closures that take a transaction, with all that they call by name; a function may \
            rely on the locks of one of those that call it",
    needles: &[],
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    /// Functions that ask whether a kind of transaction works, and do nothing in it.
    probes: Vec<Name>,
}

impl Rule for Excess {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        config.options::<Options>(INFO.id).map(|_| ())
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(graph) = Graph::of(ctx, out) else { return };
        let options: Options = ctx.options(&INFO);
        let mut asked = Vec::new();
        for (index, node) in graph.transactions() {
            let Some(file) = graph.file(ctx.workspace, index) else {
                continue;
            };
            let bodiless = node.body.is_empty() && node.kind == Kind::Function;
            if node.intent() == Some(Intent::Read) || bodiless || super::at_home(ctx, &node.module) {
                continue;
            }
            out.examined(&file.krate, 1);
            let (locked, idle) = (node.intent() == Some(Intent::Lock), !graph.does(index, works));
            let relies = || graph.above(index).into_iter().any(|caller| locks(graph, caller));
            let (message, remedy) = if locked && !locks(graph, index) && !relies() {
                let message = match node.kind {
                    Kind::Closure => format!("`{}` may lock rows and locks none", node.path),
                    _ => format!("`{}` may lock rows; neither it nor a caller locks one", node.path),
                };
                let remedy = if idle {
                    "take a transaction that only reads"
                } else {
                    "take a transaction that writes without locks, or lock what is decided on"
                };
                (message, remedy)
            } else if !locked && idle {
                let message = format!("`{}` may write and only reads", node.path);
                (message, "take a transaction that only reads")
            } else {
                continue;
            };
            let function = node.path.split('{').next().unwrap_or_default();
            if let Some(probe) = options.probes.iter().find(|probe| *probe.as_ref() == *function) {
                asked.push(probe);
                continue;
            }
            let at = node.intents.first().map_or(node.at, |(_, mark)| *mark);
            let word = node.intent().map_or("", Intent::word);
            out.report(Finding::new(file.span(at), message, remedy).label(format!("asks for {word}")));
        }
        for probe in options.probes.iter().filter(|probe| !asked.contains(probe)) {
            let message = format!(
                "`{}` is no probe: it does what its transaction is for",
                probe.as_ref()
            );
            let span = Span::bytes(&ctx.config.path, probe.span());
            out.report(Finding::new(span, message, "remove it from `probes`"));
        }
    }
}

fn locks(graph: &Graph, index: usize) -> bool {
    graph.does(index, |node| node.deeds().does.locks.is_some())
}

fn works(node: &Node) -> bool {
    node.deeds().does.writes.is_some()
        || node.deeds().does.locks.is_some()
        || node.deeds().does.executes.is_some()
}
