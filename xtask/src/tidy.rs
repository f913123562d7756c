//! Does the repository look the way its documents promise?

mod crate_map;
mod dependencies;
mod forbidden;
mod lengths;
mod links;
mod opening;
mod places;
mod ratchet;
mod source;
mod toc;

use std::fs;

use anyhow::{Context, Result};

use crate::report::Report;
use crate::workspace::Workspace;
use ratchet::Ratchet;
use source::Source;

/// Runs every check; each is a function from the workspace to its findings.
pub(crate) fn check(workspace: &Workspace) -> Report {
    let mut report = Report::default();
    let sources = Source::parse_all(&workspace.files, &mut report);
    report.merge(opening::check(&sources));
    report.merge(lengths::check(workspace, &sources));
    report.merge(toc::check(&sources));
    report.merge(forbidden::check(&sources));
    report.merge(places::check(workspace));
    report.merge(crate_map::check(workspace));
    report.merge(dependencies::check(workspace));
    report.merge(links::check(workspace));
    report
}

/// Lowers the ratchet to the lengths of today.
pub(crate) fn update_ratchet(workspace: &Workspace) -> Result<()> {
    let mut report = Report::default();
    let sources = Source::parse_all(&workspace.files, &mut report);
    let lowered = Ratchet::read(workspace)?.lowered(&lengths::measure(&sources));
    fs::write(workspace.root.join(ratchet::PATH), lowered.render())
        .with_context(|| format!("cannot write {}", ratchet::PATH))
}
