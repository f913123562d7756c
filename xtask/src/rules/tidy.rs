//! Does the repository look the way its documents promise?

mod crate_map;
mod dependencies;
mod lengths;
mod links;
mod measure;
mod opening;
mod places;
mod ratchet;
mod toc;

use std::fs;

use anyhow::{Context, Result};

use crate::model::Workspace;
use crate::rule::Rule;
use ratchet::Ratchet;

pub(crate) const RULES: &[&'static dyn Rule] = &[
    &opening::Opening,
    &lengths::FileLength,
    &lengths::FunctionLength,
    &ratchet::Shrinks,
    &toc::Contents,
    &places::NoModRs,
    &places::OneClippy,
    &places::OneTestBinary,
    &crate_map::CrateMap,
    &dependencies::Reasons,
    &dependencies::Inherited,
    &links::Links,
];

/// Lowers the ratchet to the lengths of today.
pub(crate) fn update_ratchet(workspace: &Workspace) -> Result<()> {
    let ratchet = Ratchet::read(workspace).map_err(|broken| anyhow::anyhow!("{broken}"))?;
    let lowered = ratchet.lowered(&measure::measure(workspace));
    fs::write(workspace.root.join(ratchet::PATH), lowered.render())
        .with_context(|| format!("cannot write {}", ratchet::PATH))
}
