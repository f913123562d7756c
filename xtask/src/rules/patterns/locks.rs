//! Does anything lock rows by hand?

use super::{NO_SQL, report};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::Sql;

/// `ARCH-SQL-001`.
pub(super) struct Locks;

const INFO: Info = Info {
    id: "ARCH-SQL-001",
    title: "locks are taken in the modules for locks only",
    family: Family::Patterns,
    why: "Two places that lock the same rows in another order, or on another connection, wait for each other for \
          ever. Where all locks stand in one module, their order is one file.",
    fix: "Call a function of the modules in `sql.locks`, or move the statement there.",
    scope: "strings of product code, put together from their pieces, and .sql files: FOR UPDATE, FOR NO KEY UPDATE, \
            FOR SHARE, FOR KEY SHARE, LOCK TABLE, advisory locks",
    needles: &[],
};

impl Rule for Locks {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(places) = &ctx.config.sql else {
            out.off(NO_SQL);
            return;
        };
        report(ctx, out, &places.locks, Sql::locks, |clause| {
            let message = format!("a lock by hand: `{}`", clause.said());
            let finding = Finding::new(clause.span.clone(), message, INFO.fix);
            if clause.in_file {
                return finding;
            }
            finding.label("locks outside of the modules in `sql.locks`")
        });
    }
}
