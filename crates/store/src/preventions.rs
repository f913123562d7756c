//! Which LLM Runs did a Policy Rule keep from failing again?

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::upsert::excluded;
use model::id::{IncidentId, PreventionId, RuleId, RunId, TenantId};
use model::money::NanoUsd;
use model::permille::Permille;
use model::policy::{Prevention, PreventionOutcome};
use model::time::Timestamp;

use crate::dialect::{later, upsert};
use crate::error::{StoreError, StoreResult};
use crate::lately::day_of;
use crate::rows::{Table, at};
use crate::schema::prevention_feedback::columns as said;
use crate::schema::{prevention_days, prevention_feedback, prevention_records};
use crate::tx::{Tx, Writes};

const TABLE: Table = Table("prevention_records");
const DAYS: Table = Table("prevention_days");

#[derive(Queryable, Insertable)]
#[diesel(table_name = prevention_records)]
struct Row {
    tenant_id: String,
    id: String,
    rule_id: String,
    rule_version: i32,
    signature_id: String,
    original_incident_id: Option<String>,
    blocked_run_id: String,
    outcome: String,
    confidence: i64,
    estimated_saving: i64,
    created_at: i64,
}

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = prevention_feedback, primary_key(tenant_id, prevention_id), treat_none_as_null = true)]
struct Feedback {
    tenant_id: String,
    prevention_id: String,
    false_positive: bool,
    note: Option<String>,
    said_by: String,
    created_at: i64,
}

/// Adds a prevention, and counts it on its day.
///
/// # Errors
/// What the database says.
pub fn insert(tx: &mut impl Writes, new: &Prevention) -> StoreResult<()> {
    diesel::insert_into(prevention_records::table)
        .values(Row {
            tenant_id: new.tenant.to_string(),
            id: new.id.to_string(),
            rule_id: new.rule.to_string(),
            rule_version: i32::try_from(new.rule_version).unwrap_or(i32::MAX),
            signature_id: new.signature.to_string(),
            original_incident_id: new.original_incident.map(|id| id.to_string()),
            blocked_run_id: new.blocked_run.to_string(),
            outcome: new.outcome.as_str().to_owned(),
            confidence: i64::from(new.confidence.thousandths()),
            estimated_saving: new.estimated_saving.0,
            created_at: new.at.as_micros(),
        })
        .execute(tx.conn())?;
    count(tx, new)
}

#[derive(Insertable)]
#[diesel(table_name = prevention_days)]
struct Day {
    tenant_id: String,
    rule_id: String,
    day: i64,
    outcome: &'static str,
    times: i64,
    saving: i64,
    last_at: i64,
}

/// Adds to the day of a rule.
fn count(tx: &mut impl Writes, new: &Prevention) -> StoreResult<()> {
    use prevention_days as days;
    let day = Day {
        tenant_id: new.tenant.to_string(),
        rule_id: new.rule.to_string(),
        day: day_of(new.at),
        outcome: new.outcome.as_str(),
        times: 1,
        saving: new.estimated_saving.0,
        last_at: new.at.as_micros(),
    };
    upsert!(
        tx.conn(),
        days::table,
        &day,
        (days::tenant_id, days::rule_id, days::day, days::outcome),
        (
            days::times.eq(days::times + excluded(days::times)),
            days::saving.eq(days::saving + excluded(days::saving)),
            days::last_at.eq(later!(days::last_at)),
        )
    );
    Ok(())
}

/// Whether a rule has kept this LLM Run from failing, or has tried to.
///
/// # Errors
/// What the database says.
pub fn is_recorded(tx: &mut impl Tx, tenant: TenantId, run: RunId) -> StoreResult<bool> {
    let recorded: i64 = prevention_records::table
        .filter(prevention_records::tenant_id.eq(tenant.to_string()))
        .filter(prevention_records::blocked_run_id.eq(run.to_string()))
        .count()
        .get_result(tx.conn())?;
    Ok(recorded > 0)
}

/// What became of the LLM Runs that a rule met on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// The day (UTC) since 1970.
    pub day: i64,
    /// What became of them.
    pub outcome: PreventionOutcome,
    /// How many they were.
    pub times: i64,
    /// What failing would have cost.
    pub saving: NanoUsd,
    /// When the last one was.
    pub last_at: Timestamp,
}

/// A day with an outcome: how many, what failing would have cost, when the last one was.
type DayRow = (i64, String, i64, i64, i64);

