//! Can every rule fail, and does it stay silent where it should? Runs the fixtures of every rule.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;
use walkdir::WalkDir;

use crate::check::{read_config, root};
use crate::engine::{self, Date, Job, Outcome};
use crate::load::{self, Overlay};
use crate::model::Workspace;
use crate::registry;
use crate::report;
use crate::rule::{Family, Rule};

pub(crate) const FIXTURES: &str = "xtask/fixtures";
const EXPECTED: &str = "expected.txt";
/// Set to write the expected diagnostics instead of comparing them.
const UPDATE: &str = "UPDATE_FIXTURES";
/// A day on which no fixture's exemption has ended.
const TODAY: &str = "2026-01-01";

/// What a self-test found.
#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) cases: usize,
    pub(crate) faults: Vec<String>,
}

/// One case of a rule: a small tree that breaks it, or one that does not.
pub(crate) struct Case {
    pub(crate) rule: &'static dyn Rule,
    pub(crate) fails: bool,
    pub(crate) dir: PathBuf,
    pub(crate) files: BTreeMap<String, Option<String>>,
}

impl Case {
    /// `ARCH-EDGE-001/fail/renamed`.
    pub(crate) fn name(&self) -> String {
        let kind = if self.fails { "fail" } else { "pass" };
        let case = self
            .dir
            .file_name()
            .map(|name| name.to_string_lossy())
            .unwrap_or_default();
        format!("{}/{kind}/{case}", self.rule.info().id)
    }
}

/// Runs the fixtures of all rules.
pub(crate) fn run() -> Result<Verdict> {
    let update = is_update();
    let fixtures = root().join(FIXTURES);
    let mut verdict = Verdict::default();
    let mut all = Vec::new();
    for rule in registry::all() {
        let cases = cases(&fixtures, rule)?;
        let id = rule.info().id;
        for (fails, kind) in [(true, "failing"), (false, "passing")] {
            if !cases.iter().any(|case| case.fails == fails) {
                verdict.faults.push(format!(
                    "{id} has no {kind} fixture: add {FIXTURES}/{id}/{}/<case>/",
                    kind.get(..4).unwrap_or_default()
                ));
            }
        }
        all.extend(cases);
    }
    verdict.faults.extend(strays(&fixtures)?);
    verdict.cases = all.len();
    let faults: Vec<_> = all.par_iter().flat_map(|case| judge(case, update)).collect();
    verdict.faults.extend(faults);
    verdict.faults.sort();
    Ok(verdict)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a switch of the test run, as insta's is"
)]
pub(crate) fn is_update() -> bool {
    std::env::var_os(UPDATE).is_some()
}

/// The cases of one rule, with the files of `base/` and of the rule's own `base/` below each.
pub(crate) fn cases(fixtures: &Path, rule: &'static dyn Rule) -> Result<Vec<Case>> {
    let own = fixtures.join(rule.info().id);
    let mut base = files(&fixtures.join("base"))?;
    base.extend(files(&own.join("base"))?);
    let mut cases = Vec::new();
    for (kind, fails) in [("fail", true), ("pass", false)] {
        let Ok(entries) = fs::read_dir(own.join(kind)) else {
            continue;
        };
        let mut dirs: Vec<_> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
            .collect();
        dirs.sort();
        for dir in dirs {
            let mut all = base.clone();
            all.extend(files(&dir)?);
            all.remove(EXPECTED);
            // `remove.txt` lists files of the base that the case does without.
            if let Some(Some(list)) = all.remove("remove.txt") {
                all.extend(list.lines().map(|path| (path.trim().to_owned(), None)));
            }
            cases.push(Case {
                rule,
                fails,
                dir,
                files: all,
            });
        }
    }
    Ok(cases)
}

