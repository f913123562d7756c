//! What went wrong inside, when, and how often?
//!
//! Forensic records: they are only ever added. The first write of an id wins, and a second one with another
//! content is reported, so that the caller writes it again under a new id.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use infra::envelope::{ErrorClass, ErrorRecord};
use model::time::Timestamp;

use crate::dialect::insert_new;
use crate::error::StoreResult;
use crate::rows::at;
use crate::schema::infra_error_events as events;
use crate::tx::{Tx, Writes};

/// LIMIT: rows of one statement; PostgreSQL takes 65,535 values and a row has 18.
const CHUNK: usize = 1000;

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = events)]
struct Row {
    error_id: String,
    at: i64,
    layer: String,
    component: String,
    error_class: String,
    severity: String,
    message: String,
    correlation_id: Option<String>,
    decision_id: Option<String>,
    run_id: Option<String>,
    agent_id: Option<String>,
    tenant_id: Option<String>,
    input_hash: Option<String>,
    exception_type: Option<String>,
    exception_chain: Option<String>,
    context: String,
    envelope_version: String,
    created_at: i64,
}

/// Adds records, and returns the ids that already stand for another error: those records were not written
/// and need a new id. A record that is already there is left as it is.
///
/// # Errors
/// What the database says.
pub fn insert(tx: &mut impl Writes, records: &[ErrorRecord]) -> StoreResult<Vec<String>> {
    let rows: Vec<Row> = records.iter().map(row).collect();
    let mut collided = Vec::new();
    for chunk in rows.chunks(CHUNK) {
        let inserted = insert_new!(crate::tx::sealed::Connected::conn(tx), events::table, chunk);
        if inserted < chunk.len() {
            collided.extend(differing(tx, chunk)?);
        }
    }
    Ok(collided)
}

/// The ids under which something else is stored.
fn differing(tx: &mut impl Tx, rows: &[Row]) -> StoreResult<Vec<String>> {
    let ids = rows.iter().map(|row| row.error_id.as_str());
    let stored: Vec<Row> = events::table
        .filter(events::error_id.eq_any(ids))
        .load(tx.conn())?;
    let lost = |row: &&Row| !stored.contains(row);
    Ok(rows.iter().filter(lost).map(|row| row.error_id.clone()).collect())
}

/// Everything that belongs to a correlation, oldest first.
///
/// # Errors
/// What the database says.
pub fn by_correlation(tx: &mut impl Tx, correlation_id: &str) -> StoreResult<Vec<ErrorRecord>> {
    let rows: Vec<Row> = events::table
        .filter(events::correlation_id.eq(correlation_id))
        .order((events::at, events::error_id))
        .load(tx.conn())?;
    Ok(rows.into_iter().map(record).collect())
}

/// What a component has reported since, newest first, at most `limit`.
///
/// # Errors
/// What the database says.
pub fn by_component(
    tx: &mut impl Tx,
    component: &str,
    since: Timestamp,
    limit: i64,
) -> StoreResult<Vec<ErrorRecord>> {
    let rows: Vec<Row> = events::table
        .filter(events::component.eq(component))
        .filter(events::at.ge(since.as_micros()))
        .order((events::at.desc(), events::error_id.desc()))
        .limit(limit)
        .load(tx.conn())?;
    Ok(rows.into_iter().map(record).collect())
}

/// What has been reported of a class since, newest first, at most `limit`.
///
/// # Errors
/// What the database says.
pub fn by_class(
    tx: &mut impl Tx,
    class: ErrorClass,
    since: Timestamp,
    limit: i64,
) -> StoreResult<Vec<ErrorRecord>> {
    let rows: Vec<Row> = events::table
        .filter(events::error_class.eq(class.as_str()))
        .filter(events::at.ge(since.as_micros()))
        .order((events::at.desc(), events::error_id.desc()))
        .limit(limit)
        .load(tx.conn())?;
    Ok(rows.into_iter().map(record).collect())
}

/// How many errors of each class there were in `[since, until)`, most first.
///
/// # Errors
/// What the database says.
pub fn counts_by_class(
    tx: &mut impl Tx,
    since: Timestamp,
    until: Timestamp,
) -> StoreResult<Vec<(String, i64)>> {
    let counts = events::table
        .filter(events::at.ge(since.as_micros()))
        .filter(events::at.lt(until.as_micros()))
        .group_by(events::error_class)
        .select((events::error_class, diesel::dsl::count_star()))
        .load(tx.conn())?;
    Ok(most_first(counts))
}

