//! What does each statement of a migration do?

use super::constraints::{column, constraint, default, table};
use super::cursor::Cursor;
use super::lexer::Tok;
use super::tables::Table;
use super::{Dialect, Expr, Read};
use crate::model::Span;

/// What a statement does to the schema.
#[derive(Debug, Clone)]
pub(super) enum Statement {
    CreateTable {
        table: Box<Table>,
        if_missing: bool,
    },
    CreateIndex {
        index: Index,
        if_missing: bool,
    },
    CreateTrigger(Trigger),
    /// `ALTER TABLE`, one change at a time.
    Alter {
        table: String,
        change: Change,
    },
    DropTable {
        names: Vec<String>,
        if_exists: bool,
    },
    DropIndex {
        names: Vec<String>,
        if_exists: bool,
    },
    DropTrigger {
        name: String,
        if_exists: bool,
    },
    /// Rows, functions, rights, settings: nothing that has columns.
    Other,
}

#[derive(Debug, Clone)]
pub(super) enum Change {
    /// A column with its constraints, in a table that has nothing else.
    Add(Box<Table>),
    Drop {
        column: String,
        if_exists: bool,
    },
    Rename {
        from: String,
        to: String,
    },
    RenameTable(String),
    DropConstraint {
        name: String,
        if_exists: bool,
    },
    NotNull(String, bool),
    Default(String, Option<Expr>),
    Type(String, String),
    /// Row-level security, storage, owners.
    Nothing,
}

#[derive(Debug, Clone)]
pub(crate) struct Index {
    pub(crate) name: String,
    pub(crate) table: String,
    pub(crate) unique: bool,
    pub(crate) keys: Vec<Expr>,
    /// `WHERE` of a partial index.
    pub(crate) only: Option<Expr>,
    pub(crate) span: Span,
}

#[derive(Debug, Clone)]
pub(crate) struct Trigger {
    pub(crate) name: String,
    pub(crate) table: String,
    /// `BEFORE`, `AFTER`, `INSTEAD OF`.
    pub(crate) timing: String,
    /// `UPDATE`, `DELETE`, `INSERT`, `TRUNCATE`; `UPDATE OF a` for some columns only.
    pub(crate) events: Vec<String>,
    pub(crate) span: Span,
}

/// Statements that make or change nothing with columns.
const OTHER: [&str; 24] = [
    "insert",
    "update",
    "delete",
    "select",
    "with",
    "values",
    "grant",
    "revoke",
    "comment on",
    "set",
    "reset",
    "begin",
    "commit",
    "pragma",
    "analyze",
    "vacuum",
    "reindex",
    "create function",
    "create or replace function",
    "drop function",
    "create policy",
    "drop policy",
    "alter policy",
    "create extension",
];

/// Reads one statement, without its semicolon.
pub(super) fn statement(tokens: &[Tok], file: &str, dialect: Dialect) -> Read<Vec<Statement>> {
    let mut cursor = Cursor::new(tokens, file);
    let cursor = &mut cursor;
    if OTHER.iter().any(|words| cursor.take(words)) {
        return Ok(vec![Statement::Other]);
    }
    let read = if cursor.take("create table") {
        let if_missing = cursor.take("if not exists");
        let table = Box::new(table(cursor, dialect)?);
        Statement::CreateTable { table, if_missing }
    } else if cursor.take("create unique index") {
        index(cursor, true)?
    } else if cursor.take("create index") {
        index(cursor, false)?
    } else if [
        "create trigger",
        "create or replace trigger",
        "create constraint trigger",
    ]
    .iter()
    .any(|start| cursor.take(start))
    {
        return trigger(cursor).map(|trigger| vec![trigger]);
    } else if cursor.take("alter table") {
        return alter(cursor, dialect);
    } else if cursor.take("drop table") {
        let if_exists = cursor.take("if exists");
        let names = dropped(cursor)?;
        Statement::DropTable { names, if_exists }
    } else if cursor.take("drop index") {
        cursor.take("concurrently");
        let if_exists = cursor.take("if exists");
        let names = dropped(cursor)?;
        Statement::DropIndex { names, if_exists }
    } else if cursor.take("drop trigger") {
        let if_exists = cursor.take("if exists");
        let name = cursor.name()?;
        if cursor.take("on") {
            cursor.name()?;
        }
        Statement::DropTrigger { name, if_exists }
    } else {
        return Err(cursor.fault("a statement that is not known here"));
    };
    end(cursor)?;
    Ok(vec![read])
}

fn end(cursor: &Cursor<'_>) -> Read<()> {
    if cursor.is_at_end() {
        return Ok(());
    }
    Err(cursor.fault("this part of the statement is not known here"))
}

fn dropped(cursor: &mut Cursor<'_>) -> Read<Vec<String>> {
    let mut names = vec![cursor.name()?];
    while cursor.take(",") {
        names.push(cursor.name()?);
    }
    if !cursor.take("cascade") {
        cursor.take("restrict");
    }
    Ok(names)
}

