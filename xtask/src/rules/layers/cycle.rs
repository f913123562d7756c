//! Do modules of one crate depend on each other in a circle?

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Crate, SourceFile, Span};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-CYCLE-001`.
pub(super) struct Cycles;

const INFO: Info = Info {
    id: "ARCH-CYCLE-001",
    title: "modules of a crate that stand side by side form no circle",
    family: Family::Layers,
    why: "Modules in a circle can only be read, tested and changed together: they are one module in several files.",
    fix: "Move what both need into a module of its own, or list the circle in the rule file as [[cycle]] with its reason.",
    scope: "`crate::`, `self::` and `super::` paths of product code between children of one module",
    needles: &["crate", "super", "self"],
};

/// One use of module `to` by module `from`, both children of `parent`.
type Uses<'a> = BTreeMap<&'a [String], Edges<'a>>;
type Edges<'a> = BTreeMap<(&'a str, &'a str), Span>;

impl Rule for Cycles {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if !ctx.config.has_layers() {
            out.off("the rule file has no layers");
            return;
        }
        let mut known = vec![false; ctx.config.cycle.len()];
        for krate in &ctx.workspace.crates {
            let files: Vec<_> = ctx.workspace.sources_of(krate).collect();
            let names = files
                .iter()
                .map(|file| file.module.iter().map(String::as_str).collect());
            let modules: BTreeSet<Vec<&str>> = names.collect();
            let mut uses = Uses::new();
            for file in files.iter().filter(|file| !file.is_test_file()) {
                out.examined(&krate.name, 1);
                if names_modules(ctx, file) {
                    collect(file, &modules, &mut uses);
                }
            }
            for (parent, edges) in &uses {
                for members in circles(edges) {
                    match tolerated(ctx, krate, parent, &members) {
                        Some(at) => {
                            if let Some(seen) = known.get_mut(at) {
                                *seen = true;
                            }
                        }
                        None => out.report(finding(krate, parent, edges, &members)),
                    }
                }
            }
        }
        for (cycle, seen) in ctx.config.cycle.iter().zip(known) {
            if !seen {
                let message = format!("`{}` has no such circle any more", cycle.krate.as_ref());
                let label = format!("listed because: {}", cycle.why);
                out.report(
                    Finding::new(ctx.config.span(&cycle.krate), message, "remove the entry").label(label),
                );
            }
        }
    }
}

/// Whether product code of the file names another module at all: resolving paths costs a walk over the file.
fn names_modules(ctx: &Ctx<'_>, file: &SourceFile) -> bool {
    ["crate", "super", "self"].iter().any(|word| {
        file.hits(ctx.words, word)
            .any(|at| file.is(at + 1, b':') && file.is(at + 2, b':') && !file.in_tests(at))
    })
}

/// Notes the first use between each two modules that stand side by side.
fn collect<'a>(file: &'a SourceFile, modules: &BTreeSet<Vec<&str>>, uses: &mut Uses<'a>) {
    for path in file.paths() {
        if path.root() != "crate" || file.in_tests(path.tokens.start) {
            continue;
        }
        let to: Vec<_> = path.segments().skip(1).collect();
        // The module part of the path: as long as there is a file for it.
        let depth = (0..=to.len())
            .rev()
            .find(|depth| modules.contains(to.get(..*depth).unwrap_or_default()));
        let to = to.get(..depth.unwrap_or(0)).unwrap_or_default();
        let shared = file
            .module
            .iter()
            .zip(to)
            .take_while(|(own, other)| own == other)
            .count();
        let sides = file.module.get(shared).zip(to.get(shared));
        if let Some((own, other)) = sides {
            let parent = file.module.get(..shared).unwrap_or_default();
            uses.entry(parent)
                .or_default()
                .entry((own, other))
                .or_insert_with(|| file.span_of(path.tokens.clone()));
        }
    }
}

/// Sets of modules that reach each other, each sorted.
fn circles(edges: &Edges<'_>) -> Vec<BTreeSet<String>> {
    let names: BTreeSet<&str> = edges.keys().flat_map(|(from, to)| [*from, *to]).collect();
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        names.iter().map(|name| (*name, reached(edges, name))).collect();
    let mutual = |a: &str, b: &str| {
        let to = |from: &str, to: &str| reach.get(from).is_some_and(|set| set.contains(to));
        to(a, b) && to(b, a)
    };
    let mut found: Vec<BTreeSet<String>> = Vec::new();
    for name in &names {
        let placed = found.iter().any(|circle| circle.contains(*name));
        if !placed && mutual(name, name) {
            let circle = names.iter().filter(|other| mutual(name, other));
            found.push(circle.map(|other| (*other).to_owned()).collect());
        }
    }
    found
}

fn reached<'a>(edges: &Edges<'a>, from: &str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(at) = waiting.pop() {
        for (_, to) in edges.keys().filter(|(own, _)| *own == at) {
            if seen.insert(*to) {
                waiting.push(to);
            }
        }
    }
    seen
}

fn tolerated(ctx: &Ctx<'_>, krate: &Crate, parent: &[String], members: &BTreeSet<String>) -> Option<usize> {
    ctx.config.cycle.iter().position(|cycle| {
        let listed: BTreeSet<&str> = cycle.members.iter().map(|name| name.as_ref().as_str()).collect();
        *cycle.krate.as_ref() == krate.name
            && cycle.module == parent.join("::")
            && listed == members.iter().map(String::as_str).collect()
    })
}

fn finding(krate: &Crate, parent: &[String], edges: &Edges<'_>, members: &BTreeSet<String>) -> Finding {
    let chain = shortest(edges, members);
    let place = std::iter::once(krate.name.clone()).chain(parent.iter().cloned());
    let message = format!(
        "modules of `{}` depend on each other in a circle: {}",
        place.collect::<Vec<_>>().join("::"),
        chain.join(" -> ")
    );
    let all: Vec<_> = members.iter().map(String::as_str).collect();
    let remedy = format!(
        "move what both need into a module of its own, below both; or pass the value in (the whole circle: {})",
        all.join(", ")
    );
    let mut finding: Option<Finding> = None;
    for pair in chain.windows(2) {
        let [from, to] = pair else { continue };
        let Some(span) = edges.get(&(from.as_str(), to.as_str())) else {
            continue;
        };
        let label = format!("`{from}` uses `{to}`");
        finding = Some(match finding {
            None => Finding::new(span.clone(), message.clone(), &remedy).label(label),
            Some(finding) => finding.also(span.clone(), label),
        });
    }
    finding.unwrap_or_else(|| Finding::new(Span::file(krate.manifest()), message, &remedy))
}

/// The shortest circle in the set, its first module repeated at the end.
fn shortest(edges: &Edges<'_>, members: &BTreeSet<String>) -> Vec<String> {
    let mut best: Vec<String> = Vec::new();
    for start in members {
        let mut paths = vec![vec![start.clone()]];
        let mut seen = BTreeSet::new();
        let mut at = 0;
        while let Some(path) = paths.get(at).cloned() {
            at += 1;
            let last = path.last().cloned().unwrap_or_default();
            for (_, to) in edges.keys().filter(|(from, _)| *from == last) {
                let next = [path.as_slice(), &[(*to).to_owned()]].concat();
                if to == start {
                    if best.is_empty() || next.len() < best.len() {
                        best = next;
                    }
                } else if members.contains(*to) && seen.insert(*to) {
                    paths.push(next);
                }
            }
        }
    }
    best
}
