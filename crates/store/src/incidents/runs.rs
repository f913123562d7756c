//! Which LLM Runs is an Incident about?

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use model::id::{IncidentId, RunId, SignatureId, TenantId};
use model::incident::{Change, Incident, IncidentEventType, Transition};
use model::money::NanoUsd;
use model::time::Timestamp;

use super::row::{Row as IncidentRow, TABLE, readable};
use crate::error::{StoreError, StoreResult};
use crate::rows::Table;
use crate::schema::{incident_breaches, incident_runs, incidents};
use crate::tx::{Tx, Writes};

#[derive(Insertable)]
#[diesel(table_name = incident_runs)]
struct Row {
    tenant_id: String,
    incident_id: String,
    run_id: String,
    signature_id: Option<String>,
    family_id: Option<String>,
    cost: i64,
    created_at: i64,
}

/// Links the runs that these events are about.
pub(super) fn link(tx: &mut impl Writes, happened: &[Transition]) -> StoreResult<()> {
    for transition in happened {
        let Some(row) = named(transition)? else { continue };
        diesel::insert_into(incident_runs::table)
            .values(row)
            .execute(tx.conn())?;
    }
    Ok(())
}

/// The run that an event is about.
fn named(transition: &Transition) -> StoreResult<Option<Row>> {
    let (event, after) = (transition.event(), transition.after());
    let event_type: IncidentEventType = TABLE.parse("event_type", &event.event_type)?;
    let made = &after.creation;
    let family = made
        .signature
        .as_ref()
        .map(|signature| signature.family().to_string());
    let row = |run: RunId, signature: Option<SignatureId>, cost: NanoUsd| Row {
        tenant_id: event.tenant.clone(),
        incident_id: event.incident.clone(),
        run_id: run.to_string(),
        family_id: signature.and(family.clone()),
        signature_id: signature.map(|id| id.to_string()),
        cost: cost.0,
        created_at: event.at,
    };
    let corrupt = StoreError::Corrupt {
        table: "incident_events",
        column: "metadata",
    };
    match event_type {
        IncidentEventType::IncidentCreated => {
            let signature = made.signature.as_ref().map(model::incident::Signature::id);
            Ok(made.run.map(|run| row(run, signature, made.cost)))
        }
        IncidentEventType::SignalAdded => {
            let change = Change::read(event_type, after.state, &event.metadata);
            let Ok(Change::Occurred(again)) = change else {
                return Err(corrupt);
            };
            Ok(again.run.map(|run| row(run, again.signature, again.cost)))
        }
        _ => Ok(None),
    }
}

/// The Incident that a failed LLM Run has led to by itself, which has its signature. One that somebody has reported names
/// a run, and says nothing of whether it failed.
///
/// # Errors
/// What the database says.
pub fn led_to(tx: &mut impl Tx, tenant: TenantId, run: RunId) -> StoreResult<Option<IncidentId>> {
    let found: Option<String> = incident_runs::table
        .filter(incident_runs::tenant_id.eq(tenant.to_string()))
        .filter(incident_runs::run_id.eq(run.to_string()))
        .filter(incident_runs::signature_id.is_not_null())
        .order(incident_runs::incident_id)
        .select(incident_runs::incident_id)
        .first(tx.conn())
        .optional()?;
    Table("incident_runs").parse_opt("incident_id", found.as_deref())
}

/// The newest Incidents of an LLM Run, at most `most`: that it failed, or that it hit a Limit.
///
/// # Errors
/// What the database says.
pub fn of_run(tx: &mut impl Tx, tenant: TenantId, run: RunId, most: i64) -> StoreResult<Vec<Incident>> {
    let (whose, which) = (tenant.to_string(), run.to_string());
    let failed: Vec<String> = incident_runs::table
        .filter(incident_runs::tenant_id.eq(&whose))
        .filter(incident_runs::run_id.eq(&which))
        .order((
            incident_runs::created_at.desc(),
            incident_runs::incident_id.desc(),
        ))
        .limit(most)
        .select(incident_runs::incident_id)
        .load(tx.conn())?;
    let hit: Vec<String> = incident_breaches::table
        .filter(incident_breaches::tenant_id.eq(&whose))
        .filter(incident_breaches::run_id.eq(&which))
        .order((
            incident_breaches::created_at.desc(),
            incident_breaches::incident_id.desc(),
        ))
        .limit(most)
        .select(incident_breaches::incident_id)
        .load(tx.conn())?;
    let ids: BTreeSet<String> = failed.into_iter().chain(hit).collect();
    // By their ids: of "one of these, or one of those" PostgreSQL makes a walk through all Incidents of the tenant.
    let rows: Vec<IncidentRow> = incidents::table
        .filter(incidents::tenant_id.eq(whose))
        .filter(incidents::id.eq_any(ids))
        .load(tx.conn())?;
    let mut found = readable(&rows);
    found.sort_unstable_by_key(|one| Reverse((one.created_at, one.id)));
    found.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    Ok(found)
}

