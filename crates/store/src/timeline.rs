//! What happened, in the order in which a person reads it?

use diesel::prelude::*;
use model::id::TenantId;
use model::timeline::TimelineEntry;

use crate::error::StoreResult;
use crate::schema::domain_events;
use crate::tx::{Tx, Writes};

#[derive(Insertable)]
#[diesel(table_name = domain_events)]
struct Row<'a> {
    tenant_id: String,
    id: String,
    at: i64,
    source_domain: &'static str,
    event_type: &'static str,
    entity_id: &'a str,
    related: &'a str,
    summary: &'a str,
    data: &'a str,
    correlation_id: &'a str,
}

/// Adds an entry.
///
/// # Errors
/// What the database says.
pub fn insert(tx: &mut impl Writes, entry: &TimelineEntry) -> StoreResult<()> {
    diesel::insert_into(domain_events::table)
        .values(Row {
            tenant_id: entry.tenant.to_string(),
            id: entry.id.to_string(),
            at: entry.at.as_micros(),
            source_domain: entry.source.as_str(),
            event_type: entry.event_type,
            entity_id: &entry.entity_id,
            related: &entry.related,
            summary: &entry.summary,
            data: &entry.data,
            correlation_id: &entry.correlation_id,
        })
        .execute(tx.conn())?;
    Ok(())
}

/// What happened to one thing, oldest first: the words of the events.
///
/// # Errors
/// What the database says.
pub fn events_of(tx: &mut impl Tx, tenant: TenantId, entity: &str) -> StoreResult<Vec<String>> {
    Ok(domain_events::table
        .filter(domain_events::tenant_id.eq(tenant.to_string()))
        .filter(domain_events::entity_id.eq(entity))
        .order(domain_events::id)
        .select(domain_events::event_type)
        .load(tx.conn())?)
}
