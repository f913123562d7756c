//! Which LLM Runs were there, in the order in which they started?

use std::collections::BTreeMap;

use diesel::dsl::{count_star, max, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use model::digest::Digest;
use model::id::{RunId, TenantId};
use model::run::Run;
use model::time::Timestamp;

use super::{Row, TABLE, run};
use crate::error::StoreResult;
use crate::rows::at;
use crate::schema::runs;
use crate::tx::Tx;

/// A place between two runs, in the order in which they started: behind this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// When it started.
    pub at: Timestamp,
    /// Which it is.
    pub run: RunId,
}

/// Runs of a tenant that started `from` this time on, in the order in which they started, behind `after`, at most `most`.
/// There is no last instant: a planner that does not see the values would take a range with two ends for a short one, and
/// sort all of it for every piece.
///
/// # Errors
/// What the database says.
pub fn stretch(
    tx: &mut impl Tx,
    tenant: TenantId,
    from: Timestamp,
    after: Option<Place>,
    most: i64,
) -> StoreResult<Vec<Run>> {
    // Where the index is entered; the rest is read along it.
    let first = after.map_or(from, |after| after.at.max(from));
    let mut query = runs::table
        .filter(runs::tenant_id.eq(tenant.to_string()))
        .filter(runs::started_at.ge(first.as_micros()))
        .order((runs::started_at, runs::id))
        .limit(most)
        .into_boxed();
    if let Some(after) = after {
        let behind = runs::started_at
            .gt(after.at.as_micros())
            .or(runs::id.gt(after.run.to_string()));
        query = query.filter(behind);
    }
    let rows = query.load::<Row>(tx.conn())?;
    rows.into_iter().map(run).collect()
}

/// The latest run of the same stretch that has `most` others behind it; none if there are not so many.
///
/// # Errors
/// What the database says.
pub fn before_latest(
    tx: &mut impl Tx,
    tenant: TenantId,
    from: Timestamp,
    most: i64,
) -> StoreResult<Option<Place>> {
    let found: Option<(i64, String)> = runs::table
        .filter(runs::tenant_id.eq(tenant.to_string()))
        .filter(runs::started_at.ge(from.as_micros()))
        .order((runs::started_at.desc(), runs::id.desc()))
        .offset(most)
        .select((runs::started_at, runs::id))
        .first(tx.conn())
        .optional()?;
    found
        .map(|(started_at, id)| {
            Ok(Place {
                at: at(started_at),
                run: TABLE.parse("id", &id)?,
            })
        })
        .transpose()
}

/// Of requests with these traits ([`RequestTraits::digest`]): the latest run that failed and started before this time,
/// and how many there are. Traits that never failed are left out.
///
/// [`RequestTraits::digest`]: model::incident::RequestTraits::digest
///
/// # Errors
/// What the database says.
pub fn failures_before(
    tx: &mut impl Tx,
    tenant: TenantId,
    traits: &[Digest],
    before: Timestamp,
) -> StoreResult<BTreeMap<Digest, (Run, i64)>> {
    let asked: BTreeMap<String, Digest> = traits
        .iter()
        .map(|traits| (traits.to_string(), *traits))
        .collect();
    // The words of the partial index, so that it is seen to fit.
    let failed = runs::table
        .filter(runs::tenant_id.eq(tenant.to_string()))
        .filter(runs::started_at.lt(before.as_micros()))
        .filter(sql::<Bool>("(status = 'failed' OR status = 'crashed')"));
    let known: Vec<(Option<String>, i64, Option<i64>)> = failed
        .clone()
        .filter(runs::traits.eq_any(asked.keys().map(String::as_str)))
        .group_by(runs::traits)
        .select((runs::traits, count_star(), max(runs::started_at)))
        .load(tx.conn())?;
    let mut found = BTreeMap::new();
    for (traits, count, started_at) in known {
        let Some((text, digest)) = traits.as_ref().and_then(|text| asked.get_key_value(text)) else {
            continue;
        };
        // By its instant: asked for the latest, SQLite would go back through the runs of the tenant one by one.
        let latest: Row = failed
            .clone()
            .filter(runs::traits.eq(text))
            .filter(runs::started_at.nullable().eq(started_at))
            .order(runs::id.desc())
            .first(tx.conn())?;
        found.insert(*digest, (run(latest)?, count));
    }
    Ok(found)
}
