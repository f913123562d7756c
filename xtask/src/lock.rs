//! Which graph was accepted? `architecture.lock`: one fact per line, sorted, so that a change reads as a diff.

use std::collections::BTreeSet;

use crate::model::{Edge, Span, Workspace, line_span};

pub(crate) const NAME: &str = "architecture.lock";
const HEADER: &str = "# The accepted graph. Written by `cargo xtask check-layers --accept`.\n";

const LOOKS: &str = "looks ";

/// The facts of a lock file.
#[derive(Default)]
pub(crate) struct Lock {
    /// Beside the rule file.
    pub(crate) path: String,
    pub(crate) exists: bool,
    pub(crate) facts: BTreeSet<String>,
}

impl Lock {
    /// Reads the lock beside the rule file at `config`.
    pub(crate) fn read(workspace: &Workspace, config: &str) -> Self {
        let path = match config.rsplit_once('/') {
            Some((dir, _)) => format!("{dir}/{NAME}"),
            None => NAME.to_owned(),
        };
        let text = workspace.files.text(&path);
        let lines = text.unwrap_or_default().lines();
        let facts = lines.filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        Self {
            exists: text.is_some(),
            facts: facts.map(str::to_owned).collect(),
            path,
        }
    }

    /// The layer that was accepted for a crate.
    pub(crate) fn layer(&self, krate: &str) -> Option<&str> {
        let start = format!("crate {krate} ");
        self.facts.iter().find_map(|fact| fact.strip_prefix(&start))
    }

    /// The line of a fact.
    pub(crate) fn span(&self, workspace: &Workspace, fact: &str) -> Span {
        let text = workspace.text(&self.path);
        let line = text.lines().position(|line| line == fact);
        line.map_or_else(
            || Span::file(&self.path),
            |line| line_span(&self.path, text, line + 1),
        )
    }

    /// The crates in which a rule was armed.
    pub(crate) fn looks(&self, rule: &str) -> impl Iterator<Item = &str> {
        let start = format!("{LOOKS}{rule} ");
        let facts = self
            .facts
            .iter()
            .filter_map(move |fact| fact.strip_prefix(&start));
        facts.flat_map(str::split_whitespace)
    }

    /// How many things a rule must look at, at least.
    pub(crate) fn floor(&self, rule: &str) -> usize {
        let start = format!("floor {rule} ");
        let floor = self.facts.iter().find_map(|fact| fact.strip_prefix(&start));
        floor.and_then(|floor| floor.parse().ok()).unwrap_or(0)
    }
}

/// The crates that a rule looked at: `looks RULE crate crate`.
pub(crate) fn looks_fact(rule: &str, crates: impl Iterator<Item = impl AsRef<str>>) -> Option<String> {
    let mut fact = format!("{LOOKS}{rule}");
    let start = fact.len();
    for krate in crates {
        fact.push(' ');
        fact.push_str(krate.as_ref());
    }
    (fact.len() > start).then_some(fact)
}

/// Crates with their layers, and edges between them.
pub(crate) fn graph_facts(workspace: &Workspace) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for krate in &workspace.crates {
        facts.insert(format!(
            "crate {} {}",
            krate.name,
            krate.layer_name().unwrap_or("none")
        ));
        for edge in krate.inside() {
            facts.insert(format!("edge {} -> {}", krate.name, fact(edge)));
        }
    }
    facts
}

fn fact(edge: &Edge) -> String {
    let mut text = format!("{} {}", edge.to, edge.kind);
    if edge.optional {
        text.push_str(" optional");
    }
    if let Some(target) = &edge.target {
        text = format!("{text} target={target}");
    }
    if let Some(renamed) = &edge.renamed {
        text = format!("{text} renamed={renamed}");
    }
    text
}

/// The floor that is recorded for a count: the power of two below it, so that daily work does not move it.
pub(crate) fn floor_for(count: usize) -> usize {
    match count.checked_ilog2() {
        Some(power) => 1 << power,
        None => 0,
    }
}

/// The text of a lock with these facts.
pub(crate) fn render(facts: &BTreeSet<String>) -> String {
    let mut text = HEADER.to_owned();
    for fact in facts {
        text.push_str(fact);
        text.push('\n');
    }
    text
}
