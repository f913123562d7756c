//! Is every crate labelled, named like its folder, a member, and under the workspace's lints?

use crate::model::{Crate, Span, is_fixture, line_span};
use crate::plant::Plant;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-CRATE-001`.
pub(super) struct Label;
/// `ARCH-CRATE-002`.
pub(super) struct Member;
/// `ARCH-CRATE-003`.
pub(super) struct Lints;
/// `ARCH-CRATE-004`.
pub(super) struct Name;

const LABEL: Info = Info {
    id: "ARCH-CRATE-001",
    title: "every crate names a layer that exists",
    family: Family::Layers,
    why: "A crate without a layer is checked by no rule about layers, in silence.",
    fix: "Write `[package.metadata.layer]` with `name = \"…\"` into its manifest.",
    scope: "the manifest of every member",
    needles: &[],
};

impl Rule for Label {
    fn info(&self) -> &'static Info {
        &LABEL
    }

    fn plants(&self, _: &Ctx<'_>, krate: &Crate) -> Vec<Plant> {
        vec![Plant::replace(
            krate.manifest(),
            "[package.metadata.layer]",
            "[package.metadata.planted]",
        )]
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if !ctx.config.has_layers() {
            out.off("the rule file has no layers");
            return;
        }
        let remedy = format!(
            "write `[package.metadata.layer]` with `name = \"…\"`, one of {}",
            ctx.config.layer_names()
        );
        for krate in &ctx.workspace.crates {
            out.examined(&krate.name, 1);
            match &krate.layer {
                None => {
                    let manifest = krate.manifest();
                    let span = package_line(ctx.workspace.text(&manifest), &manifest);
                    out.report(Finding::new(
                        span,
                        format!("`{}` names no layer", krate.name),
                        &remedy,
                    ));
                }
                Some(layer) if !ctx.config.knows(&layer.name) => {
                    let message = format!(
                        "`{}` names layer `{}`, which {} does not define",
                        krate.name, layer.name, ctx.config.path
                    );
                    out.report(Finding::new(layer.span.clone(), message, &remedy));
                }
                Some(_) => {}
            }
        }
    }
}

fn package_line(text: &str, manifest: &str) -> Span {
    let line = text.lines().position(|line| line.trim() == "[package]");
    line.map_or_else(
        || Span::file(manifest),
        |line| line_span(manifest, text, line + 1),
    )
}

const MEMBER: Info = Info {
    id: "ARCH-CRATE-002",
    title: "every manifest in the tree is a member",
    family: Family::Layers,
    why: "A crate outside of the workspace is built, linted and checked by nobody.",
    fix: "Move the crate to a folder that the members' patterns match, or remove it.",
    scope: "every Cargo.toml outside of fixtures",
    needles: &[],
};

impl Rule for Member {
    fn info(&self) -> &'static Info {
        &MEMBER
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let members: Vec<_> = ctx.workspace.crates.iter().map(Crate::manifest).collect();
        let manifests = ctx
            .workspace
            .files
            .paths()
            .filter(|path| path.ends_with("/Cargo.toml"));
        for path in manifests.filter(|path| !is_fixture(path)) {
            out.examined("", 1);
            if !members.iter().any(|member| member == path) {
                let message = "this manifest is not a member of the workspace";
                out.report(Finding::new(Span::file(path), message, MEMBER.fix));
            }
        }
    }
}

const LINTS: Info = Info {
    id: "ARCH-CRATE-003",
    title: "every crate inherits the lints of the workspace",
    family: Family::Layers,
    why: "Cargo does not say when a crate forgets `[lints] workspace = true`: its code is unlinted, and CI is green.",
    fix: "Add `[lints]` with `workspace = true`.",
    scope: "the manifest of every member, in workspaces that have `[workspace.lints]`",
    needles: &[],
};

impl Rule for Lints {
    fn info(&self) -> &'static Info {
        &LINTS
    }

    fn plants(&self, _: &Ctx<'_>, krate: &Crate) -> Vec<Plant> {
        vec![Plant::replace(
            krate.manifest(),
            "[lints]\nworkspace = true",
            "[lints]",
        )]
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let lints = |path: &str| ctx.workspace.text(path).parse::<toml::Table>().ok();
        let root = lints("Cargo.toml");
        let shared = root.and_then(|root| root.get("workspace")?.get("lints").cloned());
        if shared.is_none() {
            out.off("the workspace has no [workspace.lints]");
            return;
        }
        for krate in &ctx.workspace.crates {
            out.examined(&krate.name, 1);
            let manifest = krate.manifest();
            let inherits = lints(&manifest).and_then(|table| table.get("lints")?.get("workspace")?.as_bool());
            if inherits != Some(true) {
                let message = format!("`{}` does not inherit the workspace's lints", krate.name);
                let span = package_line(ctx.workspace.text(&manifest), &manifest);
                out.report(Finding::new(
                    span,
                    message,
                    "add `[lints]` with `workspace = true`",
                ));
            }
        }
    }
}

const NAME: Info = Info {
    id: "ARCH-CRATE-004",
    title: "a package is called like its folder",
    family: Family::Layers,
    why: "Whoever looks for a crate looks for its folder; inventories by folder missed crates that were named otherwise.",
    fix: "Give package and folder the same name.",
    scope: "every member below the root",
    needles: &[],
};

impl Rule for Name {
    fn info(&self) -> &'static Info {
        &NAME
    }

    fn plants(&self, _: &Ctx<'_>, krate: &Crate) -> Vec<Plant> {
        let old = format!("name = \"{}\"", krate.name);
        vec![Plant::replace(krate.manifest(), old, "name = \"planted\"")]
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if !ctx.config.has_layers() {
            out.off("the rule file has no layers");
            return;
        }
        for krate in ctx.workspace.crates.iter().filter(|krate| !krate.dir.is_empty()) {
            out.examined(&krate.name, 1);
            let folder = krate.dir.rsplit('/').next().unwrap_or_default();
            if folder != krate.name {
                let message = format!("package `{}` lives in the folder `{folder}`", krate.name);
                let manifest = krate.manifest();
                let span = package_line(ctx.workspace.text(&manifest), &manifest);
                out.report(Finding::new(span, message, "give both the same name"));
            }
        }
    }
}
