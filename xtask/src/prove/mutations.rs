//! Is each violation of the table found, by its rule, at its place, and by no other rule? One at a time.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use rayon::prelude::*;
use serde::Deserialize;

use crate::check::read_config;
use crate::engine::{self, Job, Outcome};
use crate::model::{Workspace, extension_of, line_column};
use crate::registry;
use crate::rule::Finding;

use super::Ground;

/// The table, which is data: texts in it are planted word for word, and no rule reads it.
pub(super) const TABLE: &str = "xtask/mutations.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    mutation: Vec<Mutation>,
}

/// One violation.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(super) struct Mutation {
    /// What is broken, in a few words.
    pub(crate) name: String,
    /// Which rule must find it.
    pub(crate) rule: String,
    #[serde(flatten)]
    edit: Edit,
    /// Further files.
    #[serde(default)]
    with: Vec<Edit>,
    /// Where it is found, when that is not the first file.
    at: Option<String>,
    /// A part of the line where it is found; the first line of what is planted when not given, the file as a whole
    /// when empty.
    line: Option<String>,
    /// Rules that find something as well.
    #[serde(default)]
    also: Vec<String>,
    /// Why it is not found: a known limit. It must indeed not be found.
    pub(crate) limit: Option<String>,
}

/// What is done to one file: exactly one of these.
#[derive(Deserialize, Clone)]
struct Edit {
    file: String,
    /// A new file. Rust files get their opening line.
    text: Option<String>,
    append: Option<String>,
    /// A text that stands in the file once, and what replaces it.
    replace: Option<[String; 2]>,
    #[serde(default)]
    remove: bool,
}

/// What came of a mutation.
pub(super) struct Judged {
    pub(crate) mutation: Mutation,
    /// `path:line` where it must be found.
    pub(crate) place: String,
    pub(crate) faults: Vec<String>,
}

fn read(ground: &Ground) -> Result<Vec<Mutation>> {
    let text = ground
        .text(TABLE)
        .with_context(|| format!("{TABLE} is missing"))?;
    let table: Table = toml::from_str(text).with_context(|| format!("{TABLE} cannot be read"))?;
    Ok(table.mutation)
}

/// Rules and the crates in which the table shows them.
pub(super) fn proved(ground: &Ground) -> BTreeSet<(&'static str, String)> {
    let ids: BTreeMap<_, _> = registry::all()
        .iter()
        .map(|rule| (rule.info().id, rule.info().id))
        .collect();
    let mut proved = BTreeSet::new();
    for mutation in read(ground).unwrap_or_default() {
        if let (Some(id), None) = (ids.get(mutation.rule.as_str()), &mutation.limit) {
            proved.insert((*id, owner(&ground.loaded.workspace, mutation.at())));
        }
    }
    proved
}

/// The crate around a path, or nothing.
fn owner(workspace: &Workspace, path: &str) -> String {
    let around = |dir: &str| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
    let owner = workspace.crates.iter().find(|krate| around(&krate.dir));
    owner.map(|krate| krate.name.clone()).unwrap_or_default()
}

/// Plants every violation of the table, one after the other.
pub(super) fn judge_all(ground: &Ground) -> Result<Vec<Judged>> {
    let mutations = read(ground)?;
    let mut names = BTreeSet::new();
    if let Some(twice) = mutations.iter().find(|mutation| !names.insert(&mutation.name)) {
        bail!("{TABLE}: `{}` is there twice", twice.name);
    }
    let judged = mutations.par_iter().map(|mutation| mutation.judge(ground));
    Ok(judged.collect())
}

impl Mutation {
    fn at(&self) -> &str {
        self.at.as_deref().unwrap_or(&self.edit.file)
    }

    fn judge(&self, ground: &Ground) -> Judged {
        let mut judged = Judged {
            mutation: self.clone(),
            place: self.at().to_owned(),
            faults: Vec::new(),
        };
        if let Err(error) = self.try_judge(ground, &mut judged) {
            judged.faults.push(format!("{error:#}"));
        }
        judged
    }

