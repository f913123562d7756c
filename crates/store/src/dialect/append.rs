//! How are rows added to a table, many at a time?
//!
//! On PostgreSQL by one statement over the columns, on SQLite by a few over the rows; both are prepared once. What
//! diesel makes of a list of rows has another text for each length, and is parsed and planned with every use.

use diesel::prelude::*;

use super::AnyConnection;
use super::prepared::{Column, Rows, Statement, Value, With, for_rows};

/// Declares the statements that add rows of these columns to a table; what is to happen to a row that is there already is
/// said after them, in words that both databases know, and no two rows of one call may then be the same one.
macro_rules! appended {
    ($(#[$doc:meta])* $name:ident: $table:ident ($($column:ident),* $(,)?)) => {
        $crate::dialect::append::appended! { $(#[$doc])* $name: $table ($($column),*) "" }
    };
    ($(#[$doc:meta])* $name:ident: $table:ident ($first:ident $(, $column:ident)* $(,)?) $conflict:literal) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl $crate::dialect::prepared::Statement for $name {
            const SQL: &'static str = concat!(
                "INSERT INTO ", stringify!($table), " (", stringify!($first), $(", ", stringify!($column),)*
                ") SELECT * FROM unnest($", $($crate::dialect::append::appended!(@one_more $column),)* ")", $conflict,
            );
            type Row = ();
        }

        impl $crate::dialect::prepared::Rows for $name {
            const HEAD: &'static str = concat!(
                "INSERT INTO ", stringify!($table), " (", stringify!($first), $(", ", stringify!($column),)*
                ") VALUES ",
            );
            const COLUMNS: usize = [stringify!($first), $(stringify!($column)),*].len();
            const TAIL: &'static str = $conflict;
        }
    };
    (@one_more $column:ident) => { ", $" };
}
pub(crate) use appended;

/// Adds the rows, whose values stand one after the other in the order of the columns.
pub(crate) fn append<S>(conn: &mut AnyConnection, values: &[Value<'_>]) -> QueryResult<()>
where
    S: Statement<Row = ()> + Rows,
{
    match conn {
        AnyConnection::Postgres(_) if values.is_empty() => Ok(()),
        AnyConnection::Postgres(conn) => With::<S>::new(columns(values, S::COLUMNS)?)
            .execute(conn)
            .map(drop),
        AnyConnection::Sqlite(conn) => for_rows::<S>(conn, values),
    }
}

/// The values by column.
pub(crate) fn columns<'a>(values: &[Value<'a>], count: usize) -> QueryResult<Vec<Column<'a>>> {
    (0..count)
        .map(|index| {
            column(values.iter().skip(index).step_by(count).copied())
                .ok_or_else(|| diesel::result::Error::QueryBuilderError("a column of mixed values".into()))
        })
        .collect()
}

fn column<'a>(values: impl Iterator<Item = Value<'a>>) -> Option<Column<'a>> {
    let mut values = values.peekable();
    match values.peek()? {
        Value::Text(_) => all(values, |value| match value {
            Value::Text(text) => Some(text),
            _ => None,
        })
        .map(Column::Texts),
        Value::MaybeText(_) => all(values, |value| match value {
            Value::MaybeText(text) => Some(text),
            _ => None,
        })
        .map(Column::MaybeTexts),
        Value::Number(_) => all(values, |value| match value {
            Value::Number(number) => Some(number),
            _ => None,
        })
        .map(Column::Numbers),
        Value::MaybeNumber(_) => all(values, |value| match value {
            Value::MaybeNumber(number) => Some(number),
            _ => None,
        })
        .map(Column::MaybeNumbers),
        Value::Flag(_) => all(values, |value| match value {
            Value::Flag(flag) => Some(flag),
            _ => None,
        })
        .map(Column::Flags),
    }
}

fn all<'a, T>(
    values: impl Iterator<Item = Value<'a>>,
    pick: impl Fn(Value<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    values.map(pick).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    appended! {
        /// A table of two columns.
        Pairs: pairs (one, other)
    }

    #[test]
    fn a_table_is_named_once_for_both_databases() {
        assert_eq!(
            <Pairs as Statement>::SQL,
            "INSERT INTO pairs (one, other) SELECT * FROM unnest($, $)"
        );
        assert_eq!(Pairs::HEAD, "INSERT INTO pairs (one, other) VALUES ");
        assert_eq!((Pairs::COLUMNS, Pairs::TAIL), (2, ""));
    }

    #[test]
    fn rows_become_columns_and_mixed_ones_are_refused() {
        let rows = [
            Value::Text("a"),
            Value::MaybeNumber(None),
            Value::Text("b"),
            Value::MaybeNumber(Some(2)),
        ];
        let found = columns(&rows, 2).unwrap();
        assert_eq!(
            format!("{found:?}"),
            r#"[Texts(["a", "b"]), MaybeNumbers([None, Some(2)])]"#
        );
        let mixed = [
            Value::Flag(true),
            Value::Number(1),
            Value::Number(1),
            Value::Number(1),
        ];
        assert!(columns(&mixed, 2).is_err());
    }
}
