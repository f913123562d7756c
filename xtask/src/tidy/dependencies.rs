//! Does every outside dependency have a reason, and a user?

use std::collections::{BTreeMap, BTreeSet};

use crate::report::Report;
use crate::workspace::Workspace;

const RULE: &str = "dependency-reasons";
const DOCUMENT: &str = "docs/dependencies.md";
const MANIFEST: &str = "Cargo.toml";

/// A row of the table: `name` | used by | why this one | what we would write otherwise.
struct Row<'a> {
    line: usize,
    cells: Vec<&'a str>,
}

pub(super) fn check(workspace: &Workspace) -> Report {
    let mut report = Report::default();
    let declared = declared(workspace);
    let document = workspace.files.text(DOCUMENT).unwrap_or_default();
    let rows = rows(document, &mut report);
    report.examined(RULE, declared.len());
    for name in &declared {
        match rows.get(name.as_str()) {
            None => report.push(
                RULE,
                DOCUMENT,
                format!("`{name}` has no line"),
                format!(
                    "add it in order: | `{name}` | {} | why | otherwise |",
                    users(workspace, name)
                ),
            ),
            Some(row) => judge(workspace, name, row, &mut report),
        }
    }
    for (name, row) in &rows {
        if !declared.contains(*name) {
            report.push(
                RULE,
                (DOCUMENT, row.line),
                format!("`{name}` is no dependency of the workspace"),
                "remove the line",
            );
        }
    }
    report.merge(inherited(workspace));
    report
}

fn judge(workspace: &Workspace, name: &str, row: &Row<'_>, report: &mut Report) {
    let users = users(workspace, name);
    if users.is_empty() {
        report.push(
            "dependency-used",
            MANIFEST,
            format!("no crate uses `{name}`"),
            format!("remove it from [workspace.dependencies] and from {DOCUMENT}"),
        );
    } else if row.cells.first().is_none_or(|cell| *cell != users) {
        report.push(
            RULE,
            (DOCUMENT, row.line),
            format!("`{name}` is used by other crates than the line says"),
            format!("write: {users}"),
        );
    }
    if row.cells.len() != 3 || row.cells.iter().skip(1).any(|cell| cell.is_empty()) {
        report.push(
            RULE,
            (DOCUMENT, row.line),
            format!("the line of `{name}` is incomplete"),
            "say why this one, and what we would write otherwise",
        );
    }
}

fn users(workspace: &Workspace, name: &str) -> String {
    let names: Vec<_> = workspace
        .crates
        .iter()
        .filter(|krate| krate.externals.iter().any(|external| external == name))
        .map(|krate| krate.name.as_str())
        .collect();
    names.join(", ")
}

/// Names in the root's [workspace.dependencies] that are not ours.
fn declared(workspace: &Workspace) -> BTreeSet<String> {
    let manifest = manifest(workspace, MANIFEST);
    let table = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .and_then(toml::Value::as_table);
    let external = table
        .into_iter()
        .flatten()
        .filter(|(_, value)| value.get("path").is_none());
    external
        .map(|(name, value)| {
            let package = value.get("package").and_then(toml::Value::as_str);
            package.unwrap_or(name).to_owned()
        })
        .collect()
}

fn manifest(workspace: &Workspace, path: &str) -> toml::Table {
    let text = workspace.files.text(path).unwrap_or_default();
    text.parse().unwrap_or_default()
}

fn rows<'a>(document: &'a str, report: &mut Report) -> BTreeMap<&'a str, Row<'a>> {
    let mut rows = BTreeMap::new();
    for (index, text) in document.lines().enumerate() {
        let line = index + 1;
        let Some(text) = text.strip_prefix("| `") else {
            continue;
        };
        let mut cells = text.trim_end_matches([' ', '|']).split('|').map(str::trim);
        let name = cells.next().unwrap_or_default().trim_end_matches('`');
        let row = Row {
            line,
            cells: cells.collect(),
        };
        if rows.insert(name, row).is_some() {
            report.push(
                RULE,
                (DOCUMENT, line),
                format!("`{name}` has two lines"),
                "keep one",
            );
        }
    }
    rows
}

