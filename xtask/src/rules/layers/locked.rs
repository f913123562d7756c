//! Is the graph the one that was reviewed?

use crate::lock::graph_facts;
use crate::model::{Crate, Span};
use crate::plant::Plant;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-LOCK-001`.
pub(super) struct Graph;
/// `ARCH-LOCK-002`.
pub(super) struct Moved;

const ACCEPT: &str = "review it, then accept with `cargo xtask check-layers --accept` and commit the lock";

const GRAPH: Info = Info {
    id: "ARCH-LOCK-001",
    title: "crates and edges are those that were accepted",
    family: Family::Layers,
    why: "A legal new edge is a decision too: it shows as a line of the lock in review.",
    fix: "Run `cargo xtask check-layers --accept` and commit architecture.lock.",
    scope: "members and edges between them, against architecture.lock",
    needles: &[],
};

impl Rule for Graph {
    fn info(&self) -> &'static Info {
        &GRAPH
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if ctx.config.lock && !ctx.lock.exists {
            let message = "there is no lock, so nothing was accepted and no rule has a floor";
            out.examined("", 1);
            out.report(Finding::new(Span::file(&ctx.config.path), message, GRAPH.fix));
            return;
        }
        if !locked(ctx, out) {
            return;
        }
        let now = graph_facts(ctx.workspace);
        out.examined("", now.len());
        let graph = |fact: &&String| fact.starts_with("crate ") || fact.starts_with("edge ");
        for fact in now.difference(&ctx.lock.facts).filter(|fact| !moved(ctx, fact)) {
            let span = declared(ctx, fact);
            out.report(Finding::new(span, format!("not accepted yet: {fact}"), ACCEPT));
        }
        for fact in ctx
            .lock
            .facts
            .difference(&now)
            .filter(graph)
            .filter(|fact| !moved(ctx, fact))
        {
            let span = ctx.lock.span(ctx.workspace, fact);
            out.report(Finding::new(span, format!("accepted, but gone: {fact}"), ACCEPT));
        }
    }
}

/// The rule is off in trees without a lock.
fn locked(ctx: &Ctx<'_>, out: &mut Sink<'_>) -> bool {
    if !ctx.lock.exists {
        out.off("there is no architecture.lock");
    }
    ctx.lock.exists
}

/// A crate that is in both with different layers is the other rule's finding.
fn moved(ctx: &Ctx<'_>, fact: &str) -> bool {
    let name = fact
        .strip_prefix("crate ")
        .and_then(|rest| rest.split(' ').next());
    name.is_some_and(|name| ctx.workspace.krate(name).is_some() && ctx.lock.layer(name).is_some())
}

/// The manifest line behind a fact.
fn declared(ctx: &Ctx<'_>, fact: &str) -> Span {
    let words: Vec<_> = fact.split(' ').collect();
    let name = words.get(1).copied().unwrap_or_default();
    let Some(krate) = ctx.workspace.krate(name) else {
        return Span::file(&ctx.lock.path);
    };
    let to = words.get(3).copied().unwrap_or_default();
    let kind = words.get(4).copied().unwrap_or_default();
    let edge = krate
        .inside()
        .find(|edge| edge.to == to && edge.kind.to_string() == kind);
    edge.map_or_else(|| Span::file(krate.manifest()), |edge| edge.span.clone())
}

const MOVED: Info = Info {
    id: "ARCH-LOCK-002",
    title: "a crate stays in its layer until the move is accepted",
    family: Family::Layers,
    why: "Whoever may change the label may use anything: the label is an attack on the table. In the product that this \
          one follows, a comment could move a file to any layer.",
    fix: "Restore the label, or have the move reviewed and accept it with `cargo xtask check-layers --accept`.",
    scope: "the layer of every member, against architecture.lock",
    needles: &[],
};

impl Rule for Moved {
    fn info(&self) -> &'static Info {
        &MOVED
    }

    fn plants(&self, ctx: &Ctx<'_>, krate: &Crate) -> Vec<Plant> {
        let own = krate.layer_name().unwrap_or_default();
        let other = ctx.config.layers.keys().find(|layer| *layer != own);
        let moved = |layer: &String| {
            Plant::replace(
                krate.manifest(),
                format!("name = \"{own}\""),
                format!("name = \"{layer}\""),
            )
        };
        other.map(moved).into_iter().collect()
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if !locked(ctx, out) {
            return;
        }
        for krate in &ctx.workspace.crates {
            out.examined(&krate.name, 1);
            let Some(accepted) = ctx.lock.layer(&krate.name) else {
                continue;
            };
            let now = krate.layer_name().unwrap_or("none");
            if now == accepted {
                continue;
            }
            let before: Vec<_> = ctx.config.may_use(accepted).collect();
            let gained: Vec<_> = ctx
                .config
                .may_use(now)
                .filter(|layer| !before.contains(layer))
                .collect();
            let gain = if gained.is_empty() {
                "nothing more".to_owned()
            } else {
                gained.join(", ")
            };
            let message = format!("`{}` moved from {accepted} to {now}", krate.name);
            let span = krate
                .layer
                .as_ref()
                .map_or_else(|| Span::file(krate.manifest()), |layer| layer.span.clone());
            let fact = ctx
                .lock
                .span(ctx.workspace, &format!("crate {} {accepted}", krate.name));
            let label = format!("as {now} it may also use: {gain}");
            out.report(
                Finding::new(span, message, MOVED.fix)
                    .label(label)
                    .also(fact, "accepted"),
            );
        }
    }
}
