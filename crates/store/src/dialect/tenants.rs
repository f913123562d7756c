//! Tenants: locked while something of theirs is counted.

use diesel::prelude::*;

use super::AnyConnection;
use super::prepared::{Column, Statement, With};

struct Lock;

impl Statement for Lock {
    // Not FOR UPDATE: everything of a tenant that is inserted meanwhile refers to it.
    const SQL: &'static str =
        "SELECT t.id FROM tenants t JOIN unnest($) AS k (id) USING (id) FOR NO KEY UPDATE OF t";
    type Row = ();
}

/// Locks the tenant, if there is one.
pub(crate) fn lock(conn: &mut AnyConnection, id: &str) -> QueryResult<()> {
    match conn {
        AnyConnection::Postgres(conn) => {
            let columns = [Column::Texts(vec![id])];
            With::<Lock>::new(columns).execute(conn).map(drop)
        }
        // The one writer holds the lock of the whole database.
        AnyConnection::Sqlite(_) => Ok(()),
    }
}
