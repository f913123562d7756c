//! What does a piece of SQL do, as far as its words tell?

use std::borrow::Cow;

/// What a text does when a database carries it out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::rules) struct Sql {
    pub(in crate::rules) reads: bool,
    pub(in crate::rules) writes: bool,
    pub(in crate::rules) locks: bool,
    /// Tables that are written.
    pub(in crate::rules) tables: Vec<String>,
}

const VERBS: [&str; 10] = [
    "SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "TRUNCATE", "LOCK", "DROP",
];

/// Judges a literal. Words count in capitals, or in any case when the text begins like a statement.
pub(in crate::rules) fn judge(text: &str) -> Sql {
    let text = bare(text);
    let words: Vec<&str> = text
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '\u{FFFC}'))
        .filter(|word| !word.is_empty())
        .collect();
    let statement = words
        .first()
        .is_some_and(|first| VERBS.iter().any(|verb| verb.eq_ignore_ascii_case(first)));
    let is = |at: usize, word: &str| {
        words
            .get(at)
            .is_some_and(|own| *own == word || statement && own.eq_ignore_ascii_case(word))
    };
    let mut sql = Sql::default();
    for (at, word) in words.iter().enumerate() {
        let before = |back: usize, word: &str| at >= back && is(at - back, word);
        let keyed = before(1, "KEY") && (before(2, "FOR") || before(2, "NO"));
        let locked = (is(at, "UPDATE") || is(at, "SHARE")) && (before(1, "FOR") || keyed)
            || is(at, "TABLE") && before(1, "LOCK")
            || word.starts_with("pg_advisory")
            || word.starts_with("pg_try_advisory");
        let set = (at + 2..at + 5).any(|set| is(set, "SET"));
        let inserted = before(1, "INSERT") || before(1, "REPLACE") || before(1, "MERGE");
        let or_else = before(3, "INSERT") && before(2, "OR");
        let changed = is(at, "UPDATE") && !locked && !before(1, "DO") && set
            || is(at, "INTO") && (inserted || or_else)
            || is(at, "FROM") && before(1, "DELETE")
            || is(at, "TABLE") && (before(1, "TRUNCATE") || before(1, "DROP") || before(1, "ALTER"));
        if changed {
            sql.tables
                .extend(words.get(at + 1).map(|name| (*name).to_owned()));
        }
        sql.locks |= locked;
        sql.writes |= changed || ["set_config", "nextval", "setval"].contains(word);
        sql.reads |= is(at, "SELECT");
    }
    sql
}

/// The text without comments and quoted texts: what stands in them is not carried out. A part of a statement may begin
/// or end within one, so what has no end is kept.
fn bare(text: &str) -> Cow<'_, str> {
    const MARKS: [(&str, &str); 3] = [("'", "'"), ("--", "\n"), ("/*", "*/")];
    let begins = |rest: &str| {
        let marks = MARKS
            .iter()
            .filter_map(|(open, close)| Some((rest.find(open)?, open.len(), *close)));
        marks.min()
    };
    let mut bare = String::new();
    let mut rest = text;
    while let Some((at, open, close)) = begins(rest) {
        let inside = rest.get(at + open..).unwrap_or_default();
        let end = match inside.find(close) {
            Some(end) => end + close.len(),
            None if close == "\n" => inside.len(),
            None => break,
        };
        bare.push_str(rest.get(..at).unwrap_or_default());
        bare.push(' ');
        rest = inside.get(end..).unwrap_or_default();
    }
    if bare.is_empty() && rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    bare.push_str(rest);
    Cow::Owned(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let sql = judge(text);
        let marks = [(sql.reads, "r"), (sql.writes, "w"), (sql.locks, "l")];
        let marks: String = marks.iter().filter(|mark| mark.0).map(|mark| mark.1).collect();
        format!("{marks}:{}", sql.tables.join(","))
    }

    #[test]
    fn statements_are_told_apart_in_every_spelling() {
        for (text, expected) in [
            ("SELECT a FROM runs", "r:"),
            ("select a from runs for update of t", "rl:"),
            ("SELECT 1 FOR NO KEY UPDATE", "rl:"),
            ("SELECT 1 FOR\n  KEY SHARE", "rl:"),
            (
                "INSERT INTO runs (a) VALUES ($1) ON CONFLICT DO UPDATE SET a = 1",
                "w:runs",
            ),
            ("insert or ignore into runs values (1)", "w:runs"),
            ("UPDATE \u{FFFC} AS t SET a = 1", "w:\u{FFFC}"),
            (
                "WITH x AS (DELETE FROM runs RETURNING id) SELECT * FROM x",
                "rw:runs",
            ),
            ("SELECT pg_advisory_lock(1)", "rl:"),
            ("LOCK TABLE runs", "l:"),
            ("SELECT set_config('a', 'on', true)", "rw:"),
            (" FOR UPDATE", "l:"),
            ("SELECT 'it''s', a /* b */ FROM runs FOR -- all\nUPDATE", "rl:"),
            ("/* new */ insert into runs values (1)", "w:runs"),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
    }

    #[test]
    fn prose_does_nothing() {
        for text in [
            "cannot insert into the list",
            "wait for update",
            "Update the page",
            "delete it",
            "a lock on the table",
            "/* INSERT INTO runs */ -- DELETE FROM runs",
            "VALUES ('UPDATE runs SET a = 1 FOR UPDATE')",
        ] {
            assert_eq!(told(text), ":", "{text}");
        }
    }
}
