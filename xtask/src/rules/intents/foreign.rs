//! Does anybody wait for the outside world in a transaction?

use super::graph::{Graph, Node};
use super::never;
use crate::config::Config;
use crate::model::Broken;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-INTENT-008`.
pub(super) struct Foreign;

const INFO: Info = Info {
    id: never::RULE,
    title: "nobody awaits, spawns or calls a provider within a transaction",
    family: Family::Intents,
    why: "A transaction that waits for a provider holds its locks for as long as the provider likes, and a task that it \
          spawns lives on when it is rolled back.",
    fix: "Do it before the transaction begins, or after it is committed.",
    scope: "product functions and closures that take a transaction, with all that they call by name in the crates that \
            can name a transaction: `async`, `.await`, `block_on`, and the paths that the rule file lists",
    needles: &[],
};

impl Rule for Foreign {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        never::read(config).map(|_| ())
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(graph) = Graph::of(ctx, out) else { return };
        let named = |node: &Node| {
            let (at, path) = node.deeds().names.first()?;
            Some((*at, format!("names `{path}`")))
        };
        let waits = |node: &Node| Some((node.deeds().does.waits?, "waits or spawns".to_owned()));
        for (index, node) in graph.transactions() {
            let Some(file) = graph.file(ctx.workspace, index) else {
                continue;
            };
            out.examined(&file.krate, 1);
            if super::at_home(ctx, &node.module) {
                continue;
            }
            let way = graph.way(index, |node| waits(node).or_else(|| named(node)).is_some());
            let Some(way) = way else { continue };
            let end = graph.node(way.end);
            let Some((shown, what)) = end.and_then(|end| waits(end).or_else(|| named(end))) else {
                continue;
            };
            let message = format!("`{}` {what}{}", node.path, way.told(graph));
            let at = way.leaves_at().unwrap_or(shown);
            let mut finding = Finding::new(file.span(at), message, INFO.fix);
            if !way.steps.is_empty() {
                finding = finding.also(graph.span(ctx.workspace, way.end, shown), "here");
            }
            let mark = node.intents.first().map_or(node.at, |(_, mark)| *mark);
            out.report(finding.also(file.span(mark), "the transaction"));
        }
    }
}
