//! Which texts of a file may be SQL? Pieces are put together first: `concat!`, `format!`, `+`, `push_str`, `join`.

use std::ops::Range;
use std::sync::LazyLock;

use super::format::{filled, is_constant_name, is_format};
use super::grown::{call, goes_on, grows};
use super::{FREE, GAP, SILENT, Sql};
use crate::model::{SourceFile, Span};
use crate::scan::{Literal, Tok, is_escaped, strings, words};

/// A text of a Rust file, put together from its pieces.
#[derive(Debug, Clone)]
pub(crate) struct SqlText {
    pub(crate) sql: Sql,
    /// From the first piece to the last.
    pub(crate) tokens: Range<usize>,
    /// The function, method or macro that it is given to; empty for none.
    pub(crate) call: String,
    /// Whether something that only the running program knows becomes a part of it.
    pub(crate) built: bool,
    /// The literal that it is, word for word.
    literal: Option<usize>,
}

impl SqlText {
    /// The place of some of its words.
    pub(crate) fn span(&self, file: &SourceFile, words: Range<usize>) -> Span {
        let literal = self.literal.and_then(|at| file.literals().get(at));
        literal.map_or_else(
            || file.span_of(self.tokens.clone()),
            |literal| literal.span(file, self.sql.bytes(words)),
        )
    }
}

/// Texts with a word of SQL in them, in order.
pub(crate) fn sql_texts(file: &SourceFile) -> Vec<SqlText> {
    // Nothing is done for the many files without SQL.
    let joined = file.marked(words::CONCAT).next().is_some();
    if !joined && !file.tokens.hinted {
        return Vec::new();
    }
    let literals = file.literals();
    let mut found = Vec::new();
    let mut at = 0;
    while at < literals.len() {
        let end = group_end(file, literals, at);
        let group = literals.get(at..end).unwrap_or_default();
        let likely = |literal: &Literal| literal.tokens.len() > 1 || hints(file.raw(literal.tokens.start));
        if group
            .iter()
            .any(|literal| likely(literal) || is_format(file, literal))
        {
            let text = put_together(file, group, at);
            found.extend(hints(&text.sql.text).then_some(text));
        }
        at = end.max(at + 1);
    }
    found
}

/// Whether a word of SQL stands in the literal. Words that prose is full of count only in capitals or as calls.
pub(crate) fn hints(raw: &str) -> bool {
    if is_escaped(raw) {
        return true;
    }
    let bytes = raw.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let start = at;
        at += 1;
        if !byte.is_ascii_alphabetic() {
            continue;
        }
        while let Some(byte) = bytes.get(at)
            && (byte.is_ascii_alphanumeric() || *byte == b'_')
        {
            at += 1;
        }
        let called = bytes.get(at) == Some(&b'(');
        if (called || at - start > 2) && hint(raw.get(start..at).unwrap_or_default(), called) {
            return true;
        }
    }
    false
}

const ALWAYS: [&str; 24] = [
    "select",
    "insert",
    "update",
    "delete",
    "merge",
    "replace",
    "truncate",
    "create",
    "alter",
    "drop",
    "begin",
    "commit",
    "rollback",
    "savepoint",
    "release",
    "lock",
    "share",
    "pragma",
    "explain",
    "current_timestamp",
    "current_time",
    "current_date",
    "localtimestamp",
    "localtime",
];
const LOUD: [&str; 7] = ["WITH", "SET", "START", "END", "PREPARE", "UPSERT", "DEFAULT"];

/// Which lengths (as bits) the words have that begin with a letter: most words end here.
static LENGTHS: LazyLock<[u32; 26]> = LazyLock::new(|| {
    let mut lengths = [0; 26];
    for word in ALWAYS.iter().chain(&LOUD) {
        if let Some(known) = letter(word).and_then(|letter| lengths.get_mut(letter)) {
            *known |= 1 << word.len().min(31);
        }
    }
    lengths
});

/// The number of the letter that a word begins with.
fn letter(word: &str) -> Option<usize> {
    let first = word.bytes().next()?.to_ascii_lowercase();
    first.checked_sub(b'a').map(usize::from)
}

fn hint(word: &str, called: bool) -> bool {
    if called && super::clauses::is_function(word) {
        return true;
    }
    let lengths = letter(word).and_then(|letter| LENGTHS.get(letter));
    lengths.is_some_and(|lengths| lengths & 1 << word.len().min(31) != 0)
        && (ALWAYS.iter().any(|known| known.eq_ignore_ascii_case(word)) || LOUD.contains(&word))
}

