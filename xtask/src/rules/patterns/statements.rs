//! Does anybody but the store write SQL?

use super::{NO_SQL, texts};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-SQL-006`.
pub(super) struct Statements;

const INFO: Info = Info {
    id: "ARCH-SQL-006",
    title: "statements stand in the crates that speak SQL",
    family: Family::Patterns,
    why: "SQL elsewhere knows tables that may change, and runs on a connection that somebody smuggled out.",
    fix: "Write a function of the crate that speaks SQL, and call it.",
    scope: "strings of product code, put together from their pieces, that are a statement: SELECT … FROM, INSERT INTO, \
            UPDATE … SET, DELETE FROM, WITH, CREATE, ALTER, DROP",
    needles: &[],
};

impl Rule for Statements {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(places) = &ctx.config.sql else {
            out.off(NO_SQL);
            return;
        };
        for (file, text) in texts(ctx) {
            if file.is_in_any(&places.crates) {
                continue;
            }
            out.examined(&file.krate, 1);
            if let Some((at, head)) = text.sql.statement() {
                let names: Vec<_> = places
                    .crates
                    .iter()
                    .map(|name| format!("`{}`", name.as_ref()))
                    .collect();
                let message = format!("`{}` holds a statement: {head}", file.krate);
                let label = format!("only {} may", names.join(", "));
                out.report(Finding::new(text.span(file, at..at + 1), message, INFO.fix).label(label));
            }
        }
    }
}
