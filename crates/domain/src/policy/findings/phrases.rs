//! Which phrases of harm or of attack stand in a sentence?
//!
//! A phrase is a list of steps; each step is one of several words, with at most [`GAP`] other words between two steps.
//! Every word is looked at once per phrase that starts with it, and at most [`GAP`] words further per step.

use alloc::vec::Vec;

use super::fold::{Folded, Word};
use super::phrases_harm::HARM;
use super::phrases_table::{ATTACKS, FIRST_WORDS, MARKS, Phrase};
use super::{Finding, FindingKind};

/// The most words between two steps of a phrase.
const GAP: usize = 3;

pub(super) fn scan(folded: &Folded, findings: &mut Vec<Finding>) {
    let words = folded.words();
    for (at, word) in words.iter().enumerate() {
        if FIRST_WORDS.binary_search(&word.text.as_str()).is_err() {
            continue;
        }
        for phrase in ATTACKS.iter().chain(HARM) {
            let starts = phrase
                .steps
                .first()
                .is_some_and(|step| step.contains(&word.text.as_str()));
            if starts && let Some(end) = follow(phrase, words.get(at..).unwrap_or_default()) {
                report(
                    folded.finding(phrase.kind, word.start, end, phrase.confidence),
                    findings,
                );
            }
        }
    }
    marks(folded, findings);
}

/// Where the phrase ends that starts with the first of these words.
fn follow(phrase: &Phrase, words: &[Word]) -> Option<usize> {
    let mut at = 0_usize;
    for (index, step) in phrase.steps.iter().enumerate() {
        let reach = if index == 0 { 1 } else { GAP.saturating_add(1) };
        let ahead = words.get(at..)?.iter().take(reach);
        let (skipped, _) = ahead
            .enumerate()
            .find(|(_, word)| step.contains(&word.text.as_str()))?;
        at = at.saturating_add(skipped).saturating_add(1);
    }
    words.get(at.checked_sub(1)?).map(|word| word.end)
}

/// Finds the marks of turns, as chat templates write them; a name of a role counts at the start of a line only.
fn marks(folded: &Folded, findings: &mut Vec<Finding>) {
    for (at, byte) in folded.bytes().iter().enumerate() {
        if !matches!(byte, b'<' | b'[' | b's' | b'S' | b'h' | b'H' | b'a' | b'A') {
            continue;
        }
        let rest = folded.part(at, at.saturating_add(24));
        for (mark, at_start, confidence) in MARKS {
            let here = rest
                .get(..mark.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(mark));
            let start = folded
                .part(0, at)
                .iter()
                .all(|byte| matches!(byte, b' ' | b'#' | b'*'));
            if here && (!at_start || start) {
                let end = at.saturating_add(mark.len());
                report(
                    folded.finding(FindingKind::TurnMarker, at, end, *confidence),
                    findings,
                );
            }
        }
    }
}

/// Adds a finding, unless one of its kind covers its start.
fn report(finding: Finding, findings: &mut Vec<Finding>) {
    let covered = findings
        .iter()
        .any(|other| other.kind == finding.kind && other.start <= finding.start && finding.start < other.end);
    if !covered {
        findings.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_and_mark_is_looked_for() {
        let mut first: Vec<_> = ATTACKS
            .iter()
            .chain(HARM)
            .filter_map(|phrase| phrase.steps.first())
            .flat_map(|step| step.iter())
            .copied()
            .collect();
        first.sort_unstable();
        first.dedup();
        assert_eq!(FIRST_WORDS, first);
        let mut findings = Vec::new();
        for (mark, _, _) in MARKS {
            findings.clear();
            marks(&Folded::new(core::str::from_utf8(mark).unwrap()), &mut findings);
            assert!(!findings.is_empty(), "{mark:?}");
        }
    }
}
