//! Are times and money stored as whole numbers of 64 bits?

use serde::Deserialize;

use super::diesel::base;
use super::excepted::Excepted;
use crate::config::{Config, Exception, Name};
use crate::model::Broken;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::sql::{Column, Dialect};

/// `ARCH-SCHEMA-008`.
pub(super) struct Exact;

const INFO: Info = Info {
    id: "ARCH-SCHEMA-008",
    title: "times and money are whole numbers of 64 bits, and no column rounds",
    family: Family::Schema,
    why: "A sum of money in floating point depends on its order; NUMERIC and TIMESTAMP mean different things to the \
          two databases; an INTEGER of PostgreSQL ends at 2 147 483 647, which is two dollars in nano-USD.",
    fix: "Use BIGINT on PostgreSQL and INTEGER on SQLite: nano-USD, and microseconds since the epoch.",
    scope: "types of all columns of both databases; names of columns by the patterns of `whole`",
    needles: &[],
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    /// Names of columns with times or money, `*` for any beginning or end: `*_at`.
    whole: Vec<Name>,
    /// `table.column` that is something else.
    except: Vec<Exception>,
}

/// Types that round, or that the two databases do not store alike.
const INEXACT: [&str; 17] = [
    "REAL",
    "FLOAT",
    "FLOAT4",
    "FLOAT8",
    "DOUBLE",
    "DOUBLE PRECISION",
    "NUMERIC",
    "DECIMAL",
    "MONEY",
    "TIMESTAMP",
    "TIMESTAMPTZ",
    "DATETIME",
    "DATE",
    "TIME",
    "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMP WITHOUT TIME ZONE",
    "INTERVAL",
];

impl Rule for Exact {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        config.options::<Options>(INFO.id).map(|_| ())
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let options: Options = ctx.options(&INFO);
        if options.whole.is_empty() || ctx.schema().is_empty() {
            out.off("the rule file names no columns with times or money");
            return;
        }
        let mut except = Excepted::new(&options.except);
        let mut needed = vec![false; options.whole.len()];
        for (dialect, catalog) in ctx.schema() {
            for table in catalog.tables.values() {
                out.examined("", table.columns.len());
                for column in &table.columns {
                    let pattern = options
                        .whole
                        .iter()
                        .position(|name| matches(name.as_ref(), &column.name));
                    if let Some(needed) = pattern.and_then(|at| needed.get_mut(at)) {
                        *needed = true;
                    }
                    let Some(wrong) = wrong(*dialect, column, pattern.is_some()) else {
                        continue;
                    };
                    let name = format!("{}.{}", table.name, column.name);
                    if !except.has(&name) {
                        let message = format!("{}: `{name}` is {}, {wrong}", dialect.name(), column.type_);
                        let type_ = whole(*dialect);
                        let remedy = format!("use {type_}: nano-USD for money, microseconds for times");
                        out.report(Finding::new(column.span.clone(), message, remedy));
                    }
                }
            }
        }
        for (name, _) in options.whole.iter().zip(needed).filter(|(_, needed)| !needed) {
            let message = format!("no column is called `{}`", name.as_ref());
            out.report(Finding::new(
                ctx.config.span(name),
                message,
                "remove or correct the pattern",
            ));
        }
        except.finish(ctx, out);
    }
}

fn whole(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "INTEGER",
        Dialect::Postgres => "BIGINT",
    }
}

fn wrong(dialect: Dialect, column: &Column, is_whole: bool) -> Option<&'static str> {
    let type_ = base(&column.type_);
    if INEXACT.contains(&type_) {
        return Some("which rounds, or which the databases do not store alike");
    }
    if column.type_.contains("NUMERIC") || column.type_.contains("DECIMAL") {
        return Some("which SQLite stores as floating point");
    }
    let fits = type_ == whole(dialect) || dialect == Dialect::Postgres && type_ == "INT8";
    (is_whole && !fits).then_some("but its name says that it is a time or money")
}

/// `*_at`, `cost_*`, `at`.
fn matches(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => name.ends_with(end),
        (_, Some(start)) => name.starts_with(start),
        _ => name == pattern,
    }
}
