//! Limits, Policy Rules and proposals: locked to be changed.

use diesel::prelude::*;

use super::AnyConnection;
use super::prepared::{Column, Statement, With};

/// A limit. Not FOR UPDATE: a counter that is inserted meanwhile refers to it.
pub(crate) struct OneLimit;

impl Statement for OneLimit {
    const SQL: &'static str = "SELECT l.id FROM limits l JOIN unnest($, $) AS k (tenant_id, id) USING (tenant_id, id) \
        FOR NO KEY UPDATE OF l";
    type Row = ();
}

/// A rule. Not FOR UPDATE: what is recorded meanwhile refers to it.
pub(crate) struct OneRule;

impl Statement for OneRule {
    const SQL: &'static str = "SELECT r.id FROM policy_rules r JOIN unnest($, $) AS k (tenant_id, id) USING (tenant_id, id) \
        FOR NO KEY UPDATE OF r";
    type Row = ();
}

/// A proposal.
pub(crate) struct OneProposal;

impl Statement for OneProposal {
    const SQL: &'static str = "SELECT p.id FROM policy_proposals p JOIN unnest($, $) AS k (tenant_id, id) \
        USING (tenant_id, id) FOR NO KEY UPDATE OF p";
    type Row = ();
}

/// Locks the limit, rule or proposal of `(tenant_id, id)`, if there is one.
pub(crate) fn lock<S: Statement<Row = ()>>(
    conn: &mut AnyConnection,
    (tenant, id): &(String, String),
) -> QueryResult<()> {
    match conn {
        AnyConnection::Postgres(conn) => {
            let columns = [Column::Texts(vec![tenant]), Column::Texts(vec![id])];
            With::<S>::new(columns).execute(conn).map(drop)
        }
        // The one writer holds the lock of the whole database.
        AnyConnection::Sqlite(_) => Ok(()),
    }
}
