//! Does every name in the rule file mean something?

use crate::config::{Config, Name};
use crate::model::{Crate, Workspace};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-TABLE-001`.
pub(super) struct Table;

const INFO: Info = Info {
    id: "ARCH-TABLE-001",
    title: "every name in the rule file exists in the tree",
    family: Family::Layers,
    why: "A rule about a crate or a layer that does not exist forbids nothing and is green for ever.",
    fix: "Correct the name, or remove the entry.",
    scope: "layers, crates and modules that architecture.toml names",
    needles: &[],
};

impl Rule for Table {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if ctx.config.path.is_empty() {
            out.off("there is no rule file");
            return;
        }
        let (config, workspace) = (ctx.config, ctx.workspace);
        for (layer, row) in &config.layers {
            out.examined("", 1);
            if !workspace
                .crates
                .iter()
                .any(|krate| krate.layer_name() == Some(layer))
            {
                let span = config.table_span(&["layers", layer]);
                let remedy = "remove the row, or give a crate this layer";
                out.report(Finding::new(
                    span,
                    format!("no crate is in layer `{layer}`"),
                    remedy,
                ));
            }
            names(config, out, &row.may_use, "layer", |name| config.knows(name));
        }
        let lists = [&config.dev_only, &config.no_std];
        for list in lists {
            names(config, out, list, "layer", |name| config.knows(name));
        }
        let krate = |name: &str| workspace.krate(name).is_some();
        let either = |name: &str| config.knows(name) || krate(name);
        for pair in &config.same_layer {
            names(config, out, [&pair.from, &pair.to], "crate", krate);
            let there = workspace
                .krate(pair.from.as_ref())
                .is_some_and(|from| from.inside().any(|edge| edge.to == *pair.to.as_ref()));
            if !there {
                let message = format!("`{}` does not use `{}`", pair.from.as_ref(), pair.to.as_ref());
                let label = format!("declared because: {}", pair.why);
                out.report(Finding::new(config.span(&pair.from), message, "remove the entry").label(label));
            }
        }
        for reach in &config.reach {
            names(
                config,
                out,
                reach.from.iter().chain(&reach.through),
                "layer or crate",
                either,
            );
            names(config, out, &reach.to, "layer, crate or dependency", |name| {
                either(name) || is_outside(workspace, name)
            });
        }
        for outside in &config.outside {
            names(config, out, &outside.crates, "dependency of any crate", |name| {
                is_outside(workspace, name)
            });
            names(
                config,
                out,
                outside.only.iter().chain(&outside.dev),
                "crate",
                krate,
            );
        }
        for fence in &config.fence {
            names(config, out, &fence.inside, "crate or module", |name| {
                is_module(workspace, name)
            });
        }
    }
}

fn names<'a>(
    config: &Config,
    out: &mut Sink<'_>,
    names: impl IntoIterator<Item = &'a Name>,
    what: &str,
    known: impl Fn(&str) -> bool,
) {
    for name in names {
        out.examined("", 1);
        if !known(name.as_ref()) {
            let message = format!("`{}` is no {what}", name.as_ref());
            out.report(Finding::new(config.span(name), message, INFO.fix));
        }
    }
}

fn is_outside(workspace: &Workspace, name: &str) -> bool {
    let mut edges = workspace.crates.iter().flat_map(Crate::outside);
    edges.any(|edge| edge.to == name)
}

/// `crate` or `crate::module`.
fn is_module(workspace: &Workspace, name: &str) -> bool {
    let mut parts = name.split("::");
    let Some(krate) = parts.next().and_then(|name| workspace.krate(name)) else {
        return false;
    };
    let module: Vec<_> = parts.collect();
    module.is_empty()
        || workspace
            .sources_of(krate)
            .any(|source| source.module.starts_with_names(&module))
}

trait Names {
    fn starts_with_names(&self, names: &[&str]) -> bool;
}

impl Names for Vec<String> {
    fn starts_with_names(&self, names: &[&str]) -> bool {
        self.len() >= names.len() && self.iter().zip(names).all(|(own, name)| own == name)
    }
}
