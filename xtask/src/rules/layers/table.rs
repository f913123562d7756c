//! Does every name in the rule file mean something?

use crate::config::{Config, Name};
use crate::model::{Crate, Workspace};
use crate::rule::{Ctx, Family, Finding, Info, NO_RULE_FILE, Rule, Sink};

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
            out.off(NO_RULE_FILE);
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
        let module = |name: &str| workspace.has_module(name);
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
            names(config, out, &fence.inside, "crate or module", module);
        }
        others(config, workspace, out);
    }
}

/// Names that other families read.
fn others(config: &Config, workspace: &Workspace, out: &mut Sink<'_>) {
    for list in modules(config) {
        names(config, out, list, "crate or module", |name| {
            workspace.has_module(name)
        });
    }
    for helper in config.determinism.iter().flat_map(|table| &table.outside) {
        names(config, out, [&helper.krate], "dependency of any crate", |name| {
            is_outside(workspace, name)
        });
    }
}

/// Lists of crates and modules that other families read.
fn modules(config: &Config) -> Vec<Vec<&Name>> {
    let mut lists = Vec::new();
    if let Some(sql) = &config.sql {
        lists.extend(
            [&sql.crates, &sql.locks, &sql.transactions, &sql.built].map(|list| list.iter().collect()),
        );
    }
    if let Some(table) = &config.determinism {
        lists.extend([&table.inside, &table.money].map(|list| list.iter().collect()));
        lists.push(table.floats.iter().map(|excused| &excused.at).collect());
    }
    lists.extend(
        config
            .pattern
            .iter()
            .map(|pattern| pattern.inside.iter().chain(&pattern.except).collect()),
    );
    lists.push(config.engine.iter().map(|engine| &engine.module).collect());
    lists.extend(config.ban.iter().map(|ban| ban.lifted.iter().collect()));
    lists
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
