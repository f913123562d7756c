//! Is a text SQL, and which kind? Prose uses the same words: "select a model from the list".

use super::{Kind, Sql};

/// What follows a table in a statement, and seldom a noun in a sentence.
const AFTER_TABLE: [&str; 23] = [
    "as",
    "where",
    "join",
    "left",
    "right",
    "inner",
    "cross",
    "full",
    "natural",
    "order",
    "group",
    "having",
    "limit",
    "offset",
    "union",
    "for",
    "using",
    "returning",
    "on",
    "set",
    "values",
    "select",
    "default",
];
/// What stands before a noun in a sentence, and never names a table.
const PROSE: [&str; 22] = [
    "the", "a", "an", "this", "that", "these", "those", "your", "our", "its", "their", "my", "all", "any",
    "each", "every", "one", "some", "no", "here", "there", "it",
];
const CREATED: [&str; 11] = [
    "table",
    "index",
    "view",
    "trigger",
    "schema",
    "database",
    "sequence",
    "type",
    "function",
    "extension",
    "role",
];

impl Sql {
    /// The first statement, and where it begins: `SELECT … FROM`, `INSERT INTO`, `UPDATE … SET`, `DELETE FROM` and
    /// their like, however they are spelled.
    pub(crate) fn statement(&self) -> Option<(usize, &'static str)> {
        (0..self.len())
            .filter(|at| self.starts(*at) || self.sign(at - 1, b'('))
            .find_map(|at| Some((at, self.head(self.after_explain(at))?)))
    }

    fn after_explain(&self, at: usize) -> usize {
        if !self.is(at, "explain") {
            return at;
        }
        let verbs = ["select", "insert", "update", "delete", "with", "merge"];
        let end = (at + 8).min(self.len());
        (at..end).find(|at| self.is_any(*at, &verbs)).unwrap_or(at)
    }

