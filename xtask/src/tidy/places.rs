//! Is every file where one would look for it?

use crate::report::Report;
use crate::workspace::Workspace;

pub(super) fn check(workspace: &Workspace) -> Report {
    let mut report = Report::default();
    let mut seen = 0;
    for path in workspace.files.paths() {
        seen += 1;
        let name = path.rsplit('/').next().unwrap_or_default();
        if name == "mod.rs" {
            report.push(
                "no-mod-rs",
                path,
                "a module is in `mod.rs`",
                "name it after the module: `foo.rs` beside `foo/`",
            );
        }
        if matches!(name, "clippy.toml" | ".clippy.toml") && path != "clippy.toml" {
            report.push(
                "one-clippy-toml",
                path,
                "this file replaces the root's clippy.toml, with all its bans",
                "keep the root's only; switch lints on per crate with `#![deny(..)]`",
            );
        }
    }
    report.examined("no-mod-rs", seen);
    report.examined("one-clippy-toml", seen);
    report.merge(tests(workspace));
    report
}

/// One integration binary per crate: every further one links the whole crate again.
fn tests(workspace: &Workspace) -> Report {
    const RULE: &str = "one-test-binary";
    let mut report = Report::default();
    report.examined(RULE, workspace.crates.len());
    for krate in &workspace.crates {
        let folder = format!("{}/tests/", krate.dir);
        let main = format!("{folder}it/main.rs");
        let mut any = false;
        for path in workspace.files.paths().filter(|p| p.starts_with(&folder)) {
            any = true;
            if !path.starts_with(&format!("{folder}it/")) {
                report.push(
                    RULE,
                    path,
                    "a file beside `tests/it/`",
                    "move it to tests/it/ and name it in tests/it/main.rs",
                );
            }
        }
        if any && !workspace.files.paths().any(|path| path == main) {
            report.push(
                RULE,
                &main,
                "the integration tests have no main.rs",
                "add it, with one `mod` line for each file",
            );
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Crate;

    fn findings(paths: &[&str]) -> Vec<String> {
        let files: Vec<_> = paths.iter().map(|path| (*path, "")).collect();
        check(&Workspace::of(&files).with(Crate::of("a", "L2"))).brief()
    }

    #[test]
    fn one_binary_with_modules_is_fine() {
        let paths = [
            "crates/a/tests/it/main.rs",
            "crates/a/tests/it/runs.rs",
            "clippy.toml",
        ];
        assert!(findings(&paths).is_empty());
    }

    #[test]
    fn a_second_test_binary_is_a_finding() {
        let found = findings(&["crates/a/tests/it/main.rs", "crates/a/tests/runs.rs"]);
        assert_eq!(found, ["one-test-binary crates/a/tests/runs.rs"]);
    }

    #[test]
    fn integration_tests_without_a_main_are_a_finding() {
        let found = findings(&["crates/a/tests/it/runs.rs"]);
        assert_eq!(found, ["one-test-binary crates/a/tests/it/main.rs"]);
    }

    #[test]
    fn a_mod_rs_is_a_finding() {
        assert_eq!(
            findings(&["crates/a/src/b/mod.rs"]),
            ["no-mod-rs crates/a/src/b/mod.rs"]
        );
    }

    #[test]
    fn a_second_clippy_toml_is_a_finding() {
        let found = findings(&["crates/a/clippy.toml"]);
        assert_eq!(found, ["one-clippy-toml crates/a/clippy.toml"]);
    }
}
