//! Does cargo see the same crates and edges as we do? If not, nothing that we say can be trusted.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::model::{Broken, Kind, Workspace};

/// The cargo that built this program.
const BUILT_BY: &str = env!("CARGO");

/// What cargo says about the workspace of this manifest.
pub(crate) fn ask(manifest: &Path) -> Result<Facts> {
    theirs(manifest)
}

/// Facts that only one side knows, as broken input.
pub(crate) fn differences(workspace: &Workspace, theirs: Result<Facts>) -> Vec<Broken> {
    let theirs = match theirs {
        Ok(theirs) => theirs,
        Err(error) => {
            let told = format!("{error:#}");
            return vec![Broken::file("Cargo.toml", told.trim_end())];
        }
    };
    let ours = ours(workspace);
    let only_theirs = theirs.difference(&ours).map(|fact| ("cargo", fact));
    let only_ours = ours.difference(&theirs).map(|fact| ("xtask", fact));
    only_theirs
        .chain(only_ours)
        .map(|(who, (manifest, fact))| Broken::file(manifest, format!("only {who} sees here: {fact}")))
        .collect()
}

pub(crate) type Facts = BTreeSet<(String, String)>;

fn theirs(manifest: &Path) -> Result<Facts> {
    let mut command = MetadataCommand::new();
    // What is called `cargo` may be a proxy, which first looks for what built this program.
    if Path::new(BUILT_BY).is_file() {
        command.cargo_path(BUILT_BY);
    }
    let metadata = command
        .manifest_path(manifest)
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .context("cannot read the workspace with `cargo metadata`")?;
    let mut facts = Facts::new();
    for package in metadata.workspace_packages() {
        let path = &package.manifest_path;
        let path = path
            .strip_prefix(&metadata.workspace_root)
            .unwrap_or(path)
            .to_string();
        facts.insert((path.clone(), format!("package `{}`", package.name)));
        for dependency in &package.dependencies {
            let kind = match dependency.kind {
                DependencyKind::Build => Kind::Build,
                DependencyKind::Development => Kind::Dev,
                _ => Kind::Normal,
            };
            let fact = format!(
                "{kind} dependency `{}`, optional {}, target {}",
                dependency.name,
                dependency.optional,
                dependency
                    .target
                    .as_ref()
                    .map_or("any".to_owned(), ToString::to_string)
            );
            facts.insert((path.clone(), fact));
        }
    }
    Ok(facts)
}

fn ours(workspace: &Workspace) -> Facts {
    let mut facts = Facts::new();
    for krate in &workspace.crates {
        facts.insert((krate.manifest(), format!("package `{}`", krate.name)));
        for edge in &krate.edges {
            let fact = format!(
                "{} dependency `{}`, optional {}, target {}",
                edge.kind,
                edge.to,
                edge.optional,
                edge.target.as_deref().unwrap_or("any")
            );
            facts.insert((krate.manifest(), fact));
        }
    }
    facts
}
