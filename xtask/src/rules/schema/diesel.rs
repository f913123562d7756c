//! Does `schema.rs` say what the migrations make?

use serde::Deserialize;

use super::excepted::Excepted;
use super::tables::{DieselColumn, DieselTable, tables};
use crate::config::{Config, Exception};
use crate::model::{Broken, SourceFile, Span};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::sql::{Catalog, Column, Dialect, Table};

/// `ARCH-SCHEMA-002`.
pub(super) struct Mirrored;

const INFO: Info = Info {
    id: "ARCH-SCHEMA-002",
    title: "Diesel's tables are those of the migrations: columns, types, nullability, keys",
    family: Family::Schema,
    why: "Diesel believes its `table!`: a type that is wrong there is an error of the first request that meets it, \
          and a NULL that it does not know is a crash of one row.",
    fix: "Write the migration first, then the same into schema.rs.",
    scope: "every `table!` of the file of `[schema] diesel` and of its modules, against both databases",
    needles: &["table"],
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    /// Tables that the code does not query.
    unqueried: Vec<Exception>,
    /// `table primary key (database)` where the order of the key is that of the other database.
    keys: Vec<Exception>,
}

impl Rule for Mirrored {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        config.options::<Options>(INFO.id).map(|_| ())
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let Some(path) = &ctx.config.schema.diesel else {
            out.off("`[schema]` names no file with Diesel's tables");
            return;
        };
        let files = files(ctx, path.as_ref());
        if files.is_empty() {
            let message = format!("there is no Rust file `{}`", path.as_ref());
            out.report(Finding::new(ctx.config.span(path), message, "correct the path"));
            return;
        }
        let mut declared = Vec::new();
        for file in files {
            match tables(file, ctx.words) {
                Ok(tables) => declared.extend(tables.into_iter().map(|table| (file, table))),
                Err(token) => {
                    let remedy = "write `table (key) { column -> Type, }`, as Diesel does";
                    out.report(Finding::new(
                        file.span(token),
                        "this `table!` could not be read",
                        remedy,
                    ));
                    return;
                }
            }
        }
        let options: Options = ctx.options(&INFO);
        let mut unqueried = Excepted::new(&options.unqueried);
        let mut keys = Excepted::new(&options.keys);
        for (dialect, catalog) in ctx.schema() {
            for (file, table) in &declared {
                out.examined(&file.krate, table.columns.len());
                let Some(made) = catalog.tables.get(&table.name) else {
                    let message = format!("no migration of {} makes `{}`", dialect.name(), table.name);
                    let remedy = "write the migration, or remove the `table!`";
                    out.report(Finding::new(file.span_of(table.place.clone()), message, remedy));
                    continue;
                };
                let pair = Pair {
                    file,
                    dialect: *dialect,
                    table,
                    made,
                };
                pair.compare(&mut keys, out);
            }
            missing(catalog, &declared, path.as_ref(), &mut unqueried, out);
        }
        unqueried.finish(ctx, out);
        keys.finish(ctx, out);
    }
}

/// The file with the tables, and those of the modules in it.
fn files<'c>(ctx: &Ctx<'c>, path: &str) -> Vec<&'c SourceFile> {
    let inside = format!("{}/", path.strip_suffix(".rs").unwrap_or(path));
    let is_of = |file: &&SourceFile| file.path == *path || file.path.starts_with(&inside);
    ctx.workspace.sources.iter().filter(is_of).collect()
}

fn missing(
    catalog: &Catalog,
    declared: &[(&SourceFile, DieselTable)],
    path: &str,
    unqueried: &mut Excepted<'_>,
    out: &mut Sink<'_>,
) {
    for table in catalog.tables.values() {
        if !declared.iter().any(|(_, known)| known.name == table.name) && !unqueried.has(&table.name) {
            let message = format!("`{path}` lacks the table `{}`", table.name);
            let remedy = "add its `table!`, or list it in `unqueried` with a reason";
            out.report(Finding::new(table.span.clone(), message, remedy));
        }
    }
}

/// A table as Diesel and as a database has it.
struct Pair<'a> {
    file: &'a SourceFile,
    dialect: Dialect,
    table: &'a DieselTable,
    made: &'a Table,
}