/// How many errors each component reported in `[since, until)`, most first.
///
/// # Errors
/// What the database says.
pub fn counts_by_component(
    tx: &mut impl Tx,
    since: Timestamp,
    until: Timestamp,
) -> StoreResult<Vec<(String, i64)>> {
    let counts = events::table
        .filter(events::at.ge(since.as_micros()))
        .filter(events::at.lt(until.as_micros()))
        .group_by(events::component)
        .select((events::component, diesel::dsl::count_star()))
        .load(tx.conn())?;
    Ok(most_first(counts))
}

fn most_first(mut counts: Vec<(String, i64)>) -> Vec<(String, i64)> {
    // Not left to the database: names are ordered differently from one to the other.
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

/// The errors of a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimelineBucket {
    /// Where the stretch starts.
    pub start: Timestamp,
    /// How many errors.
    pub count: i64,
    /// Of how many components.
    pub unique_components: i64,
    /// Of how many classes.
    pub unique_classes: i64,
}

#[derive(QueryableByName)]
struct BucketRow {
    #[diesel(sql_type = BigInt)]
    bucket: i64,
    #[diesel(sql_type = BigInt)]
    errors: i64,
    #[diesel(sql_type = BigInt)]
    components: i64,
    #[diesel(sql_type = BigInt)]
    classes: i64,
}

/// The errors in `[since, until)`, counted in stretches of so many minutes (1 to 60) from each full hour on,
/// in order; stretches without errors are left out.
///
/// # Errors
/// What the database says.
pub fn timeline(
    tx: &mut impl Tx,
    since: Timestamp,
    until: Timestamp,
    bucket_minutes: u32,
) -> StoreResult<Vec<TimelineBucket>> {
    let bucket = i64::from(bucket_minutes.clamp(1, 60)) * 60 * Timestamp::MICROS_PER_SECOND;
    let rows: Vec<BucketRow> = diesel::sql_query(
        "SELECT at - at % 3600000000 + (at % 3600000000) / $1 * $1 AS bucket, COUNT(*) AS errors, \
         COUNT(DISTINCT component) AS components, COUNT(DISTINCT error_class) AS classes \
         FROM infra_error_events WHERE at >= $2 AND at < $3 GROUP BY 1 ORDER BY 1",
    )
    .bind::<BigInt, _>(bucket)
    .bind::<BigInt, _>(since.as_micros())
    .bind::<BigInt, _>(until.as_micros())
    .load(tx.conn())?;
    let buckets = rows.into_iter().map(|row| TimelineBucket {
        start: at(row.bucket),
        count: row.errors,
        unique_components: row.components,
        unique_classes: row.classes,
    });
    Ok(buckets.collect())
}

/// A text that both engines can store: PostgreSQL has no NUL, and evidence is not lost for one.
fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn text_opt(optional: Option<&String>) -> Option<String> {
    optional.map(|inner| text(inner))
}

fn row(record: &ErrorRecord) -> Row {
    Row {
        error_id: text(&record.error_id),
        at: record.timestamp.as_micros(),
        layer: text(&record.layer),
        component: text(&record.component),
        error_class: text(&record.error_class),
        severity: text(&record.severity),
        message: text(&record.message),
        correlation_id: text_opt(record.correlation_id.as_ref()),
        decision_id: text_opt(record.decision_id.as_ref()),
        run_id: text_opt(record.run_id.as_ref()),
        agent_id: text_opt(record.agent_id.as_ref()),
        tenant_id: text_opt(record.tenant_id.as_ref()),
        input_hash: text_opt(record.input_hash.as_ref()),
        exception_type: text_opt(record.exception_type.as_ref()),
        exception_chain: text_opt(record.exception_chain.as_ref()),
        context: text(&record.context),
        envelope_version: text(&record.envelope_version),
        // Retention counts from when it happened: queries make no times.
        created_at: record.timestamp.as_micros(),
    }
}

fn record(row: Row) -> ErrorRecord {
    ErrorRecord {
        error_id: row.error_id,
        timestamp: at(row.at),
        layer: row.layer,
        component: row.component,
        error_class: row.error_class,
        severity: row.severity,
        message: row.message,
        correlation_id: row.correlation_id,
        decision_id: row.decision_id,
        run_id: row.run_id,
        agent_id: row.agent_id,
        tenant_id: row.tenant_id,
        input_hash: row.input_hash,
        exception_type: row.exception_type,
        exception_chain: row.exception_chain,
        context: row.context,
        envelope_version: row.envelope_version,
    }
}
