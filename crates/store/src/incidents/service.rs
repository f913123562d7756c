//! What was there of a service?

use diesel::prelude::*;
use model::id::TenantId;
use model::incident::GoingOn;
use model::time::Timestamp;

use super::row::{ARCHIVED, OPEN, OVER, PENDING, TABLE};
use crate::error::StoreResult;
use crate::schema::incidents;
use crate::tx::Tx;

/// What the gate wants to know of a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OfService {
    /// One of its Incidents that is not over, the newest.
    pub active: GoingOn,
    /// When one was opened last.
    pub opened_at: Option<Timestamp>,
}

/// What the gate wants to know of a service: the newest of each topic is one step along an index, however many there were.
///
/// # Errors
/// What the database says.
pub fn of_service(tx: &mut impl Tx, tenant: TenantId, service: &str) -> StoreResult<OfService> {
    let mut newest = |topic| newest(tx, tenant, service, topic);
    let (pending, open) = (newest(PENDING)?, newest(OPEN)?);
    let opened = [open.clone(), newest(OVER)?, newest(ARCHIVED)?];
    let opened_at = opened.into_iter().flatten().map(|(at, _)| at).max();
    let active = pending.max(open).map_or(GoingOn::Nothing, |(_, id)| {
        // One whose id somebody has changed by hand goes on all the same.
        TABLE.parse("id", &id).map_or_else(
            |error| {
                tracing::error!(%error, incident_id = id, "an Incident cannot be read");
                GoingOn::Unreadable
            },
            GoingOn::Incident,
        )
    });
    Ok(OfService {
        active,
        opened_at: opened_at.map(Timestamp::from_micros),
    })
}

/// When the newest Incident of a service under this topic came to be, and which it is.
fn newest(
    tx: &mut impl Tx,
    tenant: TenantId,
    service: &str,
    topic: &'static str,
) -> StoreResult<Option<(i64, String)>> {
    Ok(incidents::table
        .filter(incidents::tenant_id.eq(tenant.to_string()))
        .filter(incidents::service.eq(service))
        .filter(incidents::topic.eq(topic))
        .order((incidents::created_at.desc(), incidents::id.desc()))
        .select((incidents::created_at, incidents::id))
        .first(tx.conn())
        .optional()?)
}
