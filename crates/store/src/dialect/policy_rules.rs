//! Policy Rules: locked to be changed.

use diesel::prelude::*;

use super::AnyConnection;
use super::prepared::{Column, Statement, With};

struct Lock;

impl Statement for Lock {
    // Not FOR UPDATE: what is recorded meanwhile refers to the rule.
    const SQL: &'static str = "SELECT r.id FROM policy_rules r JOIN unnest($, $) AS k (tenant_id, id) USING (tenant_id, id) \
        FOR NO KEY UPDATE OF r";
    type Row = ();
}

/// Locks the rule of `(tenant_id, id)`, if there is one.
pub(crate) fn lock(conn: &mut AnyConnection, (tenant, id): &(String, String)) -> QueryResult<()> {
    match conn {
        AnyConnection::Postgres(conn) => {
            let columns = [Column::Texts(vec![tenant]), Column::Texts(vec![id])];
            With::<Lock>::new(columns).execute(conn).map(drop)
        }
        // The one writer holds the lock of the whole database.
        AnyConnection::Sqlite(_) => Ok(()),
    }
}
