//! Which Incidents are there, and what happened to them?

use diesel::prelude::*;
use model::id::{IncidentId, RunId, SignatureId, TenantId};
use model::incident::{Acknowledgement, CauseType, Incident, Resolution, ResolutionMethod};
use model::money::NanoUsd;
use model::severity::Severity;
use model::time::Timestamp;

use crate::error::{StoreError, StoreResult};
use crate::rows::{Table, at, to_json};
use crate::schema::{incident_events, incidents};
use crate::totals::{self, Listing};
use crate::tx::{Tx, Writes};

const TABLE: Table = Table("incidents");

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = incidents, primary_key(tenant_id, id), treat_none_as_null = true)]
struct Row {
    tenant_id: String,
    id: String,
    lifecycle_state: String,
    severity: String,
    category: String,
    title: String,
    cause_type: String,
    llm_run_id: Option<String>,
    error_code: Option<String>,
    signature_id: Option<String>,
    family_id: Option<String>,
    signature: Option<String>,
    cost: i64,
    acknowledged_at: Option<i64>,
    acknowledged_by: Option<String>,
    resolved_at: Option<i64>,
    resolved_by: Option<String>,
    resolution_method: Option<String>,
    resolution_notes: Option<String>,
    correlation_id: String,
    created_at: i64,
    updated_at: i64,
}

/// One thing that happened to an Incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Such as `detection`, `acknowledged`, `resolved`.
    pub event_type: &'static str,
    /// What people read.
    pub description: String,
    /// Who did it.
    pub actor: Option<String>,
    /// What else is known, as a JSON object.
    pub data: String,
    /// When.
    pub at: Timestamp,
}

/// Adds an Incident.
///
/// # Errors
/// [`StoreError::Contention`] if somebody else has opened it meanwhile: repeated, the transaction finds it.
pub fn insert(tx: &mut impl Writes, new: &Incident) -> StoreResult<()> {
    let inserted = diesel::insert_into(incidents::table)
        .values(row(new))
        .execute(tx.conn());
    match inserted.map_err(StoreError::from) {
        Ok(_rows) => totals::add(tx, new.tenant, Listing::Incidents, &facets(new)),
        Err(StoreError::Duplicate(source)) => Err(StoreError::Contention(source)),
        Err(error) => Err(error),
    }
}

/// What the tables of Incidents are filtered by.
fn facets(of: &Incident) -> [&str; 4] {
    [
        topic(of.resolution.is_some()),
        of.severity.as_str(),
        of.category.as_str(),
        of.cause_type.as_str(),
    ]
}

const fn topic(is_over: bool) -> &'static str {
    if is_over { "over" } else { "open" }
}

/// Replaces an Incident.
///
/// # Errors
/// What the database says.
pub fn update(tx: &mut impl Writes, changed: &Incident) -> StoreResult<()> {
    if let Some(before) = find(tx, changed.tenant, changed.id)? {
        let facets = (&facets(&before)[..], &facets(changed)[..]);
        totals::change(tx, changed.tenant, Listing::Incidents, facets)?;
    }
    diesel::update(incidents::table.find((changed.tenant.to_string(), changed.id.to_string())))
        .set(row(changed))
        .execute(tx.conn())?;
    Ok(())
}

