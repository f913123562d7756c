//! Is every `lib.rs` a table of contents?

use syn::Item;
use syn::spanned::Spanned;

use super::source::Source;
use crate::report::Report;

const RULE: &str = "lib-is-contents";
const LIMIT: usize = 60;

pub(super) fn check(sources: &[Source<'_>]) -> Report {
    let mut report = Report::default();
    let libs: Vec<_> = sources
        .iter()
        .filter(|s| s.path.ends_with("src/lib.rs"))
        .collect();
    report.examined(RULE, libs.len());
    for lib in libs {
        let lines = lib.text.lines().count();
        if lines > LIMIT {
            report.push(
                RULE,
                lib.path,
                format!("{lines} lines; a table of contents has at most {LIMIT}"),
                "keep the `//!` paragraph, `pub mod` lines and few `pub use`; move the rest",
            );
        }
        for item in &lib.syntax.items {
            let logic = match item {
                Item::Fn(function) => format!("function `{}`", function.sig.ident),
                Item::Impl(_) => "an `impl` block".to_owned(),
                _ => continue,
            };
            report.push(
                RULE,
                (lib.path, item.span().start().line),
                format!("{logic} in lib.rs"),
                "move it to the module whose question it answers",
            );
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source::check_with;

    #[test]
    fn modules_and_uses_are_a_table_of_contents() {
        let text = "//! Crate.\npub mod a;\npub use a::B;\n";
        assert!(check_with(&[("crates/a/src/lib.rs", text)], check).is_empty());
    }

    #[test]
    fn logic_and_length_are_findings() {
        let logic = "//! Crate.\nfn f() {}\nimpl T {}\n";
        let long = "//! Crate.\n".repeat(61);
        let files = [("crates/a/src/lib.rs", logic), ("crates/b/src/lib.rs", &long)];
        let expected = [
            "crates/a/src/lib.rs:2",
            "crates/a/src/lib.rs:3",
            "crates/b/src/lib.rs",
        ];
        assert_eq!(
            check_with(&files, check),
            expected.map(|at| format!("{RULE} {at}"))
        );
    }
}
