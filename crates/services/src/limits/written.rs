//! What should somebody know who has just made or changed a limit?

use model::limit::{Limit, LimitCategory, LimitScope};
use model::time::Timestamp;
use store::counters::CounterKey;
use store::{StoreResult, Tx};

use crate::context::Context;

/// A limit that was made or changed just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The limit.
    pub limit: Limit,
    /// Whether more is settled and held than it allows: nothing new passes until that is less.
    pub already_exceeded: bool,
    /// Whether nobody has made the project or agent that it names, or no configured provider is called so. That is
    /// no mistake, because requests may name what they like, but it may be a misspelling.
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
    let Some(id) = limit.scope_id.as_deref() else {
        return Ok(true);
    };
    Ok(match limit.scope {
        LimitScope::Global | LimitScope::Tenant => true,
        LimitScope::Provider => providers.iter().any(|provider| provider == id),
        LimitScope::Project => {
            let projects = store::tenants::projects(tx, limit.tenant)?;
            projects.iter().any(|project| project.id.as_str() == id)
        }
        LimitScope::Agent => {
            let agents = store::tenants::agents(tx, limit.tenant)?;
            agents.iter().any(|agent| agent.id.as_str() == id)
        }
    })
}
