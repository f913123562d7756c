//! Engines that decide the same twice: the rules of `check-determinism`.

mod addresses;
mod clock;
mod float;
mod golden;
mod hash;
mod outside;
mod state;

use crate::config::Determinism;
use crate::model::SourceFile;
use crate::rule::{Ctx, Finding, Rule, Sink};

/// The rules, in the order of their numbers.
pub(crate) const RULES: &[&'static dyn Rule] = &[
    &clock::Clock,
    &outside::Outside,
    &float::Floats,
    &hash::Hashes,
    &addresses::Addresses,
    &state::State,
    &golden::Versions,
    &golden::Accepted,
];

pub(crate) use golden::facts;

const NONE: &str = "the rule file has no [determinism]";

/// Product files of what must decide the same twice.
fn engines<'a>(ctx: &'a Ctx<'_>, out: &mut Sink<'_>) -> Option<(&'a Determinism, Vec<&'a SourceFile>)> {
    let Some(table) = &ctx.config.determinism else {
        out.off(NONE);
        return None;
    };
    let files = ctx.workspace.inside(&table.inside);
    let inside: Vec<_> = files.filter(|file| !file.is_test_file()).collect();
    for file in &inside {
        out.examined(&file.krate, 1);
    }
    Some((table, inside))
}

/// Reports a word that product code of an engine may not have.
fn tell(file: &SourceFile, at: usize, what: &str, remedy: &str, out: &mut Sink<'_>) {
    let message = format!("`{}` must decide the same twice, and names {what}", file.krate);
    out.report(Finding::new(file.span(at), message, remedy));
}

/// Needles of a rule, with their numbers.
struct Named(Vec<(u16, &'static str)>);

impl Named {
    fn new(ctx: &Ctx<'_>, names: &[&'static str]) -> Self {
        let names = names.iter();
        Self(
            names
                .filter_map(|name| Some((ctx.words.id(name)?, *name)))
                .collect(),
        )
    }

    /// Product tokens of an engine that are one of them.
    fn words(&self, file: &SourceFile) -> Vec<(usize, &'static str)> {
        let names = self.0.iter();
        let hits = names.flat_map(|(id, name)| file.marked(*id).map(|at| (at, *name)));
        let mut found: Vec<_> = hits.filter(|(at, _)| !file.in_tests(*at)).collect();
        found.sort_unstable();
        found
    }
}
