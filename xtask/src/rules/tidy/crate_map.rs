//! Does docs/architecture.md name the crates that exist, and only those?

use std::collections::BTreeSet;

use super::links::code_spans;
use crate::model::{Span, line_span};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

const DOCUMENT: &str = "docs/architecture.md";

/// `TIDY-MAP-001`.
pub(super) struct CrateMap;

const INFO: Info = Info {
    id: "TIDY-MAP-001",
    title: "docs/architecture.md names the crates that exist, and only those",
    family: Family::Tidy,
    why: "A map with a street that is not there is worse than none.",
    fix: "Add a line for each crate: what it is for and what it never does.",
    scope: "inline code of docs/architecture.md, against the members",
    needles: &[],
};

impl Rule for CrateMap {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if !ctx.config.has_layers() {
            out.off("the rule file has no layers");
            return;
        }
        let workspace = ctx.workspace;
        out.examined("", workspace.crates.len());
        let Some(text) = workspace.files.text(DOCUMENT) else {
            let remedy = "write it: bird's eye, one line per crate, invariants, walkthroughs";
            let message = "the map of the code does not exist";
            out.report(Finding::new(Span::file(DOCUMENT), message, remedy));
            return;
        };
        let mut named = BTreeSet::new();
        for (line, span) in code_spans(text) {
            named.insert(span);
            let Some(path) = span.strip_prefix("crates/") else {
                continue;
            };
            let name = path.split('/').next().unwrap_or_default();
            named.insert(name);
            if workspace.krate(name).is_none() && !name.is_empty() {
                let message = format!("`crates/{name}` is no crate");
                let remedy = "correct the name, or remove the line";
                out.report(Finding::new(line_span(DOCUMENT, text, line), message, remedy));
            }
        }
        for krate in &workspace.crates {
            if !named.contains(krate.name.as_str()) {
                let message = format!("`{}` is not on the map", krate.name);
                let remedy = format!(
                    "add a line for `{}`: what it is for and what it never does",
                    krate.dir
                );
                out.report(Finding::new(Span::file(DOCUMENT), message, remedy));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::testing;

    const RULES: (&str, &str) = ("architecture.toml", "[layers.L2]\nmay_use = []\n");

    fn findings(text: &str) -> String {
        testing::text(&CrateMap, &[RULES, (DOCUMENT, text)])
    }

    #[test]
    fn a_named_crate_is_fine() {
        assert_eq!(findings("- `crates/a`: routes"), "");
        assert_eq!(findings("- `crates/a/src/v1.rs`: routes"), "");
    }

    #[test]
    fn a_crate_that_is_not_named_is_a_finding() {
        assert!(findings("# Map\n\nThe a.").contains("`a` is not on the map"));
    }

    #[test]
    fn a_name_without_a_crate_is_a_finding() {
        let text = "`crates/a` and\n`crates/gone`";
        assert!(findings(text).contains("`crates/gone` is no crate"));
        assert_eq!(
            testing::brief(&CrateMap, &[RULES, (DOCUMENT, text)]),
            ["docs/architecture.md:2"]
        );
    }

    #[test]
    fn a_missing_map_is_a_finding() {
        assert_eq!(testing::brief(&CrateMap, &[RULES]), [DOCUMENT]);
    }
}
