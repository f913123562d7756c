//! How do the proofs read? As two tables in Markdown.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};

use crate::check::root;
use crate::selftest;

use super::{Armed, Ground, Judged};

/// Where the table of mutations stands.
const DOCUMENT: &str = "docs/checks.md";

/// The table of mutations: what, where, which rule, whether it is found.
pub(super) fn markdown(judged: &[Judged]) -> String {
    let limits = judged.iter().filter(|one| one.mutation.limit.is_some()).count();
    let mut text = format!(
        "# What the checks find\n\n\
         Each row is a violation that is planted in memory in this very workspace, alone. Its rule must find it at its\n\
         place, and no other rule may say anything that [xtask/mutations.toml](../xtask/mutations.toml) does not list.\n\
         {} violations are found. Known limits, which are planted as well and must not be found: {limits}.\n\n\
         `cargo xtask check --self-test --mutations` plants them and prints this page; `UPDATE_FIXTURES=1` before it\n\
         writes the page. Which rule is armed in which crate: `cargo xtask check --self-test --armed`.\n\n\
         | What | Where | Rule | Found |\n|---|---|---|---|\n",
        judged.len() - limits
    );
    for one in judged {
        let found = match (&one.mutation.limit, one.faults.is_empty()) {
            (Some(why), _) => format!("no: {why}"),
            (None, true) => "yes".to_owned(),
            (None, false) => "NO".to_owned(),
        };
        let name = one.mutation.name.replace('|', "\\|");
        let path = one.place.split(':').next().unwrap_or_default();
        let _ = writeln!(text, "| {name} | `{path}` | {} | {found} |", one.mutation.rule);
    }
    text
}

/// Compares the document with the table, or writes it.
pub(super) fn keep(ground: &Ground, table: &str) -> Result<Option<String>> {
    if selftest::is_update() {
        fs::write(root().join(DOCUMENT), table).with_context(|| format!("cannot write {DOCUMENT}"))?;
        return Ok(None);
    }
    let same = ground.text(DOCUMENT) == Some(table);
    let stale = "`UPDATE_FIXTURES=1 cargo xtask check --self-test --mutations` writes it";
    Ok((!same).then(|| format!("{DOCUMENT} is not what the mutations say: {stale}")))
}

/// Which rule is armed in which crate.
pub(super) fn matrix(ground: &Ground, armed: &Armed) -> String {
    let crates: Vec<_> = ground
        .loaded
        .workspace
        .crates
        .iter()
        .map(|krate| krate.name.as_str())
        .collect();
    let mut text = format!(
        "| Rule | {} | whole tree |\n|---|{}\n",
        crates.join(" | "),
        "---|".repeat(crates.len() + 1)
    );
    let rules = armed.planted.iter().chain(&armed.mutated).map(|(rule, _)| *rule);
    let mut rules: Vec<_> = rules.chain(armed.whole.iter().copied()).collect();
    rules.sort_unstable();
    rules.dedup();
    for rule in rules {
        let cell = |krate: &str| {
            let pair = (rule, krate.to_owned());
            if armed.planted.contains(&pair) {
                "armed"
            } else if armed.mutated.contains(&pair) {
                "mutation"
            } else {
                "–"
            }
        };
        let mut cells: Vec<_> = crates.iter().map(|krate| cell(krate)).collect();
        cells.push(cell(""));
        let _ = writeln!(text, "| {rule} | {} |", cells.join(" | "));
    }
    text
}
