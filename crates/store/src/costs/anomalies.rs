//! Which costs were not usual, or not allowed, and what came of it?

use diesel::prelude::*;
use model::anomaly::{Anomaly, Finding};
use model::id::{AnomalyId, IncidentId, TenantId};
use model::money::NanoUsd;

use crate::error::{StoreError, StoreResult};
use crate::rows::{Table, at};
use crate::schema::cost_anomalies;
use crate::tx::{Tx, Writes};

const TABLE: Table = Table("cost_anomalies");

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = cost_anomalies, primary_key(tenant_id, id), treat_none_as_null = true)]
struct Row {
    tenant_id: String,
    id: String,
    day: i64,
    anomaly_type: String,
    severity: String,
    entity_type: String,
    entity_id: String,
    current_value: i64,
    expected: i64,
    deviation_pct: i64,
    threshold_pct: i64,
    days: i64,
    derived_cause: Option<String>,
    limit_id: Option<String>,
    incident_id: Option<String>,
    detected_at: i64,
    updated_at: i64,
}

impl Row {
    fn of(of: &Anomaly) -> Self {
        let found = &of.finding;
        Self {
            tenant_id: of.tenant.to_string(),
            id: of.id.to_string(),
            day: of.day,
            anomaly_type: found.anomaly_type.as_str().to_owned(),
            severity: found.severity.as_str().to_owned(),
            entity_type: found.entity.as_str().to_owned(),
            entity_id: found.entity_id.clone(),
            current_value: found.current.0,
            expected: found.expected.0,
            deviation_pct: found.deviation_pct,
            threshold_pct: found.threshold_pct,
            days: found.days,
            derived_cause: found.derived_cause.map(|cause| cause.as_str().to_owned()),
            limit_id: of.limit.map(|limit| limit.to_string()),
            incident_id: of.incident.map(|incident| incident.to_string()),
            detected_at: of.detected_at.as_micros(),
            updated_at: of.updated_at.as_micros(),
        }
    }

    fn anomaly(self) -> StoreResult<Anomaly> {
        Ok(Anomaly {
            id: TABLE.parse("id", &self.id)?,
            tenant: TABLE.parse("tenant_id", &self.tenant_id)?,
            day: self.day,
            finding: Finding {
                anomaly_type: TABLE.parse("anomaly_type", &self.anomaly_type)?,
                severity: TABLE.parse("severity", &self.severity)?,
                entity: TABLE.parse("entity_type", &self.entity_type)?,
                entity_id: self.entity_id,
                current: NanoUsd(self.current_value),
                expected: NanoUsd(self.expected),
                deviation_pct: self.deviation_pct,
                threshold_pct: self.threshold_pct,
                days: self.days,
                derived_cause: TABLE.parse_opt("derived_cause", self.derived_cause.as_deref())?,
            },
            limit: TABLE.parse_opt("limit_id", self.limit_id.as_deref())?,
            incident: TABLE.parse_opt("incident_id", self.incident_id.as_deref())?,
            detected_at: at(self.detected_at),
            updated_at: at(self.updated_at),
        })
    }
}

/// The same anomaly of the same day, if it was found before.
///
/// # Errors
/// What the database says.
pub fn same(
    tx: &mut impl Tx,
    (tenant, day): (TenantId, i64),
    finding: &Finding,
) -> StoreResult<Option<Anomaly>> {
    let row: Option<Row> = cost_anomalies::table
        .filter(cost_anomalies::tenant_id.eq(tenant.to_string()))
        .filter(cost_anomalies::day.eq(day))
        .filter(cost_anomalies::anomaly_type.eq(finding.anomaly_type.as_str()))
        .filter(cost_anomalies::entity_type.eq(finding.entity.as_str()))
        .filter(cost_anomalies::entity_id.eq(&finding.entity_id))
        .select(Row::as_select())
        .get_result(tx.conn())
        .optional()?;
    row.map(Row::anomaly).transpose()
}

/// Adds an anomaly.
///
/// # Errors
/// [`StoreError::Contention`] if another process has found it meanwhile: repeated, the transaction finds that.
pub fn insert(tx: &mut impl Writes, anomaly: &Anomaly) -> StoreResult<()> {
    let inserted = diesel::insert_into(cost_anomalies::table)
        .values(Row::of(anomaly))
        .execute(tx.conn());
    match inserted.map_err(StoreError::from) {
        Err(StoreError::Duplicate(source)) => Err(StoreError::Contention(source)),
        inserted => inserted.map(drop),
    }
}

/// Writes down what is known of it now.
///
/// # Errors
/// What the database says.
pub fn update(tx: &mut impl Writes, anomaly: &Anomaly) -> StoreResult<()> {
    let key = (anomaly.tenant.to_string(), anomaly.id.to_string());
    diesel::update(cost_anomalies::table.find(key))
        .set(Row::of(anomaly))
        .execute(tx.conn())?;
    Ok(())
}

/// One anomaly.
///
/// # Errors
/// What the database says.
pub fn find(tx: &mut impl Tx, tenant: TenantId, id: AnomalyId) -> StoreResult<Option<Anomaly>> {
    let row: Option<Row> = cost_anomalies::table
        .find((tenant.to_string(), id.to_string()))
        .select(Row::as_select())
        .get_result(tx.conn())
        .optional()?;
    row.map(Row::anomaly).transpose()
}

/// The anomalies that have led to an Incident, the latest first, at most `most`.
///
/// # Errors
/// What the database says.
pub fn of_incident(
    tx: &mut impl Tx,
    tenant: TenantId,
    incident: IncidentId,
    most: i64,
) -> StoreResult<Vec<Anomaly>> {
    let rows: Vec<Row> = cost_anomalies::table
        .filter(cost_anomalies::tenant_id.eq(tenant.to_string()))
        .filter(cost_anomalies::incident_id.eq(incident.to_string()))
        .order((cost_anomalies::day.desc(), cost_anomalies::id.desc()))
        .limit(most)
        .select(Row::as_select())
        .load(tx.conn())?;
    rows.into_iter().map(Row::anomaly).collect()
}

/// A tenant's anomalies from a day on, the latest first, at most `most`.
///
/// # Errors
/// What the database says.
pub fn since(tx: &mut impl Tx, tenant: TenantId, from: i64, most: i64) -> StoreResult<Vec<Anomaly>> {
    let rows: Vec<Row> = cost_anomalies::table
        .filter(cost_anomalies::tenant_id.eq(tenant.to_string()))
        .filter(cost_anomalies::day.ge(from))
        .order((cost_anomalies::day.desc(), cost_anomalies::id.desc()))
        .limit(most)
        .select(Row::as_select())
        .load(tx.conn())?;
    rows.into_iter().map(Row::anomaly).collect()
}
