//! How is a text looked at while it arrives?
//!
//! A sentence ends with `.`, `!` or `?` before white space, or with an empty line, also where these are written as escapes
//! of JSON. One that is longer than [`SENTENCE_MAX`] bytes is judged in windows of that length that overlap by [`OVERLAP`],
//! so that nothing is missed because it lies on a border. Where a sentence or a window ends depends on the text alone and
//! never on its pieces: a stream therefore gives what the whole text gives. What is not yet judged is at most one sentence or
//! window.

use alloc::string::String;
use alloc::vec::Vec;

use super::accuracy::Unknowns;
use super::escapes::{Reader, outside};
use super::{Finding, scan_sentence};

/// The longest sentence, in bytes: what a stream holds back at most.
pub const SENTENCE_MAX: usize = 4096;
/// How much of a long sentence is judged again with what follows it, in bytes: longer than anything that is found as a
/// whole.
pub const OVERLAP: usize = 512;
/// How far before that the next window starts, to start at white space.
const CUT_WITHIN: usize = 512;

/// Looks at a text that arrives in pieces.
#[derive(Debug, Clone)]
pub struct Scanner {
    unknowns: Unknowns,
    /// What arrived and is not yet judged.
    pending: String,
    search: Search,
    /// How many bytes were judged.
    judged: usize,
    /// What was found in the window before this one and reaches into it.
    told: Vec<Finding>,
}

/// How far the end of a sentence was looked for.
#[derive(Debug, Clone)]
struct Search {
    /// Up to here in what is pending, in bytes.
    at: usize,
    reader: Reader,
    /// The two characters before.
    before: [char; 2],
}

/// Where a sentence or a window ends.
#[derive(Debug, Clone, Copy)]
struct End {
    /// Up to where it is judged, in bytes.
    window: usize,
    /// Where the next one starts: before that only within a long sentence.
    next: usize,
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
            search: Search::from(0),
            judged: 0,
            told: Vec::new(),
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
            while let Some(end) = self.end_of_sentence(start) {
                self.judge((start, end), &mut findings, &mut dirty);
                start = start.saturating_add(end.next);
                self.search = Search::from(start);
            }
            self.pending.drain(..start);
            self.judged = self.judged.saturating_add(start);
            self.search.at = self.search.at.saturating_sub(start);
        }
        self.step(findings, dirty)
    }

    /// The end of the text: what is left is a sentence.
    pub fn finish(&mut self) -> Step {
        let (mut findings, mut dirty) = (Vec::new(), None);
        let end = End {
            window: self.pending.len(),
            next: self.pending.len(),
        };
        self.judge((0, end), &mut findings, &mut dirty);
        self.judged = self.judged.saturating_add(self.pending.len());
        self.pending.clear();
        self.search = Search::from(0);
        self.step(findings, dirty)
    }

    fn judge(&mut self, (start, end): (usize, End), findings: &mut Vec<Finding>, dirty: &mut Option<usize>) {
        let at = self.judged.saturating_add(start);
        let next = at.saturating_add(end.next);
        let text = self.pending.get(start..start.saturating_add(end.window));
        let mut found = scan_sentence(text.unwrap_or_default(), at, &self.unknowns);
        // What starts behind the border is found again in the next window; what was told before is not told again.
        let told = |one: &Finding| {
            let mut told = self.told.iter();
            told.any(|told| told.kind.evaluator() == one.kind.evaluator() && one.start < told.end)
        };
        found.retain(|one| one.start < next && !told(one));
        self.told = found.iter().filter(|one| one.end > next).copied().collect();
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

    /// Where the sentence ends that starts here in what is pending; none while it is not over.
    fn end_of_sentence(&mut self, start: usize) -> Option<End> {
        let text = self.pending.get(start..)?;
        let within = boundary(text, SENTENCE_MAX);
        let from = self.search.at.saturating_sub(start);
        for (at, written) in text.get(from..within)?.char_indices() {
            let Some((character, broken)) = self.search.reader.read(written) else {
                continue;
            };
            let end = from.saturating_add(at).saturating_add(written.len_utf8());
            if self.search.ends(character, broken, end) {
                return Some(End {
                    window: end,
                    next: end,
                });
            }
        }
        self.search.at = start.saturating_add(within);
        if text.len() < SENTENCE_MAX {
            return None;
        }
        let latest = boundary(text, within.saturating_sub(OVERLAP));
        let tail = boundary_after(text, latest.saturating_sub(CUT_WITHIN));
        let space = text.get(tail..latest)?.rfind(char::is_whitespace);
        let next = match space {
            Some(space) => boundary_after(text, tail.saturating_add(space).saturating_add(1)),
            // Of this window alone: how much is pending behind it depends on the pieces.
            None => outside(text.get(..within)?, latest),
        };
        Some(End { window: within, next })
    }
}

impl Search {
    const fn from(at: usize) -> Self {
        Self {
            at,
            reader: Reader::new(),
            before: [' '; 2],
        }
    }

    /// Whether the sentence ends with this character, so many bytes behind its start.
    fn ends(&mut self, character: char, broken: bool, end: usize) -> bool {
        if broken {
            self.before = [self.before[1], '\\'];
        }
        let before = self.before;
        self.before = [before[1], character];
        let stop = matches!(before[1], '.' | '!' | '?') && character.is_whitespace();
        // Lines may end with a carriage return too.
        let line_ended = before[1] == '\n' || before == ['\n', '\r'];
        stop || (line_ended && character == '\n' && end > 2)
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

#[cfg(test)]
mod tests;
