//! Does source stay on its side of the fences inside and between crates?

use crate::config::{Fence, Name};
use crate::model::{Crate, SourceFile};
use crate::plant::Plant;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::{PathUse, USE};

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

    fn plants(&self, ctx: &Ctx<'_>, krate: &Crate) -> Vec<Plant> {
        let mut plants = Vec::new();
        for fence in &ctx.config.fence {
            for (inside, denied) in fence
                .inside
                .iter()
                .flat_map(|name| fence.deny.iter().map(move |d| (name, d)))
            {
                let file = format!("planted_{}", denied.as_ref().replace("::", "_"));
                let text = format!("use {}::planted;\n", denied.as_ref());
                plants.extend(Plant::inside(krate, inside.as_ref(), &file, &text));
            }
        }
        plants
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if ctx.config.fence.is_empty() {
            out.off("the rule file has no [[fence]]");
            return;
        }
        for fence in &ctx.config.fence {
            for file in ctx.workspace.inside(&fence.inside) {
                out.examined(&file.krate, 1);
                let Some(krate) = ctx.workspace.krate(&file.krate) else {
                    continue;
                };
                if !may_cross(fence, krate, file) {
                    continue;
                }
                let roots = Roots::of(krate);
                for path in file.paths() {
                    let Some(denied) = roots.crossed(fence, path) else {
                        continue;
                    };
                    if !fence.tests && file.in_tests(path.tokens.start) {
                        continue;
                    }
                    let message = format!("`{}` names `{}`: {}", place(file), path.text(), fence.why);
                    let finding = Finding::new(file.span_of(path.tokens.clone()), message, &fence.instead)
                        .label(format!("`{}` is fenced off", denied.as_ref()))
                        .also(ctx.config.span(denied), "by this fence");
                    out.report(finding);
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

/// Whether the names that the fence denies stand in the file, or a `*` that may bring them in. Modules of the own crate
/// are reached by `super` too. Resolving paths costs a walk over the file.
fn may_cross(fence: &Fence, krate: &Crate, file: &SourceFile) -> bool {
    let glob = || {
        let mut uses = file.marked(USE);
        uses.any(|at| {
            // Leads into the own crate, whatever follows.
            if matches!(file.word(at + 1), "super" | "self" | "crate") {
                return false;
            }
            let line = (at..).take_while(|next| file.tok(*next).is_some() && !file.is(*next, b';'));
            line.into_iter().any(|next| file.is(next, b'*'))
        })
    };
    let own = krate.name.replace('-', "_");
    let named = |denied: &Name| {
        let mut parts = denied.as_ref().split("::");
        parts.next() == Some(own.as_str()) || parts.all(|part| file.may_say(part))
    };
    fence.deny.iter().any(named) || glob()
}

/// What the first names of paths in a crate stand for: its own name for `crate`, that of the package for a rename.
struct Roots(Vec<(String, String)>);

impl Roots {
    fn of(krate: &Crate) -> Self {
        let renamed = krate.edges.iter().filter(|edge| edge.renamed.is_some());
        let renamed = renamed.map(|edge| (edge.extern_name(), edge.to.replace('-', "_")));
        let own = ("crate".to_owned(), krate.name.replace('-', "_"));
        Self(std::iter::once(own).chain(renamed).collect())
    }

    fn real<'a>(&'a self, root: &'a str) -> &'a str {
        let known = self.0.iter().find(|(name, _)| name == root);
        known.map_or(root, |(_, real)| real)
    }

    fn is_under(&self, path: &PathUse, prefix: &str) -> bool {
        let rest = prefix.strip_prefix(self.real(path.root()));
        let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with("::")) else {
            return false;
        };
        let beyond = path.behind_root().strip_prefix(rest);
        beyond.is_some_and(|beyond| beyond.is_empty() || beyond.starts_with("::"))
    }

    /// The entry that the path breaks; globs are compared with what they bring in.
    fn crossed<'f>(&self, fence: &'f Fence, path: &PathUse) -> Option<&'f Name> {
        let broken = |name: &&Name| self.is_under(path, name.as_ref()) || self.glob_over(path, name.as_ref());
        let denied = fence.deny.iter().find(broken)?;
        let allowed = fence.allow.iter().any(|name| self.is_under(path, name.as_ref()));
        (!allowed).then_some(denied)
    }

    /// `use std::*` brings `std::time` in.
    fn glob_over(&self, path: &PathUse, denied: &str) -> bool {
        let Some(above) = path.behind_root().strip_suffix("::*") else {
            return false;
        };
        // A part of `denied`, which ends where a segment of it does.
        let beyond = denied
            .strip_prefix(self.real(path.root()))
            .and_then(|rest| rest.strip_prefix(above));
        beyond.is_some_and(|beyond| beyond.starts_with("::"))
    }
}
