//! Does anything begin or end a transaction by hand?

use super::{NO_SQL, heard, texts};
use crate::model::Span;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::scan::{Heard, Sql};

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
        for (file, text) in texts(ctx) {
            out.examined(&file.krate, 1);
            if file.is_in_any(&places.transactions) {
                continue;
            }
            for words in text.sql.transactions(heard(ctx, file, text)) {
                let finding = told(&text.sql, &words, text.span(file, words.clone()));
                out.report(finding.label("outside of the modules in `sql.transactions`"));
            }
        }
        for (path, text) in ctx.workspace.migrations() {
            let sql = Sql::new(text);
            out.examined("", 1);
            for words in sql.transactions(Heard::FILE) {
                let finding = told(&sql, &words, Span::bytes(path, sql.bytes(words.clone())));
                out.report(finding.label("each migration runs in one transaction"));
            }
        }
    }
}

fn told(sql: &Sql, words: &std::ops::Range<usize>, span: Span) -> Finding {
    let words = sql.said(words.clone());
    Finding::new(span, format!("a transaction by hand: `{words}`"), INFO.fix)
}
