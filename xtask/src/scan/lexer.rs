//! Which tokens are in a file? The compiler's own lexer; whitespace is dropped, comments are kept apart.

use std::cell::RefCell;
use std::ops::Range;

use ra_ap_rustc_lexer::{FrontmatterAllowed, LiteralKind, TokenKind, strip_shebang, tokenize};

use super::hits::{Hits, Noted};
use super::list::{Growing, LARGEST, List};
use super::pairs::Pairs;
use super::spelled::is_escaped;
use super::sql::hints;
use super::words::Place;
use super::{Seen, Words};
use crate::model::line_count;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tok {
    Ident,
    Lifetime,
    /// `"…"`, `b"…"`, `c"…"` and their raw forms.
    Str,
    /// `'c'` and `b'c'`.
    Char,
    Number,
    /// One character of punctuation; `::` is two of them.
    P(u8),
}

/// A comment, which is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Comment {
    start: u32,
    end: u32,
    /// Whether it is `///`, `//!`, `/**` or `/*!`.
    pub(crate) doc: bool,
    /// How many tokens stand before it.
    before: u32,
}

impl Comment {
    pub(crate) fn range(self) -> Range<usize> {
        wide(self.start)..wide(self.end)
    }

    /// The index of the first token after it.
    pub(crate) fn next_token(self) -> usize {
        wide(self.before)
    }
}

/// What one pass over a file yields.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    pub(crate) list: List,
    pub(crate) comments: Box<[Comment]>,
    /// Opening and closing delimiters, by token index, ascending.
    pub(crate) pairs: Pairs,
    pub(crate) hits: Hits,
    /// Which identifiers there may be.
    pub(crate) seen: Seen,
    /// Strings, by token index.
    pub(crate) strings: Box<[u32]>,
    /// Whether a string may say something else than what stands there.
    pub(crate) escaped: bool,
    /// Whether a word of SQL stands in a string.
    pub(crate) hinted: bool,
    /// How many lines the file has.
    pub(crate) lines: usize,
    /// Numbers, by token index.
    pub(crate) numbers: Box<[u32]>,
    /// The byte at which the file is not Rust, and why.
    pub(crate) broken: Option<(usize, &'static str)>,
}

/// What grows while a file is lexed. Each thread has one for all of its files: what is kept is copied out of it as
/// large as it is, and no memory is touched for what is not.
#[derive(Default)]
struct Scratch {
    list: Growing,
    /// Delimiters that are not closed yet: each with its place in `pairs`.
    open: Vec<(u8, usize)>,
    comments: Vec<Comment>,
    /// By the opening one; the other is `OPEN` until it comes.
    pairs: Vec<(u32, u32)>,
    hits: Noted,
    strings: Vec<u32>,
    numbers: Vec<u32>,
}

impl Scratch {
    fn clear(&mut self) {
        self.list.clear();
        self.open.clear();
        self.comments.clear();
        self.pairs.clear();
        self.hits.clear();
        self.strings.clear();
        self.numbers.clear();
    }

    /// Notes an identifier.
    fn word(&mut self, word: &str, index: u32, words: &Words, seen: &mut Seen) {
        let word = word.strip_prefix("r#").unwrap_or(word);
        let place = Place::of(word);
        seen.note(place);
        if let Some(id) = words.id_at(place, word) {
            self.hits.push(id, index);
        }
    }

    /// Notes a string: to look at it again later is to fetch it from memory again.
    fn string(&mut self, string: &str, index: u32, tokens: &mut Tokens) {
        self.strings.push(index);
        tokens.escaped = tokens.escaped || is_escaped(string);
        tokens.hinted = tokens.hinted || hints(string);
    }

    /// Copies what is kept.
    fn keep(&mut self, tokens: &mut Tokens) {
        tokens.hits = self.hits.done();
        if tokens.broken.is_some() {
            self.pairs.retain(|(_, close)| *close != OPEN);
        }
        tokens.pairs = Pairs::of(&self.pairs);
        tokens.comments = self.comments.as_slice().into();
        tokens.strings = self.strings.as_slice().into();
        tokens.numbers = self.numbers.as_slice().into();
    }
}

