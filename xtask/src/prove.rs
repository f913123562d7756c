//! Does the checker find what it is there for, in this very tree? Violations are planted in memory, never on disk.

mod armed;
mod live;
mod mutations;
mod table;

use anyhow::Result;

use armed::{Armed, armed};
pub(crate) use live::live;
use mutations::{Judged, judge_all};

use crate::check::{Loaded, Target};
use crate::config::Config;
use crate::engine::{self, Job, Outcome};
use crate::load;
use crate::lock::Lock;
use crate::model::Workspace;
use crate::registry;
use crate::rule::Ctx;
use crate::scan::Words;

/// The tree that violations are planted in, and what all rules say of it as it is.
pub(crate) struct Ground {
    loaded: Loaded,
    clean: Outcome,
}

impl Ground {
    /// Loads the tree and runs all rules on it once, so that what is worked out about its files is there.
    pub(crate) fn prepare() -> Result<Self> {
        let loaded = Target::default().load()?;
        let clean = run_all(&loaded, &loaded.workspace);
        Ok(Self { loaded, clean })
    }

    /// What is wrong with the tree itself: nothing can be proved on top of findings.
    pub(crate) fn faults(&self) -> Vec<String> {
        let broken = self.clean.broken.iter().map(ToString::to_string);
        let found = self
            .clean
            .findings
            .iter()
            .map(|found| format!("{}: {} ({})", found.rule, found.message, found.primary.path));
        broken.chain(found).collect()
    }

    /// The tree with some files replaced, added or taken away.
    fn with(&self, edits: impl IntoIterator<Item = (String, Option<String>)>) -> Workspace {
        load::with_files(&self.loaded.workspace, edits, &self.loaded.words)
    }

    fn text(&self, path: &str) -> Option<&str> {
        self.loaded.workspace.files.text(path)
    }

    fn soil(&self) -> Soil<'_> {
        Soil::of(&self.loaded)
    }
}

/// A tree to plant in, with what rules need to look at it.
#[derive(Clone, Copy)]
struct Soil<'a> {
    workspace: &'a Workspace,
    config: &'a Config,
    words: &'a Words,
}

impl<'a> Soil<'a> {
    fn of(loaded: &'a Loaded) -> Self {
        Self {
            workspace: &loaded.workspace,
            config: &loaded.config,
            words: &loaded.words,
        }
    }

    /// Shows the tree, or one that was made of it, to `work` as rules see it.
    fn with_context<T>(self, workspace: &Workspace, work: impl FnOnce(&Ctx<'_>) -> T) -> T {
        work(&Ctx {
            workspace,
            config: self.config,
            lock: &Lock::read(workspace, &self.config.path),
            words: self.words,
        })
    }
}

/// What was proved.
#[derive(Default)]
pub(crate) struct Proof {
    /// Rule and crate in which its violation is found.
    pub(crate) pairs: usize,
    /// Violations that were planted alone.
    pub(crate) mutations: usize,
    pub(crate) matrix: String,
    pub(crate) table: String,
    pub(crate) faults: Vec<String>,
}

/// Shows that every rule is armed in every crate it looks at; with `mutations`, plants the table too, and compares the
/// document with it.
pub(crate) fn run(mutations: bool) -> Result<Proof> {
    let ground = Ground::prepare()?;
    let mut proof = Proof {
        faults: ground.faults(),
        ..Proof::default()
    };
    let armed = armed(&ground);
    proof.pairs = armed.planted.union(&armed.mutated).count();
    proof.matrix = table::matrix(&ground, &armed);
    proof.faults.extend(armed.holes);
    if mutations {
        let judged = judge_all(&ground)?;
        proof.mutations = judged.len();
        for one in &judged {
            let faults = one.faults.iter();
            proof
                .faults
                .extend(faults.map(|fault| format!("mutation `{}`: {fault}", one.mutation.name)));
        }
        proof.table = table::markdown(&judged);
        proof.faults.extend(table::keep(&ground, &proof.table)?);
    }
    Ok(proof)
}

/// Runs all rules as `check` does.
fn run_all(loaded: &Loaded, workspace: &Workspace) -> Outcome {
    engine::run(&Job {
        workspace,
        config: &loaded.config,
        words: &loaded.words,
        rules: registry::all(),
        baseline: None,
        today: engine::today(),
        prove: None,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_rule_is_armed_in_every_crate_and_finds_each_violation_of_the_table() {
        let proof = super::run(true).unwrap();
        assert!(proof.faults.is_empty(), "{}", proof.faults.join("\n"));
        assert!(proof.mutations >= 60);
    }
}
