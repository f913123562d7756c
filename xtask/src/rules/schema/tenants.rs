//! Does every row belong to one tenant, and do keys keep it there?

use serde::Deserialize;

use super::excepted::Excepted;
use crate::config::{Config, Exception, Name};
use crate::model::{Broken, Span};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::sql::{Catalog, Dialect, Expr, Table};

/// `ARCH-SCHEMA-005`.
pub(super) struct Tenants;

const INFO: Info = Info {
    id: "ARCH-SCHEMA-005",
    title: "keys of a tenant's tables begin with the tenant, references stay with it, and nothing is counted up",
    family: Family::Schema,
    why: "A distributed PostgreSQL checks uniqueness and references where the row is, and rows are spread by tenant. \
          A key without the tenant is also how one tenant's row answers for another's.",
    fix: "Begin keys with the tenant's column on both sides; list tables of the installation with their reason.",
    scope: "primary keys, unique keys and indexes, foreign keys, SERIAL, IDENTITY and AUTOINCREMENT of both databases",
    needles: &[],
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    /// The column that says whose a row is.
    column: Option<Name>,
    /// Tables that belong to no tenant.
    installation: Vec<Exception>,
    /// Keys that do not begin with the tenant or lead elsewhere: `table (column, column)`, ` on SQLite` if only there.
    keys: Vec<Exception>,
}

impl Rule for Tenants {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        config.options::<Options>(INFO.id).map(|_| ())
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let options: Options = ctx.options(&INFO);
        let Some(column) = options.column.as_ref().filter(|_| !ctx.schema().is_empty()) else {
            out.off("the rule file names no column of the tenant");
            return;
        };
        let mut installation = Excepted::new(&options.installation);
        let mut keys = Excepted::new(&options.keys);
        for (dialect, catalog) in ctx.schema() {
            let mut look = Look {
                column: column.as_ref(),
                dialect: *dialect,
                catalog,
                keys: &mut keys,
            };
            for table in catalog.tables.values() {
                look.counted(table, out);
                if installation.has(&table.name) {
                    continue;
                }
                look.owned(table, out);
                look.unique(table, out);
                look.foreign(table, &options.installation, out);
            }
        }
        installation.finish(ctx, out);
        keys.finish(ctx, out);
    }
}

struct Look<'a, 'e> {
    column: &'a str,
    dialect: Dialect,
    catalog: &'a Catalog,
    keys: &'a mut Excepted<'e>,
}

impl Look<'_, '_> {
    fn owned(&self, table: &Table, out: &mut Sink<'_>) {
        let (name, column, database) = (&table.name, self.column, self.dialect.name());
        out.examined("", 1);
        match table.column(column) {
            None => {
                let message = format!("{database}: `{name}` has no `{column}`");
                let remedy = format!(
                    "add `{column} TEXT NOT NULL` and begin its keys with it, or list the table in `installation`"
                );
                out.report(Finding::new(table.span.clone(), message, remedy));
            }
            Some(known) if !known.not_null => {
                let message =
                    format!("{database}: `{name}.{column}` may be NULL, and then the row is nobody's");
                out.report(Finding::new(known.span.clone(), message, "make it NOT NULL"));
            }
            Some(_) => {}
        }
    }

    /// Primary keys, unique constraints and unique indexes.
    fn unique(&mut self, table: &Table, out: &mut Sink<'_>) {
        let mut all: Vec<(Vec<String>, &Span)> =
            table.keys().map(|key| (key.columns.clone(), &key.span)).collect();
        let indexes = self.catalog.indexes.values();
        let indexes = indexes.filter(|index| index.unique && index.table == table.name);
        all.extend(indexes.map(|index| (index.keys.iter().map(Expr::text).collect(), &index.span)));
        if table.primary.is_none() {
            let message = format!("{}: `{}` has no primary key", self.dialect.name(), table.name);
            let remedy = format!("add `PRIMARY KEY ({}, …)`", self.column);
            out.report(Finding::new(table.span.clone(), message, remedy));
        }
        for (columns, span) in all {
            out.examined("", 1);
            let begins = columns.first().is_some_and(|first| first == self.column);
            let key = format!("{} ({})", table.name, columns.join(", "));
            if begins || self.excepted(&key) {
                continue;
            }
            let message = format!(
                "{}: the key `{key}` does not begin with `{}`",
                self.dialect.name(),
                self.column
            );
            let remedy = format!(
                "begin it with `{}`, or list it in `keys` with a reason",
                self.column
            );
            out.report(Finding::new(span.clone(), message, remedy));
        }
    }

    fn foreign(&mut self, table: &Table, installation: &[Exception], out: &mut Sink<'_>) {
        for foreign in &table.foreign {
            out.examined("", 1);
            let begins = |columns: &[String]| columns.first().is_some_and(|first| first == self.column);
            // Every machine has the whole of a table that is not spread.
            let everywhere = installation
                .iter()
                .any(|known| *known.at.as_ref() == foreign.target);
            let key = format!("{} ({})", table.name, foreign.columns.join(", "));
            let stays = begins(&foreign.columns) && begins(&foreign.referred);
            if stays || everywhere || self.excepted(&key) {
                continue;
            }
            let message = format!(
                "{}: the reference `{key}` to `{} ({})` can leave the tenant",
                self.dialect.name(),
                foreign.target,
                foreign.referred.join(", ")
            );
            let remedy = format!(
                "begin both sides with `{}`, or list it in `keys` with a reason",
                self.column
            );
            out.report(Finding::new(foreign.span.clone(), message, remedy));
        }
    }

    /// Declared for both databases, or for this one only.
    fn excepted(&mut self, key: &str) -> bool {
        self.keys.has(&format!("{key} on {}", self.dialect.name())) || self.keys.has(key)
    }

    fn counted(&self, table: &Table, out: &mut Sink<'_>) {
        out.examined("", 1);
        for column in table.columns.iter().filter(|column| column.counted) {
            let message = format!(
                "{}: the database counts `{}.{}` up",
                self.dialect.name(),
                table.name,
                column.name
            );
            let remedy = "make the id in the program: a counter that all machines share makes them wait";
            out.report(Finding::new(column.span.clone(), message, remedy));
        }
    }
}
