//! Is every edge between our crates one that the table allows?

use crate::config::{Config, SameLayer};
use crate::model::{Broken, Crate, Edge, Kind, SourceFile, Workspace};
use crate::plant::{Plant, has_edge};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-EDGE-001`.
pub(super) struct Edges;

const INFO: Info = Info {
    id: "ARCH-EDGE-001",
    title: "a crate depends only on layers that its own layer may use",
    family: Family::Layers,
    why: "Interpretation belongs to L4 and truth to L6: an edge upwards lets one decide for the other. Workers that \
          imported engines had to be taken apart again, eleven times in three files.",
    fix: "Pass the value in as a parameter, move it to a layer that both may use, or go through the layer between.",
    scope: "every dependency that a manifest declares: normal, build, dev, optional, for a target, renamed, inherited",
    needles: &[],
};

/// `[rules.ARCH-EDGE-001]`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Places in source that are shown with an edge.
    uses: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { uses: 3 }
    }
}

impl Rule for Edges {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        config.options::<Options>(INFO.id).map(|_| ())
    }

    fn plants(&self, ctx: &Ctx<'_>, krate: &Crate) -> Vec<Plant> {
        let Some(from) = krate.layer_name() else {
            return Vec::new();
        };
        let forbidden = |to: &&Crate| {
            let layer = to.layer_name().unwrap_or_default();
            let same = |pair: &SameLayer| *pair.from.as_ref() == krate.name && *pair.to.as_ref() == to.name;
            to.name != krate.name
                && !has_edge(krate, &to.name)
                && !ctx.config.allows(from, layer, Kind::Normal)
                && !ctx.config.same_layer.iter().any(same)
        };
        let forbidden = ctx.workspace.crates.iter().filter(forbidden);
        forbidden.map(|to| Plant::member(krate, to)).collect()
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if !ctx.config.has_layers() {
            out.off("the rule file has no layers");
            return;
        }
        for krate in &ctx.workspace.crates {
            out.examined(&krate.name, 1);
            let Some(from) = krate.layer_name().filter(|layer| ctx.config.knows(layer)) else {
                // A crate without a layer is another rule's finding.
                continue;
            };
            for edge in krate.inside() {
                out.examined(&krate.name, 1);
                let Some(to) = ctx.workspace.krate(&edge.to).and_then(Crate::layer_name) else {
                    continue;
                };
                let declared = ctx.config.same_layer.iter().any(|pair| {
                    from == to && *pair.from.as_ref() == krate.name && *pair.to.as_ref() == edge.to
                });
                if ctx.config.knows(to) && !declared && !ctx.config.allows(from, to, edge.kind) {
                    out.report(finding(ctx, krate, from, edge, to));
                }
            }
        }
    }
}

fn finding(ctx: &Ctx<'_>, krate: &Crate, from: &str, edge: &Edge, to: &str) -> Finding {
    let message = format!("{from} `{}` may not depend on {to} `{}`", krate.name, edge.to);
    let allowed: Vec<_> = ctx.config.may_use(from).collect();
    let allowed = if allowed.is_empty() {
        "none".to_owned()
    } else {
        allowed.join(", ")
    };
    let why = ctx.config.layers.get(from).map_or("", |row| row.why.as_str());
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(" ({why})")
    };
    let label = format!("dependency: {}; allowed from {from}: {allowed}{why}", edge.how());
    let mut finding =
        Finding::new(edge.span.clone(), message, remedy(ctx.config, from, edge, to)).label(label);
    for (nth, (source, at)) in uses(ctx.workspace, krate, edge)
        .take(ctx.options::<Options>(&INFO).uses)
        .enumerate()
    {
        let label = if nth == 0 { "used here" } else { "and here" };
        finding = finding.also(source.span_of(at), label);
    }
    finding
}

fn uses<'a>(
    workspace: &'a Workspace,
    krate: &'a Crate,
    edge: &'a Edge,
) -> impl Iterator<Item = (&'a SourceFile, std::ops::Range<usize>)> {
    let name = edge.extern_name();
    workspace.sources_of(krate).flat_map(move |source| {
        let name = name.clone();
        let paths = source.paths().iter().filter(move |path| path.root() == name);
        paths.map(move |path| (source, path.tokens.clone()))
    })
}

fn remedy(config: &Config, from: &str, edge: &Edge, to: &str) -> String {
    let used = &edge.to;
    if from == to {
        return format!(
            "crates of one layer do not see each other: move what both need to a lower layer, or declare the edge \
             in {} as [[same_layer]] with its reason",
            config.path
        );
    }
    match config.routes(from, to).as_slice() {
        [] if config.allows(from, to, Kind::Dev) => {
            format!("`{used}` is for tests: move this line to [dev-dependencies]")
        }
        [] => "remove this line and pass what you need in as a parameter, or move it to a layer that both may use"
            .to_owned(),
        routes => format!("remove this line and reach `{used}` through a function in {}", routes.join(" or ")),
    }
}
