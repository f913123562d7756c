//! What happened to an Incident, event by event?

use diesel::prelude::*;
use model::id::{IncidentId, TenantId};
use model::incident::{IncidentEvent, Transition};

use crate::error::StoreResult;
use crate::schema::incident_events;
use crate::tx::{Tx, Writes};

#[derive(Queryable, Insertable)]
#[diesel(table_name = incident_events)]
struct Row {
    #[diesel(column_name = tenant_id)]
    tenant: String,
    #[diesel(column_name = incident_id)]
    incident: String,
    seq: i64,
    event_id: String,
    schema_version: i64,
    event_type: String,
    at: i64,
    actor: String,
    authority: String,
    previous_state: Option<String>,
    new_state: String,
    reason: Option<String>,
    metadata: String,
    request_id: String,
    idempotency_key: Option<String>,
    state_hash_before: Option<String>,
    state_hash_after: String,
    prev_event_hash: String,
    event_hash: String,
}

/// What is stored of an event is the event, field by field.
macro_rules! same_fields {
    ($one:ident, $other:ident: $($field:ident)+) => {
        same_fields!(@ $one => $other: $($field)+);
        same_fields!(@ $other => $one: $($field)+);
    };
    (@ $from:ident => $to:ident: $($field:ident)+) => {
        impl From<$from> for $to {
            fn from(of: $from) -> Self {
                let $from { $($field),+ } = of;
                Self { $($field),+ }
            }
        }
    };
}

same_fields! {
    Row, IncidentEvent:
    tenant incident seq event_id schema_version event_type at actor authority previous_state new_state reason
    metadata request_id idempotency_key state_hash_before state_hash_after prev_event_hash event_hash
}

pub(super) fn insert(tx: &mut impl Writes, happened: &[Transition]) -> StoreResult<()> {
    for transition in happened {
        diesel::insert_into(incident_events::table)
            .values(Row::from(transition.event().clone()))
            .execute(tx.conn())?;
    }
    Ok(())
}

/// What happened to an Incident behind this place, oldest first, whatever has become of it: at most as many events as this.
/// Places begin at 1, unless somebody has written others.
///
/// # Errors
/// What the database says.
pub fn events(
    tx: &mut impl Tx,
    (tenant, incident): (TenantId, IncidentId),
    behind: Option<i64>,
    most: i64,
) -> StoreResult<Vec<IncidentEvent>> {
    let rows: Vec<Row> = incident_events::table
        .filter(incident_events::tenant_id.eq(tenant.to_string()))
        .filter(incident_events::incident_id.eq(incident.to_string()))
        .filter(incident_events::seq.gt(behind.unwrap_or(i64::MIN)))
        .order(incident_events::seq)
        .limit(most)
        .load(tx.conn())?;
    Ok(rows.into_iter().map(Into::into).collect())
}