/// All files under a directory; none when it does not exist. `.in` at the end of a name is dropped, so that
/// tools do not take a fixture for the real thing.
pub(crate) fn files(dir: &Path) -> Result<BTreeMap<String, Option<String>>> {
    let mut files = BTreeMap::new();
    if !dir.is_dir() {
        return Ok(files);
    }
    for entry in WalkDir::new(dir) {
        let entry = entry?;
        if entry.file_type().is_file() {
            let path = entry.path();
            let name = path.strip_prefix(dir)?.to_string_lossy().into_owned();
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            files.insert(name.strip_suffix(".in").unwrap_or(&name).to_owned(), Some(text));
        }
    }
    Ok(files)
}

/// Folders that belong to no rule.
fn strays(fixtures: &Path) -> Result<Vec<String>> {
    let known: Vec<_> = registry::all().iter().map(|rule| rule.info().id).collect();
    let mut strays = Vec::new();
    for entry in fs::read_dir(fixtures).with_context(|| format!("cannot read {}", fixtures.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "base" && !known.contains(&name.as_str()) {
            strays.push(format!("{FIXTURES}/{name} belongs to no rule"));
        }
    }
    Ok(strays)
}

/// Runs the rule of a case, and the rules about the checker, on the case's tree.
pub(crate) fn execute(case: &Case) -> (Workspace, Outcome) {
    let mut rules: Vec<_> = registry::all()
        .into_iter()
        .filter(|rule| rule.info().id == case.rule.info().id || rule.info().family == Family::Meta)
        .collect();
    // Rules about the checker are shown on rules that are checked.
    if case.rule.info().family == Family::Meta {
        rules = registry::all()
            .into_iter()
            .filter(|rule| rule.info().family != Family::Tidy)
            .collect();
    }
    let words = engine::words(&rules);
    let tree = Overlay {
        base: None,
        files: case.files.clone(),
    };
    let mut workspace = load::load(&tree, &words);
    let config = read_config(&mut workspace, None);
    let mut broken = Vec::new();
    let baseline = workspace
        .files
        .text("baseline.txt")
        .map(|text| engine::Baseline::parse("baseline.txt", text));
    let baseline = baseline.and_then(|read| read.map_err(|error| broken.push(error)).ok());
    workspace.broken.extend(broken);
    let job = Job {
        workspace: &workspace,
        config: &config,
        words: &words,
        rules,
        baseline,
        today: Date::parse(TODAY).unwrap_or_else(engine::today),
        prove: None,
    };
    let outcome = engine::run(&job);
    (workspace, outcome)
}

fn judge(case: &Case, update: bool) -> Vec<String> {
    let name = case.name();
    let id = case.rule.info().id;
    let (workspace, outcome) = execute(case);
    let mut faults: Vec<_> = outcome
        .broken
        .iter()
        .map(|broken| format!("{name}: the fixture is broken: {broken}"))
        .collect();
    let own: Vec<_> = outcome.findings.iter().filter(|found| found.rule == id).collect();
    if !case.fails {
        let looked: usize = outcome
            .rules
            .iter()
            .filter(|ran| ran.info.id == id)
            .map(engine::Ran::total)
            .sum();
        if looked == 0 && case.rule.info().family != Family::Meta {
            faults.push(format!(
                "{name}: the rule examined nothing, so its silence proves nothing"
            ));
        }
        let told = own
            .iter()
            .map(|found| format!("{name} must be silent: {}", found.message));
        faults.extend(told);
        return faults;
    }
    if own.is_empty() {
        faults.push(format!("{name}: the rule is silent"));
    }
    let mut text = String::new();
    for found in own {
        let _ = writeln!(text, "{}\n", report::render_finding(&workspace, found, false));
    }
    let path = case.dir.join(EXPECTED);
    if update {
        if let Err(error) = fs::write(&path, &text) {
            faults.push(format!("{name}: cannot write {EXPECTED}: {error}"));
        }
    } else if fs::read_to_string(&path).unwrap_or_default() != text {
        faults.push(format!(
            "{name}: says something else than {EXPECTED} (set {UPDATE}=1 to write it):\n{text}"
        ));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_fails_where_it_should_and_only_there() {
        let verdict = run().unwrap();
        assert!(verdict.cases > 0);
        assert!(verdict.faults.is_empty(), "{}", verdict.faults.join("\n"));
    }
}
