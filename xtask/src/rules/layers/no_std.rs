//! Can the pure layers name a clock, a file or a random number?

use crate::model::{Crate, SourceFile, Span};
use crate::plant::Plant;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-PURE-001`.
pub(super) struct NoStd;

const INFO: Info = Info {
    id: "ARCH-PURE-001",
    title: "crates of the pure layers are `#![no_std]`, without a condition",
    family: Family::Layers,
    why: "Where std does not resolve, no clock, file, thread or hash order can be named: replay decides as it did.",
    fix: "Add `#![no_std]` and `extern crate alloc`; tests may bring std back behind `#[cfg(test)]`.",
    scope: "lib.rs of every crate in the layers of `no_std`",
    needles: &["no_std"],
};

impl Rule for NoStd {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn plants(&self, ctx: &Ctx<'_>, krate: &Crate) -> Vec<Plant> {
        let lib = format!("{}/src/lib.rs", krate.dir);
        let pure = |layer: &str| ctx.config.no_std.iter().any(|name| name.as_ref() == layer);
        let planted = krate.layer_name().is_some_and(pure);
        planted
            .then(|| Plant::replace(lib, "#![no_std]", ""))
            .into_iter()
            .collect()
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if ctx.config.no_std.is_empty() {
            out.off("the rule file has no `no_std` layers");
            return;
        }
        for krate in &ctx.workspace.crates {
            let pure = |layer: &str| ctx.config.no_std.iter().any(|name| name.as_ref() == layer);
            if !krate.layer_name().is_some_and(pure) {
                continue;
            }
            out.examined(&krate.name, 1);
            let lib = format!("{}/src/lib.rs", krate.dir);
            let Some(file) = ctx.workspace.sources_of(krate).find(|file| file.path == lib) else {
                let message = format!("`{}` has no src/lib.rs to be `#![no_std]`", krate.name);
                out.report(Finding::new(Span::file(krate.manifest()), message, INFO.fix));
                continue;
            };
            let unconditional = |at: usize| {
                at >= 3
                    && file.is(at - 1, b'[')
                    && file.is(at - 2, b'!')
                    && file.is(at - 3, b'#')
                    && file.is(at + 1, b']')
            };
            if !file.hits(ctx.words, "no_std").any(unconditional) {
                let message = format!("`{}` is not `#![no_std]`", krate.name);
                out.report(Finding::new(Span::file(&file.path), message, INFO.fix));
            }
            for source in ctx.workspace.sources_of(krate) {
                names_std(source, &krate.name, out);
            }
        }
    }
}

fn names_std(file: &SourceFile, krate: &str, out: &mut Sink<'_>) {
    for path in file.paths() {
        let at = path.tokens.start;
        let brings = path.import && at > 0 && file.word(at - 1) == "crate" && path.root() == "std";
        if brings && !file.in_tests(at) {
            let message = format!("`{krate}` brings std back with `extern crate std`");
            let remedy = "remove it; tests may do so behind `#[cfg(test)]`";
            out.report(Finding::new(file.span_of(path.tokens.clone()), message, remedy));
        }
    }
}
