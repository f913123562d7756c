//! What is in a Rust file? Parsed once for all checks.

use proc_macro2::TokenStream;

use crate::report::Report;
use crate::workspace::Files;

pub(super) struct Source<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
    pub(super) tokens: TokenStream,
    pub(super) syntax: syn::File,
}

impl<'a> Source<'a> {
    /// Parses every file; one that does not parse is a finding and left out.
    pub(super) fn parse_all(files: &'a Files, report: &mut Report) -> Vec<Self> {
        let mut sources = Vec::new();
        let mut seen = 0;
        for (path, text) in files.with_extension("rs") {
            seen += 1;
            match Self::parse(path, text) {
                Ok(source) => sources.push(source),
                Err(error) => report.push(
                    "source-parses",
                    (path, error.span().start().line),
                    format!("the file is not Rust: {error}"),
                    "correct the syntax; data for tests belongs under `fixtures/`",
                ),
            }
        }
        report.examined("source-parses", seen);
        sources
    }

    fn parse(path: &'a str, text: &'a str) -> syn::Result<Self> {
        let tokens: TokenStream = text.parse()?;
        let syntax = syn::parse2(tokens.clone())?;
        Ok(Self {
            path,
            text,
            tokens,
            syntax,
        })
    }
}

/// Runs one check over files that exist in memory only.
#[cfg(test)]
pub(super) fn check_with(files: &[(&str, &str)], check: impl Fn(&[Source<'_>]) -> Report) -> Vec<String> {
    let workspace = crate::workspace::Workspace::of(files);
    let mut report = Report::default();
    let sources = Source::parse_all(&workspace.files, &mut report);
    report.merge(check(&sources));
    report.brief()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_does_not_parse_is_a_finding_unless_it_is_a_fixture() {
        let files = [
            ("src/a.rs", "fn a( {}"),
            ("src/b.rs", "fn b() -> {}"),
            ("tests/fixtures/c.rs", "fn c( {}"),
        ];
        let found = check_with(&files, |_| Report::default());
        assert_eq!(found, ["source-parses src/a.rs:1", "source-parses src/b.rs:1"]);
    }
}
