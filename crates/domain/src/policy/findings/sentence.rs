//! How is a text looked at while it arrives?
//!
//! A sentence ends with `.`, `!` or `?` before white space, or with an empty line, and after [`SENTENCE_MAX`] bytes at the
//! latest. Where it ends depends on the text alone and never on its pieces: a stream therefore gives what the whole text
//! gives. What is not yet judged is at most one sentence.

use alloc::string::String;
use alloc::vec::Vec;

use super::accuracy::Unknowns;
use super::{Finding, scan_sentence};

/// The longest sentence, in bytes: what a stream holds back at most.
pub const SENTENCE_MAX: usize = 4096;
/// How far before that a long sentence is cut at white space.
const CUT_WITHIN: usize = 512;

/// Looks at a text that arrives in pieces.
#[derive(Debug, Clone)]
pub struct Scanner {
    unknowns: Unknowns,
    /// What arrived and is not yet judged.
    pending: String,
    /// How many bytes of it were looked at for an end.
    searched: usize,
    /// How many bytes were judged.
    judged: usize,
}

/// What became known with a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How many bytes of the whole text are judged: what a client may be given, unless a finding forbids it.
    pub judged: usize,
    /// What was found in the sentences that ended, with places in the whole text.
    pub findings: Vec<Finding>,
    /// Where the first sentence with a finding starts: up to there the text is without one.
    pub clean_until: usize,
}

impl Scanner {
    /// A scanner of one text.
    pub const fn new(unknowns: Unknowns) -> Self {
        Self {
            unknowns,
            pending: String::new(),
            searched: 0,
            judged: 0,
        }
    }

    /// Takes the next piece.
    pub fn push(&mut self, piece: &str) -> Step {
        let mut findings = Vec::new();
        let mut dirty = None;
        // Piece by piece of a bounded size, so that a long text is not moved once per sentence.
        let mut rest = piece;
        while !rest.is_empty() {
            let (part, more) = rest.split_at(boundary(rest, SENTENCE_MAX));
            rest = more;
            self.pending.push_str(part);
            let mut start = 0_usize;
            while let Some(length) = self.end_of_sentence(start) {
                let end = start.saturating_add(length);
                let sentence = self.pending.get(start..end).unwrap_or_default();
                self.judge(sentence, start, &mut findings, &mut dirty);
                start = end;
                self.searched = start;
            }
            self.pending.drain(..start);
            self.judged = self.judged.saturating_add(start);
            self.searched = self.searched.saturating_sub(start);
        }
        self.step(findings, dirty)
    }

    /// The end of the text: what is left is a sentence.
    pub fn finish(&mut self) -> Step {
        let (mut findings, mut dirty) = (Vec::new(), None);
        self.judge(&self.pending, 0, &mut findings, &mut dirty);
        self.judged = self.judged.saturating_add(self.pending.len());
        self.pending.clear();
        self.searched = 0;
        self.step(findings, dirty)
    }

    fn judge(&self, sentence: &str, start: usize, findings: &mut Vec<Finding>, dirty: &mut Option<usize>) {
        let at = self.judged.saturating_add(start);
        let found = scan_sentence(sentence, at, &self.unknowns);
        if !found.is_empty() {
            *dirty = dirty.or(Some(at));
        }
        findings.extend(found);
    }

    fn step(&self, findings: Vec<Finding>, dirty: Option<usize>) -> Step {
        Step {
            judged: self.judged,
            clean_until: dirty.unwrap_or(self.judged),
            findings,
        }
    }

    /// How long the sentence is that starts here in what is pending; none while it is not over.
    fn end_of_sentence(&mut self, start: usize) -> Option<usize> {
        let text = self.pending.get(start..)?;
        let from = boundary_after(text, self.searched.saturating_sub(start).saturating_sub(8));
        let within = boundary(text, SENTENCE_MAX);
        let mut before = [' '; 2];
        for (at, character) in text.get(from..within)?.char_indices() {
            let at = from.saturating_add(at);
            let stop = matches!(before[1], '.' | '!' | '?') && character.is_whitespace();
            // Lines may end with a carriage return too.
            let line_ended = before[1] == '\n' || before == ['\n', '\r'];
            let blank = line_ended && character == '\n' && at > 1;
            if stop || blank {
                return Some(at.saturating_add(character.len_utf8()));
            }
            before = [before[1], character];
        }
        if text.len() < SENTENCE_MAX {
            self.searched = start.saturating_add(text.len());
            return None;
        }
        let tail = boundary_after(text, within.saturating_sub(CUT_WITHIN));
        let space = text.get(tail..within)?.rfind(char::is_whitespace);
        Some(space.map_or(within, |space| {
            boundary_after(text, tail.saturating_add(space).saturating_add(1))
        }))
    }
}

/// The last place before or at this byte where a character starts.
fn boundary(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
}

/// The first place at or after this byte where a character starts.
fn boundary_after(text: &str, at: usize) -> usize {
    text.ceil_char_boundary(at.min(text.len()))
}
