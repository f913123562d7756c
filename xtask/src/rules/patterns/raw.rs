//! Who runs raw SQL?

use super::NO_SQL;
use super::lock_calls::is_use;
use crate::model::{SourceFile, Span};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

/// `ARCH-SQL-004`.
pub(super) struct Raw;

/// What runs a text by itself.
const NAMES: [&str; 5] = [
    "sql_query",
    "batch_execute",
    "SimpleConnection",
    "sql_function",
    "declare_sql_function",
];
/// Modules with the function that makes a text a part of a statement.
const LITERALS: [&str; 2] = ["dsl", "sql_literal"];

const INFO: Info = Info {
    id: "ARCH-SQL-004",
    title: "only the crates that speak SQL run raw SQL, and they do not hand it on",
    family: Family::Patterns,
    why: "Whoever can run a text as SQL can write, lock and commit, whatever the type of its transaction says.",
    fix: "Write a function of the crate that speaks SQL, and call it.",
    scope: "calls and paths of product code: sql_query, batch_execute, SimpleConnection, sql_function, \
            declare_sql_function, diesel::dsl::sql; `pub use` of them everywhere",
    needles: &[
        "sql_query",
        "batch_execute",
        "SimpleConnection",
        "sql_function",
        "declare_sql_function",
        "dsl",
        "sql_literal",
    ],
};

impl Rule for Raw {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(places) = &ctx.config.sql else {
            out.off(NO_SQL);
            return;
        };
        for file in ctx.workspace.sources.iter().filter(|file| !file.is_test_file()) {
            out.examined(&file.krate, 1);
            let speaks = file.is_in_any(&places.crates);
            for word in NAMES {
                for at in file.hits(ctx.words, word).filter(|at| !file.in_tests(*at)) {
                    let called = file.is(at + 1, b'!') || file.is(at.wrapping_sub(1), b'[');
                    if called || is_use(file, at) {
                        let mut paths = file.paths().iter();
                        let public = paths.any(|path| path.public && path.tokens.contains(&at));
                        tell(file, file.span(at), word, speaks, public, out);
                    }
                }
            }
            if LITERALS
                .iter()
                .any(|word| file.hits(ctx.words, word).next().is_some())
            {
                for path in file
                    .paths()
                    .iter()
                    .filter(|path| !file.in_tests(path.tokens.start))
                {
                    let text = path.text();
                    let literal = text.starts_with("diesel::") && text.ends_with("::sql");
                    if literal || text == "diesel::dsl::*" && calls_sql(file) {
                        let span = file.span_of(path.tokens.clone());
                        tell(file, span, "diesel::dsl::sql", speaks, path.public, out);
                    }
                }
            }
        }
    }
}

fn tell(file: &SourceFile, span: Span, word: &str, speaks: bool, public: bool, out: &mut Sink<'_>) {
    if !speaks {
        let message = format!("`{}` runs raw SQL: `{word}`", file.krate);
        out.report(Finding::new(span, message, INFO.fix));
    } else if public {
        let message = format!("`{}` hands raw SQL on: `pub use` of `{word}`", file.krate);
        let remedy = "keep it private: give functions with a meaning instead";
        out.report(Finding::new(span, message, remedy));
    }
}

/// `sql("…")` and `sql::<Type>("…")`, in a file that has imported everything of `dsl`.
fn calls_sql(file: &SourceFile) -> bool {
    let mut all = 0..file.tokens.list.len();
    all.any(|at| file.word(at) == "sql" && is_use(file, at))
}
