//! Does an answer state what nobody told the model?
//!
//! The context that a model is given has fields. An answer that makes a definite statement about a field that is null,
//! empty or missing states what it cannot know: with `auto_renew: null`, "Yes, your contract is set to auto-renew" is a
//! finding, and "I don't have information about auto-renewal" is none.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::fold::{Folded, Word};
use super::{Finding, FindingKind};

/// The most fields that are kept.
pub const UNKNOWNS_MAX: usize = 64;
/// The longest name of a field, in bytes.
const NAME_MAX: usize = 64;

/// What stands for no value.
const NOTHING: [&str; 8] = ["null", "none", "nil", "undefined", "n/a", "\"\"", "''", "[]"];

/// Words that make a statement definite.
const DEFINITE: [&str; 24] = [
    "is", "are", "was", "were", "will", "has", "have", "had", "does", "do", "did", "yes", "no", "your",
    "set", "can", "must", "shall", "isn't", "won't", "doesn't", "hasn't", "always", "never",
];

/// Words that say that it is not known, or only possible.
const HEDGES: [&str; 22] = [
    "if",
    "may",
    "might",
    "maybe",
    "perhaps",
    "possibly",
    "unclear",
    "unknown",
    "unsure",
    "cannot",
    "can't",
    "couldn't",
    "unable",
    "unavailable",
    "missing",
    "unspecified",
    "whether",
    "assume",
    "assuming",
    "please",
    "could",
    "null",
];

/// Pairs of words that say the same.
const HEDGING_PAIRS: [(&str, &[&str]); 7] = [
    ("don't", &["have", "know", "see", "find"]),
    (
        "doesn't",
        &["say", "state", "specify", "show", "include", "mention"],
    ),
    ("do", &["not"]),
    (
        "not",
        &[
            "sure",
            "available",
            "specified",
            "known",
            "provided",
            "listed",
            "stated",
            "clear",
            "found",
            "set",
        ],
    ),
    (
        "no",
        &["information", "data", "record", "value", "details", "mention"],
    ),
    (
        "isn't",
        &[
            "specified",
            "available",
            "known",
            "provided",
            "listed",
            "stated",
            "clear",
        ],
    ),
    ("does", &["not"]),
];

/// The fields that the model was told nothing about, each as its words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unknowns(Vec<Vec<String>>);

impl Unknowns {
    /// Fields by their names (`auto_renew`, `autoRenew`, `auto-renew`); more than [`UNKNOWNS_MAX`] are not kept.
    pub fn named<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut fields: Vec<_> = names
            .into_iter()
            .filter_map(field_words)
            .take(UNKNOWNS_MAX)
            .collect();
        fields.sort_unstable();
        fields.dedup();
        Self(fields)
    }

    /// The fields of a context that have no value: `name: null`, `"name": ""`, `name = None`, as JSON, YAML and people
    /// write them. One pass, of bounded memory.
    pub fn in_context(context: &str) -> Self {
        let mut names = Vec::new();
        for (at, _) in context.match_indices([':', '=']) {
            let after = context.get(at.saturating_add(1)..).unwrap_or_default();
            let value = after.trim_start_matches([' ', '\t', '=']);
            let none = NOTHING.iter().any(|nothing| {
                let head = value.get(..nothing.len());
                let next = value.get(nothing.len()..).and_then(|rest| rest.chars().next());
                head.is_some_and(|head| head.eq_ignore_ascii_case(nothing))
                    && next.is_none_or(|next| !next.is_alphanumeric() && next != '_')
            });
            if none && names.len() < UNKNOWNS_MAX {
                names.extend(name_before(context, at));
            }
        }
        Self::named(names)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The name that ends before a colon, with or without quotes.
fn name_before(context: &str, at: usize) -> Option<&str> {
    let before = context
        .get(..at)?
        .trim_end_matches([' ', '\t'])
        .trim_end_matches(['"', '\'']);
    let named = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '-';
    let length = before
        .chars()
        .rev()
        .take(NAME_MAX)
        .take_while(|character| named(*character))
        .count();
    before
        .get(before.len().saturating_sub(length)..)
        .filter(|name| !name.is_empty())
}

/// The words of a field's name, in lower case; none for a name without one of at least three letters.
fn field_words(name: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    let mut lower_before = false;
    for character in name.chars().take(NAME_MAX) {
        if !character.is_ascii_alphanumeric() {
            open = false;
            continue;
        }
        if !open || (character.is_ascii_uppercase() && lower_before) {
            words.push(String::new());
            open = true;
        }
        if let Some(word) = words.last_mut() {
            word.push(character.to_ascii_lowercase());
        }
        lower_before = character.is_ascii_lowercase();
    }
    words.retain(|word| !matches!(word.as_str(), "is" | "has" | "id" | "the" | "of" | "at"));
    words.iter().any(|word| word.len() >= 3).then_some(words)
}

pub(super) fn scan(folded: &Folded, sentence: &str, unknowns: &Unknowns, findings: &mut Vec<Finding>) {
    if unknowns.is_empty() || sentence.trim_end().ends_with('?') {
        return;
    }
    let words = folded.words();
    if !is_definite(&words) {
        return;
    }
    let about = unknowns.0.iter().find_map(|field| {
        let mut found = field
            .iter()
            .map(|part| words.iter().find(|word| says(&word.text, part)));
        let first = found.next()??;
        found.all(|word| word.is_some()).then_some(first)
    });
    if let (Some(_), Some(first), Some(last)) = (about, words.first(), words.last()) {
        findings.push(folded.finding(FindingKind::UnsupportedStatement, first.start, last.end, 750));
    }
}

fn is_definite(words: &[Word]) -> bool {
    let hedged = words.iter().any(|word| HEDGES.contains(&word.text.as_str()))
        || words.windows(2).any(|pair| match pair {
            [one, next] => HEDGING_PAIRS
                .iter()
                .any(|(first, seconds)| one.text == *first && seconds.contains(&next.text.as_str())),
            _ => false,
        });
    !hedged && words.iter().any(|word| DEFINITE.contains(&word.text.as_str()))
}

/// Whether a word of the answer is a word of the field, or a form of it: `renews` for `renew`.
fn says(word: &str, part: &str) -> bool {
    word == part
        || (part.len() >= 4 && word.len() <= part.len().saturating_add(4) && word.starts_with(part))
        || {
            let stem = part.strip_suffix('e').unwrap_or(part).to_string();
            stem.len() >= 4 && word.starts_with(&stem) && word.len() <= stem.len().saturating_add(4)
        }
}
