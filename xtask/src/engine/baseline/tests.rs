//! Can an entry be swapped, come back, or move? What a change does to the code and to the file, in every combination.

use super::*;
use crate::config::Config;
use crate::engine::{Job, Outcome, run, today, words};
use crate::load::{Overlay, load};

const RULES: &str = "[[pattern]]\ntokens = \"forbidden()\"\nwhy = \"x\"\ninstead = \"y\"\n";
const BAD: &str = "fn f() { forbidden() }\n";
const OTHER: &str = "fn g() { forbidden() }\n";
const GOOD: &str = "fn f() {}\n";

fn judge(files: &[(&str, &str)], baseline: Option<Baseline>) -> Outcome {
    let mut all = vec![
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n"),
        ("architecture.toml", RULES),
        ("crates/a/Cargo.toml", "[package]\nname = \"a\"\n"),
    ];
    all.extend(files);
    let rules = crate::registry::all().into_iter();
    let rules: Vec<_> = rules.filter(|rule| rule.info().id == "ARCH-BAN-001").collect();
    let words = words(&rules);
    let workspace = load(&Overlay::of(&all), &words);
    let config = Config::read(&workspace, None).unwrap();
    run(&Job {
        workspace: &workspace,
        config: &config,
        words: &words,
        rules,
        baseline,
        today: today(),
        prove: None,
    })
}

/// The baseline that `--write-baseline` would write for these files.
fn written(files: &[(&str, &str)]) -> String {
    render(&judge(files, None).findings)
}

/// What a change from one baseline to another says about these files: rule and message of each finding.
fn change(before: &str, now: &str, files: &[(&str, &str)]) -> Vec<String> {
    let baseline = Baseline::parse("baseline.txt", now).unwrap();
    let baseline = baseline.since("main", Some(before)).unwrap();
    let found = judge(files, Some(baseline)).findings;
    found
        .iter()
        .map(|found| format!("{} {}", found.rule, found.message))
        .collect()
}

const LIB: &str = "crates/a/src/lib.rs";

#[test]
fn what_was_known_stays_known_and_may_go() {
    let old = written(&[(LIB, BAD)]);
    assert!(change(&old, &old, &[(LIB, BAD)]).is_empty());
    assert!(change(&old, HEADER, &[(LIB, GOOD)]).is_empty());
    // Lines and comments around it do not make it another one.
    let moved = format!("//! Words.\n\nconst A: u8 = 1;\n{BAD}");
    assert!(change(&old, &old, &[(LIB, &moved)]).is_empty());
    assert_eq!(change(&old, &old, &[(LIB, GOOD)]).len(), 1);
}

#[test]
fn what_was_mended_cannot_come_back() {
    let old = written(&[(LIB, BAD)]);
    let after_the_fix = HEADER;
    let found = change(after_the_fix, &old, &[(LIB, BAD)]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("was not there at main"), "{found:?}");
    assert!(change(after_the_fix, HEADER, &[(LIB, BAD)])[0].starts_with("ARCH-BAN-001"));
}

#[test]
fn an_entry_cannot_be_swapped_for_another() {
    let (old, new) = (written(&[(LIB, BAD)]), written(&[(LIB, OTHER)]));
    assert_eq!(old.lines().count(), new.lines().count());
    let found = change(&old, &new, &[(LIB, OTHER)]);
    assert!(
        found.len() == 1 && found[0].contains("was not there at main"),
        "{found:?}"
    );
    // Nor by keeping the old line.
    assert_eq!(change(&old, &old, &[(LIB, OTHER)]).len(), 2);
}

#[test]
fn a_second_one_of_the_same_kind_is_not_covered() {
    let old = written(&[(LIB, BAD)]);
    let twice = "fn f() { forbidden(); forbidden() }\n";
    let found = change(&old, &old, &[(LIB, twice)]);
    assert!(
        found.len() == 1 && found[0].starts_with("ARCH-BAN-001"),
        "{found:?}"
    );
    let both = written(&[(LIB, twice)]);
    assert_eq!(change(&old, &both, &[(LIB, twice)]).len(), 1);
}

#[test]
fn a_renamed_file_and_a_moved_crate_count_as_new() {
    let old = written(&[(LIB, "mod x;"), ("crates/a/src/x.rs", BAD)]);
    let renamed = [(LIB, "mod y;"), ("crates/a/src/y.rs", BAD)];
    assert_eq!(change(&old, &old, &renamed).len(), 2);
    assert_eq!(change(&old, &written(&renamed), &renamed).len(), 1);
    let manifest = ("crates/b/Cargo.toml", "[package]\nname = \"b\"\n");
    let moved = [(LIB, ""), manifest, ("crates/b/src/x.rs", BAD)];
    assert_eq!(change(&old, &old, &moved).len(), 2);
    assert_eq!(change(&old, &written(&moved), &moved).len(), 1);
    // The folder of a crate is only a place.
    let old = written(&[manifest, ("crates/b/src/lib.rs", BAD)]);
    let folder = [
        ("crates/c/Cargo.toml", "[package]\nname = \"b\"\n"),
        ("crates/c/src/lib.rs", BAD),
    ];
    assert!(change(&old, &old, &folder).is_empty());
}

#[test]
fn a_file_that_is_new_is_an_adoption_and_a_broken_one_is_refused() {
    let old = written(&[(LIB, BAD)]);
    let adopted = Baseline::parse("baseline.txt", &old).unwrap();
    let adopted = adopted.since("main", None).unwrap();
    assert!(judge(&[(LIB, BAD)], Some(adopted)).findings.is_empty());
    let now = Baseline::parse("baseline.txt", &old).unwrap();
    let broken = now.since("main", Some("nonsense\n")).err().unwrap();
    assert!(
        broken.to_string().starts_with("baseline.txt@main:1:1"),
        "{broken}"
    );
}
