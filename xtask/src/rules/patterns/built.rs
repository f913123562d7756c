//! Is SQL put together from values?

use super::{NO_SQL, heard, texts};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-SQL-005`.
pub(super) struct Built;

const INFO: Info = Info {
    id: "ARCH-SQL-005",
    title: "no statement is put together from values",
    family: Family::Patterns,
    why: "A value inside the text of a statement is an injection that waits for its value; and a text that is never \
          the same twice is planned anew each time.",
    fix: "Bind the value as a parameter; choose between whole constants where a name differs.",
    scope: "statements in crates that speak SQL: places for values in format! and write!, `+`, push_str. Constants in \
            capitals, stringify! and concat! are known to the compiler and fine",
    needles: &[],
};

impl Rule for Built {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(places) = &ctx.config.sql else {
            out.off(NO_SQL);
            return;
        };
        for (file, text) in texts(ctx) {
            let heard = heard(ctx, file, text);
            let statement = text.sql.statement().is_some()
                || text.sql.is_command()
                || !text.sql.transactions(heard).is_empty();
            if !statement || !file.is_in_any(&places.crates) && !heard.run {
                continue;
            }
            out.examined(&file.krate, 1);
            if text.built && !file.is_in_any(&places.built) {
                let message = "a statement is put together from values";
                let finding = Finding::new(file.span_of(text.tokens.clone()), message, INFO.fix);
                out.report(finding.label("a value becomes a part of this text"));
            }
        }
    }
}
