//! Which breaches of Limits is an Incident about?

use diesel::prelude::*;
use model::breach::Breach;
use model::id::{BreachId, IncidentId, TenantId};
use model::time::Timestamp;

use super::row::TABLE;
use crate::breaches::Stored;
use crate::dialect::insert_new;
use crate::error::StoreResult;
use crate::rows::Table;
use crate::schema::{incident_breaches, incidents, limit_breaches};
use crate::tx::{Tx, Writes};

#[derive(Insertable)]
#[diesel(table_name = incident_breaches)]
struct Row {
    tenant_id: String,
    incident_id: String,
    breach_id: String,
    run_id: Option<String>,
    created_at: i64,
}

/// Links breaches with the Incident that they have led to. A breach has led to one: the first stays.
///
/// # Errors
/// What the database says.
pub fn link_breaches(
    tx: &mut impl Writes,
    incident: IncidentId,
    breaches: &[Breach],
    now: Timestamp,
) -> StoreResult<()> {
    let rows = breaches.iter().map(|breach| Row {
        tenant_id: breach.tenant.to_string(),
        incident_id: incident.to_string(),
        breach_id: breach.id.to_string(),
        run_id: breach.run.map(|run| run.to_string()),
        created_at: now.as_micros(),
    });
    insert_new!(tx.conn(), incident_breaches::table, rows.collect::<Vec<_>>());
    Ok(())
}

/// The Incident that a breach has led to.
///
/// # Errors
/// What the database says.
pub fn of_breach(tx: &mut impl Tx, tenant: TenantId, breach: BreachId) -> StoreResult<Option<IncidentId>> {
    let found: Option<String> = incident_breaches::table
        .filter(incident_breaches::tenant_id.eq(tenant.to_string()))
        .filter(incident_breaches::breach_id.eq(breach.to_string()))
        .select(incident_breaches::incident_id)
        .get_result(tx.conn())
        .optional()?;
    Table("incident_breaches").parse_opt("incident_id", found.as_deref())
}

/// The breaches that an Incident is about, the latest first, at most `most`.
///
/// # Errors
/// What the database says.
pub fn breaches_of(
    tx: &mut impl Tx,
    tenant: TenantId,
    incident: IncidentId,
    most: i64,
) -> StoreResult<Vec<Breach>> {
    let linked = incident_breaches::tenant_id
        .eq(limit_breaches::tenant_id)
        .and(incident_breaches::breach_id.eq(limit_breaches::id));
    let rows: Vec<Stored> = incident_breaches::table
        .inner_join(limit_breaches::table.on(linked))
        .filter(incident_breaches::tenant_id.eq(tenant.to_string()))
        .filter(incident_breaches::incident_id.eq(incident.to_string()))
        .order((limit_breaches::breached_at.desc(), limit_breaches::id.desc()))
        .limit(most)
        .select(Stored::as_select())
        .load(tx.conn())?;
    rows.iter().map(Stored::breach).collect()
}

/// The newest Incident with this fingerprint, whatever has become of it.
///
/// # Errors
/// What the database says.
pub fn latest(tx: &mut impl Tx, tenant: TenantId, fingerprint: &str) -> StoreResult<Option<IncidentId>> {
    let found: Option<String> = incidents::table
        .filter(incidents::tenant_id.eq(tenant.to_string()))
        .filter(incidents::fingerprint.eq(fingerprint))
        .order((incidents::created_at.desc(), incidents::id.desc()))
        .select(incidents::id)
        .first(tx.conn())
        .optional()?;
    TABLE.parse_opt("id", found.as_deref())
}
