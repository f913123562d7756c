//! How long do checkers of Python take on the same tree, and do they find what was planted?

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

use super::python::ROOT;

/// Forbidden edges: who uses whom.
type Edges = BTreeSet<(String, String)>;

/// A checker as it is run on the Python tree.
pub(super) struct Rival {
    pub(super) name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    /// The forbidden edges that its report names.
    edges: fn(&str) -> Result<Edges>,
}

/// All that are compared. Tach keeps nothing of a check; grimp, below import-linter, keeps the imports of each file.
pub(super) const RIVALS: [Rival; 3] = [
    Rival {
        name: "import-linter, no cache",
        program: "lint-imports",
        arguments: &["--no-cache", "--no-logo"],
        edges: edges_of_import_linter,
    },
    Rival {
        name: "import-linter, warm cache",
        program: "lint-imports",
        arguments: &["--no-logo"],
        edges: edges_of_import_linter,
    },
    Rival {
        name: "Tach",
        program: "tach",
        arguments: &["check", "--output", "json"],
        edges: edges_of_tach,
    },
];

impl Rival {
    /// Where it is installed, beside the given Python.
    pub(super) fn found(&self, python: Option<&Path>) -> Option<PathBuf> {
        let program = python?.parent()?.join(self.program);
        program.is_file().then_some(program)
    }

    /// Runs it once; how many forbidden edges it found.
    pub(super) fn run(&self, program: &Path, dir: &Path) -> Result<usize> {
        let Output { stdout, stderr, .. } = Command::new(program)
            .args(self.arguments)
            .current_dir(dir)
            .env("PYTHONPATH", dir)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let report = String::from_utf8_lossy(&stdout);
        let edges = (self.edges)(&report).with_context(|| {
            let said = String::from_utf8_lossy(&stderr);
            format!("{} gave no report: {said}", self.name)
        })?;
        Ok(edges.len())
    }
}

/// `tree.a is not allowed to import tree.b:`
fn edges_of_import_linter(report: &str) -> Result<Edges> {
    if !report.contains("Contracts: ") {
        bail!("no verdict in {report:?}");
    }
    let lines = report
        .lines()
        .filter_map(|line| line.trim().split_once(" is not allowed to import "));
    Ok(lines
        .map(|(from, to)| (from.to_owned(), to.trim_end_matches(':').to_owned()))
        .collect())
}

/// `[{"Located": {"details": {"Code": {"UndeclaredDependency": {"usage_module": …, "definition_module": …}}}}}]`
fn edges_of_tach(report: &str) -> Result<Edges> {
    let report: serde_json::Value = serde_json::from_str(report)?;
    let mut edges = BTreeSet::new();
    for found in report.as_array().context("the report is no list")? {
        let code = found
            .pointer("/Located/details/Code")
            .and_then(|code| code.as_object());
        for details in code.into_iter().flat_map(serde_json::Map::values) {
            let name = |key: &str| details.get(key).and_then(|name| name.as_str());
            if let (Some(from), Some(to)) = (name("usage_module"), name("definition_module")) {
                edges.insert((from.to_owned(), to.to_owned()));
            }
        }
    }
    edges.retain(|(from, _)| from.starts_with(ROOT));
    Ok(edges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_edges_are_read_from_the_reports() {
        let told = "Contracts: 0 kept, 1 broken.\n\ntree.a is not allowed to import tree.b:\n\n- tree.a.m -> tree.b.m (l.1)\n";
        let edge = BTreeSet::from([("tree.a".to_owned(), "tree.b".to_owned())]);
        assert_eq!(edges_of_import_linter(told).unwrap(), edge);
        assert!(edges_of_import_linter("Could not find package 'tree'").is_err());
        let located = |code: &str| format!("{{\"Located\": {{\"details\": {{\"Code\": {code}}}}}}}");
        let code =
            "{\"UndeclaredDependency\": {\"usage_module\": \"tree.a\", \"definition_module\": \"tree.b\"}}";
        let report = format!("[{}, {}]", located(code), located(code));
        assert_eq!(edges_of_tach(&report).unwrap(), edge);
        assert!(edges_of_tach("").is_err());
    }
}
