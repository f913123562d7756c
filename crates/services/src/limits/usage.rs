//! How much of each limit is used?

use std::collections::BTreeMap;

use domain::limits::Counted;
use model::id::{LimitId, TenantId};
use model::limit::{Limit, LimitCategory};
use model::time::Timestamp;
use model::window::WindowSpec;
use store::counters::{Counter, CounterKey};
use store::{StoreResult, Tx};

use super::LimitError;
use crate::context::Context;

/// A limit with what is used of it now.
#[derive(Debug, Clone)]
pub struct LimitUsage {
    /// The limit.
    pub limit: Limit,
    /// The most now, in the unit of its type: what an override has raised it to, while one is on.
    pub max: i64,
    /// Used for good, in the unit of its type.
    pub settled: i64,
    /// Set aside by open holds.
    pub held: i64,
    /// When the counter starts again (calendar windows).
    pub resets_at: Option<Timestamp>,
}

/// Every ACTIVE limit that a tenant's requests can meet, with what is used of it.
///
/// # Errors
/// [`LimitError::Store`].
pub async fn usage(cx: &Context, tenant: TenantId) -> Result<Vec<LimitUsage>, LimitError> {
    let now = cx.clock.now();
    let states = cx.db.read(move |tx| states(tx, tenant, now)).await?;
    Ok(used(states, now))
}

/// Every ACTIVE limit of the platform, with what all tenants together have used of it; operators only.
///
/// # Errors
/// [`LimitError::Store`].
pub async fn platform_usage(cx: &Context) -> Result<Vec<LimitUsage>, LimitError> {
    let now = cx.clock.now();
    let read = move |tx: &mut store::ReadTx<'_>| -> StoreResult<_> {
        let limits = store::limits::active(tx, TenantId::PLATFORM)?;
        counted(tx, limits, now)
    };
    Ok(used(cx.db.read(read).await?, now))
}

fn used(states: Vec<(Limit, Vec<Counted>)>, now: Timestamp) -> Vec<LimitUsage> {
    states
        .into_iter()
        .map(|(limit, counted)| LimitUsage {
            max: limit.max_at(now),
            settled: counted.iter().map(|counted| counted.settled).sum(),
            held: counted.iter().map(|counted| counted.held).sum(),
            resets_at: match limit.category {
                LimitCategory::Budget => limit.window.window_at(now).end,
                LimitCategory::Rate | LimitCategory::Threshold => None,
            },
            limit,
        })
        .collect()
}

/// The ACTIVE limits of the platform and the tenant with the counters that count now, oldest first.
pub(super) fn states(
    tx: &mut impl Tx,
    tenant: TenantId,
    now: Timestamp,
) -> StoreResult<Vec<(Limit, Vec<Counted>)>> {
    let mut limits = store::limits::active(tx, TenantId::PLATFORM)?;
    limits.extend(store::limits::active(tx, tenant)?);
    counted(tx, limits, now)
}

/// Whether the counter, which has not begun too early, counts for the limit now. A limit that had another window before
/// may have counters that began later than the window that it has.
pub(super) fn counts(counter: &Counter, limit: &Limit, now: Timestamp) -> bool {
    let key = counter.key;
    let is_now = || key.window_start == limit.window.window_at(now).start.as_micros();
    (key.owner, key.limit) == (limit.tenant, limit.id)
        && (matches!(limit.window, WindowSpec::Rolling { .. }) || is_now())
}

fn counted(tx: &mut impl Tx, limits: Vec<Limit>, now: Timestamp) -> StoreResult<Vec<(Limit, Vec<Counted>)>> {
    let ranges: Vec<CounterKey> = limits
        .iter()
        .map(|limit| CounterKey {
            owner: limit.tenant,
            limit: limit.id,
            window_start: limit.window.counted_since(now).as_micros(),
        })
        .collect();
    let mut counters: BTreeMap<(TenantId, LimitId), Vec<Counter>> = BTreeMap::new();
    for counter in store::counters::since(tx, &ranges)? {
        let of = (counter.key.owner, counter.key.limit);
        counters.entry(of).or_default().push(counter);
    }
    Ok(limits
        .into_iter()
        .map(|limit| {
            let own = counters.remove(&(limit.tenant, limit.id)).unwrap_or_default();
            let mut counted: Vec<Counted> = own
                .iter()
                .filter(|counter| counts(counter, &limit, now))
                .map(|counter| Counted {
                    window_start: counter.key.window_start,
                    settled: counter.settled,
                    held: counter.held,
                })
                .collect();
            counted.sort_unstable_by_key(|counted| counted.window_start);
            (limit, counted)
        })
        .collect())
}
