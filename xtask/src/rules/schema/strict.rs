//! Does SQLite store a value as its type, or not at all?

use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::sql::Dialect;

/// `ARCH-SCHEMA-009`.
pub(super) struct Strict;

const INFO: Info = Info {
    id: "ARCH-SCHEMA-009",
    title: "every table of SQLite is STRICT",
    family: Family::Schema,
    why: "A table that is not STRICT takes any value in any column: a sum that passes 64 bits is stored as a rounded \
          REAL instead of being refused.",
    fix: "End the table with `) STRICT;`.",
    scope: "tables of the migrations of SQLite",
    needles: &[],
};

impl Rule for Strict {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some((_, catalog)) = ctx
            .schema()
            .iter()
            .find(|(dialect, _)| *dialect == Dialect::Sqlite)
        else {
            out.off("`[schema]` names no migrations of SQLite");
            return;
        };
        out.examined("", catalog.tables.len());
        for table in catalog.tables.values().filter(|table| !table.strict) {
            let message = format!("the table `{}` is not STRICT", table.name);
            let remedy = if table.without_rowid {
                "end it with `) WITHOUT ROWID, STRICT;`"
            } else {
                "end it with `) STRICT;`"
            };
            out.report(Finding::new(table.span.clone(), message, remedy));
        }
    }
}