/// The LLM Runs that an Incident is about, in the order in which they failed.
///
/// # Errors
/// What the database says.
pub fn runs_of(tx: &mut impl Tx, tenant: TenantId, id: IncidentId) -> StoreResult<Vec<RunId>> {
    let runs: Vec<String> = incident_runs::table
        .filter(incident_runs::tenant_id.eq(tenant.to_string()))
        .filter(incident_runs::incident_id.eq(id.to_string()))
        .order((incident_runs::created_at, incident_runs::run_id))
        .select(incident_runs::run_id)
        .load(tx.conn())?;
    let table = Table("incident_runs");
    runs.iter().map(|run| table.parse("run_id", run)).collect()
}

/// The LLM Runs that an Incident is about, at most `most`: those that it comes from or in which it happened again, and those
/// that hit its Limit; each with whether the product itself has said that it failed.
///
/// # Errors
/// What the database says.
pub fn linked(
    tx: &mut impl Tx,
    tenant: TenantId,
    id: IncidentId,
    most: usize,
) -> StoreResult<BTreeMap<RunId, bool>> {
    let (whose, which) = (tenant.to_string(), id.to_string());
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let named: Vec<(String, bool)> = incident_runs::table
        .filter(incident_runs::tenant_id.eq(&whose))
        .filter(incident_runs::incident_id.eq(&which))
        .order(incident_runs::run_id)
        .limit(limit)
        .select((incident_runs::run_id, incident_runs::signature_id.is_not_null()))
        .load(tx.conn())?;
    let table = Table("incident_runs");
    let mut linked: BTreeMap<RunId, bool> = BTreeMap::new();
    for (run, has_failed) in named {
        linked.insert(table.parse("run_id", &run)?, has_failed);
    }
    // A run can hit a Limit more than once, and what is only asked about hits it without one.
    let hit: Vec<Option<String>> = incident_breaches::table
        .filter(incident_breaches::tenant_id.eq(&whose))
        .filter(incident_breaches::incident_id.eq(&which))
        .filter(incident_breaches::run_id.is_not_null())
        .order(incident_breaches::run_id)
        .limit(limit)
        .select(incident_breaches::run_id)
        .distinct()
        .load(tx.conn())?;
    let table = Table("incident_breaches");
    for run in hit.into_iter().flatten() {
        linked.entry(table.parse("run_id", &run)?).or_insert(false);
    }
    while linked.len() > most {
        linked.pop_last();
    }
    Ok(linked)
}

/// How often an Incident was about this failure, and what that cost together, at most as much as an amount can be.
///
/// # Errors
/// What the database says.
pub fn of_signature(
    tx: &mut impl Tx,
    tenant: TenantId,
    signature: SignatureId,
) -> StoreResult<(i64, NanoUsd)> {
    // In two parts: a sum that passes 64 bits is an error on both databases, and those of the parts do not.
    let (times, whole, rest): (i64, i64, i64) = incident_runs::table
        .filter(incident_runs::tenant_id.eq(tenant.to_string()))
        .filter(incident_runs::signature_id.eq(signature.to_string()))
        .select((
            sql::<BigInt>("COUNT(*)"),
            sql::<BigInt>("CAST(COALESCE(SUM(cost / 1000000000), 0) AS BIGINT)"),
            sql::<BigInt>("CAST(COALESCE(SUM(cost % 1000000000), 0) AS BIGINT)"),
        ))
        .get_result(tx.conn())?;
    Ok((
        times,
        NanoUsd(whole.saturating_mul(1_000_000_000).saturating_add(rest)),
    ))
}

/// How often an Incident was about this failure, or one of its family, from the first instant on and before the second.
/// What happened again while it was going on counts each time.
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
    let same = incident_runs::signature_id
        .eq(&id)
        .or(incident_runs::family_id.eq(&id));
    Ok(incident_runs::table
        .filter(incident_runs::tenant_id.eq(tenant.to_string()))
        .filter(same)
        .filter(incident_runs::created_at.ge(from.as_micros()))
        .filter(incident_runs::created_at.lt(before.as_micros()))
        .count()
        .get_result(tx.conn())?)
}
