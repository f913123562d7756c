//! Do heavy outside crates stay with the crates that own them?

use crate::config::Outside;
use crate::model::{Crate, Kind};
use crate::plant::{Plant, has_edge};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-OUTSIDE-001`.
pub(super) struct Fenced;

const INFO: Info = Info {
    id: "ARCH-OUTSIDE-001",
    title: "an outside crate with owners is used by its owners only",
    family: Family::Layers,
    why: "A second crate with a database driver, an HTTP client or a server is a second way around the transaction, \
          the hold or the view.",
    fix: "Use the owner's functions; if the owner lacks one, add it there.",
    scope: "every declared dependency on a crate that [[outside]] lists, under any name, of any kind",
    needles: &[],
};

impl Rule for Fenced {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn plants(&self, ctx: &Ctx<'_>, krate: &Crate) -> Vec<Plant> {
        let foreign = |fence: &&Outside| !fence.only.iter().any(|name| *name.as_ref() == krate.name);
        let fences = ctx.config.outside.iter().filter(foreign);
        fences
            .flat_map(|fence| &fence.crates)
            .filter(|name| !has_edge(krate, name.as_ref()))
            .map(|name| Plant::dependency(krate, name.as_ref(), "\"1\""))
            .collect()
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if ctx.config.outside.is_empty() {
            out.off("the rule file has no [[outside]]");
            return;
        }
        for krate in &ctx.workspace.crates {
            for edge in krate.outside() {
                out.examined(&krate.name, 1);
                let fence = ctx
                    .config
                    .outside
                    .iter()
                    .find(|fence| fence.crates.iter().any(|name| *name.as_ref() == edge.to));
                let Some(fence) = fence else { continue };
                let listed =
                    |names: &[crate::config::Name]| names.iter().any(|name| *name.as_ref() == krate.name);
                if listed(&fence.only) || edge.kind == Kind::Dev && listed(&fence.dev) {
                    continue;
                }
                let owners: Vec<_> = fence.only.iter().map(|name| name.as_ref().as_str()).collect();
                let message = format!("`{}` may not use `{}`: {}", krate.name, edge.to, fence.why);
                let remedy = format!("remove this line and use what {} offers", owners.join(" or "));
                let label = format!("dependency: {}; owned by {}", edge.how(), owners.join(", "));
                let mut finding = Finding::new(edge.span.clone(), message, remedy).label(label);
                let entry = fence.crates.iter().find(|name| *name.as_ref() == edge.to);
                if let Some(entry) = entry {
                    finding = finding.also(ctx.config.span(entry), "fenced here");
                }
                out.report(finding);
            }
        }
    }
}
