//! Is something reached through others that must not be reached at all?

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::config::{Name, Reach};
use crate::model::{Crate, Edge, Kind, Workspace};
use crate::plant::Plant;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-REACH-001`.
pub(super) struct Reached;

const INFO: Info = Info {
    id: "ARCH-REACH-001",
    title: "what must not be reached is not reached through others either",
    family: Family::Layers,
    why: "Each edge of a chain can be legal while its ends must not meet: a view that links the database driver \
          through a helper is one re-export away from SQL.",
    fix: "Cut the chain at the edge that the finding shows, or lead it through one of the allowed crates.",
    scope: "chains of normal and build dependencies, as far as manifests of the workspace declare them",
    needles: &[],
};

impl Rule for Reached {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn plants(&self, ctx: &Ctx<'_>, krate: &Crate) -> Vec<Plant> {
        let mut plants = Vec::new();
        let mut seen = BTreeSet::new();
        let from = |reach: &&Reach| named(&reach.from, krate) && !named(&reach.through, krate);
        for name in ctx.config.reach.iter().filter(from).flat_map(|reach| &reach.to) {
            let name = name.as_ref();
            if !seen.insert(name) {
                continue;
            }
            let member = ctx
                .workspace
                .crates
                .iter()
                .find(|other| other.name == *name || other.layer_name() == Some(name.as_str()));
            plants.push(match member {
                Some(member) => Plant::member(krate, member),
                None => Plant::dependency(krate, name, "\"1\""),
            });
        }
        plants
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if ctx.config.reach.is_empty() {
            out.off("the rule file has no [[reach]]");
            return;
        }
        for reach in &ctx.config.reach {
            for krate in &ctx.workspace.crates {
                if named(&reach.from, krate) && !named(&reach.through, krate) {
                    out.examined(&krate.name, 1);
                    for chain in shortest(ctx.workspace, reach, krate) {
                        out.report(finding(ctx, reach, krate, &chain));
                    }
                }
            }
        }
    }
}

fn named(names: &[Name], krate: &Crate) -> bool {
    let layer = krate.layer_name();
    names
        .iter()
        .any(|name| *name.as_ref() == krate.name || Some(name.as_ref().as_str()) == layer)
}

type Step<'a> = (&'a Crate, &'a Edge);

/// The shortest chain to each thing that must not be reached.
fn shortest<'a>(workspace: &'a Workspace, reach: &Reach, from: &'a Crate) -> Vec<Vec<Step<'a>>> {
    let mut came: BTreeMap<&str, Option<Step<'a>>> = BTreeMap::from([(from.name.as_str(), None)]);
    let mut waiting = VecDeque::from([from]);
    let mut chains = Vec::new();
    while let Some(krate) = waiting.pop_front() {
        for edge in krate.edges.iter().filter(|edge| edge.kind != Kind::Dev) {
            if came.contains_key(edge.to.as_str()) {
                continue;
            }
            came.insert(&edge.to, Some((krate, edge)));
            let member = edge.member.then(|| workspace.krate(&edge.to)).flatten();
            let hit = reach.to.iter().any(|name| *name.as_ref() == edge.to)
                || member.is_some_and(|member| named(&reach.to, member));
            if hit {
                chains.push(chain(&came, &edge.to));
            } else if let Some(member) = member
                && !named(&reach.through, member)
            {
                waiting.push_back(member);
            }
        }
    }
    chains
}

fn chain<'a>(came: &BTreeMap<&str, Option<Step<'a>>>, to: &str) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    let mut at = to;
    while let Some(Some(step)) = came.get(at) {
        steps.push(*step);
        at = &step.0.name;
    }
    steps.reverse();
    steps
}

fn finding(ctx: &Ctx<'_>, reach: &Reach, from: &Crate, chain: &[Step<'_>]) -> Finding {
    let mut names = vec![from.name.as_str()];
    names.extend(chain.iter().map(|(_, edge)| edge.to.as_str()));
    let to = names.last().copied().unwrap_or_default();
    let message = format!("`{}` reaches `{to}`: {}", from.name, names.join(" -> "));
    let through: Vec<_> = reach.through.iter().map(|name| name.as_ref().as_str()).collect();
    let allowed = if through.is_empty() {
        "it may not be reached at all".to_owned()
    } else {
        format!("it may be reached through {} only", through.join(", "))
    };
    let remedy = format!("cut this chain ({}); {allowed}", reach.why);
    let mut steps = chain.iter();
    let first = steps
        .next()
        .map(|(_, edge)| edge.span.clone())
        .unwrap_or_default();
    let mut finding = Finding::new(first, message, remedy).label("the chain begins here");
    for (krate, edge) in steps {
        finding = finding.also(edge.span.clone(), format!("`{}` -> `{}`", krate.name, edge.to));
    }
    let entry = reach.to.iter().find(|name| *name.as_ref() == to);
    match entry {
        Some(entry) => finding.also(ctx.config.span(entry), "forbidden here"),
        None => finding,
    }
}
