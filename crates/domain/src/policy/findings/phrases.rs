//! Which phrases of harm or of attack stand in a sentence?
//!
//! A phrase is a list of steps; each step is one of several words, with at most [`GAP`] other words between two steps.
//! Every word is looked at once per phrase that starts with it, and at most [`GAP`] words further per step.

use alloc::vec::Vec;

use super::fold::{Folded, Word};
use super::phrases_table::{MARKS, PHRASES, Phrase};
use super::{Finding, FindingKind};

/// The most words between two steps of a phrase.
const GAP: usize = 3;

pub(super) fn scan(folded: &Folded, findings: &mut Vec<Finding>) {
    let words = folded.words();
    for (at, word) in words.iter().enumerate() {
        for phrase in PHRASES {
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
    for at in 0..folded.bytes().len() {
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
