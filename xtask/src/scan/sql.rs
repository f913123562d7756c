//! What does a text say when a database reads it? Its words, without white space and comments.

mod clauses;
mod format;
mod grown;
mod heads;
mod texts;

use std::ops::Range;

pub(crate) use clauses::Heard;
pub(crate) use texts::{SqlText, hints, sql_texts};

/// Stands where a piece is known to the compiler, but not to this scan.
pub(super) const FIXED: char = '\u{FFFC}';
/// Stands where a piece is known when the program runs.
pub(super) const FREE: char = '\u{FFFB}';
/// Words between two pieces that add nothing.
pub(super) const SILENT: [&str; 7] = [
    "to_owned",
    "to_string",
    "into",
    "String",
    "from",
    "as_str",
    "clone",
];
/// Pieces that are further apart than this many tokens are not taken for one text.
pub(super) const GAP: usize = 12;

/// A text as a database reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sql {
    pub(crate) text: String,
    words: Vec<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    kind: Kind,
    range: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A keyword, a name or a function.
    Word,
    /// `'text'`.
    Text,
    /// `"name"` and `` `name` ``.
    Name,
    Number,
    /// What is not known here: a piece of a `format!`, `stringify!($table)`.
    Hole,
    /// One character; the marks around a body in dollars are one `$`.
    Sign(u8),
}

impl Sql {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let words = words(&text);
        Self { text, words }
    }

    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    fn kind(&self, at: usize) -> Option<Kind> {
        self.words.get(at).map(|word| word.kind)
    }

    fn raw(&self, at: usize) -> &str {
        let range = self.words.get(at).map(|word| word.range.clone());
        range.and_then(|range| self.text.get(range)).unwrap_or_default()
    }

    /// A keyword or a bare name; empty for everything else.
    pub(crate) fn word(&self, at: usize) -> &str {
        if self.kind(at) == Some(Kind::Word) {
            self.raw(at)
        } else {
            ""
        }
    }

    pub(crate) fn is(&self, at: usize, word: &str) -> bool {
        self.word(at).eq_ignore_ascii_case(word)
    }

    pub(crate) fn is_any(&self, at: usize, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(at, word))
    }

    pub(crate) fn sign(&self, at: usize, sign: u8) -> bool {
        self.kind(at) == Some(Kind::Sign(sign))
    }

    pub(crate) fn is_hole(&self, at: usize) -> bool {
        self.kind(at) == Some(Kind::Hole)
    }

    /// The content of `'text'`.
    pub(crate) fn quoted(&self, at: usize) -> Option<&str> {
        (self.kind(at) == Some(Kind::Text)).then(|| self.raw(at).trim_matches('\''))
    }

    /// Whether the keyword is in capitals, as nobody writes in prose.
    pub(crate) fn loud(&self, at: usize) -> bool {
        let word = self.word(at);
        !word.is_empty() && !word.bytes().any(|byte| byte.is_ascii_lowercase())
    }

    /// Whether the statement is over before this word.
    pub(crate) fn ends(&self, at: usize) -> bool {
        at >= self.len() || self.sign(at, b';')
    }

    /// Whether a function is called here: the parenthesis follows without a space.
    pub(crate) fn calls(&self, at: usize) -> bool {
        !self.word(at).is_empty() && self.sign(at + 1, b'(') && self.touches(at)
    }

    /// Whether the next word follows without a space.
    fn touches(&self, at: usize) -> bool {
        let end = self.words.get(at).map(|word| word.range.end);
        end == self.words.get(at + 1).map(|next| next.range.start)
    }

    /// Bytes of `text` from one word to before another.
    pub(crate) fn bytes(&self, words: Range<usize>) -> Range<usize> {
        let start = self.words.get(words.start).map_or(0, |word| word.range.start);
        let end = self
            .words
            .get(words.end.saturating_sub(1).min(self.len().saturating_sub(1)));
        start..end.map_or(start, |word| word.range.end)
    }

    /// Words as they are told: one space between them, `…` for what is not known.
    pub(crate) fn said(&self, words: Range<usize>) -> String {
        let shown = words.map(|at| if self.is_hole(at) { "…" } else { self.raw(at) });
        shown.collect::<Vec<_>>().join(" ")
    }

    /// Whether a statement begins at this word: at the start, after another one, at the start of a body.
    fn starts(&self, at: usize) -> bool {
        at == 0
            || self.sign(at - 1, b';')
            || self.sign(at - 1, b'$')
            || self.loud(at - 1) && self.is_any(at - 1, &["begin", "then", "else", "loop"])
            || (0..at).all(|before| self.is_hole(before))
    }
}

fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some((kind, end)) = next(text, at) {
        if let Some(kind) = kind {
            found.push(Word { kind, range: at..end });
        }
        at = end;
    }
    found
}

/// The kind and the end of what begins at `at`; no kind for white space and comments.
fn next(text: &str, at: usize) -> Option<(Option<Kind>, usize)> {
    let rest = text.get(at..)?;
    let first = rest.chars().next()?;
    let until = |end: Option<usize>, skip: usize| at + end.map_or(rest.len(), |end| end + skip);
    let while_ = |part: fn(char) -> bool| until(rest.find(|c| !part(c)), 0);
    if first.is_whitespace() {
        return Some((None, while_(char::is_whitespace)));
    }
    if rest.starts_with("--") {
        return Some((None, until(rest.find('\n'), 1)));
    }
    if rest.starts_with("/*")
        && let Some(end) = rest.find("*/")
    {
        return Some((None, at + end + 2));
    }
    let name = |c: char| c.is_alphanumeric() || c == '_';
    let kind = match first {
        FIXED | FREE => (Kind::Hole, at + first.len_utf8()),
        '0'..='9' => (
            Kind::Number,
            while_(|c| c.is_alphanumeric() || c == '.' || c == '_'),
        ),
        '\'' | '"' | '`' => match closing(rest, first) {
            Some(end) if first == '\'' => (Kind::Text, at + end),
            Some(end) => (Kind::Name, at + end),
            None => (Kind::Sign(b'\''), at + 1),
        },
        '$' => {
            let tag = rest.get(1..).and_then(|tail| tail.find(|c| !name(c)));
            match tag {
                Some(tag) if rest.as_bytes().get(tag + 1) == Some(&b'$') => (Kind::Sign(b'$'), at + tag + 2),
                // A parameter is no body.
                _ => (Kind::Sign(b'?'), at + 1),
            }
        }
        c if name(c) => (Kind::Word, while_(|c| c.is_alphanumeric() || c == '_')),
        c => (Kind::Sign(u8::try_from(c).unwrap_or(0)), at + c.len_utf8()),
    };
    Some((Some(kind.0), kind.1))
}

/// The end of a quoted text; a doubled quote is part of it.
fn closing(rest: &str, quote: char) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let sql = Sql::new(text);
        let words: Vec<_> = (0..sql.len()).map(|at| sql.raw(at)).collect();
        words.join(" ")
    }

    #[test]
    fn white_space_and_comments_are_nothing() {
        assert_eq!(read("FOR /* a */\n  UPDATE -- b\n;"), "FOR UPDATE ;");
        assert_eq!(read("FOR/**/UPDATE"), "FOR UPDATE");
        assert_eq!(read("-- FOR UPDATE"), "");
    }

    #[test]
    fn texts_names_parameters_and_bodies_are_told_apart() {
        let sql = Sql::new("'it''s -- x' \"na me\" $1 $$ BEGIN $tag$ x\u{FFFC}2.5 don't");
        let kinds: Vec<_> = (0..sql.len()).filter_map(|at| sql.kind(at)).collect();
        let expected = [
            Kind::Text,
            Kind::Name,
            Kind::Sign(b'?'),
            Kind::Number,
            Kind::Sign(b'$'),
            Kind::Word,
            Kind::Sign(b'$'),
            Kind::Word,
            Kind::Hole,
            Kind::Number,
            Kind::Word,
            Kind::Sign(b'\''),
            Kind::Word,
        ];
        assert_eq!(kinds, expected);
        assert_eq!(sql.quoted(0), Some("it''s -- x"));
    }
}
