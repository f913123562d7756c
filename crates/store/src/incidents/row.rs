//! How is an Incident kept?

use diesel::prelude::*;
use model::digest::Digest;
use model::incident::{Incident, IncidentState, Standing};

use crate::error::{StoreError, StoreResult};
use crate::rows::Table;
use crate::schema::incidents;

pub(super) const TABLE: Table = Table("incidents");

#[derive(Queryable, Insertable, AsChangeset, PartialEq)]
#[diesel(table_name = incidents, primary_key(tenant_id, id), treat_none_as_null = true)]
pub(super) struct Row {
    pub(super) tenant_id: String,
    pub(super) id: String,
    state: String,
    topic: String,
    severity: String,
    category: String,
    cause_type: String,
    service: String,
    llm_run_id: Option<String>,
    signature_id: Option<String>,
    family_id: Option<String>,
    fingerprint: Option<String>,
    cost: i64,
    pub(super) resolved_at: Option<i64>,
    pub(super) created_at: i64,
    updated_at: i64,
    pub(super) version: i64,
    pub(super) head_hash: String,
    pub(super) body: String,
    lifecycle: Option<String>,
    resolution_method: Option<String>,
}

impl Row {
    pub(super) fn of(incident: &Incident, head: &Digest) -> Self {
        let made = &incident.creation;
        let signature = made.signature.as_ref();
        let resolution = incident.resolution.as_ref();
        Self {
            tenant_id: incident.tenant.to_string(),
            id: incident.id.to_string(),
            state: incident.state.as_str().to_owned(),
            topic: topic(incident.state).to_owned(),
            severity: made.severity.as_str().to_owned(),
            category: made.category.as_str().to_owned(),
            cause_type: made.cause_type.as_str().to_owned(),
            service: made.service.clone(),
            llm_run_id: made.run.map(|run| run.to_string()),
            signature_id: signature.map(|signature| signature.id().to_string()),
            family_id: signature.map(|signature| signature.family().to_string()),
            fingerprint: made.fingerprint.clone(),
            cost: incident.cost.0,
            resolved_at: incident.over_at().map(model::time::Timestamp::as_micros),
            created_at: incident.created_at.as_micros(),
            updated_at: incident.updated_at.as_micros(),
            version: incident.version,
            head_hash: head.to_string(),
            body: incident.canonical(),
            lifecycle: incident.lifecycle().map(|word| word.as_str().to_owned()),
            resolution_method: resolution.map(|resolution| resolution.method.as_str().to_owned()),
        }
    }

    pub(super) fn standing(&self) -> StoreResult<Standing> {
        Ok(Standing {
            incident: incident(self)?,
            head: TABLE.parse("head_hash", &self.head_hash)?,
        })
    }

    /// Whether every column says what the whole says.
    pub(super) fn is_consistent(&self) -> bool {
        self.standing()
            .is_ok_and(|standing| Self::of(&standing.incident, &standing.head) == *self)
    }
}

pub(super) fn incident(row: &Row) -> StoreResult<Incident> {
    let corrupt = StoreError::Corrupt {
        table: "incidents",
        column: "body",
    };
    let incident: Incident = TABLE.json("body", &row.body)?;
    // Whose it is must not depend on what it says.
    if (incident.tenant.to_string(), incident.id.to_string()) != (row.tenant_id.clone(), row.id.clone()) {
        return Err(corrupt);
    }
    Ok(incident)
}

/// Those that can be read. One that somebody has changed by hand until it cannot be read must not hide the others.
pub(super) fn readable(rows: &[Row]) -> Vec<Incident> {
    let logged = |row: &Row| {
        let read = incident(row);
        read.inspect_err(|error| tracing::error!(%error, incident_id = row.id, "an Incident cannot be read"))
            .ok()
    };
    rows.iter().filter_map(logged).collect()
}

/// Where what nobody has approved is not shown.
pub(super) const PENDING: &str = "pending";
/// Where is shown what is not over.
pub(super) const OPEN: &str = "open";
/// Where is shown what is.
pub(super) const OVER: &str = "over";
/// Where is what is shown only to who asks for it.
pub(super) const ARCHIVED: &str = "archived";

/// Where the console shows what is in this state.
pub(super) const fn topic(state: IncidentState) -> &'static str {
    match state {
        IncidentState::Pending => PENDING,
        IncidentState::Open | IncidentState::Mitigating => OPEN,
        IncidentState::Resolved | IncidentState::Closed | IncidentState::Cancelled => OVER,
        IncidentState::Archived => ARCHIVED,
    }
}

/// What the tables of Incidents are filtered by.
pub(super) fn facets(of: &Incident) -> [&str; 4] {
    [
        topic(of.state),
        of.creation.severity.as_str(),
        of.creation.category.as_str(),
        of.creation.cause_type.as_str(),
    ]
}
