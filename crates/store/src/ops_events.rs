//! The ops event stream.

use diesel::prelude::*;
use model::event::{OpsEvent, OpsEventType};
use model::id::TenantId;
use model::time::Timestamp;

use crate::dialect::insert_all;
use crate::error::StoreResult;
use crate::schema::ops_events;
use crate::tx::{Tx, Writes};

#[derive(Insertable)]
#[diesel(table_name = ops_events, treat_none_as_default_value = false)]
struct Row {
    tenant_id: String,
    id: String,
    at: i64,
    event_type: String,
    user_id: Option<String>,
    session_id: Option<String>,
    entity_type: Option<String>,
    entity_id: Option<String>,
    severity: Option<i32>,
    latency_ms: Option<i64>,
    cost: Option<i64>,
    metadata: String,
}

/// Adds events.
///
/// # Errors
/// What the database says.
pub fn insert(tx: &mut impl Writes, events: &[OpsEvent]) -> StoreResult<()> {
    let rows: Vec<Row> = events
        .iter()
        .map(|event| Row {
            tenant_id: event.tenant.unwrap_or(TenantId::PLATFORM).to_string(),
            id: event.id.to_string(),
            at: event.at.as_micros(),
            event_type: event.event_type.as_str().to_owned(),
            user_id: event.user_id.clone(),
            session_id: event.session_id.clone(),
            entity_type: event.entity_type.map(str::to_owned),
            entity_id: event.entity_id.clone(),
            severity: event.severity,
            latency_ms: event.latency_ms,
            cost: event.cost.map(|cost| cost.0),
            metadata: event.metadata.clone(),
        })
        .collect();
    insert_all!(tx, ops_events::table, &rows);
    Ok(())
}

/// How many events of a type there are since, over all tenants.
///
/// # Errors
/// What the database says.
pub fn count(tx: &mut impl Tx, event_type: OpsEventType, since: Timestamp) -> StoreResult<i64> {
    Ok(ops_events::table
        .filter(ops_events::event_type.eq(event_type.as_str()))
        .filter(ops_events::at.ge(since.as_micros()))
        .count()
        .get_result(tx.conn())?)
}
