//! Is every foreign key served by an index?

use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::sql::{Catalog, Expr, Foreign, Table};

/// `ARCH-SCHEMA-007`.
pub(super) struct Served;

const INFO: Info = Info {
    id: "ARCH-SCHEMA-007",
    title: "every foreign key has an index that begins with its columns",
    family: Family::Schema,
    why: "Without one, every change of the row that is referred to reads the whole table that refers to it.",
    fix: "Add an index, a key or a unique constraint that begins with the columns, in any order.",
    scope: "foreign keys of both databases, against keys and indexes that cover all rows",
    needles: &[],
};

impl Rule for Served {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        if ctx.schema().is_empty() {
            out.off("`[schema]` names no migrations");
            return;
        }
        for (dialect, catalog) in ctx.schema() {
            for table in catalog.tables.values() {
                out.examined("", table.foreign.len());
                for key in table.foreign.iter().filter(|key| !is_served(catalog, table, key)) {
                    let columns = key.columns.join(", ");
                    let message = format!(
                        "{}: no index of `{}` begins with ({columns}), which refer to `{}`",
                        dialect.name(),
                        table.name,
                        key.target
                    );
                    let remedy = format!("add `CREATE INDEX … ON {} ({columns})`", table.name);
                    out.report(Finding::new(key.span.clone(), message, remedy));
                }
            }
        }
    }
}

fn is_served(catalog: &Catalog, table: &Table, key: &Foreign) -> bool {
    let leads = |columns: &mut dyn Iterator<Item = Option<&str>>| {
        let first: Vec<_> = columns.take(key.columns.len()).collect();
        first.len() == key.columns.len() && key.columns.iter().all(|own| first.contains(&Some(own.as_str())))
    };
    table
        .keys()
        .any(|known| leads(&mut known.columns.iter().map(|column| Some(column.as_str()))))
        || catalog.indexes.values().any(|index| {
            index.table == table.name
                && index.only.is_none()
                && leads(&mut index.keys.iter().map(Expr::leading))
        })
}
