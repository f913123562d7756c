//! Does every file say at its top what question it answers?

use crate::model::line_span;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `TIDY-OPENING-001`.
pub(super) struct Opening;

const INFO: Info = Info {
    id: "TIDY-OPENING-001",
    title: "a file says in its first line what question it answers",
    family: Family::Tidy,
    why: "Whoever opens a file wants to know whether it is the right one.",
    fix: "Begin the file with `//!` and the question that it answers.",
    scope: "the first line of every Rust file",
    needles: &[],
};

impl Rule for Opening {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        for source in &ctx.workspace.sources {
            out.examined(&source.krate, 1);
            let first = source
                .text
                .lines()
                .next()
                .and_then(|line| line.strip_prefix("//!"));
            if first.is_none_or(|rest| rest.trim().is_empty()) {
                let span = line_span(&source.path, &source.text, 1);
                out.report(Finding::new(
                    span,
                    "the first line is not a `//!` sentence",
                    INFO.fix,
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::testing;

    #[test]
    fn a_file_without_an_opening_sentence_is_a_finding() {
        let files = [
            ("crates/a/src/good.rs", "//! What?\n"),
            ("crates/a/src/none.rs", "fn f() {}\n"),
            ("crates/a/src/late.rs", "\n//! What?\n"),
            ("crates/a/src/empty.rs", "//!\n"),
            ("crates/a/tests/fixtures/data.rs", "fn f() {}\n"),
        ];
        let expected = [
            "crates/a/src/empty.rs:1",
            "crates/a/src/late.rs",
            "crates/a/src/none.rs:1",
        ];
        assert_eq!(testing::brief(&Opening, &files), expected);
    }
}
