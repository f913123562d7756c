//! Which Incidents were there lately, in a few words each, and what happened again?

use diesel::prelude::*;
use model::id::{IncidentId, RunId, SignatureId, TenantId};
use model::incident::{Incident, IncidentCategory, IncidentEventType, IncidentLifecycle, ResolutionMethod};
use model::money::NanoUsd;
use model::severity::Severity;
use model::time::Timestamp;

use super::row::{PENDING, Row, TABLE, incident};
use crate::error::StoreResult;
use crate::rows::at;
use crate::schema::{incident_events, incidents};
use crate::tx::Tx;

/// An Incident in a few words: what many of them are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brief {
    /// Which.
    pub id: IncidentId,
    /// When it came to be.
    pub at: Timestamp,
    /// How bad it is.
    pub severity: Severity,
    /// Of which kind.
    pub category: IncidentCategory,
    /// What the console calls its state.
    pub lifecycle: IncidentLifecycle,
    /// The LLM Run that it comes from.
    pub run: Option<RunId>,
    /// The failure.
    pub signature: Option<SignatureId>,
    /// The failure, whatever the input was.
    pub family: Option<SignatureId>,
    /// What it cost.
    pub cost: NanoUsd,
    /// When it was over.
    pub over_at: Option<Timestamp>,
    /// How it was resolved.
    pub method: Option<ResolutionMethod>,
}

type BriefRow = (
    String,
    i64,
    String,
    String,
    Option<String>,
    (Option<String>, Option<String>, Option<String>),
    i64,
    Option<i64>,
    Option<String>,
);

/// The Incidents of a tenant that came to be `from` then on and that somebody has approved, newest first, at most `most`.
///
/// # Errors
/// What the database says.
pub fn window(tx: &mut impl Tx, tenant: TenantId, from: Timestamp, most: i64) -> StoreResult<Vec<Brief>> {
    let rows: Vec<BriefRow> = incidents::table
        .filter(incidents::tenant_id.eq(tenant.to_string()))
        .filter(incidents::created_at.ge(from.as_micros()))
        .filter(incidents::topic.ne(PENDING))
        .order((incidents::created_at.desc(), incidents::id.desc()))
        .limit(most)
        .select((
            incidents::id,
            incidents::created_at,
            incidents::severity,
            incidents::category,
            incidents::lifecycle,
            (
                incidents::llm_run_id,
                incidents::signature_id,
                incidents::family_id,
            ),
            incidents::cost,
            incidents::resolved_at,
            incidents::resolution_method,
        ))
        .load(tx.conn())?;
    rows.into_iter().map(brief).collect()
}

fn brief(row: BriefRow) -> StoreResult<Brief> {
    let (id, created_at, severity, category, lifecycle, (run, signature, family), cost, over_at, method) =
        row;
    Ok(Brief {
        id: TABLE.parse("id", &id)?,
        at: at(created_at),
        severity: TABLE.parse("severity", &severity)?,
        category: TABLE.parse("category", &category)?,
        lifecycle: TABLE.parse("lifecycle", &lifecycle.unwrap_or_default())?,
        run: TABLE.parse_opt("llm_run_id", run.as_deref())?,
        signature: TABLE.parse_opt("signature_id", signature.as_deref())?,
        family: TABLE.parse_opt("family_id", family.as_deref())?,
        cost: NanoUsd(cost),
        over_at: over_at.map(at),
        method: TABLE.parse_opt("resolution_method", method.as_deref())?,
    })
}

/// These Incidents, as far as they are there, in the order of their ids.
///
/// # Errors
/// What the database says.
pub fn find_all(tx: &mut impl Tx, tenant: TenantId, ids: &[IncidentId]) -> StoreResult<Vec<Incident>> {
    let which: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows: Vec<Row> = incidents::table
        .filter(incidents::tenant_id.eq(tenant.to_string()))
        .filter(incidents::id.eq_any(which))
        .order(incidents::id)
        .load(tx.conn())?;
    rows.iter().map(incident).collect()
}

/// What is recorded of each time that an Incident has happened again, oldest first, at most `most`.
///
/// # Errors
/// What the database says.
pub fn occurred(
    tx: &mut impl Tx,
    tenant: TenantId,
    incident: IncidentId,
    most: i64,
) -> StoreResult<Vec<model::incident::Occurrence>> {
    let rows: Vec<String> = incident_events::table
        .filter(incident_events::tenant_id.eq(tenant.to_string()))
        .filter(incident_events::incident_id.eq(incident.to_string()))
        .filter(incident_events::event_type.eq(IncidentEventType::SignalAdded.as_str()))
        .order(incident_events::seq)
        .limit(most)
        .select(incident_events::metadata)
        .load(tx.conn())?;
    let events = crate::rows::Table("incident_events");
    rows.iter().map(|text| events.json("metadata", text)).collect()
}
