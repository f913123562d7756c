//! Which words of a text lock rows, end transactions, or ask the database for the time or for chance?

use std::ops::Range;

use super::Sql;

/// Functions and methods that hand a text to a database.
const RUNS: [&str; 12] = [
    "execute",
    "batch_execute",
    "execute_batch",
    "sql_query",
    "query",
    "query_as",
    "query_scalar",
    "raw",
    "raw_sql",
    "simple_query",
    "prepare",
    "exec",
];
/// Words before a lock that a sentence does not have in capitals.
const CONTEXT: [&str; 8] = ["from", "where", "join", "by", "limit", "offset", "using", "on"];
const TIME: [&str; 7] = [
    "now",
    "clock_timestamp",
    "statement_timestamp",
    "transaction_timestamp",
    "timeofday",
    "getdate",
    "sysdate",
];
const TODAY: [&str; 5] = [
    "current_timestamp",
    "current_date",
    "current_time",
    "localtimestamp",
    "localtime",
];
const CHANCE: [&str; 11] = [
    "random",
    "randomblob",
    "gen_random_uuid",
    "gen_random_bytes",
    "uuid_generate_v1",
    "uuid_generate_v4",
    "uuidv4",
    "uuidv7",
    "uuid_generate_v1mc",
    "setseed",
    "newid",
];
/// SQLite's functions of time: without a time, and with `'now'`, they read the clock.
const DATES: [&str; 6] = ["datetime", "date", "time", "julianday", "unixepoch", "strftime"];
const MODES: [&str; 10] = [
    "transaction",
    "work",
    "deferred",
    "immediate",
    "exclusive",
    "concurrent",
    "isolation",
    "read",
    "not",
    "deferrable",
];

/// Whether a function of this name locks, or reads a clock or chance.
pub(super) fn is_function(word: &str) -> bool {
    let mut known = TIME.iter().chain(&CHANCE).chain(&DATES);
    known.any(|name| name.eq_ignore_ascii_case(word)) || word.to_ascii_lowercase().starts_with("pg_")
}

/// How sure it is that a text reaches a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    /// It stands in a crate that speaks SQL, or in a `.sql` file.
    pub(crate) speaks: bool,
    /// It is given to a function that runs SQL.
    pub(crate) run: bool,
}

impl Heard {
    pub(crate) fn new(speaks: bool, call: &str) -> Self {
        Self {
            speaks,
            run: RUNS.contains(&call),
        }
    }

    /// A `.sql` file.
    pub(crate) const FILE: Self = Self {
        speaks: true,
        run: true,
    };
}

impl Sql {
    /// Clauses and functions that take locks.
    pub(crate) fn locks(&self, heard: Heard) -> Vec<Range<usize>> {
        let statement = heard.run || self.statement().is_some();
        (0..self.len())
            .filter_map(|at| {
                let clause = self.row_lock(at, statement);
                clause.or_else(|| self.table_lock(at, heard)).map(|end| at..end)
            })
            .collect()
    }

    /// The end of `FOR UPDATE` and its like. A clause that ends in a piece nobody knows yet counts.
    fn row_lock(&self, at: usize, statement: bool) -> Option<usize> {
        if self.is(at, "lock") && self.is(at + 1, "in") && self.is(at + 2, "share") && self.is(at + 3, "mode")
        {
            return Some(at + 4);
        }
        if !self.is(at, "for") {
            return None;
        }
        let mut mode = at + 1;
        if self.is(mode, "no") && self.is(mode + 1, "key") {
            mode += 2;
        } else if self.is(mode, "key") {
            mode += 1;
        }
        let open = statement && at > 0 && (self.is_hole(mode) || self.ends(mode));
        if open {
            return Some(mode.min(self.len().saturating_sub(1)) + 1);
        }
        if !self.is_any(mode, &["update", "share"]) {
            return None;
        }
        let after = mode + 1;
        let over = self.ends(after) || self.sign(after, b')') || self.sign(after, b'$');
        let goes_on =
            self.is_any(after, &["of", "nowait"]) || self.is(after, "skip") && self.is(after + 1, "locked");
        if !over && !goes_on && !self.is_hole(after) {
            return None;
        }
        let loud = self.loud(at) && self.loud(mode);
        let alone = (0..at).all(|before| self.is_hole(before));
        let context = loud && (0..at).any(|at| self.loud(at) && self.is_any(at, &CONTEXT));
        let after_sign = at > 0 && loud && self.sign(at - 1, b')');
        let whole = alone
            && (loud || over && !self.word(at).starts_with('F') || self.is_any(after, &["nowait", "skip"]));
        (statement || context || after_sign || whole).then_some(after)
    }