/// Stands for a delimiter that did not come yet.
const OPEN: u32 = u32::MAX;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Lexes a file and notes every needle on the way.
pub(crate) fn lex(text: &str, words: &Words) -> Tokens {
    let mut tokens = SCRATCH.with_borrow_mut(|scratch| lex_with(text, words, scratch));
    if words.wanted {
        tokens.lines = line_count(text);
    }
    tokens
}

fn lex_with(text: &str, words: &Words, scratch: &mut Scratch) -> Tokens {
    let mut tokens = Tokens::default();
    if text.len() > LARGEST {
        tokens.broken = Some((LARGEST, "a file of more than 32 MiB"));
        return tokens;
    }
    scratch.clear();
    // Every token goes into it: where the compiler knows that nobody else holds it, that is a single step.
    let mut list = std::mem::take(&mut scratch.list);
    let skipped = strip_shebang(text).unwrap_or(0);
    let mut at = narrow(skipped);
    let source = text.get(skipped..).unwrap_or_default();
    for token in tokenize(source, FrontmatterAllowed::No) {
        let (start, end) = (at, at + token.len);
        at = end;
        let index = narrow(list.len());
        let tok = match kind(token.kind) {
            Kind::Nothing => continue,
            Kind::Comment { doc, terminated } => {
                if !terminated {
                    tokens
                        .broken
                        .get_or_insert((wide(start), "a comment without an end"));
                }
                scratch.comments.push(Comment {
                    start,
                    end,
                    doc,
                    before: index,
                });
                continue;
            }
            Kind::Broken(tok) => {
                tokens
                    .broken
                    .get_or_insert((wide(start), "a literal without an end"));
                tok
            }
            Kind::Token(tok) => tok,
        };
        match tok {
            Tok::Ident if words.wanted => {
                let word = text.get(wide(start)..wide(end)).unwrap_or_default();
                scratch.word(word, index, words, &mut tokens.seen);
            }
            Tok::P(punctuation) => pair(punctuation, index, wide(start), scratch, &mut tokens),
            Tok::Str if words.wanted => {
                let string = text.get(wide(start)..wide(end)).unwrap_or_default();
                scratch.string(string, index, &mut tokens);
            }
            Tok::Number if words.wanted => scratch.numbers.push(index),
            _ => {}
        }
        list.push(start, token.len, tok);
    }
    tokens.list = list.done();
    scratch.list = list;
    if let Some((_, place)) = scratch.open.last() {
        let index = scratch.pairs.get(*place).map_or(0, |(open, _)| wide(*open));
        let start = tokens.list.range(index).map_or(0, |range| range.start);
        tokens
            .broken
            .get_or_insert((start, "a delimiter that is never closed"));
    }
    scratch.keep(&mut tokens);
    tokens
}

fn pair(punctuation: u8, index: u32, start: usize, scratch: &mut Scratch, tokens: &mut Tokens) {
    match punctuation {
        b'(' | b'[' | b'{' => {
            scratch.open.push((punctuation, scratch.pairs.len()));
            scratch.pairs.push((index, OPEN));
        }
        b')' | b']' | b'}' => match scratch.open.pop() {
            Some((opening, place)) if closes(opening) == punctuation => {
                if let Some(pair) = scratch.pairs.get_mut(place) {
                    pair.1 = index;
                }
            }
            _ => {
                tokens
                    .broken
                    .get_or_insert((start, "a delimiter that closes nothing"));
            }
        },
        _ => {}
    }
}

