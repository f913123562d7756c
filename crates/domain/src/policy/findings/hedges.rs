//! Is a statement about a field definite, or does it say that nobody knows?
//!
//! Words that hedge count in front of the field, or behind it in its own clause: "set to auto-renew; tell me if you want to
//! change that" is definite.

use alloc::vec::Vec;

use super::fold::{Folded, Word};

/// Words that make a statement definite.
const DEFINITE: [&str; 24] = [
    "is", "are", "was", "were", "will", "has", "have", "had", "does", "do", "did", "yes", "no", "your",
    "set", "can", "must", "shall", "isn't", "won't", "doesn't", "hasn't", "always", "never",
];

/// Words in front of a noun: `the prices` states nothing, and `it prices` does.
const NOUN_FOLLOWS: [&str; 26] = [
    "the", "a", "an", "any", "all", "these", "those", "this", "that", "of", "about", "for", "your", "my",
    "our", "their", "its", "and", "or", "some", "no", "such", "on", "in", "with", "to",
];

/// Words that say that it is not known, or only possible.
const HEDGES: [&str; 14] = [
    "might",
    "maybe",
    "perhaps",
    "possibly",
    "unclear",
    "unknown",
    "unsure",
    "unavailable",
    "missing",
    "unspecified",
    "whether",
    "assume",
    "assuming",
    "null",
];

/// Words that say the same in front of the field, and something else behind it: "could", "if you want", "please tell me".
const HEDGES_BEFORE: [&str; 7] = ["if", "please", "could", "cannot", "can't", "couldn't", "unable"];

/// What is polite and hedges nothing behind `please`.
const POLITE: [&str; 4] = ["note", "be", "remember", "know"];

/// What stands before the month of May.
const BEFORE_MAY: [&str; 18] = [
    "in", "of", "on", "since", "by", "until", "till", "from", "this", "next", "last", "early", "late", "mid",
    "every", "before", "after", "through",
];

/// What one cannot do about what one does not know.
const FINDING_OUT: [&str; 14] = [
    "see",
    "know",
    "tell",
    "say",
    "find",
    "determine",
    "determined",
    "confirm",
    "confirmed",
    "verify",
    "verified",
    "found",
    "seen",
    "known",
];

/// What one does not do about it.
const NOT_DONE: [&str; 11] = [
    "know", "see", "find", "say", "state", "specify", "show", "mention", "indicate", "tell", "reveal",
];

/// What one does not do with knowledge about it, or not with the thing itself.
const NOT_HAD: [&str; 6] = ["have", "include", "contain", "provide", "give", "hold"];

/// What knowledge is.
const KNOWLEDGE: [&str; 22] = [
    "information",
    "info",
    "details",
    "detail",
    "data",
    "record",
    "records",
    "context",
    "document",
    "documents",
    "documentation",
    "file",
    "text",
    "page",
    "access",
    "value",
    "mention",
    "enough",
    "knowledge",
    "visibility",
    "answer",
    "specifics",
];

/// What it is not.
const NOT_SO: [&str; 13] = [
    "sure",
    "available",
    "specified",
    "known",
    "provided",
    "listed",
    "stated",
    "clear",
    "found",
    "mentioned",
    "given",
    "recorded",
    "aware",
];

/// What there is no such thing of.
const NONE_OF: [&str; 7] = [
    "information",
    "info",
    "data",
    "record",
    "value",
    "details",
    "mention",
];

/// Who begins another statement behind `and`.
const SUBJECTS: [&str; 9] = ["i", "you", "it", "we", "they", "this", "that", "can", "cannot"];

/// How many words away knowledge is looked for.
const NEAR: usize = 6;

/// What the words of a sentence say about what is known.
pub(super) struct Hedges<'w> {
    words: &'w [Word],
    /// Which words hedge, and whether they do so behind the field too.
    hedges: Vec<(usize, bool)>,
    /// The first words of further clauses.
    clauses: Vec<usize>,
    definite: bool,
}

impl<'w> Hedges<'w> {
    pub(super) fn of(folded: &Folded, words: &'w [Word]) -> Self {
        let sentence = Sentence { folded, words };
        let numbers = 0..words.len();
        Self {
            words,
            hedges: numbers
                .clone()
                .filter_map(|at| Some((at, sentence.hedges(at)?)))
                .collect(),
            clauses: numbers.filter(|at| sentence.starts_clause(*at)).collect(),
            definite: words.iter().any(|word| DEFINITE.contains(&word.text.as_str())),
        }
    }

