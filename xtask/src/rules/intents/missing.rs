//! Does every statement run in somebody's transaction?

use super::graph::{Graph, Kind};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-INTENT-002`.
pub(super) struct Missing;

const INFO: Info = Info {
    id: "ARCH-INTENT-002",
    title: "whoever carries out SQL takes a transaction",
    family: Family::Intents,
    why: "A statement outside of a transaction commits by itself: half of a change stays when the other half fails. \
          In the product that this one follows, a commit in the middle gave the connection back and the next call \
          waited for its own lock.",
    fix: "Take `&mut impl Tx`, `&mut WriteTx` or `&mut LockTx` as a parameter and use its connection.",
    scope: "product functions of the crate that speaks SQL, outside of the modules where connections are at home: \
            diesel's builders and calls that are handed a connection, under every name; calls through macros of \
            other crates are not seen",
    needles: &[],
};

impl Rule for Missing {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(graph) = Graph::of(ctx, out) else { return };
        let config = &ctx.config.transactions;
        for (index, node) in graph.nodes.iter().enumerate() {
            let Some(file) = graph.file(ctx.workspace, index) else {
                continue;
            };
            if node.kind != Kind::Function || file.krate != config.krate || super::at_home(ctx, &node.module)
            {
                continue;
            }
            let does = &node.deeds().does;
            let shown = does.executes.or(does.reads).or(does.writes).or(does.locks);
            let Some(at) = shown else { continue };
            out.examined(&file.krate, 1);
            if node.intents.is_empty() {
                let message = format!("`{}` carries out SQL and takes no transaction", node.path);
                let finding = Finding::new(file.span(node.at), message, INFO.fix);
                out.report(
                    finding
                        .label("no parameter is a transaction")
                        .also(file.span(at), "the SQL"),
                );
            }
        }
    }
}
