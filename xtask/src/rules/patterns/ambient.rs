//! Does SQL ask the database for the time or for chance?

use super::{NO_SQL, heard, texts};
use crate::model::Span;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::{Heard, Sql};

/// `ARCH-SQL-007`.
pub(super) struct Ambient;

const INFO: Info = Info {
    id: "ARCH-SQL-007",
    title: "SQL reads no clock and throws no dice",
    family: Family::Patterns,
    why: "What the database's clock or random numbers decided cannot be decided again: a replay, a test with a fixed \
          clock and the other engine give another answer.",
    fix: "Bind the value as a parameter: the caller has the time and the id.",
    scope: "strings of product code that are SQL or stand in crates that speak it, and .sql files: now(), \
            CURRENT_TIMESTAMP, datetime('now'), random(), gen_random_uuid(), randomblob()",
    needles: &[],
};

impl Rule for Ambient {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if ctx.config.sql.is_none() {
            out.off(NO_SQL);
            return;
        }
        for (file, text) in texts(ctx) {
            out.examined(&file.krate, 1);
            for words in text.sql.ambient(heard(ctx, file, text)) {
                out.report(told(&text.sql, &words, text.span(file, words.clone())));
            }
        }
        for (path, text) in ctx.workspace.migrations() {
            let sql = Sql::new(text);
            out.examined("", 1);
            for words in sql.ambient(Heard::FILE) {
                out.report(told(&sql, &words, Span::bytes(path, sql.bytes(words.clone()))));
            }
        }
    }
}

fn told(sql: &Sql, words: &std::ops::Range<usize>, span: Span) -> Finding {
    let name = sql.said(words.start..words.start + 1);
    Finding::new(span, format!("`{name}` gives another answer each time"), INFO.fix)
}
