//! Is every edge between our crates one that the table allows?

use std::collections::BTreeMap;

use super::table::Table;
use crate::report::{At, Report};
use crate::workspace::{Crate, Edge, Kind, Workspace};

const RULE: &str = "layer-edge";

pub(super) fn check(workspace: &Workspace, table: &Table) -> Report {
    let layers: BTreeMap<&str, &str> = workspace
        .crates
        .iter()
        .filter_map(|krate| Some((krate.name.as_str(), krate.layer.as_deref()?)))
        .filter(|(_, layer)| table.knows(layer))
        .collect();
    let mut report = Report::default();
    report.examined(RULE, workspace.crates.len());
    for krate in &workspace.crates {
        for edge in &krate.edges {
            // A crate without a layer is the inventory's finding.
            let known = layers.get(krate.name.as_str()).zip(layers.get(edge.to.as_str()));
            let Some((from, to)) = known else { continue };
            if !table.allows(from, to, edge.kind) {
                report.push(
                    RULE,
                    place(workspace, krate, edge),
                    describe(krate, from, edge, to),
                    remedy(table, from, edge, to),
                );
            }
        }
    }
    report
}

fn describe(krate: &Crate, from: &str, edge: &Edge, to: &str) -> String {
    let mut kind = edge.kind.to_string();
    if let Some(target) = &edge.target {
        kind = format!("{kind}, for target {target}");
    }
    if let Some(rename) = &edge.rename {
        kind = format!("{kind}, renamed `{rename}`");
    }
    let (name, other) = (&krate.name, &edge.to);
    format!("`{name}` ({from}) must not use `{other}` ({to}); dependency kind: {kind}")
}

fn remedy(table: &Table, from: &str, edge: &Edge, to: &str) -> String {
    let allowed = match table.may_use(from) {
        [] => format!("{from} may use no layer"),
        layers => format!("{from} may use {}", layers.join(", ")),
    };
    let used = &edge.to;
    let way = match table.routes(from, to).as_slice() {
        [] if table.allows(from, to, Kind::Dev) => {
            format!("`{used}` is for tests: move this line to [dev-dependencies]")
        }
        [] => "remove this line and pass what you need in as a parameter, or move it to a layer \
               that both may use"
            .to_owned(),
        routes => format!(
            "remove this line and reach `{used}` through a function in {}",
            routes.join(" or ")
        ),
    };
    format!("{allowed}; {way}")
}

/// The line of the manifest that declares the edge, as far as it can be told.
fn place(workspace: &Workspace, krate: &Crate, edge: &Edge) -> At {
    let manifest = krate.manifest();
    let text = workspace.files.text(&manifest).unwrap_or_default();
    let name = edge.rename.as_ref().unwrap_or(&edge.to);
    let section = match edge.kind {
        Kind::Normal => "dependencies",
        Kind::Build => "build-dependencies",
        Kind::Dev => "dev-dependencies",
    };
    let mut inside = false;
    for (index, line) in text.lines().map(str::trim).enumerate() {
        let at = At::from((manifest.as_str(), index + 1));
        if let Some(header) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            inside = header.rsplit('.').next() == Some(section);
            if header.ends_with(&format!("{section}.{name}")) {
                return at;
            }
        }
        let rest = line.strip_prefix(name.as_str()).map(str::trim_start);
        if inside && rest.is_some_and(|rest| rest.starts_with(['.', '='])) {
            return at;
        }
    }
    At::from(&manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn real() -> Table {
        toml_table(include_str!("../../architecture.toml"))
    }

    fn toml_table(text: &str) -> Table {
        toml::from_str(text).unwrap()
    }

    fn two(from: Crate) -> Workspace {
        Workspace::of(&[(
            "crates/api/Cargo.toml",
            "[package]\nname = \"api\"\n\n[dependencies]\nstore.workspace = true\n",
        )])
        .with(from)
        .with(Crate::of("store", "L6-store"))
        .with(Crate::of("testkit", "dev"))
    }

    #[test]
    fn an_edge_against_the_table_names_its_place_its_kind_and_the_way_out() {
        let workspace = two(Crate::of("api", "L2").using("store", Kind::Normal));
        insta::assert_snapshot!(check(&workspace, &real()).text(), @"
        crates/api/Cargo.toml:5 [layer-edge]
          what: `api` (L2) must not use `store` (L6-store); dependency kind: normal
          fix:  L2 may use foundation, L6-infra, L4-service, L3; remove this line and reach `store` through a function in L4-service

        test: 1 rules, 1 finding
        ");
    }

    #[test]
    fn every_kind_of_edge_is_seen() {
        for kind in [Kind::Normal, Kind::Build, Kind::Dev] {
            let workspace = two(Crate::of("api", "L2").using("store", kind));
            let text = check(&workspace, &real()).text();
            assert!(text.contains(&format!("dependency kind: {kind}")), "{text}");
        }
    }

    #[test]
    fn a_rename_or_a_target_hides_nothing() {
        let mut api = Crate::of("api", "L2").using("store", Kind::Normal);
        api.edges[0].rename = Some("harmless".to_owned());
        api.edges[0].target = Some("cfg(windows)".to_owned());
        let text = check(&two(api), &real()).text();
        let told = "kind: normal, for target cfg(windows), renamed `harmless`";
        assert!(text.contains(told), "{text}");
    }

    #[test]
    fn the_test_kit_is_for_tests_only() {
        let in_tests = two(Crate::of("api", "L2").using("testkit", Kind::Dev));
        assert!(check(&in_tests, &real()).is_clean());
        let elsewhere = two(Crate::of("api", "L2").using("testkit", Kind::Normal));
        let text = check(&elsewhere, &real()).text();
        assert!(text.contains("move this line to [dev-dependencies]"), "{text}");
    }

    #[test]
    fn the_place_is_the_line_in_the_section_of_its_kind() {
        let manifest = "[dependencies]\nmodel.workspace = true\n\
                        [dependencies.store]\nworkspace = true\n\
                        [target.\"cfg(unix)\".build-dependencies]\nstore.workspace = true\n\
                        [dev-dependencies]\nstored = \"1\"\nstore = { workspace = true }\n";
        let api = Crate::of("api", "L2")
            .using("store", Kind::Normal)
            .using("store", Kind::Build)
            .using("store", Kind::Dev);
        let workspace = Workspace::of(&[("crates/api/Cargo.toml", manifest)])
            .with(api)
            .with(Crate::of("store", "L6-store"));
        let lines = [3, 6, 9].map(|line| format!("layer-edge crates/api/Cargo.toml:{line}"));
        assert_eq!(check(&workspace, &real()).brief(), lines);
    }

    #[test]
    fn two_crates_of_one_layer_do_not_see_each_other() {
        let workspace = Workspace::of(&[])
            .with(Crate::of("api", "L2").using("api2", Kind::Normal))
            .with(Crate::of("api2", "L2"));
        assert_eq!(
            check(&workspace, &real()).brief(),
            ["layer-edge crates/api/Cargo.toml"]
        );
    }
}
