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

/// Product tokens of an engine that are one of these words, which are needles of the rule.
fn words(ctx: &Ctx<'_>, file: &SourceFile, names: &[&'static str]) -> Vec<(usize, &'static str)> {
    let hits = names
        .iter()
        .flat_map(|name| file.hits(ctx.words, name).map(|at| (at, *name)));
    let mut found: Vec<_> = hits.filter(|(at, _)| !file.in_tests(*at)).collect();
    found.sort_unstable();
    found
}
