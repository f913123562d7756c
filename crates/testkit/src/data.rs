//! Where are the recordings and traces that tests read?

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The path of a data file: `../shared/data` beside the repository, else the directory that `PLIMSOLL_DATA`
/// names. If it is in neither, says loudly that the test did not run, and where to put the file: recordings
/// are no part of the repository, and a test that needs them passes without them.
pub fn find(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(name);
    let told = told_directory().map(|directory| directory.join(name));
    let found = [Some(&beside), told.as_ref()]
        .into_iter()
        .flatten()
        .find(|path| path.is_file());
    if found.is_none() {
        let text = missing(name, &beside, told.as_deref());
        // Nobody is left to tell if that fails.
        drop(writeln!(std::io::stderr(), "{text}"));
    }
    found.cloned()
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests have no configuration; where the data lies is the one thing a machine must tell them"
)]
fn told_directory() -> Option<PathBuf> {
    std::env::var_os("PLIMSOLL_DATA").map(PathBuf::from)
}

fn missing(name: &str, beside: &Path, told: Option<&Path>) -> String {
    let told = told.map_or("PLIMSOLL_DATA is not set".to_owned(), |path| {
        format!("nor is it {}", path.display())
    });
    let thread = std::thread::current();
    format!(
        "NOT RUN: {}: the data file {name} is missing: it is not {}, {told}; \
         put it into the first place, or set PLIMSOLL_DATA to the directory that holds it",
        thread.name().unwrap_or("a test"),
        beside.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_reported_with_both_places_and_the_test_that_did_not_run() {
        let text = missing("x.jsonl", Path::new("/a/x.jsonl"), Some(Path::new("/b/x.jsonl")));
        assert!(
            text.contains("/a/x.jsonl") && text.contains("/b/x.jsonl"),
            "{text}"
        );
        assert!(text.starts_with("NOT RUN: data::tests::a_missing_file"), "{text}");
        assert!(missing("x", Path::new("/a/x"), None).contains("PLIMSOLL_DATA is not set"));
    }

    #[test]
    fn a_file_that_is_nowhere_is_not_found() {
        assert_eq!(find("no-such-file.jsonl"), None);
    }
}
