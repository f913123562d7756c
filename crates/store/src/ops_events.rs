//! The ops event stream.

use diesel::prelude::*;
use model::event::{OpsEvent, OpsEventType};
use model::id::TenantId;
use model::time::Timestamp;

use crate::dialect::append::{append, appended};
use crate::dialect::prepared::{Rows as _, Value};
use crate::error::StoreResult;
use crate::schema::ops_events;
use crate::tx::{Tx, Writes};

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

impl Row {
    fn values(&self) -> [Value<'_>; NewEvents::COLUMNS] {
        [
            Value::Text(&self.tenant_id),
            Value::Text(&self.id),
            Value::Number(self.at),
            Value::Text(&self.event_type),
            Value::MaybeText(self.user_id.as_deref()),
            Value::MaybeText(self.session_id.as_deref()),
            Value::MaybeText(self.entity_type.as_deref()),
            Value::MaybeText(self.entity_id.as_deref()),
            Value::MaybeNumber(self.severity.map(i64::from)),
            Value::MaybeNumber(self.latency_ms),
            Value::MaybeNumber(self.cost),
            Value::Text(&self.metadata),
        ]
    }
}

appended! {
    /// What has happened.
    NewEvents: ops_events (
        tenant_id, id, at, event_type, user_id, session_id, entity_type, entity_id, severity, latency_ms, cost,
        metadata
    )
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
    let values: Vec<_> = rows.iter().flat_map(Row::values).collect();
    Ok(append::<NewEvents>(
        crate::tx::sealed::Connected::conn(tx),
        &values,
    )?)
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
