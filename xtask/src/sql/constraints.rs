//! How are tables, columns and constraints written?

use super::cursor::Cursor;
use super::tables::{Check, Column, Foreign, Key, Table};
use super::{Dialect, Read};

/// Words that end a type or a default and begin a constraint.
const STARTS: [&str; 12] = [
    "constraint",
    "not",
    "null",
    "default",
    "primary",
    "unique",
    "check",
    "references",
    "generated",
    "collate",
    "autoincrement",
    "on",
];

/// What follows `CREATE TABLE [IF NOT EXISTS]`.
pub(super) fn table(cursor: &mut Cursor<'_>, dialect: Dialect) -> Read<Table> {
    let start = cursor.start();
    let name = cursor.name()?;
    let mut table = Table {
        name,
        span: cursor.span(start),
        ..Table::default()
    };
    cursor.expect("(")?;
    loop {
        if is_constraint(cursor) {
            constraint(cursor, &mut table, dialect)?;
        } else {
            column(cursor, &mut table, dialect)?;
        }
        if !cursor.take(",") {
            break;
        }
    }
    cursor.expect(")")?;
    while !cursor.is_at_end() {
        if cursor.take("strict") {
            table.strict = true;
        } else if cursor.take("without rowid") {
            table.without_rowid = true;
        } else if cursor.take("with") {
            cursor.parenthesised()?;
        } else if cursor.take(",") {
            // Between SQLite's options.
        } else {
            return Err(cursor.fault("an option of a table that is not known here"));
        }
    }
    if table.strict || table.without_rowid {
        let key = table
            .primary
            .iter()
            .flat_map(|key| key.columns.clone())
            .collect::<Vec<_>>();
        for name in key {
            table.change(&name, |column| column.not_null = true);
        }
    }
    Ok(table)
}

/// Whether a constraint of the table stands here, not a column.
pub(super) fn is_constraint(cursor: &Cursor<'_>) -> bool {
    [
        "constraint",
        "primary",
        "unique",
        "foreign",
        "check",
        "exclude",
        "like",
    ]
    .iter()
    .any(|word| cursor.is(word))
}

/// `[CONSTRAINT x] PRIMARY KEY (…)`, `UNIQUE (…)`, `FOREIGN KEY (…) REFERENCES …`, `CHECK (…)`.
pub(super) fn constraint(cursor: &mut Cursor<'_>, table: &mut Table, dialect: Dialect) -> Read<()> {
    let start = cursor.start();
    let name = if cursor.take("constraint") {
        Some(cursor.name()?)
    } else {
        None
    };
    if cursor.take("primary key") {
        let columns = cursor.names()?;
        table.set_primary(
            Key {
                name,
                columns,
                span: cursor.span(start),
            },
            dialect,
        );
    } else if cursor.take("unique") {
        if cursor.is("nulls") {
            return Err(cursor.fault("NULLS [NOT] DISTINCT is not known here"));
        }
        let columns = cursor.names()?;
        table.unique.push(Key {
            name,
            columns,
            span: cursor.span(start),
        });
    } else if cursor.take("foreign key") {
        let columns = cursor.names()?;
        let foreign = references(cursor, name, columns, start)?;
        table.foreign.push(foreign);
    } else if cursor.take("check") {
        let expr = cursor.parenthesised()?;
        let span = cursor.span(start);
        table.checks.push(Check { name, expr, span });
    } else {
        return Err(cursor.fault("a constraint that is not known here"));
    }
    Ok(())
}

