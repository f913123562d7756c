//! Is every crate labelled, named like its folder, a member, and under the workspace's lints?

use super::table::{self, Table};
use crate::report::Report;
use crate::workspace::{Crate, Workspace};

pub(super) fn check(workspace: &Workspace, table: &Table) -> Report {
    let mut report = Report::default();
    for rule in ["layer-label", "crate-name", "crate-lints"] {
        report.examined(rule, workspace.crates.len());
    }
    for krate in &workspace.crates {
        label(krate, table, &mut report);
        name(krate, &mut report);
        lints(workspace, krate, &mut report);
    }
    unlisted(workspace, &mut report);
    report
}

fn label(krate: &Crate, table: &Table, report: &mut Report) {
    let remedy = format!(
        "write `[package.metadata.layer]` with `name = \"…\"`, one of {}",
        table.names()
    );
    match &krate.layer {
        None => report.push(
            "layer-label",
            &krate.manifest(),
            format!("`{}` names no layer", krate.name),
            remedy,
        ),
        Some(layer) if !table.knows(layer) => report.push(
            "layer-label",
            &krate.manifest(),
            format!(
                "`{}` names layer `{layer}`, which {} does not define",
                krate.name,
                table::PATH
            ),
            remedy,
        ),
        Some(_) => {}
    }
}

fn name(krate: &Crate, report: &mut Report) {
    let folder = krate.dir.rsplit('/').next().unwrap_or_default();
    if folder != krate.name {
        report.push(
            "crate-name",
            &krate.manifest(),
            format!("package `{}` lives in the folder `{folder}`", krate.name),
            "give both the same name",
        );
    }
}

fn lints(workspace: &Workspace, krate: &Crate, report: &mut Report) {
    let inherits = workspace
        .files
        .text(&krate.manifest())
        .and_then(|text| text.parse::<toml::Table>().ok())
        .and_then(|manifest| manifest.get("lints")?.get("workspace")?.as_bool());
    if inherits != Some(true) {
        report.push(
            "crate-lints",
            &krate.manifest(),
            format!("`{}` does not inherit the workspace's lints", krate.name),
            "add `[lints]` with `workspace = true`",
        );
    }
}

/// A manifest that is no member is built, linted and checked by nobody.
fn unlisted(workspace: &Workspace, report: &mut Report) {
    let members: Vec<_> = workspace.crates.iter().map(Crate::manifest).collect();
    let manifests: Vec<_> = workspace
        .files
        .with_extension("toml")
        .map(|(path, _)| path)
        .filter(|path| path.ends_with("/Cargo.toml"))
        .collect();
    report.examined("crate-member", manifests.len());
    for path in manifests {
        if !members.iter().any(|member| member == path) {
            report.push(
                "crate-member",
                path,
                "this manifest is not a member of the workspace",
                "move the crate to crates/, or remove it",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINTS: &str = "[lints]\nworkspace = true\n";

    fn findings(manifest: &str, krate: Crate) -> Vec<String> {
        let table = toml::from_str(include_str!("../../architecture.toml")).unwrap();
        let workspace = Workspace::of(&[("crates/api/Cargo.toml", manifest)]).with(krate);
        check(&workspace, &table).brief()
    }

    #[test]
    fn a_labelled_crate_is_fine() {
        assert!(findings(LINTS, Crate::of("api", "L2")).is_empty());
    }

    #[test]
    fn a_crate_without_a_layer_or_with_an_unknown_one_is_a_finding() {
        let expected = ["layer-label crates/api/Cargo.toml"];
        assert_eq!(findings(LINTS, Crate::of("api", "")), expected);
        assert_eq!(findings(LINTS, Crate::of("api", "L8")), expected);
    }

    #[test]
    fn a_crate_that_is_not_named_like_its_folder_is_a_finding() {
        let mut krate = Crate::of("api", "L2");
        krate.name = "plimsoll-api".to_owned();
        assert_eq!(findings(LINTS, krate), ["crate-name crates/api/Cargo.toml"]);
    }

    #[test]
    fn a_crate_without_the_lints_of_the_workspace_is_a_finding() {
        for manifest in ["", "[lints]\nworkspace = false\n", "[lints.rust]\n"] {
            let found = findings(manifest, Crate::of("api", "L2"));
            assert_eq!(found, ["crate-lints crates/api/Cargo.toml"]);
        }
    }

    #[test]
    fn a_manifest_that_is_no_member_is_a_finding() {
        let table = toml::from_str(include_str!("../../architecture.toml")).unwrap();
        let files = [("crates/a/Cargo.toml", LINTS), ("crates/a/fuzz/Cargo.toml", "")];
        let workspace = Workspace::of(&files).with(Crate::of("a", "L2"));
        let expected = ["crate-member crates/a/fuzz/Cargo.toml"];
        assert_eq!(check(&workspace, &table).brief(), expected);
    }
}
