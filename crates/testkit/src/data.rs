//! Where are the recordings and traces that tests read, and which tests had to do without?
//!
//! They are no part of the repository, so a test that needs them passes without them, but never unheard: it says
//! `NOT RUN`, and `cargo xtask test` lists all that did. Where the directory is there, or somebody asks for it, a
//! missing file is a failure.

use std::fs::{File, create_dir_all};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The data file with the recorded exchanges.
pub(crate) const EXCHANGES: &str = "exchanges.jsonl";

/// The path of a data file: `../shared/data` beside the repository, else the directory that `PLIMSOLL_DATA`
/// names. If it is in neither, says loudly what does not run, and where to put the file.
pub fn find(name: &str) -> Option<PathBuf> {
    let places = Places::here();
    let found = places.find(name);
    if found.is_none() {
        say(&places.missing(name));
    }
    found
}

/// The recorded exchanges, for a test. Without them it must do nothing: that is written to the list of tests that did
/// not run, unless the recordings are required ([`find`] says where they are looked for). Then it panics.
pub fn recordings() -> Option<PathBuf> {
    let places = Places::here();
    let found = places.find(EXCHANGES);
    if found.is_none() {
        let reason = places.missing(EXCHANGES);
        assert!(!places.required(), "{reason}");
        say(&reason);
        let noted = note(&not_run_list(), &reason);
        noted.unwrap_or_else(|error| panic!("{reason}, and that cannot be noted: {error}"));
    }
    found
}

/// Where `cargo xtask test` looks for the tests that did not run: a line each, name and reason.
fn not_run_list() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tests/not-run")
}

/// Where data may be.
struct Places {
    beside: PathBuf,
    told: Option<PathBuf>,
    demanded: bool,
}

impl Places {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests have no configuration; where the data lies and whether it must be there a machine must tell them"
    )]
    fn here() -> Self {
        Self {
            beside: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
            told: std::env::var_os("PLIMSOLL_DATA").map(PathBuf::from),
            demanded: std::env::var_os("PLIMSOLL_REQUIRE_RECORDINGS").is_some_and(|value| value == "1"),
        }
    }

    fn find(&self, name: &str) -> Option<PathBuf> {
        let places = [Some(&self.beside), self.told.as_ref()].into_iter().flatten();
        places
            .map(|directory| directory.join(name))
            .find(|path| path.is_file())
    }

    /// Whoever has the directory, or names one, means to run the tests that need it.
    fn required(&self) -> bool {
        self.demanded || self.told.is_some() || self.beside.is_dir()
    }

    fn missing(&self, name: &str) -> String {
        let told = self
            .told
            .as_ref()
            .map_or("PLIMSOLL_DATA is not set".to_owned(), |directory| {
                format!("nor is it {}", directory.join(name).display())
            });
        format!(
            "the data file {name} is missing: it is not {}, {told}; \
             put it into the first place, or set PLIMSOLL_DATA to the directory that holds it",
            self.beside.join(name).display()
        )
    }
}

fn me() -> String {
    let thread = std::thread::current();
    thread.name().unwrap_or("a test").to_owned()
}

fn say(reason: &str) {
    // Nobody is left to tell if that fails.
    drop(writeln!(io::stderr(), "NOT RUN: {}: {reason}", me()));
}

fn note(list: &Path, reason: &str) -> io::Result<()> {
    if let Some(directory) = list.parent() {
        create_dir_all(directory)?;
    }
    let mut file = File::options().append(true).create(true).open(list)?;
    // One write, so that the lines of tests that run at the same time do not mix.
    file.write_all(format!("{}: {reason}\n", me()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere() -> Places {
        Places {
            beside: PathBuf::from("/nowhere/a"),
            told: None,
            demanded: false,
        }
    }

    #[test]
    fn a_missing_file_is_reported_with_both_places() {
        let mut places = nowhere();
        assert_eq!(places.find("x.jsonl"), None);
        let text = places.missing("x.jsonl");
        assert!(text.contains("/nowhere/a/x.jsonl") && text.contains("PLIMSOLL_DATA is not set"));
        places.told = Some(PathBuf::from("/nowhere/b"));
        assert!(places.missing("x.jsonl").contains("/nowhere/b/x.jsonl"));
    }

    #[test]
    fn a_file_is_found_in_either_place() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.jsonl");
        std::fs::write(&file, "").unwrap();
        let here = || directory.path().to_path_buf();
        let (mut beside, mut told) = (nowhere(), nowhere());
        (beside.beside, told.told) = (here(), Some(here()));
        assert_eq!(beside.find("x.jsonl"), Some(file.clone()));
        assert_eq!(told.find("x.jsonl"), Some(file));
        assert_eq!(told.find("y.jsonl"), None);
    }

    #[test]
    fn recordings_are_required_where_their_directory_is_and_where_somebody_asks_for_them() {
        assert!(!nowhere().required());
        let directory = tempfile::tempdir().unwrap();
        let beside = directory.path().to_path_buf();
        assert!(Places { beside, ..nowhere() }.required());
        let told = Some(PathBuf::from("/nowhere/b"));
        assert!(Places { told, ..nowhere() }.required());
        let demanded = true;
        assert!(
            Places {
                demanded,
                ..nowhere()
            }
            .required()
        );
    }

    #[test]
    fn every_test_that_did_not_run_has_a_line_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let list = directory.path().join("new/not-run");
        note(&list, "no one").unwrap();
        note(&list, "no other").unwrap();
        let me = "data::tests::every_test_that_did_not_run_has_a_line_of_its_own";
        let expected = format!("{me}: no one\n{me}: no other\n");
        assert_eq!(std::fs::read_to_string(&list).unwrap(), expected);
    }
}