    /// `LOCK TABLE`, `LOCK t IN … MODE`, advisory locks.
    fn table_lock(&self, at: usize, heard: Heard) -> Option<usize> {
        let name = self.word(at).to_ascii_lowercase();
        let advisory = name.starts_with("pg_advisory_") || name.starts_with("pg_try_advisory_");
        if advisory && self.sign(at + 1, b'(') {
            return Some(at + 1);
        }
        let sure = self.loud(at) || heard.run;
        if name != "lock" || !self.starts(at) || !sure {
            return None;
        }
        let table = self.is_any(at + 1, &["table", "tables"]) && at + 2 < self.len();
        let mode = (at + 2..at + 8).any(|at| self.is(at, "mode")) && self.is(at + 2, "in");
        (table || mode).then_some(at + 2)
    }

    /// `BEGIN`, `COMMIT`, `ROLLBACK`, `SAVEPOINT`, `SET TRANSACTION` and their like, at the start of a statement.
    pub(crate) fn transactions(&self, heard: Heard) -> Vec<Range<usize>> {
        (0..self.len())
            .filter(|at| self.starts(*at))
            .filter_map(|at| self.transaction(at, heard).map(|end| at..end))
            .collect()
    }

    fn transaction(&self, at: usize, heard: Heard) -> Option<usize> {
        let loud = self.loud(at) || heard.run;
        let alone = self.ends(at + 1);
        // A word that stands by itself is a label as often as it is a statement.
        let label = at + 1 >= self.len() && at == 0 && !heard.run && !heard.speaks;
        let quiet = !self.loud(at) && !heard.run;
        let ends = match self.word(at).to_ascii_lowercase().as_str() {
            "begin" => self.is_any(at + 1, &MODES) && (loud || heard.speaks) || alone && !label && !quiet,
            "start" => self.is(at + 1, "transaction") && (loud || heard.speaks),
            "commit" | "rollback" => {
                let more = self.is_any(at + 1, &["transaction", "work", "prepared", "and", "to"]);
                loud && (more || alone && !label)
            }
            "end" => loud && self.is_any(at + 1, &["transaction", "work"]),
            "savepoint" => {
                loud && !self.word(at + 1).is_empty() && self.ends(at + 2) || loud && self.is_hole(at + 1)
            }
            "release" => {
                let named = self.is(at + 1, "savepoint");
                loud && (named || heard.speaks && !self.word(at + 1).is_empty() && self.ends(at + 2))
            }
            "prepare" => loud && self.is(at + 1, "transaction"),
            "set" => {
                let scope = usize::from(self.is_any(at + 1, &["local", "session", "global"]));
                let what = self.is(at + 1 + scope, "transaction") || self.is(at + 2, "characteristics");
                what && (loud || heard.speaks)
            }
            _ => false,
        };
        ends.then(|| if self.ends(at + 1) { at + 1 } else { at + 2 })
    }

    /// Functions that give another answer each time.
    pub(crate) fn ambient(&self, heard: Heard) -> Vec<Range<usize>> {
        if !heard.speaks && !heard.run && self.statement().is_none() {
            return Vec::new();
        }
        (0..self.len())
            .filter_map(|at| self.changes(at, heard).map(|end| at..end))
            .collect()
    }

    fn changes(&self, at: usize, heard: Heard) -> Option<usize> {
        if let Some(text) = self.quoted(at) {
            let time = ["now", "today", "tomorrow", "yesterday"]
                .iter()
                .any(|word| text.eq_ignore_ascii_case(word));
            let cast = self.sign(at + 1, b':')
                || at > 0 && self.is_any(at - 1, &["timestamp", "timestamptz", "date", "time"]);
            return (time && cast).then_some(at + 1);
        }
        if self.is_any(at, &TODAY) {
            let sure = self.loud(at) || heard.run || self.statement().is_some();
            return sure.then_some(at + 1);
        }
        if self.calls(at) && self.is_any(at, &CHANCE) {
            return Some(at + 2);
        }
        // In a statement a space before the parenthesis changes nothing; in a sentence it begins an aside.
        let called = self.calls(at) || self.sign(at + 1, b'(') && (heard.run || self.statement().is_some());
        let time = self.is_any(at, &TIME) && self.sign(at + 2, b')');
        (called && (time || self.reads_clock(at))).then_some(at + 2)
    }

    fn reads_clock(&self, at: usize) -> bool {
        if !self.is_any(at, &DATES) {
            return false;
        }
        let mut depth = 0_usize;
        let mut commas = 0;
        for inner in at + 2..self.len() {
            if self.sign(inner, b'(') {
                depth += 1;
            } else if self.sign(inner, b')') {
                let Some(outer) = depth.checked_sub(1) else {
                    let single = self.is(at, "strftime") && commas == 0;
                    return inner == at + 2 || single;
                };
                depth = outer;
            } else if depth == 0 && self.sign(inner, b',') {
                commas += 1;
            } else if self
                .quoted(inner)
                .is_some_and(|text| text.eq_ignore_ascii_case("now"))
            {
                return true;
            }
        }
        false
    }

