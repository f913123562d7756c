//! Which tokens are in a file? The compiler's own lexer; whitespace is dropped, comments are kept apart.

use std::ops::Range;

use ra_ap_rustc_lexer::{FrontmatterAllowed, LiteralKind, TokenKind, strip_shebang, tokenize};

use super::{Seen, Words};

/// A token without its text, in eight bytes: a large workspace has ten million of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    start: u32,
    /// The length in the upper three bytes, what it is in the lowest.
    rest: u32,
}

/// A longer token does not fit.
const LONGEST: u32 = (1 << 24) - 1;
/// Numbers of the kinds that are no punctuation, which is ASCII.
const IDENT: u8 = 0x80;
const LIFETIME: u8 = 0x81;
const STR: u8 = 0x82;
const CHAR: u8 = 0x83;
const NUMBER: u8 = 0x84;

impl Token {
    fn new(start: u32, end: u32, tok: Tok) -> Self {
        let code = match tok {
            Tok::Ident => IDENT,
            Tok::Lifetime => LIFETIME,
            Tok::Str => STR,
            Tok::Char => CHAR,
            Tok::Number => NUMBER,
            Tok::P(byte) => byte,
        };
        let length = end.saturating_sub(start).min(LONGEST);
        Self {
            start,
            rest: length << 8 | u32::from(code),
        }
    }

    pub(crate) fn range(self) -> Range<usize> {
        let start = wide(self.start);
        start..start + wide(self.rest >> 8)
    }

    pub(crate) fn tok(self) -> Tok {
        let [code, ..] = self.rest.to_le_bytes();
        match code {
            IDENT => Tok::Ident,
            LIFETIME => Tok::Lifetime,
            STR => Tok::Str,
            CHAR => Tok::Char,
            NUMBER => Tok::Number,
            byte => Tok::P(byte),
        }
    }
}

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
    pub(crate) list: Vec<Token>,
    pub(crate) comments: Vec<Comment>,
    /// Opening and closing delimiters, by token index, ascending.
    pub(crate) pairs: Vec<(u32, u32)>,
    /// Needles: their number in `Words` and the token, ascending.
    pub(crate) hits: Vec<(u16, u32)>,
    /// Which identifiers there may be.
    pub(crate) seen: Seen,
    /// The byte at which the file is not Rust, and why.
    pub(crate) broken: Option<(usize, &'static str)>,
}

/// Lexes a file and notes every needle on the way.
pub(crate) fn lex(text: &str, words: &Words) -> Tokens {
    let mut tokens = Tokens::default();
    // Sparse files have a token for six bytes, dense ones one for three; what is too much is given back below.
    tokens.list.reserve(text.len() / 3);
    let mut open: Vec<(u8, u32)> = Vec::new();
    let skipped = strip_shebang(text).unwrap_or(0);
    let mut at = narrow(skipped);
    let source = text.get(skipped..).unwrap_or_default();
    for token in tokenize(source, FrontmatterAllowed::No) {
        let (start, end) = (at, at + token.len);
        at = end;
        let index = narrow(tokens.list.len());
        let tok = match kind(token.kind) {
            Kind::Nothing => continue,
            Kind::Comment { doc, terminated } => {
                if !terminated {
                    tokens
                        .broken
                        .get_or_insert((wide(start), "a comment without an end"));
                }
                tokens.comments.push(Comment {
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
            Tok::Ident => {
                let word = text.get(wide(start)..wide(end)).unwrap_or_default();
                let word = word.strip_prefix("r#").unwrap_or(word);
                if words.wanted {
                    tokens.seen.note(word);
                }
                if let Some(id) = words.id(word) {
                    tokens.hits.push((id, index));
                }
            }
            Tok::P(punctuation) => pair(punctuation, index, wide(start), &mut open, &mut tokens),
            _ => {}
        }
        if end - start > LONGEST {
            tokens.broken.get_or_insert((wide(start), "a token of 16 MiB"));
        }
        tokens.list.push(Token::new(start, end, tok));
    }
    if let Some((_, index)) = open.last() {
        let start = tokens.list.get(wide(*index)).map_or(0, |token| wide(token.start));
        tokens
            .broken
            .get_or_insert((start, "a delimiter that is never closed"));
    }
    // A list that has grown to its size holds twice as much, and a copy of just the size is soon made.
    tokens.list = tokens.list.as_slice().into();
    tokens.hits.sort_unstable();
    tokens.pairs.sort_unstable();
    tokens
}

fn pair(punctuation: u8, index: u32, start: usize, open: &mut Vec<(u8, u32)>, tokens: &mut Tokens) {
    match punctuation {
        b'(' | b'[' | b'{' => open.push((punctuation, index)),
        b')' | b']' | b'}' => match open.pop() {
            Some((opening, first)) if closes(opening) == punctuation => tokens.pairs.push((first, index)),
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
        assert_eq!(tokens.hits.len(), 2);
        assert_eq!(tokens.comments.len(), 1);
        assert!(tokens.broken.is_none());
        assert_eq!(tokens.pairs.len(), 3);
    }

    #[test]
    fn a_token_keeps_its_place_and_what_it_is() {
        let tokens = lex("fn f<'a>() { 'c'; \"s\"; 1 }", &Words::new([]));
        let of = |at: usize| (tokens.list[at].tok(), tokens.list[at].range());
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
