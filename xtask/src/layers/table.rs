//! Which layer may use which?

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::report::Report;
use crate::workspace::{Kind, Workspace};

pub(super) const PATH: &str = "xtask/architecture.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    /// Layers that every crate may use in its tests, and no crate anywhere else.
    dev_only: Vec<String>,
    /// Layers whose crates cannot name std.
    pub(super) no_std: Vec<String>,
    layers: BTreeMap<String, Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    may_use: Vec<String>,
}

impl Table {
    pub(super) fn read(workspace: &Workspace) -> Result<Self> {
        let text = workspace.files.text(PATH).context("no such file")?;
        Ok(toml::from_str(text)?)
    }

    pub(super) fn knows(&self, layer: &str) -> bool {
        self.layers.contains_key(layer)
    }

    pub(super) fn allows(&self, from: &str, to: &str, kind: Kind) -> bool {
        if self.dev_only.iter().any(|layer| layer == to) {
            return kind == Kind::Dev && from != to;
        }
        self.may_use(from).iter().any(|layer| layer == to)
    }

    /// The layers that `from` may use outside of its tests.
    pub(super) fn may_use(&self, from: &str) -> &[String] {
        self.layers.get(from).map_or(&[], |row| &row.may_use)
    }

    /// Layers that `from` may use and that themselves may use `to`: the legal way there.
    pub(super) fn routes(&self, from: &str, to: &str) -> Vec<&str> {
        self.may_use(from)
            .iter()
            .map(String::as_str)
            .filter(|via| self.allows(via, to, Kind::Normal))
            .collect()
    }

    pub(super) fn names(&self) -> String {
        let names: Vec<_> = self.layers.keys().map(String::as_str).collect();
        names.join(", ")
    }

    /// A name in the table that matches nothing forbids nothing, so it is a finding.
    pub(super) fn check(&self, workspace: &Workspace) -> Report {
        let mut report = Report::default();
        report.examined("layer-table", self.layers.len());
        let rows = self.layers.values().flat_map(|row| &row.may_use);
        for layer in rows.chain(&self.dev_only).chain(&self.no_std) {
            if !self.knows(layer) {
                report.push(
                    "layer-table",
                    PATH,
                    format!("the table uses layer `{layer}` and does not define it"),
                    format!("use one of {}, or add [layers.{layer}]", self.names()),
                );
            }
        }
        for layer in self.layers.keys() {
            let used = |krate: &&crate::workspace::Crate| krate.layer.as_ref() == Some(layer);
            if !workspace.crates.iter().any(|krate| used(&krate)) {
                report.push(
                    "layer-table",
                    PATH,
                    format!("no crate is in layer `{layer}`"),
                    "remove the row, or give a crate this layer",
                );
            }
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Crate;

    /// Rows may use the columns with a `+`; the order of both is that of the design.
    const MATRIX: [(&str, &str); 11] = [
        ("foundation", "..........."),
        ("L6-infra", "+.........."),
        ("L6-store", "++........."),
        ("L5", "+++........"),
        ("L4-engine", "+.........."),
        ("L4-service", "+++++......"),
        ("L3", "+...+......"),
        ("L2", "++...++...."),
        ("L1", "..........."),
        ("L7", "+++++++++.."),
        ("dev", "+++++++++.."),
    ];

    fn real() -> Table {
        toml::from_str(include_str!("../../architecture.toml")).unwrap()
    }

    #[test]
    fn the_table_of_the_repository_is_the_one_of_the_design() {
        let table = real();
        assert_eq!(table.layers.len(), MATRIX.len());
        for (from, row) in MATRIX {
            for ((to, _), cell) in MATRIX.iter().zip(row.chars()) {
                for kind in [Kind::Normal, Kind::Build] {
                    assert_eq!(table.allows(from, to, kind), cell == '+', "{from} -> {to}");
                }
                let in_tests = cell == '+' || (*to == "dev" && from != "dev");
                assert_eq!(table.allows(from, to, Kind::Dev), in_tests, "{from} -> {to}");
            }
        }
    }

    #[test]
    fn a_layer_without_a_crate_and_a_name_without_a_layer_are_findings() {
        let text =
            "dev_only = []\nno_std = [\"L8\"]\n[layers.L2]\nmay_use = [\"L9\"]\n[layers.L3]\nmay_use = []";
        let table: Table = toml::from_str(text).unwrap();
        let workspace = Workspace::of(&[]).with(Crate::of("api", "L2"));
        let text = table.check(&workspace).text();
        assert!(text.contains("uses layer `L9`"), "{text}");
        assert!(text.contains("no crate is in layer `L3`"), "{text}");
        assert!(text.contains("uses layer `L8`"), "{text}");
        assert!(text.contains("3 findings"), "{text}");
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = "dev_only = []\nno_std = []\nlayer = 1\n[layers.L2]\nmay_use = []";
        assert!(toml::from_str::<Table>(text).is_err());
    }
}
