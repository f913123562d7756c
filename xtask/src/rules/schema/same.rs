//! Do both databases have one schema?

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::diesel::base;
use super::excepted::Excepted;
use crate::config::{Config, Exception};
use crate::model::{Broken, Span};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::sql::{Catalog, Column, Expr, Table};

/// `ARCH-SCHEMA-003`.
pub(super) struct Same;

const INFO: Info = Info {
    id: "ARCH-SCHEMA-003",
    title: "both databases have the same tables, columns, keys, checks, indexes and triggers",
    family: Family::Schema,
    why: "What one database refuses and the other stores is a defect that half of the installations have, and tests \
          on the other half never see.",
    fix: "Write the same into both migrations; declare a difference that has to be in `differs`, with the reason.",
    scope: "migrations of SQLite against those of PostgreSQL; storage parameters and bodies of triggers are not compared",
    needles: &[],
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    differs: Vec<Exception>,
}

/// What is said about one thing, and where.
type Facts = BTreeMap<String, (String, Span)>;

impl Rule for Same {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        config.options::<Options>(INFO.id).map(|_| ())
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let [(_, sqlite), (_, postgres)] = ctx.schema() else {
            out.off("`[schema]` does not name the migrations of two databases");
            return;
        };
        let options: Options = ctx.options(&INFO);
        let mut differs = Excepted::new(&options.differs);
        let common: BTreeSet<&str> = sqlite
            .tables
            .keys()
            .filter(|name| postgres.tables.contains_key(*name))
            .map(String::as_str)
            .collect();
        let booleans = booleans(postgres);
        let (mut lite, large) = (
            facts(sqlite, &common, &booleans),
            facts(postgres, &common, &booleans),
        );
        implied(&mut lite, sqlite, &booleans, &mut differs, out);
        types(sqlite, postgres, &mut differs, out);
        let keys: BTreeSet<_> = lite.keys().chain(large.keys()).collect();
        for key in keys {
            out.examined("", 1);
            let difference = match (lite.get(key), large.get(key)) {
                (Some((one, here)), Some((other, there))) if one != other => {
                    let message = format!("{key}: `{one}` on SQLite, `{other}` on PostgreSQL");
                    Finding::new(here.clone(), message, "make both alike")
                        .label("on SQLite")
                        .also(there.clone(), "on PostgreSQL")
                }
                (Some((_, span)), None) => only(key, "SQLite", "PostgreSQL", span),
                (None, Some((_, span))) => only(key, "PostgreSQL", "SQLite", span),
                _ => continue,
            };
            if !differs.has(key) {
                out.report(declare(difference, key));
            }
        }
        differs.finish(ctx, out);
    }
}

fn only(key: &str, here: &str, there: &str, span: &Span) -> Finding {
    let message = format!("{here} has `{key}`, and {there} has not");
    Finding::new(
        span.clone(),
        message,
        format!("add it to the migration of {there}"),
    )
}

fn declare(mut finding: Finding, key: &str) -> Finding {
    finding.remedy = format!(
        "{}, or declare it: `differs = [{{ at = \"{key}\", why = \"…\" }}]`",
        finding.remedy
    );
    finding
}

/// Columns that PostgreSQL has a type of their own for: `table.column`.
fn booleans(postgres: &Catalog) -> BTreeSet<String> {
    let columns = postgres
        .tables
        .values()
        .flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    columns
        .filter(|(_, column)| matches!(column.type_.as_str(), "BOOLEAN" | "BOOL"))
        .map(|(table, column)| format!("{}.{}", table.name, column.name))
        .collect()
}

/// Everything that must be alike, by a name that both databases have. Of a table that one database lacks, only that.
fn facts(catalog: &Catalog, common: &BTreeSet<&str>, booleans: &BTreeSet<String>) -> Facts {
    let mut facts = Facts::new();
    for table in catalog.tables.values() {
        facts.insert(
            format!("table {}", table.name),
            (String::new(), table.span.clone()),
        );
        if common.contains(table.name.as_str()) {
            of_table(table, booleans, &mut facts);
        }
    }
    for index in catalog
        .indexes
        .values()
        .filter(|index| common.contains(index.table.as_str()))
    {
        let keys: Vec<_> = index.keys.iter().map(Expr::text).collect();
        let only = index.only.as_ref().map(|only| format!(" where {}", only.text()));
        let text = format!(
            "{}on {} ({}){}",
            if index.unique { "unique " } else { "" },
            index.table,
            keys.join(", "),
            only.unwrap_or_default()
        );
        facts.insert(format!("index {}", index.name), (text, index.span.clone()));
    }
    for trigger in catalog
        .triggers
        .values()
        .filter(|trigger| common.contains(trigger.table.as_str()))
    {
        let text = format!(
            "{} {} on {}",
            trigger.timing,
            trigger.events.join(" or "),
            trigger.table
        );
        facts.insert(format!("trigger {}", trigger.name), (text, trigger.span.clone()));
    }
    facts
}