/// `REFERENCES target (columns) ON DELETE …`.
fn references(
    cursor: &mut Cursor<'_>,
    name: Option<String>,
    columns: Vec<String>,
    start: usize,
) -> Read<Foreign> {
    cursor.expect("references")?;
    let target = cursor.name()?;
    let referred = if cursor.is("(") {
        cursor.names()?
    } else {
        Vec::new()
    };
    let mut actions = Vec::new();
    loop {
        if cursor.take("on") {
            let event = cursor.name()?;
            let mut action = vec!["on".to_owned(), event];
            action.push(cursor.name()?);
            if action.last().is_some_and(|last| last == "set" || last == "no") {
                action.push(cursor.name()?);
            }
            actions.push(action.join(" "));
        } else if cursor.take("not deferrable") || cursor.take("initially immediate") {
            // The default.
        } else if cursor.take("deferrable") || cursor.take("initially deferred") {
            actions.push("deferrable".to_owned());
        } else {
            break;
        }
    }
    actions.sort();
    actions.dedup();
    Ok(Foreign {
        name,
        columns,
        target,
        referred,
        actions,
        span: cursor.span(start),
    })
}

/// `name type constraint…`; constraints of the column are kept as those of the table that they mean.
pub(super) fn column(cursor: &mut Cursor<'_>, table: &mut Table, dialect: Dialect) -> Read<()> {
    let start = cursor.start();
    let name = cursor.name()?;
    let span = cursor.span(start);
    let mut stops = STARTS.to_vec();
    stops.push(",");
    let type_ = cursor.until(&stops)?.text().to_uppercase();
    let serial = type_.contains("SERIAL");
    table.columns.push(Column {
        name: name.clone(),
        type_,
        not_null: serial,
        default: None,
        counted: serial,
        span,
    });
    while !cursor.is_at_end() && !cursor.is(",") && !cursor.is(")") {
        of_column(cursor, table, &name, dialect)?;
    }
    Ok(())
}

fn of_column(cursor: &mut Cursor<'_>, table: &mut Table, column: &str, dialect: Dialect) -> Read<()> {
    let start = cursor.start();
    let named = if cursor.take("constraint") {
        Some(cursor.name()?)
    } else {
        None
    };
    if cursor.take("primary key") {
        if cursor.take("autoincrement") {
            table.change(column, |column| column.counted = true);
        }
        let columns = vec![column.to_owned()];
        let key = Key {
            name: named,
            columns,
            span: cursor.span(start),
        };
        table.set_primary(key, dialect);
    } else if cursor.take("not null") {
        table.change(column, |column| column.not_null = true);
    } else if cursor.take("null") {
        table.change(column, |column| column.not_null = false);
    } else if cursor.take("default") {
        let value = default(cursor)?;
        table.change(column, |column| column.default = Some(value));
    } else if cursor.take("unique") {
        table.unique.push(Key {
            name: named,
            columns: vec![column.to_owned()],
            span: cursor.span(start),
        });
    } else if cursor.take("check") {
        let expr = cursor.parenthesised()?;
        let span = cursor.span(start);
        table.checks.push(Check {
            name: named,
            expr,
            span,
        });
    } else if cursor.is("references") {
        let foreign = references(cursor, named, vec![column.to_owned()], start)?;
        table.foreign.push(foreign);
    } else if cursor.take("collate") {
        cursor.name()?;
    } else if cursor.take("generated always as identity") || cursor.take("generated by default as identity") {
        table.change(column, |column| (column.counted, column.not_null) = (true, true));
        if cursor.is("(") {
            cursor.parenthesised()?;
        }
    } else {
        return Err(cursor.fault("a constraint of a column that is not known here"));
    }
    Ok(())
}

/// A default is one value, one call or what stands in parentheses.
pub(super) fn default(cursor: &mut Cursor<'_>) -> Read<super::Expr> {
    let mut stops = STARTS.to_vec();
    stops.push(",");
    // `DEFAULT NULL` is a value.
    let null = cursor.peek().filter(|_| cursor.is("null")).cloned();
    if let Some(token) = null {
        cursor.next();
        return Ok(super::Expr(vec![token]));
    }
    let value = cursor.until(&stops)?;
    if value.0.is_empty() {
        return Err(cursor.fault("a value is expected"));
    }
    Ok(value)
}
