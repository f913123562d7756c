//! Is every file where one would look for it?

use crate::model::{Span, is_fixture};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `TIDY-PLACE-001`.
pub(super) struct NoModRs;
/// `TIDY-PLACE-002`.
pub(super) struct OneClippy;
/// `TIDY-PLACE-003`.
pub(super) struct OneTestBinary;

const MOD: Info = Info {
    id: "TIDY-PLACE-001",
    title: "no module is in a mod.rs",
    family: Family::Tidy,
    why: "An editor with six tabs called mod.rs is of no help.",
    fix: "Name it after the module: `foo.rs` beside `foo/`.",
    scope: "names of all files",
    needles: &[],
};

impl Rule for NoModRs {
    fn info(&self) -> &'static Info {
        &MOD
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        for path in ctx.workspace.files.paths().filter(|path| !is_fixture(path)) {
            out.examined("", 1);
            if file_name(path) == "mod.rs" {
                out.report(Finding::new(Span::file(path), "a module is in `mod.rs`", MOD.fix));
            }
        }
    }
}

const CLIPPY: Info = Info {
    id: "TIDY-PLACE-002",
    title: "there is one clippy.toml, in the root",
    family: Family::Tidy,
    why: "A clippy.toml in a crate replaces the root's as a whole: all its bans vanish there, without a word.",
    fix: "Keep the root's only; switch lints on per crate with `#![deny(..)]`.",
    scope: "names of all files",
    needles: &[],
};

impl Rule for OneClippy {
    fn info(&self) -> &'static Info {
        &CLIPPY
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        for path in ctx.workspace.files.paths().filter(|path| !is_fixture(path)) {
            out.examined("", 1);
            if matches!(file_name(path), "clippy.toml" | ".clippy.toml") && path != "clippy.toml" {
                let message = "this file replaces the root's clippy.toml, with all its bans";
                out.report(Finding::new(Span::file(path), message, CLIPPY.fix));
            }
        }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

const TESTS: Info = Info {
    id: "TIDY-PLACE-003",
    title: "a crate has one integration binary, tests/it/main.rs",
    family: Family::Tidy,
    why: "Every further one links the whole crate again.",
    fix: "Move it to tests/it/ and name it in tests/it/main.rs.",
    scope: "files under tests/ of every crate",
    needles: &[],
};

impl Rule for OneTestBinary {
    fn info(&self) -> &'static Info {
        &TESTS
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        for krate in &ctx.workspace.crates {
            out.examined(&krate.name, 1);
            let folder = format!("{}/tests/", krate.dir);
            let main = format!("{folder}it/main.rs");
            let mut any = false;
            for path in ctx.workspace.files.under(&folder) {
                any = true;
                if !path.starts_with(&format!("{folder}it/")) {
                    out.report(Finding::new(
                        Span::file(path),
                        "a file beside `tests/it/`",
                        TESTS.fix,
                    ));
                }
            }
            if any && !ctx.workspace.files.exists(&main) {
                let message = "the integration tests have no main.rs";
                out.report(Finding::new(
                    Span::file(&main),
                    message,
                    "add it, with one `mod` line for each file",
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::testing;

    fn findings(rule: &dyn Rule, paths: &[&str]) -> Vec<String> {
        let files: Vec<_> = paths.iter().map(|path| (*path, "")).collect();
        testing::brief(rule, &files)
    }

    #[test]
    fn one_binary_with_modules_is_fine() {
        let paths = [
            "crates/a/tests/it/main.rs",
            "crates/a/tests/it/runs.rs",
            "clippy.toml",
        ];
        let rules: [&dyn Rule; 3] = [&NoModRs, &OneClippy, &OneTestBinary];
        for rule in rules {
            assert!(findings(rule, &paths).is_empty());
        }
    }

    #[test]
    fn a_second_test_binary_is_a_finding() {
        let found = findings(
            &OneTestBinary,
            &["crates/a/tests/it/main.rs", "crates/a/tests/runs.rs"],
        );
        assert_eq!(found, ["crates/a/tests/runs.rs"]);
    }

    #[test]
    fn integration_tests_without_a_main_are_a_finding() {
        let found = findings(&OneTestBinary, &["crates/a/tests/it/runs.rs"]);
        assert_eq!(found, ["crates/a/tests/it/main.rs"]);
    }

    #[test]
    fn a_mod_rs_is_a_finding() {
        assert_eq!(
            findings(&NoModRs, &["crates/a/src/b/mod.rs"]),
            ["crates/a/src/b/mod.rs"]
        );
    }

    #[test]
    fn a_second_clippy_toml_is_a_finding() {
        assert_eq!(
            findings(&OneClippy, &["crates/a/clippy.toml"]),
            ["crates/a/clippy.toml"]
        );
    }
}