/// Adds to what happened to an Incident, in a transaction that has locked or made it.
///
/// # Errors
/// What the database says.
pub fn add_event(
    tx: &mut impl Writes,
    tenant: TenantId,
    incident: IncidentId,
    event: &Event,
) -> StoreResult<()> {
    let last: Option<i64> = incident_events::table
        .filter(incident_events::tenant_id.eq(tenant.to_string()))
        .filter(incident_events::incident_id.eq(incident.to_string()))
        .order(incident_events::seq.desc())
        .select(incident_events::seq)
        .first(tx.conn())
        .optional()?;
    diesel::insert_into(incident_events::table)
        .values((
            incident_events::tenant_id.eq(tenant.to_string()),
            incident_events::incident_id.eq(incident.to_string()),
            incident_events::seq.eq(last.unwrap_or_default().saturating_add(1)),
            incident_events::event_type.eq(event.event_type),
            incident_events::description.eq(&event.description),
            incident_events::actor_id.eq(&event.actor),
            incident_events::data.eq(&event.data),
            incident_events::created_at.eq(event.at.as_micros()),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// The words of what happened to an Incident, oldest first.
///
/// # Errors
/// What the database says.
pub fn event_types(tx: &mut impl Tx, tenant: TenantId, incident: IncidentId) -> StoreResult<Vec<String>> {
    Ok(incident_events::table
        .filter(incident_events::tenant_id.eq(tenant.to_string()))
        .filter(incident_events::incident_id.eq(incident.to_string()))
        .order(incident_events::seq)
        .select(incident_events::event_type)
        .load(tx.conn())?)
}

/// One Incident.
///
/// # Errors
/// What the database says.
pub fn find(tx: &mut impl Tx, tenant: TenantId, id: IncidentId) -> StoreResult<Option<Incident>> {
    let row: Option<Row> = incidents::table
        .find((tenant.to_string(), id.to_string()))
        .get_result(tx.conn())
        .optional()?;
    row.map(incident).transpose()
}

/// The Incidents of an LLM Run.
///
/// # Errors
/// What the database says.
pub fn of_run(tx: &mut impl Tx, tenant: TenantId, run: RunId) -> StoreResult<Vec<Incident>> {
    let rows: Vec<Row> = incidents::table
        .filter(incidents::tenant_id.eq(tenant.to_string()))
        .filter(incidents::llm_run_id.eq(run.to_string()))
        .order(incidents::id)
        .load(tx.conn())?;
    rows.into_iter().map(incident).collect()
}

/// How many Incidents have this failure, and what they cost together.
///
/// # Errors
/// What the database says.
pub fn of_signature(
    tx: &mut impl Tx,
    tenant: TenantId,
    signature: SignatureId,
) -> StoreResult<(i64, NanoUsd)> {
    let costs: Vec<i64> = incidents::table
        .filter(incidents::tenant_id.eq(tenant.to_string()))
        .filter(incidents::signature_id.eq(signature.to_string()))
        .select(incidents::cost)
        .load(tx.conn())?;
    let sum = costs.iter().fold(0_i64, |sum, cost| sum.saturating_add(*cost));
    Ok((i64::try_from(costs.len()).unwrap_or(i64::MAX), NanoUsd(sum)))
}

/// How many Incidents have this failure, or are of its family, and were opened from the first instant on and before the
/// second.
///
/// # Errors
/// What the database says.
pub fn of_failure(
    tx: &mut impl Tx,
    tenant: TenantId,
    failure: SignatureId,
    (from, before): (Timestamp, Timestamp),
) -> StoreResult<i64> {
    let id = failure.to_string();
    Ok(incidents::table
        .filter(incidents::tenant_id.eq(tenant.to_string()))
        .filter(incidents::signature_id.eq(&id).or(incidents::family_id.eq(&id)))
        .filter(incidents::created_at.ge(from.as_micros()))
        .filter(incidents::created_at.lt(before.as_micros()))
        .count()
        .get_result(tx.conn())?)
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those that are over (`RESOLVED`), or only those that are not (`ACTIVE` and `ACKED`).
    pub is_over: bool,
    /// Only this severity.
    pub severity: Option<Severity>,
    /// Only this category.
    pub category: Option<String>,
    /// Only this cause.
    pub cause_type: Option<CauseType>,
    /// Only those opened then or later.
    pub created_after: Option<Timestamp>,
    /// Only those opened then or before.
    pub created_before: Option<Timestamp>,
}

macro_rules! filtered {
    ($tenant:expr, $filter:expr, $query:expr) => {{
        let filter: &Filter = $filter;
        let mut query = $query.filter(incidents::tenant_id.eq($tenant.to_string()));
        // Each has an index, which a parameter would not be found in.
        query = if filter.is_over {
            query.filter(incidents::resolved_at.is_not_null())
        } else {
            query.filter(incidents::resolved_at.is_null())
        };
        if let Some(severity) = filter.severity {
            query = query.filter(incidents::severity.eq(severity.as_str()));
        }
        if let Some(category) = &filter.category {
            query = query.filter(incidents::category.eq(category.clone()));
        }
        if let Some(cause) = filter.cause_type {
            query = query.filter(incidents::cause_type.eq(cause.as_str()));
        }
        if let Some(after) = filter.created_after {
            query = query.filter(incidents::created_at.ge(after.as_micros()));
        }
        if let Some(before) = filter.created_before {
            query = query.filter(incidents::created_at.le(before.as_micros()));
        }
        query
    }};
}

/// A piece of the Incidents that fit, newest first, and how many there are in all.
///
/// # Errors
/// What the database says.
pub fn page(
    tx: &mut impl Tx,
    tenant: TenantId,
    filter: &Filter,
    (limit, offset): (i64, i64),
) -> StoreResult<(Vec<Incident>, i64)> {
    let total = if filter.created_after.is_some() || filter.created_before.is_some() {
        filtered!(tenant, filter, incidents::table.into_boxed())
            .count()
            .get_result(tx.conn())?
    } else {
        let wanted = [
            Some(topic(filter.is_over)),
            filter.severity.map(Severity::as_str),
            filter.category.as_deref(),
            filter.cause_type.map(CauseType::as_str),
        ];
        totals::of(tx, tenant, Listing::Incidents, &wanted)?
    };
    let rows: Vec<Row> = filtered!(tenant, filter, incidents::table.into_boxed())
        .order((incidents::created_at.desc(), incidents::id.desc()))
        .limit(limit)
        .offset(offset)
        .load(tx.conn())?;
    let page: StoreResult<Vec<Incident>> = rows.into_iter().map(incident).collect();
    Ok((page?, total))
}

fn row(of: &Incident) -> Row {
    let acknowledgement = of.acknowledgement.as_ref();
    let resolution = of.resolution.as_ref();
    let signature = of.signature.as_ref();
    Row {
        tenant_id: of.tenant.to_string(),
        id: of.id.to_string(),
        lifecycle_state: of.lifecycle.as_str().to_owned(),
        severity: of.severity.as_str().to_owned(),
        category: of.category.as_str().to_owned(),
        title: of.title.clone(),
        cause_type: of.cause_type.as_str().to_owned(),
        llm_run_id: of.run.map(|run| run.to_string()),
        error_code: of.error_code.clone(),
        signature_id: signature.map(|signature| signature.id().to_string()),
        family_id: signature.map(|signature| signature.family().to_string()),
        signature: signature.map(to_json),
        cost: of.cost.0,
        acknowledged_at: acknowledgement.map(|done| done.at.as_micros()),
        acknowledged_by: acknowledgement.map(|done| done.by.clone()),
        resolved_at: resolution.map(|done| done.at.as_micros()),
        resolved_by: resolution.map(|done| done.by.clone()),
        resolution_method: resolution.map(|done| done.method.as_str().to_owned()),
        resolution_notes: resolution.and_then(|done| done.notes.clone()),
        correlation_id: of.correlation_id.clone(),
        created_at: of.created_at.as_micros(),
        updated_at: of.updated_at.as_micros(),
    }
}

fn incident(row: Row) -> StoreResult<Incident> {
    let signature = row.signature.as_deref();
    let method: Option<ResolutionMethod> =
        TABLE.parse_opt("resolution_method", row.resolution_method.as_deref())?;
    let resolution = match (row.resolved_at, row.resolved_by, method) {
        (Some(when), Some(by), Some(method)) => Some(Resolution {
            by,
            at: at(when),
            method,
            notes: row.resolution_notes,
        }),
        _ => None,
    };
    let acknowledgement = row.acknowledged_at.zip(row.acknowledged_by);
    Ok(Incident {
        id: TABLE.parse("id", &row.id)?,
        tenant: TABLE.parse("tenant_id", &row.tenant_id)?,
        lifecycle: TABLE.parse("lifecycle_state", &row.lifecycle_state)?,
        severity: TABLE.parse("severity", &row.severity)?,
        category: TABLE.parse("category", &row.category)?,
        title: row.title,
        cause_type: TABLE.parse("cause_type", &row.cause_type)?,
        run: TABLE.parse_opt("llm_run_id", row.llm_run_id.as_deref())?,
        error_code: row.error_code,
        signature: signature.map(|json| TABLE.json("signature", json)).transpose()?,
        cost: NanoUsd(row.cost),
        acknowledgement: acknowledgement.map(|(when, by)| Acknowledgement { by, at: at(when) }),
        resolution,
        correlation_id: row.correlation_id,
        created_at: at(row.created_at),
        updated_at: at(row.updated_at),
    })
}
