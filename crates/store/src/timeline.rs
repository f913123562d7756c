//! What happened, in the order in which a person reads it?

use diesel::prelude::*;
use model::id::{TenantId, TimelineId};
use model::time::Timestamp;
use model::timeline::{SourceDomain, TimelineEntry};

use crate::error::StoreResult;
use crate::rows::{Table, at};
use crate::schema::domain_events;
use crate::tx::{Tx, Writes};

const TABLE: Table = Table("domain_events");

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

/// What is on record of something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its id.
    pub id: TimelineId,
    /// When.
    pub at: Timestamp,
    /// Where.
    pub source: SourceDomain,
    /// What, such as `incident_created`.
    pub event_type: String,
    /// To which thing.
    pub entity_id: String,
    /// What people read.
    pub summary: String,
}

type ToldRow = (String, i64, String, String, String, String);

/// What happened for one request, oldest first, at most `most`.
///
/// # Errors
/// What the database says.
pub fn of_request(
    tx: &mut impl Tx,
    tenant: TenantId,
    correlation_id: &str,
    most: i64,
) -> StoreResult<Vec<Told>> {
    let rows: Vec<ToldRow> = domain_events::table
        .filter(domain_events::tenant_id.eq(tenant.to_string()))
        .filter(domain_events::correlation_id.eq(correlation_id))
        .order(domain_events::id)
        .limit(most)
        .select((
            domain_events::id,
            domain_events::at,
            domain_events::source_domain,
            domain_events::event_type,
            domain_events::entity_id,
            domain_events::summary,
        ))
        .load(tx.conn())?;
    let told = |(id, when, source, event_type, entity_id, summary): ToldRow| {
        Ok(Told {
            id: TABLE.parse("id", &id)?,
            at: at(when),
            source: TABLE.parse("source_domain", &source)?,
            event_type,
            entity_id,
            summary,
        })
    };
    rows.into_iter().map(told).collect()
}