/// A crate that states a version of its own passes by the list of reasons.
fn inherited(workspace: &Workspace) -> Report {
    const RULE: &str = "dependency-inherited";
    let mut report = Report::default();
    report.examined(RULE, workspace.crates.len());
    for krate in &workspace.crates {
        let path = krate.manifest();
        let manifest = manifest(workspace, &path);
        let targets = manifest.get("target").and_then(toml::Value::as_table);
        let targets = targets.into_iter().flatten().filter_map(|(_, t)| t.as_table());
        for table in std::iter::once(&manifest).chain(targets) {
            for (name, value) in dependencies(table) {
                let inherits = value.get("workspace").and_then(toml::Value::as_bool);
                if inherits != Some(true) {
                    report.push(
                        RULE,
                        &path,
                        format!("`{name}` is not inherited from the workspace"),
                        format!("declare it in the root's [workspace.dependencies] and write `{name}.workspace = true`"),
                    );
                }
            }
        }
    }
    report
}

fn dependencies(table: &toml::Table) -> impl Iterator<Item = (&String, &toml::Value)> {
    ["dependencies", "dev-dependencies", "build-dependencies"]
        .into_iter()
        .filter_map(|kind| table.get(kind)?.as_table())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Crate;

    const ROOT: &str = "[workspace.dependencies]\napi = { path = \"crates/api\" }\nserde = \"1\"\n";
    const ROW: &str = "| `serde` | api | derives | parsers |\n";
    const INHERITS: &str = "[dependencies]\nserde.workspace = true\n";

    fn findings(document: &str, manifest: &str) -> String {
        let files = [
            (MANIFEST, ROOT),
            (DOCUMENT, document),
            ("crates/api/Cargo.toml", manifest),
        ];
        check(&Workspace::of(&files).with(Crate::of("api", "L2").needing("serde"))).text()
    }

    #[test]
    fn a_dependency_with_a_reason_is_fine() {
        assert!(findings(ROW, INHERITS).contains("no findings"));
    }

    #[test]
    fn a_dependency_without_a_line_is_a_finding() {
        let text = findings("", INHERITS);
        assert!(text.contains("`serde` has no line"), "{text}");
        assert!(text.contains("| `serde` | api | why | otherwise |"), "{text}");
    }

    #[test]
    fn a_line_without_a_dependency_and_a_second_line_are_findings() {
        let text = findings(&format!("{ROW}| `gone` | api | a | b |\n"), INHERITS);
        assert!(text.contains("`gone` is no dependency"), "{text}");
        let text = findings(&format!("{ROW}{ROW}"), INHERITS);
        assert!(text.contains("`serde` has two lines"), "{text}");
    }

    #[test]
    fn an_incomplete_or_outdated_line_is_a_finding() {
        let text = findings("| `serde` | api | derives | |\n", INHERITS);
        assert!(text.contains("is incomplete"), "{text}");
        let text = findings("| `serde` | store | derives | parsers |\n", INHERITS);
        assert!(text.contains("write: api"), "{text}");
    }

    #[test]
    fn a_dependency_that_nobody_uses_is_a_finding() {
        let files = [(MANIFEST, ROOT), (DOCUMENT, ROW)];
        let text = check(&Workspace::of(&files).with(Crate::of("api", "L2"))).text();
        assert!(text.contains("no crate uses `serde`"), "{text}");
    }

    #[test]
    fn a_version_in_a_crate_is_a_finding_in_every_table() {
        for manifest in [
            "[dependencies]\nserde = \"1\"\n",
            "[dev-dependencies]\nserde = { version = \"1\" }\n",
            "[target.'cfg(unix)'.build-dependencies]\nserde = { path = \"../x\" }\n",
        ] {
            let text = findings(ROW, manifest);
            assert!(text.contains("not inherited"), "{text}");
        }
    }
}
