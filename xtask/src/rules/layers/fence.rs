//! Does source stay on its side of the fences inside and between crates?

use crate::config::{Fence, Name};
use crate::model::SourceFile;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::PathUse;

/// `ARCH-FENCE-001`.
pub(super) struct Fences;

const INFO: Info = Info {
    id: "ARCH-FENCE-001",
    title: "fenced modules do not name what is on the other side",
    family: Family::Layers,
    why: "An engine that names a clock or a file cannot be replayed; a module that names another one's inside cannot \
          be changed alone.",
    fix: "Take the value as a field of the input, or use what the fence says instead.",
    scope: "`use` trees and paths in code, macro bodies included, with aliases and renames resolved",
    needles: &[],
};

impl Rule for Fences {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if ctx.config.fence.is_empty() {
            out.off("the rule file has no [[fence]]");
            return;
        }
        for fence in &ctx.config.fence {
            for file in ctx
                .workspace
                .sources
                .iter()
                .filter(|file| file.is_in_any(&fence.inside))
            {
                out.examined(&file.krate, 1);
                for path in file.paths() {
                    if !fence.tests && file.in_tests(path.tokens.start) {
                        continue;
                    }
                    if let Some(denied) = crosses(ctx, fence, file, path) {
                        let message = format!("`{}` names `{}`: {}", place(file), path.text(), fence.why);
                        let finding =
                            Finding::new(file.span_of(path.tokens.clone()), message, &fence.instead)
                                .label(format!("`{}` is fenced off", denied.as_ref()))
                                .also(ctx.config.span(denied), "by this fence");
                        out.report(finding);
                    }
                }
            }
        }
    }
}

fn place(file: &SourceFile) -> String {
    let mut parts = vec![file.krate.clone()];
    parts.extend(file.module.iter().cloned());
    parts.join("::")
}

/// The entry that the path breaks. `crate::…` paths are compared with the crate's own name, globs with what they
/// bring in.
fn crosses<'a>(ctx: &Ctx<'_>, fence: &'a Fence, file: &SourceFile, path: &PathUse) -> Option<&'a Name> {
    let krate = ctx.workspace.krate(&file.krate)?;
    let renamed = krate
        .edges
        .iter()
        .find(|edge| edge.renamed.is_some() && edge.extern_name() == path.root());
    let real = match (path.root(), renamed) {
        ("crate", _) => Some(krate.name.replace('-', "_")),
        (_, Some(edge)) => Some(edge.to.replace('-', "_")),
        _ => None,
    };
    let own;
    let path = if let Some(real) = real {
        let rest = path.segments.iter().skip(1).cloned();
        own = PathUse {
            segments: std::iter::once(real).chain(rest).collect(),
            ..path.clone()
        };
        &own
    } else {
        path
    };
    if fence.allow.iter().any(|name| path.is_under(name.as_ref())) {
        return None;
    }
    fence
        .deny
        .iter()
        .find(|name| path.is_under(name.as_ref()) || glob_over(path, name.as_ref()))
}

/// `use std::*` brings `std::time` in.
fn glob_over(path: &PathUse, denied: &str) -> bool {
    let Some((last, above)) = path.segments.split_last() else {
        return false;
    };
    let denied: Vec<_> = denied.split("::").collect();
    last == "*" && above.len() < denied.len() && above.iter().zip(&denied).all(|(own, part)| own == part)
}