    /// Whether something definite is said about a field whose words are the ones from `first` to `last`; `form` if there are
    /// several and the last one is a form of the field's word: `it auto-renews` states something, `compare prices` does not.
    pub(super) fn is_definite(&self, first: usize, last: usize, form: bool) -> bool {
        let clause_ends = self.clauses.iter().find(|start| **start > last).copied();
        let counts =
            |(at, behind): &(usize, bool)| *at < last || (*behind && clause_ends.is_none_or(|end| *at < end));
        let hedged = self.hedges.iter().any(counts);
        let verb = || {
            let before = first.checked_sub(1).and_then(|before| self.words.get(before));
            let ends = |word: &Word| word.text.ends_with('s') || word.text.ends_with("ed");
            form && self.words.get(last).is_some_and(ends)
                && before.is_some_and(|word| !NOUN_FOLLOWS.contains(&word.text.as_str()))
        };
        !hedged && (self.definite || verb())
    }
}

struct Sentence<'s> {
    folded: &'s Folded,
    words: &'s [Word],
}

impl Sentence<'_> {
    fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.text.as_str())
    }

    fn before(&self, at: usize) -> &str {
        at.checked_sub(1).map_or("", |before| self.word(before))
    }

    /// What stands between a word and the one before it.
    fn between(&self, at: usize) -> &[u8] {
        let before = at.checked_sub(1).and_then(|before| self.words.get(before));
        let ends = before.zip(self.words.get(at));
        ends.map_or(&[], |(before, word)| self.folded.part(before.end, word.start))
    }

    /// Whether one of so many words from here on is one of these.
    fn has_near(&self, from: usize, words: usize, sought: &[&str]) -> bool {
        let mut near = self.words.iter().skip(from).take(words);
        near.any(|word| sought.contains(&word.text.as_str()))
    }

    /// Whether this word hedges; if so, whether behind the field too.
    fn hedges(&self, at: usize) -> Option<bool> {
        let (word, next) = (self.word(at), at.saturating_add(1));
        if HEDGES.contains(&word) {
            return Some(true);
        }
        if HEDGES_BEFORE.contains(&word) {
            let polite = word == "please" && POLITE.contains(&self.word(next));
            let about_it = !matches!(word, "if" | "please" | "could");
            return (!polite).then(|| about_it && self.has_near(next, 3, &FINDING_OUT));
        }
        let behind = match word {
            "may" => !self.is_month(at),
            "don't" | "doesn't" | "didn't" => self.is_not_done(at, next),
            "do" | "does" | "did" if self.word(next) == "not" => self.is_not_done(at, next.saturating_add(1)),
            "not" | "isn't" | "aren't" | "wasn't" | "weren't" => self.is_not_so(next),
            "no" => NONE_OF.contains(&self.word(next)) && !self.between(next).contains(&b','),
            _ => false,
        };
        behind.then_some(true)
    }

    fn is_month(&self, at: usize) -> bool {
        let next = self.word(at.saturating_add(1));
        BEFORE_MAY.contains(&self.before(at)) || next.starts_with(|first: char| first.is_ascii_digit())
    }

    /// "I don't know", "the context does not have information": not "you don't have auto-renew".
    fn is_not_done(&self, subject: usize, verb: usize) -> bool {
        let done = self.word(verb);
        if NOT_DONE.contains(&done) {
            return true;
        }
        let knows = || {
            self.has_near(verb, NEAR, &KNOWLEDGE)
                || self.has_near(subject.saturating_sub(4), subject.min(4), &KNOWLEDGE)
        };
        NOT_HAD.contains(&done) && (self.before(subject) == "i" || knows())
    }

    /// "Not specified", "not currently known": not "not set".
    fn is_not_so(&self, next: usize) -> bool {
        let word = self.word(next);
        let so = if word.ends_with("ly") || word == "yet" {
            self.word(next.saturating_add(1))
        } else {
            word
        };
        NOT_SO.contains(&so) || (so == "able" && self.has_near(next, NEAR, &FINDING_OUT))
    }

    /// Whether another clause starts with this word: behind a semicolon, `but`, or `and you`.
    fn starts_clause(&self, at: usize) -> bool {
        let joined = matches!(self.word(at), "and" | "so" | "or")
            && SUBJECTS.contains(&self.word(at.saturating_add(1)));
        let apart = self.between(at).iter().any(|byte| matches!(byte, b';' | b'('));
        apart || joined || self.word(at) == "but"
    }
}

#[cfg(test)]
mod tests;