/// The literal after the last piece that belongs to the one at `at`.
fn group_end(file: &SourceFile, literals: &[Literal], at: usize) -> usize {
    let mut end = at + 1;
    while let (Some(before), Some(next)) = (literals.get(end - 1), literals.get(end)) {
        let gap = before.tokens.end..next.tokens.start;
        if gap.len() > GAP
            || !(added(file, gap.clone()) || pushed(file, gap.clone()) || listed(file, literals, at, gap))
        {
            break;
        }
        end += 1;
    }
    end
}

/// `"a" + "b"`, `"a".to_owned() + &b + "c"`.
fn added(file: &SourceFile, gap: Range<usize>) -> bool {
    let sign = |at: usize| {
        [b'+', b'.', b'(', b')', b'&', b':']
            .iter()
            .any(|sign| file.is(at, *sign))
    };
    let only = gap.clone().all(|at| sign(at) || !file.word(at).is_empty());
    only && gap.clone().any(|at| file.is(at, b'+')) && gap.last().is_some_and(|at| !file.is(at, b'.'))
}

/// `sql.push_str("a"); sql.push_str("b")` and `sql += "a"; sql += "b"`.
fn pushed(file: &SourceFile, gap: Range<usize>) -> bool {
    let once = gap.clone().filter(|at| file.is(*at, b';')).count() == 1;
    let last = gap.end.saturating_sub(1);
    let method = file.is(last, b'(') && file.word(last.saturating_sub(1)) == "push_str";
    let operator = file.is(last, b'=') && file.is(last.saturating_sub(1), b'+');
    once && (method || operator)
}

/// `["a", "b"].join(" ")`: the comma between two pieces of such a list, and the way to the separator.
fn listed(file: &SourceFile, literals: &[Literal], at: usize, gap: Range<usize>) -> bool {
    let Some(open) = literals
        .get(at)
        .and_then(|first| first.tokens.start.checked_sub(1))
    else {
        return false;
    };
    let Some(close) = file.closing(open).filter(|_| file.is(open, b'[')) else {
        return false;
    };
    let joined = file.is(close + 1, b'.') && matches!(file.word(close + 2), "join" | "concat");
    joined && gap.end < close && gap.clone().all(|at| file.is(at, b','))
}

fn put_together(file: &SourceFile, group: &[Literal], index: usize) -> SqlText {
    let (start, end) = (
        group.first().map_or(0, |first| first.tokens.start),
        group.last().map_or(0, |last| last.tokens.end),
    );
    let mut text = String::new();
    let mut exact = group.len() == 1;
    for (at, literal) in group.iter().enumerate() {
        if let Some(before) = at.checked_sub(1).and_then(|before| group.get(before)) {
            let gap = before.tokens.end..literal.tokens.start;
            if gap
                .clone()
                .any(|at| names(file, at) && file.word(at + 1) != "push_str" && !is_receiver(file, at))
            {
                text.push(FREE);
            } else if listed_gap(file, gap) {
                text.push_str(&separator(file, start));
            }
        }
        match filled(file, literal) {
            Some(filled) => {
                exact = false;
                text.push_str(&filled);
            }
            None => text.push_str(&literal.text),
        }
    }
    if goes_on(file, end) {
        text.push(FREE);
    }
    let sql = Sql::new(text);
    SqlText {
        built: sql.text.contains(FREE) || grows(file, start, end),
        call: call(file, start),
        literal: exact.then_some(index),
        sql,
        tokens: start..end,
    }
}

/// A value rather than a step on the way to one.
fn names(file: &SourceFile, at: usize) -> bool {
    let word = file.word(at);
    !word.is_empty() && word != "push_str" && !SILENT.contains(&word) && !is_constant_name(word)
}

/// `sql` in `sql.push_str(` and in `sql +=`.
fn is_receiver(file: &SourceFile, at: usize) -> bool {
    let mut next = at + 1;
    while file.is(next, b'.') && file.is(next + 2, b'.') {
        next += 2;
    }
    file.is(next, b'.') && file.word(next + 1) == "push_str" || file.is(next, b'+') && file.is(next + 1, b'=')
}

fn listed_gap(file: &SourceFile, gap: Range<usize>) -> bool {
    gap.clone().all(|at| file.is(at, b','))
}

