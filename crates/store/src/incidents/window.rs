//! Which Incidents were there lately, in a few words each, and what happened again?

use diesel::prelude::*;
use model::id::{IncidentId, RunId, SignatureId, TenantId};
use model::incident::{Incident, IncidentCategory, IncidentLifecycle, ResolutionMethod};
use model::money::NanoUsd;
use model::severity::Severity;
use model::time::Timestamp;

use super::row::{PENDING, Row, TABLE, readable};
use crate::error::StoreResult;
use crate::rows::at;
use crate::schema::incidents;
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

/// What was read of the Incidents of a window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lately {
    /// Newest first.
    pub rows: Vec<Brief>,
    /// Whether there may be others: as many as were asked for were read, or one of them could not be.
    pub is_cut: bool,
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

/// The Incidents of a tenant that came to be `from` then on and that somebody has approved, newest first, at most `most`. A row
/// that cannot be read is passed over, with a line in the log: it must not hide the others.
///
/// # Errors
/// What the database says.
pub fn window(tx: &mut impl Tx, tenant: TenantId, from: Timestamp, most: i64) -> StoreResult<Lately> {
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
    let read = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let rows: Vec<Brief> = rows.into_iter().filter_map(logged).collect();
    Ok(Lately {
        is_cut: read >= most || i64::try_from(rows.len()) != Ok(read),
        rows,
    })
}

fn logged(row: BriefRow) -> Option<Brief> {
    let id = row.0.clone();
    let read = brief(row);
    read.inspect_err(|error| tracing::error!(%error, incident_id = id, "an Incident cannot be read"))
        .ok()
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

/// These Incidents, as far as they are there and can be read, in the order of their ids.
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
    Ok(readable(&rows))
}
