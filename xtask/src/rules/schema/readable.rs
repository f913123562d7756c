//! Can every migration be read, applied and taken back?

use std::collections::BTreeSet;

use crate::model::{Span, extension_of};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};
use crate::sql::{self, Catalog, Dialect, Migration};

/// `ARCH-SCHEMA-001`.
pub(super) struct Readable;

const INFO: Info = Info {
    id: "ARCH-SCHEMA-001",
    title: "every migration can be read, fits those before it, and is undone by its down.sql",
    family: Family::Schema,
    why: "All other rules of the schema stand on what is read here: a statement that was skipped would hide a table \
          from all of them. A migration that only one database has makes two products.",
    fix: "Write it in the form that the checker reads, or teach xtask/src/sql the form; add the missing file.",
    scope: "up.sql and down.sql in the directories of `[schema]`",
    needles: &[],
};

impl Rule for Readable {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let dirs = ctx.migration_dirs();
        if dirs.is_empty() {
            out.off("`[schema]` names no migrations");
            return;
        }
        let all: Vec<_> = dirs
            .iter()
            .map(|(_, dir)| sql::migrations(ctx.workspace, dir.as_ref()))
            .collect();
        let names: BTreeSet<_> = all.iter().flatten().map(|one| one.name.as_str()).collect();
        for ((dialect, dir), migrations) in dirs.iter().zip(&all) {
            if migrations.is_empty() {
                let message = format!("`{}` has no migrations", dir.as_ref());
                let remedy = "name a directory with directories that have an up.sql";
                out.report(Finding::new(ctx.config.span(dir), message, remedy));
                continue;
            }
            for name in &names {
                if !migrations.iter().any(|one| one.name == **name) {
                    let message = format!("{} lacks the migration `{name}`", dialect.name());
                    let remedy = "add it, if only with a comment that says why there is nothing to do";
                    out.report(Finding::new(ctx.config.span(dir), message, remedy));
                }
            }
            files(ctx, dir.as_ref(), migrations, out);
            undone(ctx, dir.as_ref(), *dialect, out);
        }
        for (dialect, catalog) in ctx.schema() {
            out.examined("", size(catalog));
            unread(catalog, *dialect, out);
        }
    }
}

fn size(catalog: &Catalog) -> usize {
    catalog.tables.len() + catalog.indexes.len() + catalog.triggers.len()
}

fn unread(catalog: &Catalog, dialect: Dialect, out: &mut Sink<'_>) {
    for unread in &catalog.unread {
        let message = format!("this could not be read as {}: {}", dialect.name(), unread.what);
        let remedy = "write it in the form that the checker reads, or teach xtask/src/sql the form";
        out.report(Finding::new(unread.span.clone(), message, remedy));
    }
}

/// Files that no migration tool would look at, and down.sql that are missing.
fn files(ctx: &Ctx<'_>, dir: &str, migrations: &[Migration], out: &mut Sink<'_>) {
    for migration in migrations {
        if ctx.workspace.files.text(&migration.down).is_none() {
            let message = format!("the migration `{}` has no down.sql", migration.name);
            let remedy = "add it: the schema must go as it came";
            out.report(Finding::new(Span::file(&migration.up), message, remedy));
        }
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(migration.version()) {
            let message = format!("the migration `{}` does not begin with a version", migration.name);
            let remedy =
                "name the directory VERSION_what, with digits in front: the order is that of the versions";
            out.report(Finding::new(Span::file(&migration.up), message, remedy));
        }
    }
    let known: BTreeSet<_> = migrations
        .iter()
        .flat_map(|one| [one.up.as_str(), one.down.as_str()])
        .collect();
    for path in ctx.workspace.files.under(&format!("{dir}/")) {
        if extension_of(path) == Some("sql") && !known.contains(path) {
            let remedy = "put it into VERSION_what/up.sql, or delete it";
            out.report(Finding::new(
                Span::file(path),
                "no database ever sees this file",
                remedy,
            ));
        }
    }
}

/// After all migrations were taken back, nothing may be left.
fn undone(ctx: &Ctx<'_>, dir: &str, dialect: Dialect, out: &mut Sink<'_>) {
    let catalog = sql::catalog(ctx.workspace, dir, dialect, true);
    let down = |span: &Span| span.path.ends_with("/down.sql");
    for unread in catalog.unread.iter().filter(|unread| down(&unread.span)) {
        let message = format!("this could not be undone on {}: {}", dialect.name(), unread.what);
        out.report(Finding::new(
            unread.span.clone(),
            message,
            "undo exactly what the up.sql does",
        ));
    }
    for table in catalog.tables.values() {
        let message = format!("{}: no down.sql drops the table `{}`", dialect.name(), table.name);
        let remedy = "drop it in the down.sql of the migration that makes it";
        out.report(Finding::new(table.span.clone(), message, remedy));
    }
}
