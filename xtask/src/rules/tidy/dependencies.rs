//! Does every outside dependency have a reason, and a user?

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Span, Workspace, line_span};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

const DOCUMENT: &str = "docs/dependencies.md";
const MANIFEST: &str = "Cargo.toml";

/// `TIDY-DEPS-001`.
pub(super) struct Reasons;
/// `TIDY-DEPS-002`.
pub(super) struct Inherited;

const REASONS: Info = Info {
    id: "TIDY-DEPS-001",
    title: "every outside dependency has a reason in docs/dependencies.md, and a user",
    family: Family::Tidy,
    why: "A dependency is code that we answer for and did not read: each has to be worth it.",
    fix: "Add its row, in order, or remove the dependency.",
    scope: "[workspace.dependencies] against docs/dependencies.md and against what the crates declare",
    needles: &[],
};

const INHERITED: Info = Info {
    id: "TIDY-DEPS-002",
    title: "a crate takes its dependencies from the workspace",
    family: Family::Tidy,
    why: "A crate that states a version of its own passes by the list of reasons.",
    fix: "Declare it in the root's [workspace.dependencies] and write `name.workspace = true`.",
    scope: "every dependency of every member",
    needles: &[],
};

/// A row of the table: `name` | used by | why this one | what we would write otherwise.
struct Row<'a> {
    line: usize,
    cells: Vec<&'a str>,
}

impl Rule for Reasons {
    fn info(&self) -> &'static Info {
        &REASONS
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let workspace = ctx.workspace;
        let declared = declared(workspace);
        let Some(document) = workspace.files.text(DOCUMENT) else {
            out.off("there is no docs/dependencies.md");
            return;
        };
        let rows = rows(document, out);
        out.examined("", declared.len());
        for name in &declared {
            match rows.get(name.as_str()) {
                None => {
                    let users = users(workspace, name);
                    let remedy = format!("add it in order: | `{name}` | {users} | why | otherwise |");
                    out.report(Finding::new(
                        Span::file(DOCUMENT),
                        format!("`{name}` has no line"),
                        remedy,
                    ));
                }
                Some(row) => judge(workspace, document, name, row, out),
            }
        }
        for (name, row) in &rows {
            if !declared.contains(*name) {
                let span = line_span(DOCUMENT, document, row.line);
                let message = format!("`{name}` is no dependency of the workspace");
                out.report(Finding::new(span, message, "remove the line"));
            }
        }
    }
}

fn judge(workspace: &Workspace, document: &str, name: &str, row: &Row<'_>, out: &mut Sink<'_>) {
    let users = users(workspace, name);
    let span = line_span(DOCUMENT, document, row.line);
    if users.is_empty() {
        let remedy = format!("remove it from [workspace.dependencies] and from {DOCUMENT}");
        out.report(Finding::new(
            Span::file(MANIFEST),
            format!("no crate uses `{name}`"),
            remedy,
        ));
    } else if row.cells.first().is_none_or(|cell| *cell != users) {
        let message = format!("`{name}` is used by other crates than the line says");
        out.report(Finding::new(span.clone(), message, format!("write: {users}")));
    }
    if row.cells.len() != 3 || row.cells.iter().skip(1).any(|cell| cell.is_empty()) {
        let remedy = "say why this one, and what we would write otherwise";
        out.report(Finding::new(
            span,
            format!("the line of `{name}` is incomplete"),
            remedy,
        ));
    }
}

fn users(workspace: &Workspace, name: &str) -> String {
    let users = workspace
        .crates
        .iter()
        .filter(|krate| krate.outside().any(|edge| edge.to == name));
    users
        .map(|krate| krate.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Names in the root's [workspace.dependencies] that are not ours.
fn declared(workspace: &Workspace) -> BTreeSet<String> {
    let manifest: toml::Table = workspace.text(MANIFEST).parse().unwrap_or_default();
    let table = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .and_then(toml::Value::as_table);
    let external = table
        .into_iter()
        .flatten()
        .filter(|(_, value)| value.get("path").is_none());
    let name = |(name, value): (&String, &toml::Value)| {
        value
            .get("package")
            .and_then(toml::Value::as_str)
            .unwrap_or(name)
            .to_owned()
    };
    external.map(name).collect()
}

fn rows<'a>(document: &'a str, out: &mut Sink<'_>) -> BTreeMap<&'a str, Row<'a>> {
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
            let span = line_span(DOCUMENT, document, line);
            out.report(Finding::new(span, format!("`{name}` has two lines"), "keep one"));
        }
    }
    rows
}

