//! Does the database itself refuse to change what was recorded?

use serde::Deserialize;

use crate::config::{Config, Name};
use crate::model::Broken;
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::sql::{Catalog, Dialect};

/// `ARCH-SCHEMA-006`.
pub(super) struct AppendOnly;

const INFO: Info = Info {
    id: "ARCH-SCHEMA-006",
    title: "append-only tables have triggers before every change, in both databases",
    family: Family::Schema,
    why: "A record that code alone keeps is kept until somebody writes other code, or opens a shell.",
    fix: "Add a trigger BEFORE UPDATE and one BEFORE DELETE (PostgreSQL: BEFORE TRUNCATE too) that refuses.",
    scope: "the tables of `tables`; a trigger on some columns only is none",
    needles: &[],
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    tables: Vec<Name>,
}

impl Rule for AppendOnly {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn options(&self, config: &Config) -> Result<(), Broken> {
        config.options::<Options>(INFO.id).map(|_| ())
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let options: Options = ctx.options(&INFO);
        if options.tables.is_empty() || ctx.schema().is_empty() {
            out.off("the rule file has no append-only tables");
            return;
        }
        for (dialect, catalog) in ctx.schema() {
            for name in &options.tables {
                table(ctx, *dialect, catalog, name, out);
            }
        }
    }
}

fn table(ctx: &Ctx<'_>, dialect: Dialect, catalog: &Catalog, name: &Name, out: &mut Sink<'_>) {
    let declared = ctx.config.span(name);
    let name = name.as_ref();
    let Some(table) = catalog.tables.get(name) else {
        let message = format!("{} has no table `{name}`", dialect.name());
        out.report(Finding::new(
            declared,
            message,
            "correct the name in the rule file",
        ));
        return;
    };
    let events: &[&str] = match dialect {
        Dialect::Sqlite => &["UPDATE", "DELETE"],
        Dialect::Postgres => &["UPDATE", "DELETE", "TRUNCATE"],
    };
    for event in events {
        out.examined("", 1);
        let guards = catalog.triggers.values().any(|trigger| {
            trigger.table == *name
                && trigger.timing == "BEFORE"
                && trigger.events.iter().any(|known| known == event)
        });
        if !guards {
            let message = format!("{}: nothing refuses {event} on `{name}`", dialect.name());
            let remedy = format!("add a trigger BEFORE {event} ON {name} that raises an error");
            out.report(
                Finding::new(table.span.clone(), message, remedy).also(declared.clone(), "append-only"),
            );
        }
    }
}
