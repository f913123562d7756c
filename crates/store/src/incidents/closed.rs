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
    /// When it was closed.
    pub closed_at: Timestamp,
}

/// Where a piece of the closed Incidents ends, whatever stands in its last row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedUpTo {
    resolved_at: i64,
    tenant: String,
    incident: String,
}

/// Closed Incidents of all tenants that were resolved at this instant or before, at most `most` behind `after`: those
/// resolved first come first. Each by itself, as one that cannot be read must not hide the others; and where the next ones
/// begin, if there may be more.
///
/// # Errors
/// What the database says.
pub fn closed(
    tx: &mut impl Tx,
    resolved_by: Timestamp,
    after: Option<ClosedUpTo>,
    most: i64,
) -> StoreResult<(Vec<StoreResult<Closed>>, Option<ClosedUpTo>)> {
    let mut query = incidents::table
        .filter(incidents::state.eq(IncidentState::Closed.as_str()))
        .filter(incidents::resolved_at.le(resolved_by.as_micros()))
        .order((incidents::resolved_at, incidents::tenant_id, incidents::id))
        .limit(most)
        .into_boxed();
    if let Some(last) = after {
        let (at, tenant, id) = (last.resolved_at, last.tenant, last.incident);
        let later = incidents::tenant_id
            .gt(tenant.clone())
            .or(incidents::tenant_id.eq(tenant).and(incidents::id.gt(id)));
        query = query
            .filter(incidents::resolved_at.ge(at))
            .filter(incidents::resolved_at.gt(at).or(later.nullable()));
    }
    let rows: Vec<Row> = query.load(tx.conn())?;
    let is_last = i64::try_from(rows.len()).is_ok_and(|found| found < most);
    let up_to = rows.last().filter(|_| !is_last).map(|last| ClosedUpTo {
        resolved_at: last.resolved_at.unwrap_or_default(),
        tenant: last.tenant_id.clone(),
        incident: last.id.clone(),
    });
    let found = rows.iter().map(|row| {
        let one = incident(row)?;
        Ok(Closed {
            tenant: one.tenant,
            id: one.id,
            closed_at: one.closed_at.unwrap_or(one.updated_at),
        })
    });
    Ok((found.collect(), up_to))
}