impl Pair<'_> {
    fn compare(&self, keys: &mut Excepted<'_>, out: &mut Sink<'_>) {
        let (name, database) = (&self.table.name, self.dialect.name());
        for column in &self.table.columns {
            if let Some(made) = self.made.column(&column.name) {
                self.column(column, made, out);
                continue;
            }
            let message = format!("{database} has no column `{name}.{}`", column.name);
            let remedy = "write the migration that adds it, or remove the line";
            out.report(
                Finding::new(self.place(column), message, remedy).also(self.made.span.clone(), "the table"),
            );
        }
        for made in &self.made.columns {
            if !self.table.columns.iter().any(|column| column.name == made.name) {
                let message = format!("`{}` lacks the column `{name}.{}`", self.file.path, made.name);
                let remedy = "add the line to its `table!`";
                out.report(Finding::new(made.span.clone(), message, remedy));
            }
        }
        let key = self
            .made
            .primary
            .as_ref()
            .map(|key| key.columns.clone())
            .unwrap_or_default();
        if key != self.table.key && !keys.has(&format!("{name} ({database})")) {
            let message = format!(
                "the key of `{name}` is ({}) here and ({}) on {database}",
                self.table.key.join(", "),
                key.join(", ")
            );
            let span = self.file.span_of(self.table.place.clone());
            let there = self
                .made
                .primary
                .as_ref()
                .map_or(&self.made.span, |key| &key.span);
            let remedy = "write the key that the migration makes, in its order";
            out.report(Finding::new(span, message, remedy).also(there.clone(), "made here"));
        }
    }

    fn column(&self, column: &DieselColumn, made: &Column, out: &mut Sink<'_>) {
        let name = format!("{}.{}", self.table.name, column.name);
        let database = self.dialect.name();
        if column.nullable == made.not_null {
            let (here, there, remedy) = if column.nullable {
                ("Nullable", "NOT NULL", format!("write `{}`", column.type_))
            } else {
                (
                    "never null",
                    "nullable",
                    format!("write `Nullable<{}>`", column.type_),
                )
            };
            let message = format!("`{name}` is {here} here and {there} on {database}");
            out.report(
                Finding::new(self.place(column), message, remedy).also(made.span.clone(), "made here"),
            );
        }
        if !fits(&column.type_, self.dialect).contains(&base(&made.type_)) {
            let message = format!(
                "`{name}` is {} here and {} on {database}",
                column.type_, made.type_
            );
            let allowed = fits(&column.type_, self.dialect).join(", ");
            let remedy = if allowed.is_empty() {
                "use a type that both databases have: Text, BigInt, Integer, Bool, Binary".to_owned()
            } else {
                format!("{} is stored as {allowed} there", column.type_)
            };
            out.report(
                Finding::new(self.place(column), message, remedy).also(made.span.clone(), "made here"),
            );
        }
    }

    fn place(&self, column: &DieselColumn) -> Span {
        self.file.span_of(column.place.clone())
    }
}

/// The type without its length: `VARCHAR ( 50 )` is `VARCHAR`.
pub(super) fn base(type_: &str) -> &str {
    type_.split(" (").next().unwrap_or_default()
}

/// What Diesel stores its types as.
fn fits(diesel: &str, dialect: Dialect) -> &'static [&'static str] {
    match (dialect, diesel) {
        (_, "Text" | "VarChar") => &["TEXT", "VARCHAR", "CHARACTER VARYING"],
        (Dialect::Sqlite, "BigInt" | "Int8" | "Integer" | "Int4" | "SmallInt" | "Int2") => {
            &["INTEGER", "INT"]
        }
        (Dialect::Sqlite, "Bool") => &["INTEGER", "INT", "BOOLEAN"],
        (Dialect::Sqlite, "Binary" | "Jsonb") => &["BLOB"],
        (Dialect::Sqlite, "Double" | "Float8" | "Float" | "Float4") => &["REAL"],
        (Dialect::Sqlite, "Json") => &["TEXT"],
        (Dialect::Postgres, "BigInt" | "Int8") => &["BIGINT", "INT8", "BIGSERIAL"],
        (Dialect::Postgres, "Integer" | "Int4") => &["INTEGER", "INT", "INT4", "SERIAL"],
        (Dialect::Postgres, "SmallInt" | "Int2") => &["SMALLINT", "INT2", "SMALLSERIAL"],
        (Dialect::Postgres, "Bool") => &["BOOLEAN", "BOOL"],
        (Dialect::Postgres, "Binary" | "Bytea") => &["BYTEA"],
        (Dialect::Postgres, "Double" | "Float8") => &["DOUBLE PRECISION", "FLOAT8"],
        (Dialect::Postgres, "Float" | "Float4") => &["REAL", "FLOAT4"],
        (Dialect::Postgres, "Jsonb") => &["JSONB"],
        (Dialect::Postgres, "Json") => &["JSON"],
        (Dialect::Postgres, "Numeric") => &["NUMERIC", "DECIMAL"],
        (Dialect::Postgres, "Timestamptz") => &["TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"],
        (Dialect::Postgres, "Timestamp") => &["TIMESTAMP", "TIMESTAMP WITHOUT TIME ZONE"],
        (Dialect::Postgres, "Uuid") => &["UUID"],
        (Dialect::Postgres, "Date") => &["DATE"],
        _ => &[],
    }
}