fn sum((day, outcome, times, saving, last_at): DayRow) -> StoreResult<Sum> {
    Ok(Sum {
        day,
        outcome: DAYS.parse("outcome", &outcome)?,
        times,
        saving: NanoUsd(saving),
        last_at: at(last_at),
    })
}

/// What a rule has met from the day (UTC) of this instant on, by day and outcome.
///
/// # Errors
/// What the database says.
pub fn sums(tx: &mut impl Tx, tenant: TenantId, rule: RuleId, since: Timestamp) -> StoreResult<Vec<Sum>> {
    let rows: Vec<DayRow> = prevention_days::table
        .filter(prevention_days::tenant_id.eq(tenant.to_string()))
        .filter(prevention_days::rule_id.eq(rule.to_string()))
        .filter(prevention_days::day.ge(day_of(since)))
        .order((prevention_days::day, prevention_days::outcome))
        .select((
            prevention_days::day,
            prevention_days::outcome,
            prevention_days::times,
            prevention_days::saving,
            prevention_days::last_at,
        ))
        .load(tx.conn())?;
    rows.into_iter().map(sum).collect()
}

/// The part of it that people have called false positives. There are as many rows to read as people have marked.
///
/// # Errors
/// What the database says.
pub fn false_positives(
    tx: &mut impl Tx,
    tenant: TenantId,
    rule: RuleId,
    since: Timestamp,
) -> StoreResult<Vec<Sum>> {
    // Sums are NUMERIC on PostgreSQL unless they are cast back; a day has 86,400,000,000 microseconds.
    let rows: Vec<DayRow> = prevention_feedback::table
        .inner_join(
            prevention_records::table.on(prevention_records::tenant_id
                .eq(prevention_feedback::tenant_id)
                .and(prevention_records::id.eq(prevention_feedback::prevention_id))),
        )
        .filter(prevention_feedback::tenant_id.eq(tenant.to_string()))
        .filter(prevention_records::rule_id.eq(rule.to_string()))
        .filter(prevention_records::created_at.ge(since.as_micros()))
        .filter(prevention_feedback::false_positive.eq(true))
        .group_by(sql::<BigInt>(
            "prevention_records.created_at / 86400000000, prevention_records.outcome",
        ))
        .select((
            sql::<BigInt>("prevention_records.created_at / 86400000000"),
            sql::<Text>("prevention_records.outcome"),
            sql::<BigInt>("COUNT(*)"),
            sql::<BigInt>("CAST(SUM(estimated_saving) AS BIGINT)"),
            sql::<BigInt>("MAX(prevention_records.created_at)"),
        ))
        .load(tx.conn())?;
    rows.into_iter().map(sum).collect()
}

/// The rule of a prevention.
///
/// # Errors
/// What the database says.
pub fn rule_of(tx: &mut impl Tx, tenant: TenantId, id: PreventionId) -> StoreResult<Option<RuleId>> {
    let rule: Option<String> = prevention_records::table
        .find((tenant.to_string(), id.to_string()))
        .select(prevention_records::rule_id)
        .get_result(tx.conn())
        .optional()?;
    rule.map(|rule| TABLE.parse("rule_id", &rule)).transpose()
}

/// Writes down what a person says about a prevention; what was said last counts.
///
/// # Errors
/// What the database says.
pub fn say(
    tx: &mut impl Writes,
    (tenant, id): (TenantId, PreventionId),
    is_false_positive: bool,
    (by, note): (&str, Option<&str>),
    now: Timestamp,
) -> StoreResult<()> {
    let row = Feedback {
        tenant_id: tenant.to_string(),
        prevention_id: id.to_string(),
        false_positive: is_false_positive,
        note: note.map(str::to_owned),
        said_by: by.to_owned(),
        created_at: now.as_micros(),
    };
    upsert!(
        tx.conn(),
        prevention_feedback::table,
        &row,
        (prevention_feedback::tenant_id, prevention_feedback::prevention_id)
    );
    Ok(())
}

/// What a person said about a prevention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// That the rule was wrong to prevent it.
    pub is_false_positive: bool,
    /// Why.
    pub note: Option<String>,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// The columns of that.
type SaidRow = (bool, Option<String>, String, i64);
const SAID: (said::false_positive, said::note, said::said_by, said::created_at) =
    (said::false_positive, said::note, said::said_by, said::created_at);