fn separator(file: &SourceFile, start: usize) -> String {
    let close = start
        .checked_sub(1)
        .and_then(|open| file.closing(open))
        .unwrap_or(start);
    let text = file.tok(close + 4) == Some(Tok::Str) && file.word(close + 2) == "join";
    if text {
        strings::text(file.raw(close + 4))
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use crate::load::testing::source;

    /// Texts with `?` for what is known at run time, `_` for what the compiler knows, and `+` if they are built.
    fn texts(text: &str) -> Vec<String> {
        let file = source("crates/a/src/lib.rs", text);
        let shown = super::sql_texts(&file).into_iter().map(|found| {
            let text = found
                .sql
                .text
                .replace(super::FREE, "?")
                .replace(crate::scan::sql::FIXED, "_");
            format!("{}{text}", if found.built { "+" } else { "" })
        });
        shown.collect()
    }

    #[test]
    fn pieces_are_put_together() {
        let mut missed = Vec::new();
        for (code, expected) in [
            (r#"concat!("FOR", " UPD", "ATE")"#, "FOR UPDATE"),
            (r#""FOR " + "UPDATE""#, "FOR UPDATE"),
            (r#""FOR ".to_owned() + &String::from("UPDATE")"#, "FOR UPDATE"),
            (
                r#"["SELECT a", "FOR", "UPDATE"].join(" ")"#,
                "SELECT a FOR UPDATE",
            ),
            (r#"["FOR ", "UPDATE"].concat()"#, "FOR UPDATE"),
            (r#"s.push_str("FOR "); s.push_str("UPDATE");"#, "FOR UPDATE"),
            (r#"s += "FOR "; s += "UPDATE";"#, "FOR UPDATE"),
            (r#"format!("SELECT {} {}", "FOR", "UPDATE")"#, "SELECT FOR UPDATE"),
            (r#"format!("{0} {b}", "SELECT", b = 1)"#, "SELECT 1"),
            (
                r#"const MODE: &str = "share"; format!("SELECT {MODE}")"#,
                "SELECT share",
            ),
        ] {
            let found = texts(code);
            missed.extend((!found.contains(&expected.to_owned())).then(|| format!("{code}: {found:?}")));
        }
        assert_eq!(missed, Vec::<String>::new());
    }

    #[test]
    fn what_only_the_running_program_knows_is_told_apart() {
        let mut missed = Vec::new();
        for (code, expected) in [
            (r#"format!("SELECT {table}")"#, "+SELECT ?"),
            (r#"format!("SELECT {}", self.table)"#, "+SELECT ?"),
            (r#"write!(f, "SELECT {}", x)"#, "+SELECT ?"),
            (r#"format!("SELECT {COLUMNS}")"#, "SELECT _"),
            (r#"format!("SELECT {}", Self::COLUMNS)"#, "SELECT _"),
            (r#"format!("SELECT {{}}")"#, "SELECT {}"),
            (r#"concat!("SELECT ", stringify!($x))"#, "SELECT _"),
            (r#""SELECT ".to_owned() + &name"#, "+SELECT ?"),
            (r#""SELECT " + name + " x""#, "+SELECT ? x"),
            (
                r#"{ let mut s = String::from("SELECT "); s.push_str(name); }"#,
                "+SELECT ",
            ),
            (
                r#"{ let mut s = "SELECT ".to_owned(); if a { } s += &name; }"#,
                "+SELECT ",
            ),
            (
                r#"{ let mut s = "SELECT ".to_owned(); write!(&mut s, "{a}"); }"#,
                "+SELECT ",
            ),
            (
                r#"{ let mut s = "SELECT ".to_owned(); s.push_str(" x"); }"#,
                "SELECT  x",
            ),
            (r#"info!("SELECT {table}")"#, "SELECT {table}"),
        ] {
            let found = texts(code);
            missed.extend((!found.contains(&expected.to_owned())).then(|| format!("{code}: {found:?}")));
        }
        assert_eq!(missed, Vec::<String>::new());
    }

    #[test]
    fn a_text_knows_what_it_is_given_to_and_prose_is_left_out() {
        let file = source(
            "crates/a/src/lib.rs",
            r#"execute(conn, &format!("COMMIT")); let a = "a word"; "with a set";"#,
        );
        let found = super::sql_texts(&file);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].call, "execute");
    }
}
