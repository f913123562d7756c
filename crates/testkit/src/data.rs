//! Where are the recordings and traces that tests read?

use std::path::{Path, PathBuf};

/// The path of a data file: `../shared/data` beside the repository, else the directory that
/// `PLIMSOLL_DATA` names. Panics and says where to put it if it is in neither: a test that needs
/// recordings fails without them and never passes by skipping.
pub fn file(name: &str) -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(name);
    if beside.is_file() {
        return beside;
    }
    let told = told_directory().map(|directory| directory.join(name));
    match told {
        Some(path) if path.is_file() => path,
        told => panic!("{}", missing(name, &beside, told.as_deref())),
    }
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
    format!(
        "the data file {name} is missing: it is not {}, {told}; \
         put it into the first place, or set PLIMSOLL_DATA to the directory that holds it",
        beside.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_reported_with_both_places() {
        let text = missing("x.jsonl", Path::new("/a/x.jsonl"), Some(Path::new("/b/x.jsonl")));
        assert!(
            text.contains("/a/x.jsonl") && text.contains("/b/x.jsonl"),
            "{text}"
        );
        assert!(missing("x", Path::new("/a/x"), None).contains("PLIMSOLL_DATA is not set"));
    }

    #[test]
    #[should_panic(expected = "no-such-file.jsonl is missing")]
    fn a_test_without_its_data_fails() {
        file("no-such-file.jsonl");
    }
}
