//! How does a connection learn a statement once, and not each time it is used?
//!
//! The text of a `sql_query` is parsed and planned with every use, and so are diesel's updates and upserts. A
//! [`Statement`] is a type, by which diesel finds what the connection has prepared before.

use std::marker::PhantomData;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text};
use diesel::sqlite::Sqlite;

/// A statement: on PostgreSQL over columns of values, all of the same length, on SQLite over one row of them.
pub(crate) trait Statement: 'static {
    /// The text, with `$` for each parameter.
    const SQL: &'static str;
    /// The columns of its result.
    type Row: 'static;
}

/// One parameter: the values of a column, row by row.
#[derive(Debug)]
pub(crate) enum Column<'a> {
    Texts(Vec<&'a str>),
    MaybeTexts(Vec<Option<&'a str>>),
    Numbers(Vec<i64>),
    MaybeNumbers(Vec<Option<i64>>),
    Flags(Vec<bool>),
}

/// A statement with its parameters.
pub(crate) struct With<'a, S> {
    columns: Vec<Column<'a>>,
    statement: PhantomData<S>,
}

impl<'a, S: Statement> With<'a, S> {
    pub(crate) fn new(columns: impl Into<Vec<Column<'a>>>) -> Self {
        Self {
            columns: columns.into(),
            statement: PhantomData,
        }
    }
}

impl<S: Statement> QueryId for With<'_, S> {
    type QueryId = S;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<S: Statement> Query for With<'_, S> {
    type SqlType = S::Row;
}

impl<S> RunQueryDsl<PgConnection> for With<'_, S> {}

impl<S: Statement> QueryFragment<Pg> for With<'_, S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut columns = self.columns.iter();
        for (index, piece) in S::SQL.split('$').enumerate() {
            if index > 0 {
                match columns.next() {
                    Some(Column::Texts(values)) => out.push_bind_param::<Array<Text>, _>(values)?,
                    Some(Column::MaybeTexts(values)) => {
                        out.push_bind_param::<Array<Nullable<Text>>, _>(values)?;
                    }
                    Some(Column::Numbers(values)) => out.push_bind_param::<Array<BigInt>, _>(values)?,
                    Some(Column::MaybeNumbers(values)) => {
                        out.push_bind_param::<Array<Nullable<BigInt>>, _>(values)?;
                    }
                    Some(Column::Flags(values)) => out.push_bind_param::<Array<Bool>, _>(values)?,
                    None => return Err(diesel::result::Error::QueryBuilderError("too few columns".into())),
                }
            }
            out.push_sql(piece);
        }
        Ok(())
    }
}

/// One value of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    MaybeText(Option<&'a str>),
    Number(i64),
    MaybeNumber(Option<i64>),
    Flag(bool),
}

impl Value<'_> {
    fn bind<'b>(&'b self, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        match self {
            Self::Text(value) => out.push_bind_param::<Text, _>(*value),
            Self::MaybeText(value) => out.push_bind_param::<Nullable<Text>, _>(value),
            Self::Number(value) => out.push_bind_param::<BigInt, _>(value),
            Self::MaybeNumber(value) => out.push_bind_param::<Nullable<BigInt>, _>(value),
            Self::Flag(value) => out.push_bind_param::<Bool, _>(value),
        }
    }
}

/// A statement with its parameters on SQLite.
pub(crate) struct WithRow<'a, S> {
    values: Vec<Value<'a>>,
    statement: PhantomData<S>,
}

impl<'a, S: Statement> WithRow<'a, S> {
    pub(crate) fn new(values: impl Into<Vec<Value<'a>>>) -> Self {
        Self {
            values: values.into(),
            statement: PhantomData,
        }
    }
}

impl<S: Statement> QueryId for WithRow<'_, S> {
    type QueryId = S;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<S: Statement> Query for WithRow<'_, S> {
    type SqlType = S::Row;
}

impl<S> RunQueryDsl<SqliteConnection> for WithRow<'_, S> {}

impl<S: Statement> QueryFragment<Sqlite> for WithRow<'_, S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let mut values = self.values.iter();
        for (index, piece) in S::SQL.split('$').enumerate() {
            if index > 0 {
                match values.next() {
                    Some(value) => value.bind(&mut out)?,
                    None => return Err(diesel::result::Error::QueryBuilderError("too few values".into())),
                }
            }
            out.push_sql(piece);
        }
        Ok(())
    }
}

/// A statement over many rows of values on SQLite.
pub(crate) trait Rows: 'static {
    /// The text up to the first row.
    const HEAD: &'static str;
    /// How many values a row has.
    const COLUMNS: usize;
    /// The text after the last row.
    const TAIL: &'static str;
}

/// Carries the statement out for all rows, whose values stand one after the other. A few sizes of it are prepared, so
/// that a batch takes a few statements, whatever its size.
pub(crate) fn for_rows<S: Rows>(conn: &mut SqliteConnection, values: &[Value<'_>]) -> QueryResult<()> {
    let rest = in_groups::<S, 16>(conn, values)?;
    let rest = in_groups::<S, 4>(conn, rest)?;
    in_groups::<S, 1>(conn, rest).map(drop)
}

fn in_groups<'a, S: Rows, const N: usize>(
    conn: &mut SqliteConnection,
    values: &'a [Value<'a>],
) -> QueryResult<&'a [Value<'a>]> {
    let groups = values.chunks_exact(S::COLUMNS * N);
    let rest = groups.remainder();
    for values in groups {
        let group: Group<'_, S, N> = Group {
            values,
            statement: PhantomData,
        };
        group.execute(conn)?;
    }
    Ok(rest)
}

/// A statement with `N` rows of values.
struct Group<'a, S, const N: usize> {
    values: &'a [Value<'a>],
    statement: PhantomData<S>,
}

impl<S: Rows, const N: usize> QueryId for Group<'_, S, N> {
    type QueryId = [S; N];
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<S, const N: usize> RunQueryDsl<SqliteConnection> for Group<'_, S, N> {}

impl<S: Rows, const N: usize> QueryFragment<Sqlite> for Group<'_, S, N> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(S::HEAD);
        for (row, values) in self.values.chunks(S::COLUMNS).enumerate() {
            out.push_sql(if row == 0 { "(" } else { ", (" });
            for (column, value) in values.iter().enumerate() {
                if column > 0 {
                    out.push_sql(", ");
                }
                value.bind(&mut out)?;
            }
            out.push_sql(")");
        }
        out.push_sql(S::TAIL);
        Ok(())
    }
}
