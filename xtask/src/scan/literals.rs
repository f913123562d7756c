//! Which strings are in a file, also those that are put together from pieces?

use std::ops::Range;

use super::{Tok, strings, words};
use crate::model::{SourceFile, Span};

/// What stands where a piece is not a literal: it matches no word.
const HOLE: char = '\u{FFFC}';

/// A string as the program sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Literal {
    pub(crate) text: String,
    /// The tokens that it is made of: one, or all of a `concat!(…)`.
    pub(crate) tokens: Range<usize>,
    /// The macro in whose arguments it stands, innermost: `format`, `println`, `sql_query`-like macros.
    pub(crate) within: Option<String>,
    /// Whether it is the first argument of that macro.
    pub(crate) first: bool,
    /// Byte places of the characters of `text`, when it is a single token.
    single: bool,
}

impl Literal {
    /// The place of a part of the text in the source; the whole literal when it is joined from pieces.
    pub(crate) fn span(&self, file: &SourceFile, part: Range<usize>) -> Span {
        let whole = file.span_of(self.tokens.clone());
        if !self.single || part.is_empty() {
            return whole;
        }
        let mut at = 0;
        let (mut start, mut end) = (None, whole.end);
        strings::decode(file.raw(self.tokens.start), |place, c| {
            if at == part.start {
                start = Some(whole.start + place);
            }
            if at < part.end {
                end = whole.start + place + c.len_utf8();
            }
            at += c.len_utf8();
        });
        match start {
            Some(start) if end > start => Span::bytes(&file.path, start..end.min(whole.end)),
            _ => whole,
        }
    }
}

/// All string literals; the pieces of a `concat!` are one literal and do not appear by themselves.
pub(crate) fn literals(file: &SourceFile) -> Vec<Literal> {
    let macros = macros(file);
    let mut found = Vec::new();
    let calls = file.marked(words::CONCAT).filter(|at| file.is(at + 1, b'!'));
    let mut places: Vec<_> = calls.chain(file.strings()).collect();
    places.sort_unstable();
    let mut after = 0;
    for at in places {
        if at < after {
            continue;
        }
        if file.tok(at) == Some(Tok::Str) {
            found.push(literal(file, strings::text(file.raw(at)), at..at + 1, &macros));
        } else {
            let close = file.closing(at + 2).unwrap_or(at + 2);
            found.push(literal(file, joined(file, at + 3..close), at..close + 1, &macros));
            after = close + 1;
        }
    }
    found
}

/// `"a" + "b"` is no constant in Rust; `concat!` with nested `concat!`, `stringify!` and numbers is.
fn joined(file: &SourceFile, arguments: Range<usize>) -> String {
    let mut text = String::new();
    let mut hole = false;
    for at in arguments {
        match file.tok(at) {
            Some(Tok::Str) => text.push_str(&strings::text(file.raw(at))),
            Some(Tok::Number) => text.push_str(file.raw(at)),
            Some(Tok::Char) => text.push_str(file.raw(at).trim_matches('\'')),
            Some(Tok::P(b',')) => hole = false,
            Some(Tok::Ident) if !hole && file.word(at) != "concat" => {
                text.push(HOLE);
                hole = true;
            }
            _ => {}
        }
    }
    text
}

struct Call {
    name: String,
    inside: Range<usize>,
}

/// Calls of macros with their arguments, ascending.
fn macros(file: &SourceFile) -> Vec<Call> {
    let mut calls = Vec::new();
    for (open, close) in file.pairs() {
        if open < 2 || !file.is(open - 1, b'!') {
            continue;
        }
        let name = file.word(open - 2);
        if !matches!(name, "" | "concat" | "macro_rules") {
            calls.push(Call {
                name: name.to_owned(),
                inside: open + 1..close,
            });
        }
    }
    calls
}

fn literal(file: &SourceFile, text: String, tokens: Range<usize>, macros: &[Call]) -> Literal {
    let around = macros.partition_point(|call| call.inside.start <= tokens.start);
    let call = macros
        .get(..around)
        .unwrap_or_default()
        .iter()
        .rev()
        .find(|call| call.inside.contains(&tokens.start));
    Literal {
        text,
        within: call.map(|call| call.name.clone()),
        first: call.is_some_and(|call| call.inside.start == tokens.start),
        single: tokens.len() == 1 && file.tok(tokens.start) == Some(Tok::Str),
        tokens,
    }
}

#[cfg(test)]
mod tests {
    use crate::load::testing::source;

    fn texts(text: &str) -> Vec<String> {
        let file = source("crates/a/src/lib.rs", text);
        file.literals()
            .iter()
            .map(|l| l.text.replace(super::HOLE, "?"))
            .collect()
    }

    #[test]
    fn the_pieces_of_a_concat_are_one_string() {
        assert_eq!(texts(r#"concat!("FOR", " ", "UPDATE")"#), ["FOR UPDATE"]);
        assert_eq!(texts(r#"concat!("a", concat!("b", 1), x::y, 'c')"#), ["ab1?c"]);
        assert_eq!(texts(r#"f("a"); g(r"b"); // "c""#), ["a", "b"]);
    }

    #[test]
    fn a_string_knows_the_macro_around_it() {
        let file = source(
            "crates/a/src/lib.rs",
            r#"format!("{} {}", f("x"), vec!["y"]); "z""#,
        );
        let found: Vec<_> = file
            .literals()
            .iter()
            .map(|l| format!("{}:{}:{}", l.text, l.within.as_deref().unwrap_or("-"), l.first))
            .collect();
        assert_eq!(
            found,
            ["{} {}:format:true", "x:format:false", "y:vec:true", "z:-:false"]
        );
    }

    #[test]
    fn a_part_of_a_string_has_a_place() {
        let text = r#"f("ab\x20FOR UPDATE")"#;
        let file = source("crates/a/src/lib.rs", text);
        let span = file.literals()[0].span(&file, 3..13);
        assert_eq!(&text[span.range()], "FOR UPDATE");
    }
}