/// Which preventions to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only those of this rule.
    pub rule: Option<RuleId>,
    /// Only those of rules that came from this Incident.
    pub incident: Option<IncidentId>,
    /// Only those that people have called false positives, or only the others.
    pub is_false_positive: Option<bool>,
    /// Only those older than this one.
    pub before: Option<PreventionId>,
}

/// Preventions of a tenant with what people said about them, newest first, at most `most`.
///
/// # Errors
/// What the database says.
pub fn list(
    tx: &mut impl Tx,
    tenant: TenantId,
    filter: &Filter,
    most: i64,
) -> StoreResult<Vec<(Prevention, Option<Said>)>> {
    if filter.is_false_positive == Some(true) {
        return called_false(tx, tenant, filter, most);
    }
    let mut query = prevention_records::table
        .left_join(
            prevention_feedback::table.on(prevention_feedback::tenant_id
                .eq(prevention_records::tenant_id)
                .and(prevention_feedback::prevention_id.eq(prevention_records::id))),
        )
        .select((prevention_records::all_columns, SAID.nullable()))
        .filter(prevention_records::tenant_id.eq(tenant.to_string()))
        .order(prevention_records::id.desc())
        .limit(most)
        .into_boxed();
    if let Some(rule) = filter.rule {
        query = query.filter(prevention_records::rule_id.eq(rule.to_string()));
    }
    if let Some(incident) = filter.incident {
        query = query.filter(prevention_records::original_incident_id.eq(incident.to_string()));
    }
    if filter.is_false_positive.is_some() {
        query = query.filter(
            prevention_feedback::false_positive
                .is_null()
                .or(prevention_feedback::false_positive.eq(false)),
        );
    }
    if let Some(before) = filter.before {
        query = query.filter(prevention_records::id.lt(before.to_string()));
    }
    let rows: Vec<(Row, Option<SaidRow>)> = query.load(tx.conn())?;
    rows.into_iter()
        .map(|(row, said)| Ok((prevention(&row)?, said.map(as_said))))
        .collect()
}

/// Those that people have called false positives: there are few of them, so that it begins with what was said.
fn called_false(
    tx: &mut impl Tx,
    tenant: TenantId,
    filter: &Filter,
    most: i64,
) -> StoreResult<Vec<(Prevention, Option<Said>)>> {
    let mut query = prevention_feedback::table
        .inner_join(
            prevention_records::table.on(prevention_records::tenant_id
                .eq(prevention_feedback::tenant_id)
                .and(prevention_records::id.eq(prevention_feedback::prevention_id))),
        )
        .select((prevention_records::all_columns, SAID))
        .filter(prevention_feedback::tenant_id.eq(tenant.to_string()))
        .filter(prevention_feedback::false_positive.eq(true))
        .order(prevention_feedback::prevention_id.desc())
        .limit(most)
        .into_boxed();
    if let Some(rule) = filter.rule {
        query = query.filter(prevention_records::rule_id.eq(rule.to_string()));
    }
    if let Some(incident) = filter.incident {
        query = query.filter(prevention_records::original_incident_id.eq(incident.to_string()));
    }
    if let Some(before) = filter.before {
        query = query.filter(prevention_feedback::prevention_id.lt(before.to_string()));
    }
    let rows: Vec<(Row, SaidRow)> = query.load(tx.conn())?;
    rows.into_iter()
        .map(|(row, said)| Ok((prevention(&row)?, Some(as_said(said)))))
        .collect()
}

fn as_said((is_false_positive, note, by, when): SaidRow) -> Said {
    Said {
        is_false_positive,
        note,
        by,
        at: at(when),
    }
}

fn prevention(row: &Row) -> StoreResult<Prevention> {
    let confidence = u16::try_from(row.confidence).ok().map(Permille::new);
    Ok(Prevention {
        id: TABLE.parse("id", &row.id)?,
        tenant: TABLE.parse("tenant_id", &row.tenant_id)?,
        rule: TABLE.parse("rule_id", &row.rule_id)?,
        rule_version: TABLE.small("rule_version", row.rule_version)?,
        signature: TABLE.parse("signature_id", &row.signature_id)?,
        original_incident: TABLE.parse_opt("original_incident_id", row.original_incident_id.as_deref())?,
        blocked_run: TABLE.parse("blocked_run_id", &row.blocked_run_id)?,
        outcome: TABLE.parse("outcome", &row.outcome)?,
        confidence: confidence.ok_or(StoreError::Corrupt {
            table: "prevention_records",
            column: "confidence",
        })?,
        estimated_saving: NanoUsd(row.estimated_saving),
        at: at(row.created_at),
    })
}
