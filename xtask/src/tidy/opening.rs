//! Does every file say at its top what question it answers?

use super::source::Source;
use crate::report::Report;

const RULE: &str = "opening-line";

pub(super) fn check(sources: &[Source<'_>]) -> Report {
    let mut report = Report::default();
    report.examined(RULE, sources.len());
    for source in sources {
        let said = source
            .text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("//!"))
            .is_some_and(|rest| !rest.trim().is_empty());
        if !said {
            report.push(
                RULE,
                (source.path, 1),
                "the first line is not a `//!` sentence",
                "begin the file with `//!` and the question that it answers",
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
    fn a_file_without_an_opening_sentence_is_a_finding() {
        let files = [
            ("good.rs", "//! What?\n"),
            ("none.rs", "fn f() {}\n"),
            ("late.rs", "\n//! What?\n"),
            ("empty.rs", "//!\n"),
            ("tests/fixtures/data.rs", "fn f() {}\n"),
        ];
        let expected = ["empty.rs:1", "late.rs:1", "none.rs:1"];
        assert_eq!(
            check_with(&files, check),
            expected.map(|at| format!("{RULE} {at}"))
        );
    }
}
