//! Does every crate stay within its layer, and is the graph the one that was reviewed?

mod edges;
mod inventory;
mod lock;
mod no_std;
mod table;

use std::fs;

use anyhow::{Context, Result};

use crate::report::Report;
use crate::workspace::Workspace;
use table::Table;

/// Checks labels, edges, purity and the accepted graph.
pub(crate) fn check(workspace: &Workspace) -> Report {
    match Table::read(workspace) {
        Ok(table) => {
            let mut report = graph(workspace, &table);
            report.merge(no_std::check(workspace, &table));
            report.merge(lock::check(workspace));
            report
        }
        Err(error) => unreadable(&error),
    }
}

/// Writes the graph as it is now to the lock, unless the table forbids it.
pub(crate) fn accept(workspace: &Workspace) -> Result<Report> {
    let mut report = match Table::read(workspace) {
        Ok(table) => graph(workspace, &table),
        Err(error) => unreadable(&error),
    };
    if report.is_clean() {
        fs::write(workspace.root.join(lock::PATH), lock::render(workspace))
            .with_context(|| format!("cannot write {}", lock::PATH))?;
    } else {
        report.push(
            "layer-lock",
            lock::PATH,
            "nothing was accepted: the graph breaks the table",
            "correct the other findings first",
        );
    }
    Ok(report)
}

fn graph(workspace: &Workspace, table: &Table) -> Report {
    let mut report = table.check(workspace);
    report.merge(inventory::check(workspace, table));
    report.merge(edges::check(workspace, table));
    report
}

fn unreadable(error: &anyhow::Error) -> Report {
    let mut report = Report::default();
    report.push(
        "layer-table",
        table::PATH,
        format!("the table cannot be read: {error:#}"),
        "restore the form of the table: `[layers.NAME]` with `may_use = [..]`",
    );
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Crate, Kind};

    #[test]
    fn a_table_that_cannot_be_read_is_a_finding() {
        for files in [vec![], vec![(table::PATH, "layers = 1")]] {
            let report = check(&Workspace::of(&files));
            assert_eq!(report.brief(), ["layer-table xtask/architecture.toml"]);
        }
    }

    #[test]
    fn a_forbidden_graph_is_not_accepted() {
        let table = include_str!("../architecture.toml");
        let workspace = Workspace::of(&[(table::PATH, table)])
            .with(Crate::of("api", "L2").using("store", Kind::Normal))
            .with(Crate::of("store", "L6-store"));
        let text = accept(&workspace).unwrap().text();
        assert!(text.contains("nothing was accepted"), "{text}");
    }
}
