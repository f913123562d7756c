//! Does anything lock rows by hand?

use super::{NO_SQL, heard, texts};
use crate::model::Span;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::{Heard, Sql};

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
        for (file, text) in texts(ctx) {
            out.examined(&file.krate, 1);
            if file.is_in_any(&places.locks) {
                continue;
            }
            for clause in text.sql.locks(heard(ctx, file, text)) {
                let finding = told(&text.sql, &clause, text.span(file, clause.clone()));
                out.report(finding.label("locks outside of the modules in `sql.locks`"));
            }
        }
        for (path, text) in ctx.workspace.migrations() {
            let sql = Sql::new(text);
            out.examined("", 1);
            for clause in sql.locks(Heard::FILE) {
                out.report(told(&sql, &clause, Span::bytes(path, sql.bytes(clause.clone()))));
            }
        }
    }
}

fn told(sql: &Sql, clause: &std::ops::Range<usize>, span: Span) -> Finding {
    let words = sql.said(clause.clone());
    Finding::new(span, format!("a lock by hand: `{words}`"), INFO.fix)
}