fn of_table(table: &Table, booleans: &BTreeSet<String>, facts: &mut Facts) {
    let name = &table.name;
    for column in &table.columns {
        let at = format!("{name}.{}", column.name);
        let text = described(column, booleans.contains(&at));
        facts.insert(at, (text, column.span.clone()));
    }
    if let Some(key) = &table.primary {
        let text = key.columns.join(", ");
        facts.insert(format!("{name} primary key"), (text, key.span.clone()));
    }
    for key in &table.unique {
        let at = format!("{name} unique ({})", key.columns.join(", "));
        facts.insert(at, (String::new(), key.span.clone()));
    }
    for key in &table.foreign {
        let at = format!("{name} foreign key ({})", key.columns.join(", "));
        let text = format!(
            "{} ({}) {}",
            key.target,
            key.referred.join(", "),
            key.actions.join(" ")
        );
        facts.insert(at, (text.trim_end().to_owned(), key.span.clone()));
    }
    for check in &table.checks {
        let at = format!("{name} check {}", check.expr.text());
        facts.insert(at, (String::new(), check.span.clone()));
    }
}

fn described(column: &Column, boolean: bool) -> String {
    let null = if column.not_null { "NOT NULL" } else { "NULL" };
    let default = column.default.as_ref().map(|value| match value.text().as_str() {
        "false" if boolean => "0".to_owned(),
        "true" if boolean => "1".to_owned(),
        text => text.to_owned(),
    });
    default.map_or_else(|| null.to_owned(), |value| format!("{null} DEFAULT {value}"))
}

/// SQLite has no type for true and false: a check that only 0 and 1 pass stands for it.
fn implied(
    lite: &mut Facts,
    sqlite: &Catalog,
    booleans: &BTreeSet<String>,
    differs: &mut Excepted<'_>,
    out: &mut Sink<'_>,
) {
    for at in booleans {
        let Some((table, name)) = at.split_once('.') else {
            continue;
        };
        let Some(column) = sqlite.tables.get(table).and_then(|table| table.column(name)) else {
            continue;
        };
        let check = format!("{table} check {name} in ( 0 , 1 )");
        if lite.remove(&check).is_none() && !differs.has(&check) {
            let message = format!("`{at}` is BOOLEAN on PostgreSQL and takes any number on SQLite");
            let remedy = format!("add `CHECK ({name} IN (0, 1))`");
            out.report(Finding::new(column.span.clone(), message, remedy));
        }
    }
}

fn types(sqlite: &Catalog, postgres: &Catalog, differs: &mut Excepted<'_>, out: &mut Sink<'_>) {
    for table in sqlite.tables.values() {
        let Some(other) = postgres.tables.get(&table.name) else {
            continue;
        };
        for column in &table.columns {
            let Some(there) = other.column(&column.name) else {
                continue;
            };
            let key = format!("{}.{} type", table.name, column.name);
            if !alike(base(&column.type_), base(&there.type_)) && !differs.has(&key) {
                let message = format!("{key}: {} on SQLite, {} on PostgreSQL", column.type_, there.type_);
                let finding = Finding::new(
                    column.span.clone(),
                    message,
                    "use types that hold the same values",
                )
                .label("on SQLite")
                .also(there.span.clone(), "on PostgreSQL");
                out.report(declare(finding, &key));
            }
        }
    }
}

fn alike(sqlite: &str, postgres: &str) -> bool {
    match sqlite {
        "INTEGER" | "INT" => matches!(
            postgres,
            "BIGINT" | "INT8" | "INTEGER" | "INT" | "INT4" | "SMALLINT" | "INT2" | "BOOLEAN" | "BOOL"
        ),
        "TEXT" => matches!(
            postgres,
            "TEXT" | "VARCHAR" | "CHARACTER VARYING" | "JSONB" | "JSON" | "UUID"
        ),
        "BLOB" => postgres == "BYTEA",
        "REAL" => matches!(postgres, "DOUBLE PRECISION" | "FLOAT8" | "REAL" | "FLOAT4"),
        _ => false,
    }
}
