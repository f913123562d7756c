//! What should somebody know who has just made or changed a limit?

use domain::limits::draft::Problem;
use model::limit::{Limit, LimitCategory, LimitScope};
use model::time::Timestamp;
use store::counters::CounterKey;
use store::{StoreResult, Tx};

use super::LimitError;
use crate::context::Context;
use crate::owner::Named;

/// A limit that was made or changed just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The limit.
    pub limit: Limit,
    /// Whether more is settled and held than it allows: nothing new passes until that is less.
    pub already_exceeded: bool,
    /// Whether no configured provider is called as it names it. That is no mistake, because checks may name what they
    /// like, but it may be a misspelling. Nor need a project or agent be there of a limit that is older than this question.
    pub unknown_scope: bool,
}

impl Written {
    pub(super) fn plain(limit: Limit) -> Self {
        Self {
            limit,
            already_exceeded: false,
            unknown_scope: false,
        }
    }

    pub(super) fn of(
        tx: &mut impl Tx,
        limit: Limit,
        providers: &[String],
        now: Timestamp,
    ) -> StoreResult<Self> {
        Ok(Self {
            already_exceeded: used(tx, &limit, now)? > limit.max_at(now),
            unknown_scope: !knows(tx, &limit, providers)?,
            limit,
        })
    }
}

/// What the configured providers are called.
pub(super) fn providers(cx: &Context) -> Vec<String> {
    let upstreams = cx.gateway.upstreams.upstreams().iter();
    upstreams.map(|upstream| upstream.provider().to_owned()).collect()
}

fn used(tx: &mut impl Tx, limit: &Limit, now: Timestamp) -> StoreResult<i64> {
    if limit.category == LimitCategory::Threshold {
        return Ok(0);
    }
    let range = CounterKey {
        owner: limit.tenant,
        limit: limit.id,
        window_start: limit.window.counted_since(now).as_micros(),
    };
    let counters = store::counters::since(tx, &[range])?;
    let counters = counters
        .iter()
        .filter(|counter| super::usage::counts(counter, limit, now));
    Ok(counters.fold(0_i64, |sum, counter| {
        sum.saturating_add(counter.settled).saturating_add(counter.held)
    }))
}

fn knows(tx: &mut impl Tx, limit: &Limit, providers: &[String]) -> StoreResult<bool> {
    if let Some(named) = named(limit) {
        return named.is_made(tx, limit.tenant);
    }
    // A check may name a provider that is called without us.
    let is_called = |id: &String| providers.contains(id);
    Ok(limit.scope != LimitScope::Provider || limit.scope_id.as_ref().is_none_or(is_called))
}

/// What the limit is about and the tenant has to have made.
fn named(limit: &Limit) -> Option<Named<'_>> {
    let id = limit.scope_id.as_deref()?;
    match limit.scope {
        LimitScope::Project => Some(Named::Project(id)),
        LimitScope::Agent => Some(Named::Agent(id)),
        LimitScope::Global | LimitScope::Tenant | LimitScope::Provider => None,
    }
}

/// Refuses a limit about a project or an agent that the tenant has not made: it would never count anything, and nobody
/// would notice.
pub(super) fn refuse_unknown(tx: &mut impl Tx, limit: &Limit) -> Result<(), LimitError> {
    let Some(named) = named(limit) else { return Ok(()) };
    if named.is_made(tx, limit.tenant)? {
        return Ok(());
    }
    Err(LimitError::Invalid(vec![Problem {
        field: "scope_id",
        detail: named.problem(),
    }]))
}