fn index(cursor: &mut Cursor<'_>, unique: bool) -> Read<Statement> {
    cursor.take("concurrently");
    let if_missing = cursor.take("if not exists");
    let start = cursor.start();
    let name = cursor.name()?;
    let span = cursor.span(start);
    cursor.expect("on")?;
    cursor.take("only");
    let table = cursor.name()?;
    if cursor.take("using") {
        cursor.name()?;
    }
    let keys = cursor.list()?;
    if cursor.take("include") {
        cursor.names()?;
    }
    if cursor.take("with") {
        cursor.parenthesised()?;
    }
    let only = if cursor.take("where") {
        Some(cursor.until(&[])?)
    } else {
        None
    };
    let index = Index {
        name,
        table,
        unique,
        keys,
        only,
        span,
    };
    Ok(Statement::CreateIndex { index, if_missing })
}

/// A trigger up to its table; what it does is a program and not read.
fn trigger(cursor: &mut Cursor<'_>) -> Read<Statement> {
    cursor.take("if not exists");
    let start = cursor.start();
    let name = cursor.name()?;
    let span = cursor.span(start);
    let timing = ["before", "after", "instead of"]
        .into_iter()
        .find(|timing| cursor.take(timing))
        // SQLite's default.
        .unwrap_or("before");
    let mut events = Vec::new();
    loop {
        let event = cursor.name()?;
        let event = if event == "update" && cursor.take("of") {
            format!("UPDATE OF {}", cursor.until(&["on", "or"])?.text())
        } else {
            event.to_uppercase()
        };
        events.push(event);
        if !cursor.take("or") {
            break;
        }
    }
    cursor.expect("on")?;
    let table = cursor.name()?;
    events.sort();
    Ok(Statement::CreateTrigger(Trigger {
        name,
        table,
        timing: timing.to_uppercase(),
        events,
        span,
    }))
}

fn alter(cursor: &mut Cursor<'_>, dialect: Dialect) -> Read<Vec<Statement>> {
    cursor.take("if exists");
    cursor.take("only");
    let name = cursor.name()?;
    let mut changes = Vec::new();
    loop {
        let change = change(cursor, dialect)?;
        changes.push(Statement::Alter {
            table: name.clone(),
            change,
        });
        if !cursor.take(",") {
            break;
        }
    }
    end(cursor)?;
    Ok(changes)
}

fn change(cursor: &mut Cursor<'_>, dialect: Dialect) -> Read<Change> {
    if cursor.take("add") {
        return add(cursor, dialect);
    }
    if cursor.take("drop constraint") {
        let if_exists = cursor.take("if exists");
        let name = cursor.name()?;
        cursor.take("cascade");
        return Ok(Change::DropConstraint { name, if_exists });
    }
    if cursor.take("drop") {
        cursor.take("column");
        let if_exists = cursor.take("if exists");
        let column = cursor.name()?;
        cursor.take("cascade");
        return Ok(Change::Drop { column, if_exists });
    }
    if cursor.take("rename to") {
        return Ok(Change::RenameTable(cursor.name()?));
    }
    if cursor.take("rename") {
        cursor.take("column");
        let from = cursor.name()?;
        cursor.expect("to")?;
        let to = cursor.name()?;
        return Ok(Change::Rename { from, to });
    }
    if cursor.take("alter") {
        cursor.take("column");
        return altered(cursor);
    }
    for nothing in [
        "enable row level security",
        "disable row level security",
        "force row level security",
        "no force row level security",
    ] {
        if cursor.take(nothing) {
            return Ok(Change::Nothing);
        }
    }
    if cursor.take("owner to") {
        cursor.name()?;
        return Ok(Change::Nothing);
    }
    if cursor.take("set") || cursor.take("reset") {
        cursor.parenthesised()?;
        return Ok(Change::Nothing);
    }
    Err(cursor.fault("a change of a table that is not known here"))
}

fn add(cursor: &mut Cursor<'_>, dialect: Dialect) -> Read<Change> {
    let mut added = Table::default();
    if super::constraints::is_constraint(cursor) {
        constraint(cursor, &mut added, dialect)?;
        // Rows that are there are looked at later, if at all; the constraint is the same.
        cursor.take("not valid");
    } else {
        cursor.take("column");
        cursor.take("if not exists");
        column(cursor, &mut added, dialect)?;
    }
    Ok(Change::Add(Box::new(added)))
}

/// `ALTER COLUMN c SET NOT NULL` and the like.
fn altered(cursor: &mut Cursor<'_>) -> Read<Change> {
    let column = cursor.name()?;
    if cursor.take("set not null") {
        return Ok(Change::NotNull(column, true));
    }
    if cursor.take("drop not null") {
        return Ok(Change::NotNull(column, false));
    }
    if cursor.take("set default") {
        return Ok(Change::Default(column, Some(default(cursor)?)));
    }
    if cursor.take("drop default") {
        return Ok(Change::Default(column, None));
    }
    if cursor.take("set data type") || cursor.take("type") {
        let type_ = cursor.until(&[",", "using", "collate"])?.text().to_uppercase();
        if cursor.take("using") {
            cursor.until(&[","])?;
        }
        return Ok(Change::Type(column, type_));
    }
    Err(cursor.fault("a change of a column that is not known here"))
}
