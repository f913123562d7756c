//! Does an answer state what nobody told the model?
//!
//! The context that a model is given has fields. An answer that makes a definite statement about a field that is null,
//! empty or missing states what it cannot know: with `auto_renew: null`, "Yes, your contract is set to auto-renew" is a
//! finding, and "I don't have information about auto-renewal" is none.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::fold::Folded;
use super::hedges::Hedges;
use super::{Finding, FindingKind};

/// The most fields that are kept.
pub const UNKNOWNS_MAX: usize = 256;
/// The longest name of a field, in bytes.
const NAME_MAX: usize = 64;
/// How far behind a name its value is looked for, in bytes.
const VALUE_WITHIN: usize = 128;

/// What stands for no value.
const NOTHING: [&str; 10] = [
    "null",
    "none",
    "nil",
    "undefined",
    "n/a",
    "~",
    "\"\"",
    "\\\"\\\"",
    "''",
    "[]",
];

/// The fields that the model was told nothing about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unknowns {
    /// Each as its words, sorted, each once.
    fields: Vec<Vec<String>>,
    /// Whether there are more than these.
    incomplete: bool,
}

impl Unknowns {
    /// Fields by their names (`auto_renew`, `autoRenew`, `auto-renew`), each once; of more than [`UNKNOWNS_MAX`] it is known
    /// that they are not all.
    pub fn named<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self::default().and(names)
    }

    /// The fields of a context that have no value: `name: null`, `"name": ""`, `name = None`, or `name:` alone on a line
    /// among others, as JSON (also within a text of JSON), YAML and people write them. One pass, of bounded memory.
    pub fn in_context(context: &str) -> Self {
        let places = context.match_indices([':', '=']).map(|(at, _)| at);
        // Of `==` and `:=` the first one stands behind the name.
        let behind_one = |at: &usize| {
            context
                .get(..*at)
                .is_some_and(|before| before.ends_with([':', '=']))
        };
        let places = places.filter(|at| !behind_one(at));
        let none = places.filter(|at| says_nothing(context, *at) || is_left_empty(context, *at));
        Self::named(none.filter_map(|at| name_before(context, at)))
    }

    /// These fields too.
    #[must_use]
    pub fn and<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        for words in names.into_iter().filter_map(field_words) {
            let Err(at) = self.fields.binary_search(&words) else {
                continue;
            };
            if self.fields.len() >= UNKNOWNS_MAX {
                self.incomplete = true;
                break;
            }
            self.fields.insert(at, words);
        }
        self
    }

    /// Nobody knows what the model was told nothing about.
    pub const fn untold() -> Self {
        Self {
            fields: Vec::new(),
            incomplete: true,
        }
    }

    /// Whether none are kept.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether there are more than are kept.
    pub const fn is_incomplete(&self) -> bool {
        self.incomplete
    }
}

/// Whether a word for no value stands behind a colon.
fn says_nothing(context: &str, at: usize) -> bool {
    let after = context.get(at.saturating_add(1)..).unwrap_or_default();
    // Not the whole rest at each sign: a line of them would take for ever.
    let near = after
        .get(..after.floor_char_boundary(VALUE_WITHIN))
        .unwrap_or(after);
    let value = near.trim_start_matches([' ', '\t', '=']);
    NOTHING.iter().any(|nothing| {
        let head = value.get(..nothing.len());
        let next = value.get(nothing.len()..).and_then(|rest| rest.chars().next());
        let ends = |next: char| match *nothing {
            // Not a path, nor about so many.
            "~" => next.is_whitespace() || matches!(next, ',' | '}' | ']'),
            _ => !next.is_alphanumeric() && next != '_',
        };
        head.is_some_and(|head| head.eq_ignore_ascii_case(nothing)) && next.is_none_or(ends)
    })
}

/// Whether a line ends behind a colon that has no value below it either: it stands among other fields, and what follows is
/// one of them or an empty line. A single plain word at the head of other fields is taken for their title.
fn is_left_empty(context: &str, at: usize) -> bool {
    let (before, after) = context.split_at(at);
    let rest = after
        .get(1..)
        .unwrap_or_default()
        .trim_start_matches([' ', '\t', '\r']);
    let Some(below) = rest.strip_prefix('\n').or_else(|| rest.is_empty().then_some("")) else {
        return false;
    };
    let (above, line) = before.rsplit_once('\n').unwrap_or(("", before));
    let Some((indent, name)) = field_of(line, "") else {
        return false;
    };
    let next = below.split_once('\n').map_or(below, |(next, _)| next);
    let below_it = match indent_of(next) {
        _ if next.trim().is_empty() => None,
        // Also where the entries of its list stand below it, not farther in.
        Some(other) if other <= indent => Some(other),
        _ => return false,
    };
    let above_it = indent_of(above.rsplit_once('\n').map_or(above, |(_, last)| last));
    let named_like_one = name.contains(['_', '-']) || name.chars().skip(1).any(|c| c.is_ascii_uppercase());
    above_it == Some(indent) || (named_like_one && below_it == Some(indent))
}

/// How far in the field of a line stands, if it is one.
fn indent_of(line: &str) -> Option<usize> {
    let (head, value) = line.split_once(':')?;
    field_of(head, value).map(|(indent, _)| indent)
}

/// How far in a field stands, and its name, if this is one in a list or a mapping of YAML.
fn field_of<'t>(head: &'t str, value: &str) -> Option<(usize, &'t str)> {
    let text = head.trim_start_matches([' ', '\t']);
    let spaces = head.len().saturating_sub(text.len());
    let (dash, text) = text
        .strip_prefix("- ")
        .map_or((0, text), |text| (2, text.trim_start()));
    let name = text.trim_end().trim_matches(['"', '\'']);
    let is_name = !name.is_empty()
        && name.len() <= NAME_MAX
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let is_field = is_name && (value.is_empty() || value.starts_with([' ', '\t', '\r']));
    is_field.then_some((spaces.saturating_add(dash), name))
}

/// The name that ends before a colon, with or without quotes.
fn name_before(context: &str, at: usize) -> Option<&str> {
    let before = context
        .get(..at)?
        .trim_end_matches([' ', '\t'])
        .trim_end_matches(['"', '\'', '\\']);
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
    let hedges = Hedges::of(folded, &words);
    let definite = |field: &Vec<String>| {
        let place = |part: &String| words.iter().position(|word| says(&word.text, part));
        let places: Option<Vec<usize>> = field.iter().map(place).collect();
        let places = places.unwrap_or_default();
        let (Some(first), Some(last)) = (places.iter().min(), places.iter().max()) else {
            return false;
        };
        let form = field.len() > 1 && words.get(*last).is_some_and(|word| !field.contains(&word.text));
        hedges.is_definite(*first, *last, form)
    };
    let about = unknowns.fields.iter().any(definite);
    if let (true, Some(first), Some(last)) = (about, words.first(), words.last()) {
        findings.push(folded.finding(FindingKind::UnsupportedStatement, first.start, last.end, 750));
    }
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
