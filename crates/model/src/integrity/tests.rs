//! What does the chain of hashes notice?

use alloc::format;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use super::*;

fn definition(version: u32) -> Canonical {
    Canonical::new("rule/1").text("name", &format!("version {version}"))
}

fn history(versions: u32) -> Vec<StoredVersion> {
    let mut previous = Digest::ZERO;
    (1..=versions)
        .map(|version| {
            let definition = definition(version);
            let hash = link(previous, version, &definition);
            previous = hash;
            StoredVersion {
                version,
                definition,
                hash,
            }
        })
        .collect()
}

fn check(
    history: &[StoredVersion],
    live: &Canonical,
    root: Digest,
) -> (IntegrityStatus, alloc::string::String, Option<u32>) {
    let found = assess(history, live, root);
    (found.status, found.score.to_string(), found.first_broken)
}

#[test]
fn a_history_that_nobody_touched_is_verified() {
    for versions in [1, 2, 20] {
        let stored = history(versions);
        let root = stored.last().unwrap().hash;
        assert_eq!(
            assess(&stored, &definition(versions), root),
            Integrity::fresh(root)
        );
    }
}

#[test]
fn a_definition_that_applies_and_is_not_the_newest_version_has_failed() {
    let stored = history(3);
    let root = stored.last().unwrap().hash;
    let failed = (IntegrityStatus::Failed, "0.000".to_string(), Some(3));
    assert_eq!(check(&stored, &definition(2), root), failed);
    assert_eq!(check(&stored, &definition(3).text("more", ""), root), failed);
    assert_eq!(
        check(&[], &definition(1), Digest::ZERO),
        (IntegrityStatus::Failed, "0.000".to_string(), None)
    );
}

#[test]
fn an_old_version_that_was_changed_by_hand_breaks_one_version() {
    let mut stored = history(4);
    let root = stored.last().unwrap().hash;
    stored[1].definition = definition(9);
    assert_eq!(
        check(&stored, &definition(4), root),
        (IntegrityStatus::Degraded, "0.750".to_string(), Some(2))
    );
    stored[0].definition = definition(9);
    stored[2].definition = definition(9);
    assert_eq!(
        check(&stored, &definition(4), root),
        (IntegrityStatus::Failed, "0.250".to_string(), Some(1))
    );
}

#[test]
fn a_hash_that_was_made_to_fit_breaks_the_version_after_it() {
    let mut stored = history(3);
    let root = stored.last().unwrap().hash;
    stored[1].definition = definition(9);
    stored[1].hash = link(stored[0].hash, 2, &stored[1].definition);
    assert_eq!(
        check(&stored, &definition(3), root).0,
        IntegrityStatus::Failed,
        "the newest version no longer follows"
    );
}

#[test]
fn a_history_rewritten_to_its_end_does_not_reach_the_recorded_root() {
    let root = history(2).last().unwrap().hash;
    let mut rewritten = history(2);
    rewritten[0].definition = definition(9);
    rewritten[0].hash = link(Digest::ZERO, 1, &rewritten[0].definition);
    rewritten[1].hash = link(rewritten[0].hash, 2, &rewritten[1].definition);
    assert_eq!(check(&rewritten, &definition(2), root).0, IntegrityStatus::Failed);
}

#[test]
fn a_version_that_was_taken_out_is_missed() {
    let mut stored = history(4);
    let root = stored.last().unwrap().hash;
    stored.remove(1);
    assert_eq!(
        check(&stored, &definition(4), root),
        (IntegrityStatus::Degraded, "0.666".to_string(), Some(3))
    );
}
