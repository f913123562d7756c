//! Which Incidents were closed, and when?

use diesel::prelude::*;
use model::id::{IncidentId, TenantId};
use model::incident::IncidentState;
use model::time::Timestamp;

use super::row::{Row, incident};
use crate::error::StoreResult;
use crate::schema::incidents;
use crate::tx::Tx;

/// An Incident that was closed and is not archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub id: IncidentId,
    /// When it was resolved.
    pub resolved_at: Timestamp,
    /// When it was closed, which is not before that.
    pub closed_at: Timestamp,
}

/// Closed Incidents of all tenants that were resolved at this instant or before, at most `most` behind `after`: those
/// resolved first come first.
///
/// # Errors
/// What the database says.
pub fn closed(
    tx: &mut impl Tx,
    resolved_by: Timestamp,
    after: Option<Closed>,
    most: i64,
) -> StoreResult<Vec<Closed>> {
    let mut query = incidents::table
        .filter(incidents::state.eq(IncidentState::Closed.as_str()))
        .filter(incidents::resolved_at.le(resolved_by.as_micros()))
        .order((incidents::resolved_at, incidents::tenant_id, incidents::id))
        .limit(most)
        .into_boxed();
    if let Some(last) = after {
        let (at, tenant, id) = (
            last.resolved_at.as_micros(),
            last.tenant.to_string(),
            last.id.to_string(),
        );
        let later = incidents::tenant_id
            .gt(tenant.clone())
            .or(incidents::tenant_id.eq(tenant).and(incidents::id.gt(id)));
        query = query
            .filter(incidents::resolved_at.ge(at))
            .filter(incidents::resolved_at.gt(at).or(later.nullable()));
    }
    let rows: Vec<Row> = query.load(tx.conn())?;
    let found = rows.iter().map(|row| {
        let one = incident(row)?;
        let resolved_at = one.over_at().unwrap_or(one.updated_at);
        Ok(Closed {
            tenant: one.tenant,
            id: one.id,
            resolved_at,
            closed_at: one.closed_at.unwrap_or(one.updated_at),
        })
    });
    found.collect()
}