impl Rule for Inherited {
    fn info(&self) -> &'static Info {
        &INHERITED
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let root: toml::Table = ctx.workspace.text(MANIFEST).parse().unwrap_or_default();
        if root
            .get("workspace")
            .and_then(|workspace| workspace.get("dependencies"))
            .is_none()
        {
            out.off("the workspace has no [workspace.dependencies]");
            return;
        }
        for krate in &ctx.workspace.crates {
            for edge in &krate.edges {
                out.examined(&krate.name, 1);
                if !edge.inherited {
                    let name = edge.renamed.as_ref().unwrap_or(&edge.to);
                    let message = format!("`{name}` is not inherited from the workspace");
                    let remedy = format!(
                        "declare it in the root's [workspace.dependencies] and write `{name}.workspace = true`"
                    );
                    out.report(Finding::new(edge.span.clone(), message, remedy));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::testing;

    const ROOT: &str = "[workspace]\nmembers = [\"crates/*\"]\n[workspace.dependencies]\na = { path = \"crates/a\" }\nserde = \"1\"\n";
    const ROW: &str = "| `serde` | a | derives | parsers |\n";
    const INHERITS: &str = "[package]\nname = \"a\"\n[dependencies]\nserde.workspace = true\n";

    fn findings(rule: &dyn Rule, document: &str, manifest: &str) -> String {
        let files = [
            (MANIFEST, ROOT),
            (DOCUMENT, document),
            ("crates/a/Cargo.toml", manifest),
        ];
        testing::text(rule, &files)
    }

    #[test]
    fn a_dependency_with_a_reason_is_fine() {
        assert_eq!(findings(&Reasons, ROW, INHERITS), "");
        assert_eq!(findings(&Inherited, ROW, INHERITS), "");
    }

    #[test]
    fn a_dependency_without_a_line_is_a_finding() {
        let text = findings(&Reasons, "", INHERITS);
        assert!(text.contains("`serde` has no line"), "{text}");
        assert!(text.contains("| `serde` | a | why | otherwise |"), "{text}");
    }

    #[test]
    fn a_line_without_a_dependency_and_a_second_line_are_findings() {
        let text = findings(&Reasons, &format!("{ROW}| `gone` | a | a | b |\n"), INHERITS);
        assert!(text.contains("`gone` is no dependency"), "{text}");
        let text = findings(&Reasons, &format!("{ROW}{ROW}"), INHERITS);
        assert!(text.contains("`serde` has two lines"), "{text}");
    }

    #[test]
    fn an_incomplete_or_outdated_line_is_a_finding() {
        let text = findings(&Reasons, "| `serde` | a | derives | |\n", INHERITS);
        assert!(text.contains("is incomplete"), "{text}");
        let text = findings(&Reasons, "| `serde` | store | derives | parsers |\n", INHERITS);
        assert!(text.contains("write: a"), "{text}");
    }

    #[test]
    fn a_dependency_that_nobody_uses_is_a_finding() {
        let text = findings(&Reasons, ROW, "[package]\nname = \"a\"\n");
        assert!(text.contains("no crate uses `serde`"), "{text}");
    }

    #[test]
    fn a_version_in_a_crate_is_a_finding_in_every_table() {
        for table in [
            "[dependencies]\nserde = \"1\"\n",
            "[dev-dependencies]\nserde = { version = \"1\" }\n",
            "[target.'cfg(unix)'.build-dependencies]\nserde = { path = \"../x\" }\n",
        ] {
            let text = findings(&Inherited, ROW, &format!("[package]\nname = \"a\"\n{table}"));
            assert!(text.contains("not inherited"), "{text}");
        }
    }
}
