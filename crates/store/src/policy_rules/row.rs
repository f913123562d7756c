//! How is a Policy Rule a row?

use diesel::prelude::*;
use model::permille::Permille;
use model::policy::{Definition, Retirement, Rule};

use crate::error::{StoreError, StoreResult};
use crate::rows::{Table, at};
use crate::schema::policy_rules;

pub(super) const TABLE: Table = Table("policy_rules");

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = policy_rules, primary_key(tenant_id, id), treat_none_as_null = true)]
pub(super) struct Row {
    tenant_id: String,
    id: String,
    version: i32,
    name: String,
    description: Option<String>,
    rule_type: String,
    stage: String,
    condition: Option<String>,
    min_confidence: i64,
    scope: String,
    scope_id: Option<String>,
    enforcement_mode: String,
    on_stream: String,
    status: String,
    hash: String,
    source: String,
    source_proposal_id: Option<String>,
    source_incident_id: Option<String>,
    source_run_id: Option<String>,
    parent_rule_id: Option<String>,
    created_by: Option<String>,
    retired_at: Option<i64>,
    retired_by: Option<String>,
    retirement_reason: Option<String>,
    superseded_by: Option<String>,
    created_at: i64,
    updated_at: i64,
}

pub(super) fn row(of: &Rule) -> Row {
    let definition = &of.definition;
    let retirement = of.retirement.as_ref();
    Row {
        tenant_id: of.tenant.to_string(),
        id: of.id.to_string(),
        version: i32::try_from(of.version).unwrap_or(i32::MAX),
        name: definition.name.clone(),
        description: definition.description.clone(),
        rule_type: definition.rule_type.as_str().to_owned(),
        stage: definition.stage.as_str().to_owned(),
        condition: definition.condition.clone(),
        min_confidence: i64::from(definition.min_confidence.thousandths()),
        scope: definition.scope.as_str().to_owned(),
        scope_id: definition.scope_id.clone(),
        enforcement_mode: definition.mode.as_str().to_owned(),
        on_stream: definition.on_stream.as_str().to_owned(),
        status: of.status.as_str().to_owned(),
        hash: of.hash.to_string(),
        source: of.source.as_str().to_owned(),
        source_proposal_id: of.source_proposal.map(|id| id.to_string()),
        source_incident_id: of.source_incident.as_ref().map(ToString::to_string),
        source_run_id: of.source_run.map(|id| id.to_string()),
        parent_rule_id: of.parent.map(|id| id.to_string()),
        created_by: of.created_by.clone(),
        retired_at: retirement.map(|retirement| retirement.at.as_micros()),
        retired_by: retirement.map(|retirement| retirement.by.clone()),
        retirement_reason: retirement.map(|retirement| retirement.reason.clone()),
        superseded_by: retirement
            .and_then(|retirement| retirement.superseded_by)
            .map(|id| id.to_string()),
        created_at: of.created_at.as_micros(),
        updated_at: of.updated_at.as_micros(),
    }
}

pub(super) fn rule(row: Row) -> StoreResult<Rule> {
    let retirement = match (row.retired_at, row.retired_by, row.retirement_reason) {
        (Some(when), Some(by), Some(reason)) => Some(Retirement {
            at: at(when),
            by,
            reason,
            superseded_by: TABLE.parse_opt("superseded_by", row.superseded_by.as_deref())?,
        }),
        _ => None,
    };
    let confidence = u16::try_from(row.min_confidence).ok().map(Permille::new);
    let definition = Definition {
        name: row.name,
        description: row.description,
        rule_type: TABLE.parse("rule_type", &row.rule_type)?,
        stage: TABLE.parse("stage", &row.stage)?,
        condition: row.condition,
        min_confidence: confidence.ok_or(StoreError::Corrupt {
            table: "policy_rules",
            column: "min_confidence",
        })?,
        scope: TABLE.parse("scope", &row.scope)?,
        scope_id: row.scope_id,
        mode: TABLE.parse("enforcement_mode", &row.enforcement_mode)?,
        on_stream: TABLE.parse("on_stream", &row.on_stream)?,
    };
    Ok(Rule {
        id: TABLE.parse("id", &row.id)?,
        tenant: TABLE.parse("tenant_id", &row.tenant_id)?,
        version: TABLE.small("version", row.version)?,
        definition,
        status: TABLE.parse("status", &row.status)?,
        hash: TABLE.parse("hash", &row.hash)?,
        source: TABLE.parse("source", &row.source)?,
        source_proposal: TABLE.parse_opt("source_proposal_id", row.source_proposal_id.as_deref())?,
        source_incident: TABLE.parse_opt("source_incident_id", row.source_incident_id.as_deref())?,
        source_run: TABLE.parse_opt("source_run_id", row.source_run_id.as_deref())?,
        parent: TABLE.parse_opt("parent_rule_id", row.parent_rule_id.as_deref())?,
        created_by: row.created_by,
        retirement,
        created_at: at(row.created_at),
        updated_at: at(row.updated_at),
    })
}