    fn head(&self, at: usize) -> Option<&'static str> {
        let found = |yes: bool, name: &'static str| yes.then_some(name);
        match self.word(at).to_ascii_lowercase().as_str() {
            "select" => found(self.selects(at), "SELECT"),
            "insert" | "replace" => {
                let into = if self.is(at + 1, "or") { at + 3 } else { at + 1 };
                found(self.is(into, "into") && self.inserts(at, into), "INSERT")
            }
            "merge" => found(self.is(at + 1, "into") && self.loud(at), "MERGE"),
            "update" => found(self.updates(at), "UPDATE"),
            "delete" => found(self.is(at + 1, "from") && self.deletes(at), "DELETE"),
            "with" => found(self.is_with(at), "WITH"),
            "truncate" => found(self.loud(at) && self.named(at + 1), "TRUNCATE"),
            "create" | "alter" | "drop" => found(self.defines(at), "CREATE, ALTER, DROP"),
            _ => None,
        }
    }

    /// A name of a table may stand here.
    fn named(&self, at: usize) -> bool {
        let noun = !self.word(at + 1).is_empty() && !self.is_any(at + 1, &AFTER_TABLE);
        let word = self.kind(at) == Some(Kind::Word) && !(noun && self.is_any(at, &PROSE));
        word || matches!(self.kind(at), Some(Kind::Name | Kind::Hole))
    }

    /// The word after a name: `schema.table`, `"a"."b"`, `{prefix}_runs`.
    fn after_name(&self, mut at: usize) -> usize {
        while self.touches(at)
            && (self.sign(at + 1, b'.') || self.is_hole(at + 1) || self.is_hole(at) && self.named(at + 1))
        {
            at += if self.sign(at + 1, b'.') { 2 } else { 1 };
        }
        at + 1
    }

    fn selects(&self, at: usize) -> bool {
        let first = at + 1 + usize::from(self.is_any(at + 1, &["distinct", "all"]));
        let Some(from) = self.top_level(first, "from") else {
            return self.selects_value(at, first);
        };
        if from == first {
            return false;
        }
        if self.loud(at) && self.loud(from) {
            return true;
        }
        let titled = self.word(at).starts_with('S') && !self.loud(at);
        if !self.is_list(first, from) || !self.named(from + 1) && !self.sign(from + 1, b'(') {
            return false;
        }
        let after = self.after_name(from + 1);
        let certain = self.is_any(after, &AFTER_TABLE)
            || self.is_any(after + 1, &AFTER_TABLE)
            || self.sign(after, b',')
            || self.sign(after, b'(')
            || self.sign(from + 1, b'(')
            || self.sign(first, b'*');
        certain || self.ends(after) && !titled || self.is_hole(after)
    }

    /// `SELECT 1`, `SELECT 'x'`, `SELECT set_config(…)`.
    fn selects_value(&self, at: usize, first: usize) -> bool {
        let value = matches!(self.kind(first), Some(Kind::Number | Kind::Text));
        let alone = self.ends(first + 1) || self.is(first + 1, "as") || self.sign(first + 1, b',');
        self.calls(first) || value && alone || self.loud(at) && self.is_hole(first)
    }

    /// The next `word` outside of parentheses, within the statement.
    fn top_level(&self, from: usize, word: &str) -> Option<usize> {
        let mut depth = 0_usize;
        for at in from..self.len() {
            if self.sign(at, b'(') {
                depth += 1;
            } else if self.sign(at, b')') {
                depth = depth.checked_sub(1)?;
            } else if depth == 0 && self.ends(at) {
                return None;
            } else if depth == 0 && self.is(at, word) {
                return Some(at);
            }
        }
        None
    }

    /// Whether columns stand here rather than a sentence: no two words in a row, unless `AS` or an operator is near.
    fn is_list(&self, start: usize, end: usize) -> bool {
        let mut item = start;
        let mut depth = 0_usize;
        for at in start..=end {
            depth =
                (depth + usize::from(self.sign(at, b'('))).saturating_sub(usize::from(self.sign(at, b')')));
            if at < end && (depth > 0 || !self.sign(at, b',')) {
                continue;
            }
            let words = item..at;
            let plain = words
                .clone()
                .all(|at| self.kind(at) == Some(Kind::Word) && !self.is(at, "as"));
            if words.is_empty() || plain && words.len() > 1 {
                return false;
            }
            item = at + 1;
        }
        true
    }

    fn inserts(&self, at: usize, into: usize) -> bool {
        if !self.named(into + 1) {
            return self.loud(at) && into + 1 == self.len();
        }
        let after = self.after_name(into + 1);
        let certain = self.sign(after, b'(') || self.is_any(after, &["values", "select", "default", "as"]);
        certain || self.is_hole(after) || self.loud(at) && self.loud(into)
    }

    fn updates(&self, at: usize) -> bool {
        let table = at + 1 + usize::from(self.is(at + 1, "only"));
        if !self.named(table) {
            // The table is the next piece.
            return self.loud(at) && table == self.len() && self.text.ends_with(' ');
        }
        let after = self.after_name(table);
        let Some(set) = (after..after + 3).find(|at| self.is(*at, "set")) else {
            return false;
        };
        let assigns = (set + 1..set + 5).any(|at| self.sign(at, b'=')) || self.sign(set + 1, b'(');
        assigns || self.loud(at) && self.loud(set)
    }

    fn deletes(&self, at: usize) -> bool {
        if !self.named(at + 2) {
            return self.loud(at) && self.loud(at + 1) && at + 2 == self.len();
        }
        let after = self.after_name(at + 2);
        let certain = self.is_any(after, &["where", "using", "returning"]) || self.sign(after, b';');
        let alone = at == 0 && after == self.len() && !self.word(at).starts_with('D');
        certain || alone || self.loud(at) && self.loud(at + 1)
    }

    fn is_with(&self, at: usize) -> bool {
        let name = at + 1 + usize::from(self.is(at + 1, "recursive"));
        let Some(with) = self
            .top_level(name + 1, "as")
            .filter(|with| with - name < 3 || self.sign(name + 1, b'('))
        else {
            return false;
        };
        let open = (with + 1..with + 4).find(|at| self.sign(*at, b'('));
        open.is_some_and(|open| self.is_any(open + 1, &["select", "insert", "update", "delete", "values"]))
    }

    fn defines(&self, at: usize) -> bool {
        let Some(kind) = (at + 1..at + 5).find(|at| self.is_any(*at, &CREATED)) else {
            return false;
        };
        let certain = self.is(kind + 1, "if") || self.sign(self.after_name(kind + 1), b'(');
        self.named(kind + 1) && (certain || self.loud(at) && self.loud(kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_recognised_however_they_are_written() {
        let mut missed = Vec::new();
        for text in [
            "SELECT id FROM runs",
            "select id, tenant from runs where id = $1",
            "select count(*) from runs",
            "select r.id as x from runs r join holds h on true",
            "/* x */ SELECT a\n -- y\n FROM b",
            "SELECT 1",
            "select set_config('a', 'b', true)",
            "WITH a AS MATERIALIZED (SELECT 1) SELECT * FROM a",
            "with recursive t(n) as (values (1)) select n from t",
            "INSERT INTO runs (id) VALUES (1)",
            "insert or ignore into runs values (1)",
            "INSERT INTO \u{FFFC} (a) VALUES (1)",
            "UPDATE runs SET a = 1",
            "update runs as r set a = 1",
            "UPDATE ",
            "UPDATE \u{FFFC} AS t SET ",
            "DELETE FROM runs",
            "delete from runs where id = 1",
            "delete from runs",
            "EXPLAIN (ANALYZE) SELECT id FROM runs",
            "\u{FFFB}SELECT id FROM runs",
            "BEGIN; SELECT 1 FROM t",
            "CREATE TABLE a (b INTEGER)",
            "drop table if exists a",
            "DO $$ BEGIN DELETE FROM a; END $$",
        ] {
            missed.extend(Sql::new(text).statement().is_none().then_some(text));
        }
        assert_eq!(missed, Vec::<&str>::new());
    }

    #[test]
    fn sentences_are_no_statements() {
        let mut taken = Vec::new();
        for text in [
            "Select a model from the list",
            "select a model from the list",
            "Select models from settings",
            "select one (optional)",
            "insert the key into the header",
            "insert into the queue",
            "update the settings set by the operator",
            "update settings set by operators",
            "Update failed: nothing is set",
            "delete from the cache",
            "Delete from disk",
            "DELETE removes a key from the tenant",
            "with a limit as high as this (or higher)",
            "create a table of limits",
            "create table first",
            "it is not for update today",
            "truncate the log",
            "replace it with a new one",
            "drop the index card",
            "UPDATE",
            "SELECT",
        ] {
            taken.extend(Sql::new(text).statement().map(|_| text));
        }
        assert_eq!(taken, Vec::<&str>::new());
    }
}
