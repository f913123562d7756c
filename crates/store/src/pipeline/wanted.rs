//! Which detections can belong to one?

use diesel::prelude::*;
use model::detection::Detection;
use model::id::TenantId;
use model::signal::{Grade, SignalSource, SignalType};
use model::time::Timestamp;

use crate::error::StoreResult;
use crate::rows::Table;
use crate::schema::detections;
use crate::tx::Tx;

/// Which detections a rule wants to see: of each list any, of an empty one all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only those that these rules have found.
    pub rules: Vec<String>,
    /// Only those that were noticed by these.
    pub sources: Vec<SignalSource>,
    /// Only those of these kinds.
    pub signal_types: Vec<SignalType>,
    /// Only those about these services.
    pub services: Vec<String>,
    /// Only those that are as bad as one of these.
    pub severities: Vec<Grade>,
    /// Only those whose producer calls what it noticed so.
    pub dedupe_key: Option<String>,
}

/// One of a list. What is one alone is compared as such: of a list, however short, no index gives the rows in order.
macro_rules! one_of {
    ($query:expr, $column:expr, $list:expr) => {{
        let list: Vec<_> = $list;
        match list.as_slice() {
            [] => $query,
            [one] => $query.filter($column.eq((*one).to_owned())),
            _ => $query.filter($column.eq_any(list)),
        }
    }};
}

/// The detections of signals that were observed between two instants, both included, the latest first: of each source at
/// most `most`, so that one that is loud leaves room for the others.
///
/// # Errors
/// What the database says.
pub fn detections(
    tx: &mut impl Tx,
    tenant: TenantId,
    wanted: &Wanted,
    window: (Timestamp, Timestamp),
    most: i64,
) -> StoreResult<Vec<Detection>> {
    let mut found = Vec::new();
    if wanted.sources.is_empty() {
        found = of_source(tx, tenant, wanted, None, window, most)?;
    }
    for source in &wanted.sources {
        found.extend(of_source(tx, tenant, wanted, Some(*source), window, most)?);
    }
    found.sort_by(|(one, _), (other, _)| other.cmp(one));
    let table = Table("detections");
    found.iter().map(|(_, body)| table.json("body", body)).collect()
}

/// When its signal was observed and its id, and the whole.
type Found = ((i64, String), String);

fn of_source(
    tx: &mut impl Tx,
    tenant: TenantId,
    wanted: &Wanted,
    source: Option<SignalSource>,
    (from, until): (Timestamp, Timestamp),
    most: i64,
) -> StoreResult<Vec<Found>> {
    let mut query = detections::table
        .filter(detections::tenant_id.eq(tenant.to_string()))
        .filter(detections::observed_at.between(from.as_micros(), until.as_micros()))
        .order((detections::observed_at.desc(), detections::id.desc()))
        .select(((detections::observed_at, detections::id), detections::body))
        .limit(most)
        .into_boxed();
    if let Some(source) = source {
        query = query.filter(detections::source.eq(source.as_str()));
    }
    if let Some(key) = &wanted.dedupe_key {
        query = query.filter(detections::dedupe_key.eq(key.clone()));
    }
    let types = wanted.signal_types.iter().map(|one| one.as_str());
    let grades = wanted.severities.iter().map(|one| one.as_str());
    let query = one_of!(query, detections::rule_id, wanted.rules.clone());
    let query = one_of!(query, detections::service, wanted.services.clone());
    let query = one_of!(query, detections::signal_type, types.collect());
    let query = one_of!(query, detections::severity, grades.collect());
    Ok(query.load(tx.conn())?)
}
