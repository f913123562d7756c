//! What source and SQL may not say: the rules of `check-patterns`.

mod ambient;
mod banned;
mod built;
mod forbidden;
mod lock_calls;
mod locks;
mod print;
mod raw;
mod statements;
mod transactions;

use crate::model::SourceFile;
use crate::rule::{Ctx, Rule};
use crate::scan::{Heard, SqlText};

/// The rules, in the order of their numbers.
pub(crate) const RULES: &[&'static dyn Rule] = &[
    &locks::Locks,
    &transactions::Transactions,
    &lock_calls::Calls,
    &raw::Raw,
    &built::Built,
    &statements::Statements,
    &ambient::Ambient,
    &forbidden::Unfinished,
    &forbidden::ByPath,
    &forbidden::SwitchedOff,
    &print::Printed,
    &banned::Banned,
];

const NO_SQL: &str = "the rule file has no [sql]";

/// Texts of product code with a word of SQL in them.
fn texts<'a>(ctx: &'a Ctx<'_>) -> impl Iterator<Item = (&'a SourceFile, &'a SqlText)> {
    let sources = ctx.workspace.sources.iter().filter(|file| !file.is_test_file());
    sources.flat_map(|file| {
        let product = file.sql().iter().filter(|text| !file.in_tests(text.tokens.start));
        product.map(move |text| (file, text))
    })
}

/// How sure it is that the text reaches a database.
fn heard(ctx: &Ctx<'_>, file: &SourceFile, text: &SqlText) -> Heard {
    let speaks = ctx
        .config
        .sql
        .as_ref()
        .is_some_and(|sql| file.is_in_any(&sql.crates));
    Heard::new(speaks, &text.call)
}