fn closes(opening: u8) -> u8 {
    match opening {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}

enum Kind {
    Nothing,
    Comment { doc: bool, terminated: bool },
    Token(Tok),
    Broken(Tok),
}

fn kind(kind: TokenKind) -> Kind {
    let punctuation = match kind {
        TokenKind::Whitespace | TokenKind::Frontmatter { .. } | TokenKind::Eof => return Kind::Nothing,
        TokenKind::LineComment { doc_style } => {
            return Kind::Comment {
                doc: doc_style.is_some(),
                terminated: true,
            };
        }
        TokenKind::BlockComment {
            doc_style,
            terminated,
        } => {
            return Kind::Comment {
                doc: doc_style.is_some(),
                terminated,
            };
        }
        TokenKind::Ident
        | TokenKind::RawIdent
        | TokenKind::InvalidIdent
        | TokenKind::UnknownPrefix
        | TokenKind::ForcedKeywordIdent => return Kind::Token(Tok::Ident),
        TokenKind::Lifetime { .. } | TokenKind::RawLifetime | TokenKind::UnknownPrefixLifetime => {
            return Kind::Token(Tok::Lifetime);
        }
        TokenKind::Literal { kind, .. } => return literal(kind),
        other => other,
    };
    Kind::Token(Tok::P(punctuation_byte(punctuation)))
}

fn punctuation_byte(kind: TokenKind) -> u8 {
    match kind {
        TokenKind::Semi => b';',
        TokenKind::Comma => b',',
        TokenKind::Dot => b'.',
        TokenKind::OpenParen => b'(',
        TokenKind::CloseParen => b')',
        TokenKind::OpenBrace => b'{',
        TokenKind::CloseBrace => b'}',
        TokenKind::OpenBracket => b'[',
        TokenKind::CloseBracket => b']',
        TokenKind::At => b'@',
        TokenKind::Pound => b'#',
        TokenKind::Tilde => b'~',
        TokenKind::Question => b'?',
        TokenKind::Colon => b':',
        TokenKind::Dollar => b'$',
        TokenKind::Eq => b'=',
        TokenKind::Bang => b'!',
        TokenKind::Lt => b'<',
        TokenKind::Gt => b'>',
        TokenKind::Minus => b'-',
        TokenKind::And => b'&',
        TokenKind::Or => b'|',
        TokenKind::Plus => b'+',
        TokenKind::Star => b'*',
        TokenKind::Slash => b'/',
        TokenKind::Caret => b'^',
        TokenKind::Percent => b'%',
        _ => 0,
    }
}

fn literal(kind: LiteralKind) -> Kind {
    let (tok, terminated) = match kind {
        LiteralKind::Int { .. } | LiteralKind::Float { .. } => (Tok::Number, true),
        LiteralKind::Char { terminated } | LiteralKind::Byte { terminated } => (Tok::Char, terminated),
        LiteralKind::Str { terminated }
        | LiteralKind::ByteStr { terminated }
        | LiteralKind::CStr { terminated } => (Tok::Str, terminated),
        LiteralKind::RawStr { n_hashes }
        | LiteralKind::RawByteStr { n_hashes }
        | LiteralKind::RawCStr { n_hashes } => (Tok::Str, n_hashes.is_some()),
    };
    if terminated {
        Kind::Token(tok)
    } else {
        Kind::Broken(tok)
    }
}

fn wide(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needles_are_found_outside_of_strings_and_comments_only() {
        let words = Words::new(["todo"]);
        let tokens = lex("// todo\nfn f() { \"todo\"; todo!(); r#todo; todos }", &words);
        let todo = words.id("todo");
        assert_eq!(todo.map(|id| tokens.hits.of_word(id).len()), Some(2));
        assert_eq!(tokens.comments.len(), 1);
        assert!(tokens.broken.is_none());
        assert_eq!(tokens.pairs.len(), 3);
    }

    #[test]
    fn a_token_keeps_its_place_and_what_it_is() {
        let tokens = lex("fn f<'a>() { 'c'; \"s\"; 1 }", &Words::new([]));
        let list = &tokens.list;
        let of = |at: usize| (list.tok(at).unwrap(), list.range(at).unwrap());
        assert_eq!(of(1), (Tok::Ident, 3..4));
        assert_eq!(of(2), (Tok::P(b'<'), 4..5));
        assert_eq!(of(3), (Tok::Lifetime, 5..7));
        assert_eq!([of(8).0, of(10).0, of(12).0], [Tok::Char, Tok::Str, Tok::Number]);
    }

    #[test]
    fn a_file_that_is_not_rust_says_where() {
        let words = Words::new([]);
        for (text, byte) in [("fn f( {}", 4), ("let s = \"abc", 8), ("/* a", 0), ("a ) b", 2)] {
            assert_eq!(lex(text, &words).broken.map(|b| b.0), Some(byte), "{text}");
        }
    }
}
