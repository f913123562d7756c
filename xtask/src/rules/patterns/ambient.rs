//! Does SQL ask the database for the time or for chance?

use super::{NO_SQL, report};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::Sql;

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
        report(ctx, out, &[], Sql::ambient, |clause| {
            let start = clause.words.start;
            let name = clause.sql.said(start..start + 1);
            let message = format!("`{name}` gives another answer each time");
            Finding::new(clause.span.clone(), message, INFO.fix)
        });
    }
}
