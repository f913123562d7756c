//! How are rows changed, many at a time, each to values of its own?
//!
//! On PostgreSQL by one statement over the columns, on SQLite by one for each row; both are prepared once.

use std::marker::PhantomData;

use diesel::prelude::*;

use super::AnyConnection;
use super::append::columns;
use super::prepared::{Statement, Value, With, WithRow};

/// What sets columns of the row of a tenant with an id. The values of each row are those of the columns, then the
/// tenant and the id.
pub(crate) trait Update: 'static {
    /// On PostgreSQL, for all rows.
    const ALL: &'static str;
    /// On SQLite, for one row.
    const ONE: &'static str;
    /// How many values a row has.
    const VALUES: usize;
}

/// Declares the statements that set these columns of a table.
macro_rules! updated {
    ($(#[$doc:meta])* $name:ident: $table:ident ($first:ident $(, $column:ident)* $(,)?)) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl $crate::dialect::update::Update for $name {
            const ALL: &'static str = concat!(
                "UPDATE ", stringify!($table), " AS t SET ", stringify!($first), " = v.", stringify!($first),
                $(", ", stringify!($column), " = v.", stringify!($column),)*
                " FROM unnest($", $($crate::dialect::append::appended!(@one_more $column),)* ", $, $) AS v (",
                stringify!($first), $(", ", stringify!($column),)*
                ", tenant_id, id) WHERE t.tenant_id = v.tenant_id AND t.id = v.id",
            );
            const ONE: &'static str = concat!(
                "UPDATE ", stringify!($table), " SET ", stringify!($first), " = $",
                $(", ", stringify!($column), " = $",)*
                " WHERE tenant_id = $ AND id = $",
            );
            const VALUES: usize = [stringify!($first), $(stringify!($column),)* "tenant_id", "id"].len();
        }
    };
}
pub(crate) use updated;

struct All<S>(PhantomData<S>);

impl<S: Update> Statement for All<S> {
    const SQL: &'static str = S::ALL;
    type Row = ();
}

struct One<S>(PhantomData<S>);

impl<S: Update> Statement for One<S> {
    const SQL: &'static str = S::ONE;
    type Row = ();
}

/// Changes the rows, whose values stand one after the other.
pub(crate) fn update<S: Update>(conn: &mut AnyConnection, values: &[Value<'_>]) -> QueryResult<()> {
    match conn {
        AnyConnection::Postgres(_) if values.is_empty() => Ok(()),
        AnyConnection::Postgres(conn) => With::<All<S>>::new(columns(values, S::VALUES)?)
            .execute(conn)
            .map(drop),
        AnyConnection::Sqlite(conn) => {
            for row in values.chunks_exact(S::VALUES) {
                WithRow::<One<S>>::new(row).execute(conn)?;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    updated! {
        /// Two columns of a table.
        Change: pairs (one, other)
    }

    #[test]
    fn a_change_is_named_once_for_both_databases() {
        assert_eq!(
            Change::ALL,
            "UPDATE pairs AS t SET one = v.one, other = v.other FROM unnest($, $, $, $) AS v \
             (one, other, tenant_id, id) WHERE t.tenant_id = v.tenant_id AND t.id = v.id"
        );
        assert_eq!(
            Change::ONE,
            "UPDATE pairs SET one = $, other = $ WHERE tenant_id = $ AND id = $"
        );
        assert_eq!(Change::VALUES, 4);
    }
}
