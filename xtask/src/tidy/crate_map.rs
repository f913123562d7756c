//! Does docs/architecture.md name the crates that exist, and only those?

use std::collections::BTreeSet;

use super::links::code_spans;
use crate::report::Report;
use crate::workspace::Workspace;

const RULE: &str = "crate-map";
const DOCUMENT: &str = "docs/architecture.md";

pub(super) fn check(workspace: &Workspace) -> Report {
    let mut report = Report::default();
    report.examined(RULE, workspace.crates.len());
    let Some(text) = workspace.files.text(DOCUMENT) else {
        report.push(
            RULE,
            DOCUMENT,
            "the map of the code does not exist",
            "write it: bird's eye, one line per crate, invariants, walkthroughs",
        );
        return report;
    };
    let spans = code_spans(text);
    let mut named = BTreeSet::new();
    for (line, span) in &spans {
        named.insert(*span);
        let Some(path) = span.strip_prefix("crates/") else {
            continue;
        };
        let name = path.split('/').next().unwrap_or_default();
        named.insert(name);
        let exists = workspace.crates.iter().any(|krate| krate.name == name);
        if !exists && !name.is_empty() {
            report.push(
                RULE,
                (DOCUMENT, *line),
                format!("`crates/{name}` is no crate"),
                "correct the name, or remove the line",
            );
        }
    }
    for krate in &workspace.crates {
        if !named.contains(krate.name.as_str()) {
            report.push(
                RULE,
                DOCUMENT,
                format!("`{}` is not on the map", krate.name),
                format!(
                    "add a line for `{}`: what it is for and what it never does",
                    krate.dir
                ),
            );
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Crate;

    fn findings(text: &str) -> String {
        let workspace = Workspace::of(&[(DOCUMENT, text)]).with(Crate::of("api", "L2"));
        check(&workspace).text()
    }

    #[test]
    fn a_named_crate_is_fine() {
        assert!(findings("- `crates/api`: routes").contains("no findings"));
        assert!(findings("- `crates/api/src/v1.rs`: routes").contains("no findings"));
    }

    #[test]
    fn a_crate_that_is_not_named_is_a_finding() {
        assert!(findings("# Map\n\nThe api.").contains("`api` is not on the map"));
    }

    #[test]
    fn a_name_without_a_crate_is_a_finding() {
        let text = findings("`crates/api` and\n`crates/gone`");
        assert!(text.contains("docs/architecture.md:2 [crate-map]"), "{text}");
        assert!(text.contains("`crates/gone` is no crate"), "{text}");
    }

    #[test]
    fn a_missing_map_is_a_finding() {
        let workspace = Workspace::of(&[]).with(Crate::of("api", "L2"));
        assert_eq!(check(&workspace).brief(), ["crate-map docs/architecture.md"]);
    }
}