    /// `PRAGMA`, `SET`, `ATTACH`, `COPY`, `VACUUM`: no statement about rows, and built from variables all the same.
    pub(crate) fn is_command(&self) -> bool {
        let commands = ["pragma", "set", "attach", "copy", "vacuum"];
        (0..self.len()).any(|at| self.starts(at) && self.loud(at) && self.is_any(at, &commands))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROSE: Heard = Heard {
        speaks: false,
        run: false,
    };
    const SPOKEN: Heard = Heard {
        speaks: true,
        run: false,
    };

    fn wrong(texts: &[&str], wanted: bool, found: impl Fn(&Sql) -> usize) -> Vec<String> {
        let wrong = texts
            .iter()
            .filter(|text| (found(&Sql::new(**text)) > 0) != wanted);
        wrong.map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn locks_are_found_and_sentences_are_not() {
        let locks = [
            "SELECT id FROM t FOR UPDATE",
            "select id from t for update",
            "SELECT id FROM t FOR /* x */ NO KEY\n UPDATE OF t",
            " FOR UPDATE",
            "for update",
            " for update skip locked",
            "ORDER BY id FOR SHARE NOWAIT",
            "(SELECT 1 FROM t FOR KEY SHARE)",
            ") FOR UPDATE OF c",
            "SELECT id FROM t FOR \u{FFFB}",
            "SELECT id FROM t FOR ",
            "LOCK TABLE t",
            "LOCK t IN EXCLUSIVE MODE",
            "SELECT pg_advisory_xact_lock(1)",
            "select pg_try_advisory_lock($1)",
            "SELECT a FROM t LOCK IN SHARE MODE",
        ];
        assert_eq!(
            wrong(&locks, true, |sql| sql.locks(PROSE).len()),
            Vec::<String>::new()
        );
        let sentences = [
            "it is not for update today",
            "this is for update",
            "READY FOR UPDATE",
            "available for update recovery",
            "For update of a key, see the document",
            "a clause for share holders",
            "FOR EACH ROW",
            "CREATE TRIGGER a BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
            "lock the table in this mode",
            "Lock table",
        ];
        assert_eq!(
            wrong(&sentences, false, |sql| sql.locks(PROSE).len()),
            Vec::<String>::new()
        );
    }

    #[test]
    fn transactions_are_found_and_labels_are_not() {
        let statements = [
            "BEGIN",
            "BEGIN IMMEDIATE",
            "begin isolation level repeatable read",
            "START TRANSACTION",
            "SELECT 1; COMMIT",
            "ROLLBACK TO job",
            "SAVEPOINT job",
            "RELEASE job",
            "SET LOCAL TRANSACTION READ ONLY",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "END TRANSACTION",
        ];
        assert_eq!(
            wrong(&statements, true, |sql| sql.transactions(SPOKEN).len()),
            Vec::<String>::new()
        );
        let others = [
            "begin with a key",
            "commit",
            "Commit the change",
            "rollback to version 3",
            "CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT 1; END;",
            "set the transaction",
            "release the hold",
        ];
        assert_eq!(
            wrong(&others, false, |sql| sql.transactions(SPOKEN).len()),
            Vec::<String>::new()
        );
        assert_eq!(Sql::new("COMMIT").transactions(PROSE).len(), 0, "a label");
        let run = Heard::new(false, "execute");
        assert_eq!(Sql::new("commit").transactions(run).len(), 1);
    }

    #[test]
    fn the_clock_and_chance_of_the_database_are_found() {
        let found = [
            "now()",
            "CURRENT_TIMESTAMP",
            "SELECT clock_timestamp()",
            "a BIGINT DEFAULT (unixepoch())",
            "strftime('%s', 'now')",
            "strftime('%s')",
            "datetime('now', '-1 day')",
            "'now'::timestamptz",
            "ORDER BY random()",
            "gen_random_uuid()",
            "hex(randomblob(32))",
        ];
        assert_eq!(
            wrong(&found, true, |sql| sql.ambient(SPOKEN).len()),
            Vec::<String>::new()
        );
        let others = [
            "strftime('%s', created_at)",
            "datetime(at / 1000000, 'unixepoch')",
            "current_time of a clock",
            "a random id",
        ];
        assert_eq!(
            wrong(&others, false, |sql| sql.ambient(SPOKEN).len()),
            Vec::<String>::new()
        );
        assert_eq!(Sql::new("call now()").ambient(PROSE).len(), 0);
    }
}
