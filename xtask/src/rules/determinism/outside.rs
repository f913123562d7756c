//! Which outside crates may an engine use?

use super::NONE;
use crate::model::Kind;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-DET-002`.
pub(super) struct Outside;

const INFO: Info = Info {
    id: "ARCH-DET-002",
    title: "engines use no outside crate that was not looked at",
    family: Family::Determinism,
    why: "`no_std` ends at the crate's edge: whatever an engine depends on may read a clock, or walk a map in the \
          order of its hashes.",
    fix: "Do without it, or look at it and add it to `determinism.outside` with what it is for.",
    scope: "normal and build dependencies of the crates in `determinism.inside` on outside crates, with features and \
            whatever the manifest calls them",
    needles: &[],
};

impl Rule for Outside {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(table) = &ctx.config.determinism else {
            out.off(NONE);
            return;
        };
        let mut used = vec![false; table.outside.len()];
        let crates = ctx.workspace.crates.iter();
        for krate in crates.filter(|krate| table.inside.iter().any(|name| *name.as_ref() == krate.name)) {
            out.examined(&krate.name, 1);
            for edge in krate.outside().filter(|edge| edge.kind != Kind::Dev) {
                out.examined(&krate.name, 1);
                let allowed = table
                    .outside
                    .iter()
                    .position(|helper| *helper.krate.as_ref() == edge.to);
                let Some((at, helper)) = allowed.and_then(|at| Some((at, table.outside.get(at)?))) else {
                    let message = format!(
                        "`{}` must decide the same twice, and uses `{}`",
                        krate.name, edge.to
                    );
                    out.report(Finding::new(edge.span.clone(), message, INFO.fix).label(edge.how()));
                    continue;
                };
                if let Some(used) = used.get_mut(at) {
                    *used = true;
                }
                for feature in edge
                    .features
                    .iter()
                    .filter(|feature| !helper.features.contains(feature))
                {
                    let message = format!("`{}` uses `{}` with the feature `{feature}`", krate.name, edge.to);
                    let remedy = "switch it off, or add it to the entry in `determinism.outside`";
                    let finding = Finding::new(edge.span.clone(), message, remedy).label(edge.how());
                    out.report(
                        finding.also(ctx.config.span(&helper.krate), format!("allowed: {}", helper.why)),
                    );
                }
            }
        }
        for (helper, used) in table.outside.iter().zip(used) {
            if !used {
                let message = format!(
                    "no crate of `determinism.inside` uses `{}`",
                    helper.krate.as_ref()
                );
                out.report(Finding::new(
                    ctx.config.span(&helper.krate),
                    message,
                    "remove the entry",
                ));
            }
        }
    }
}