    fn try_judge(&self, ground: &Ground, judged: &mut Judged) -> Result<()> {
        let mut edits = BTreeMap::new();
        for edit in std::iter::once(&self.edit).chain(&self.with) {
            let before = edits.get(&edit.file).cloned().flatten();
            let before = before.or_else(|| ground.text(&edit.file).map(str::to_owned));
            edits.insert(edit.file.clone(), edit.apply(before)?);
        }
        let mut tree = ground.with(edits);
        let line = self.line_in(&tree)?;
        judged.place = place(self.at(), line);
        let config = read_config(&mut tree, None);
        let outcome = engine::run(&Job {
            workspace: &tree,
            config: &config,
            words: &ground.loaded.words,
            rules: registry::all(),
            baseline: None,
            today: engine::today(),
            prove: None,
        });
        judged.faults = self.compare(&tree, &outcome, &judged.place);
        Ok(())
    }

    /// The line where it must be found; `None` is the file as a whole.
    fn line_in(&self, tree: &Workspace) -> Result<Option<usize>> {
        let wanted = match (&self.line, self.edit.planted()) {
            (Some(line), _) if line.is_empty() => return Ok(None),
            (Some(line), _) => line.as_str(),
            (None, Some(text)) if self.at.is_none() => text
                .lines()
                .find(|line| !line.trim().is_empty())
                .unwrap_or_default(),
            _ => return Ok(None),
        };
        let text = tree.text(self.at());
        let byte = text.rfind(wanted);
        let byte = byte.with_context(|| format!("`{wanted}` is not in {}", self.at()))?;
        Ok(Some(line_column(text, byte).0))
    }

    fn compare(&self, tree: &Workspace, outcome: &Outcome, wanted: &str) -> Vec<String> {
        let mut faults: Vec<_> = outcome
            .broken
            .iter()
            .map(|broken| format!("broken: {broken}"))
            .collect();
        let told =
            |found: &&Finding| format!("{} at {}: {}", found.rule, place_of(tree, found), found.message);
        let own: Vec<_> = outcome
            .findings
            .iter()
            .filter(|found| found.rule == self.rule)
            .collect();
        let here = own.iter().find(|found| place_of(tree, found) == wanted);
        match (here, &self.limit) {
            (Some(_), Some(_)) => faults.push("it is found: it is no limit any more".to_owned()),
            (Some(found), None) if found.remedy.is_empty() => {
                faults.push("found without a remedy".to_owned());
            }
            (None, None) => {
                faults.push(format!("{} does not find it at {wanted}", self.rule));
                faults.extend(own.iter().map(told));
            }
            _ => {}
        }
        for found in &outcome.findings {
            let listed = found.rule == self.rule || self.also.iter().any(|rule| rule == found.rule);
            if !listed {
                faults.push(format!("not listed: {}", told(&found)));
            }
        }
        let silent = self
            .also
            .iter()
            .filter(|rule| !outcome.findings.iter().any(|found| found.rule == **rule));
        faults.extend(silent.map(|rule| format!("{rule} is listed and silent")));
        faults
    }
}

fn place(path: &str, line: Option<usize>) -> String {
    line.map_or_else(|| path.to_owned(), |line| format!("{path}:{line}"))
}

fn place_of(tree: &Workspace, found: &Finding) -> String {
    let span = &found.primary;
    let line = line_column(tree.text(&span.path), span.start).0;
    place(&span.path, (!span.is_file()).then_some(line))
}

impl Edit {
    /// What the file has afterwards; `None` when it is gone.
    fn apply(&self, before: Option<String>) -> Result<Option<String>> {
        if let Some(text) = &self.text {
            let opening = if extension_of(&self.file) == Some("rs") {
                "//! What is planted here?\n\n"
            } else {
                ""
            };
            return Ok(Some(format!("{opening}{text}")));
        }
        let before = before.with_context(|| format!("{} is not there", self.file))?;
        match (&self.append, &self.replace) {
            (Some(append), _) => Ok(Some(format!("{before}{append}"))),
            (_, Some([old, new])) => {
                if before.matches(old.as_str()).count() != 1 {
                    bail!("`{old}` is not there exactly once in {}", self.file);
                }
                Ok(Some(before.replacen(old.as_str(), new, 1)))
            }
            _ if self.remove => Ok(None),
            _ => bail!("{}: nothing is done to it", self.file),
        }
    }

    /// What stands in the tree that did not before.
    fn planted(&self) -> Option<&str> {
        let replaced = self.replace.as_ref().map(|[_, new]| new);
        let planted = self.text.as_ref().or(self.append.as_ref()).or(replaced);
        planted.map(String::as_str).filter(|text| !text.trim().is_empty())
    }
}
