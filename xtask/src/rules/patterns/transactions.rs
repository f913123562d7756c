//! Does anything begin or end a transaction by hand?

use super::{NO_SQL, report};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::Sql;

/// `ARCH-SQL-002`.
pub(super) struct Transactions;

const INFO: Info = Info {
    id: "ARCH-SQL-002",
    title: "transactions begin and end in the modules for transactions only",
    family: Family::Patterns,
    why: "A transaction that somebody begins by hand has no intent, and one that somebody ends early gives up the \
          locks that its caller still counts on.",
    fix: "Take a transaction as a parameter; the modules in `sql.transactions` begin and end it.",
    scope: "strings of product code, put together from their pieces, and .sql files: BEGIN, START TRANSACTION, COMMIT, \
            ROLLBACK, SAVEPOINT, RELEASE, SET TRANSACTION at the start of a statement",
    needles: &[],
};

impl Rule for Transactions {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(places) = &ctx.config.sql else {
            out.off(NO_SQL);
            return;
        };
        report(ctx, out, &places.transactions, Sql::transactions, |clause| {
            let message = format!("a transaction by hand: `{}`", clause.said());
            Finding::new(clause.span.clone(), message, INFO.fix).label(if clause.in_file {
                "each migration runs in one transaction"
            } else {
                "outside of the modules in `sql.transactions`"
            })
        });
    }
}
