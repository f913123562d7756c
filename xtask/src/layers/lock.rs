//! Is the graph the one that was reviewed?

use std::collections::BTreeSet;

use crate::report::Report;
use crate::workspace::{Edge, Workspace};

pub(super) const PATH: &str = "xtask/architecture.lock";
const RULE: &str = "layer-lock";
const ACCEPT: &str = "review and accept with `cargo xtask check-layers --accept`";

/// The accepted graph: one fact per line, sorted, so that a change reads as a diff.
pub(super) fn render(workspace: &Workspace) -> String {
    let mut text = "# The accepted graph. Written by `cargo xtask check-layers --accept`.\n".to_owned();
    for fact in facts(workspace) {
        text.push_str(&fact);
        text.push('\n');
    }
    text
}

pub(super) fn check(workspace: &Workspace) -> Report {
    let now = facts(workspace);
    let accepted: BTreeSet<String> = workspace
        .files
        .text(PATH)
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(str::to_owned)
        .collect();
    let mut report = Report::default();
    report.examined(RULE, now.len());
    for fact in now.difference(&accepted) {
        report.push(RULE, PATH, format!("not accepted yet: {fact}"), ACCEPT);
    }
    for fact in accepted.difference(&now) {
        report.push(RULE, PATH, format!("accepted, but gone: {fact}"), ACCEPT);
    }
    report
}

fn facts(workspace: &Workspace) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for krate in &workspace.crates {
        let layer = krate.layer.as_deref().unwrap_or("none");
        facts.insert(format!("crate {} {layer}", krate.name));
        for edge in &krate.edges {
            facts.insert(format!("edge {} -> {}", krate.name, fact(edge)));
        }
    }
    facts
}

fn fact(edge: &Edge) -> String {
    let mut text = format!("{} {}", edge.to, edge.kind);
    if let Some(target) = &edge.target {
        text = format!("{text} target={target}");
    }
    if let Some(rename) = &edge.rename {
        text = format!("{text} renamed={rename}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Crate, Kind};

    fn workspace(lock: &str) -> Workspace {
        Workspace::of(&[(PATH, lock)])
            .with(Crate::of("model", "foundation"))
            .with(Crate::of("domain", "L4-engine").using("model", Kind::Normal))
    }

    #[test]
    fn what_accept_writes_is_accepted() {
        let lock = render(&workspace(""));
        insta::assert_snapshot!(lock, @"
        # The accepted graph. Written by `cargo xtask check-layers --accept`.
        crate domain L4-engine
        crate model foundation
        edge domain -> model normal
        ");
        assert!(check(&workspace(&lock)).is_clean());
    }

    #[test]
    fn a_new_edge_a_lost_edge_and_a_moved_crate_are_findings() {
        let lock = "crate domain L4-engine\ncrate model L6-infra\nedge domain -> infra normal\n";
        insta::assert_snapshot!(check(&workspace(lock)).finish().text(), @"
        xtask/architecture.lock [layer-lock]
          what: accepted, but gone: crate model L6-infra
          fix:  review and accept with `cargo xtask check-layers --accept`

        xtask/architecture.lock [layer-lock]
          what: accepted, but gone: edge domain -> infra normal
          fix:  review and accept with `cargo xtask check-layers --accept`

        xtask/architecture.lock [layer-lock]
          what: not accepted yet: crate model foundation
          fix:  review and accept with `cargo xtask check-layers --accept`

        xtask/architecture.lock [layer-lock]
          what: not accepted yet: edge domain -> model normal
          fix:  review and accept with `cargo xtask check-layers --accept`

        test: 1 rules, 4 findings
        ");
    }
}
