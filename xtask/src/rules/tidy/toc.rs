//! Is every `lib.rs` a table of contents?

use crate::model::Span;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::ItemKind;

const LIMIT: usize = 60;

/// `TIDY-LIB-001`.
pub(super) struct Contents;

const INFO: Info = Info {
    id: "TIDY-LIB-001",
    title: "a lib.rs is a table of contents",
    family: Family::Tidy,
    why: "A reader begins there; logic there has no name of its own.",
    fix: "Keep the `//!` paragraph, `pub mod` lines and few `pub use`; move the rest to the module whose question it answers.",
    scope: "src/lib.rs of every crate",
    needles: &[],
};

impl Rule for Contents {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        for lib in ctx
            .workspace
            .sources
            .iter()
            .filter(|source| source.path.ends_with("src/lib.rs"))
        {
            out.examined(&lib.krate, 1);
            let lines = lib.tokens.lines;
            if lines > LIMIT {
                let message = format!("{lines} lines; a table of contents has at most {LIMIT}");
                out.report(Finding::new(Span::file(&lib.path), message, INFO.fix));
            }
            for item in lib.items() {
                let logic = match item.kind {
                    ItemKind::Function if !item.path.contains("::") => format!("function `{}`", item.path),
                    ItemKind::Impl => "an `impl` block".to_owned(),
                    _ => continue,
                };
                let span = lib.span_of(item.extent.start..item.extent.start + 2);
                out.report(Finding::new(span, format!("{logic} in lib.rs"), INFO.fix));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::testing;

    #[test]
    fn modules_and_uses_are_a_table_of_contents() {
        let text = "//! Crate.\npub mod a;\npub use a::B;\n";
        assert!(testing::brief(&Contents, &[("crates/a/src/lib.rs", text)]).is_empty());
    }

    #[test]
    fn logic_and_length_are_findings() {
        let logic = "//! Crate.\nfn f() {}\nimpl T {}\n";
        let long = "//! Crate.\n".repeat(61);
        let found = testing::brief(&Contents, &[("crates/a/src/lib.rs", logic)]);
        assert_eq!(found, ["crates/a/src/lib.rs:2", "crates/a/src/lib.rs:3"]);
        let found = testing::brief(&Contents, &[("crates/a/src/lib.rs", &long)]);
        assert_eq!(found, ["crates/a/src/lib.rs"]);
    }
}
