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

use std::ops::Range;

use crate::config::Name;
use crate::model::{SourceFile, Span};
use crate::rule::{Ctx, Finding, Rule, Sink};
use crate::scan::{Heard, Sql, SqlText};

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
    let sources = ctx.workspace.sources.iter();
    sources.flat_map(|file| texts_of(file).map(move |text| (file, text)))
}

/// Those of a file.
fn texts_of(file: &SourceFile) -> impl Iterator<Item = &SqlText> {
    let texts: &[SqlText] = if file.is_test_file() { &[] } else { file.sql() };
    texts.iter().filter(|text| !file.in_tests(text.tokens.start))
}

/// Words that a rule has found, in a text or in a `.sql` file.
struct Clause<'a> {
    sql: &'a Sql,
    words: Range<usize>,
    span: Span,
    in_file: bool,
}

impl Clause<'_> {
    fn said(&self) -> String {
        self.sql.said(self.words.clone())
    }
}

/// Reports what `find` finds, in texts of product code outside of the modules of `home` and in `.sql` files.
fn report(
    ctx: &Ctx<'_>,
    out: &mut Sink<'_>,
    home: &[Name],
    find: fn(&Sql, Heard) -> Vec<Range<usize>>,
    told: impl Fn(&Clause<'_>) -> Finding + Sync,
) {
    out.each(&ctx.workspace.sources.0, |file, out| {
        for text in texts_of(file) {
            out.examined(&file.krate, 1);
            if file.is_in_any(home) {
                continue;
            }
            for words in find(&text.sql, heard(ctx, file, text)) {
                let span = text.span(file, words.clone());
                let (sql, in_file) = (&text.sql, false);
                out.report(told(&Clause {
                    sql,
                    words,
                    span,
                    in_file,
                }));
            }
        }
    });
    for (path, text) in ctx.workspace.migrations() {
        let sql = &Sql::new(text);
        out.examined("", 1);
        for words in find(sql, Heard::FILE) {
            let span = Span::bytes(path, sql.bytes(words.clone()));
            out.report(told(&Clause {
                sql,
                words,
                span,
                in_file: true,
            }));
        }
    }
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
