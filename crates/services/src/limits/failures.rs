//! Are limits on the share of LLM Runs that fail passed?
//!
//! They are measured now and then, not with every request. That one is passed, and that it is not any more, is written
//! down once and changes what governs: the next request is decided by it, on every node.

use std::collections::BTreeMap;

use domain::limits::rate::{self, Failures};
use model::audit::AuditEvent;
use model::breach::{Breach, BreachType};
use model::decision::{DecisionSnapshot, Outcome};
use model::id::{BreachId, DecisionId, IdGenerator, LimitId, TenantId};
use model::limit::{Consequence, Enforcement, Limit, LimitStatus, Overrun};
use model::time::Timestamp;
use serde_json::json;
use store::runs::Outcome as Ended;
use store::{LockTx, StoreError, StoreResult};

use super::told;
use crate::audit::{self, Author, Changed};
use crate::context::Context;
use crate::ledger::alerted;
use crate::measure;

/// Limits that are read at a time.
const LIMITS_MOST: i64 = 500;
/// The latest LLM Runs that a limit is about.
const RUNS_MOST: i64 = 2_000;
/// LLM Runs that are read at a time.
const READ_MOST: i64 = 2_000;
/// How often at most: a limit that is about one in a hundred LLM Runs of a tenant must find enough, and a tenant that has
/// very many must not hold up all others.
const TURNS_MOST: usize = 10;

/// Measures every limit on the share of failures, and says how many have been passed now and how many are not any more.
/// One that cannot be measured now is left for the next time.
///
/// # Errors
/// What the database says.
pub async fn measure_all(cx: &Context) -> Result<(u64, u64), StoreError> {
    let (mut passed, mut over, mut after) = (0, 0, None);
    loop {
        let limits = cx
            .db
            .read(move |tx| store::limits::of_failures(tx, after, LIMITS_MOST))
            .await?;
        let is_last = i64::try_from(limits.len()).is_ok_and(|found| found < LIMITS_MOST);
        after = limits.last().map(|limit| (limit.tenant, limit.id)).or(after);
        let mut of_owners: BTreeMap<TenantId, Vec<Limit>> = BTreeMap::new();
        for limit in limits {
            of_owners.entry(limit.tenant).or_default().push(limit);
        }
        for (owner, limits) in of_owners {
            match measure(cx, owner, limits).await {
                Ok((now_passed, now_over)) => {
                    passed += now_passed;
                    over += now_over;
                }
                Err(error) => {
                    tracing::warn!(%error, tenant_id = %owner, "the share of failures could not be measured yet");
                }
            }
        }
        if is_last {
            return Ok((passed, over));
        }
    }
}

/// Measures the limits of an owner.
async fn measure(cx: &Context, owner: TenantId, limits: Vec<Limit>) -> Result<(u64, u64), StoreError> {
    let now = cx.clock.now();
    let (mut passed, mut over) = (0, 0);
    for (limit, failures) in looked_at(cx, owner, limits, now).await? {
        let found = failures.overrun(&limit, now);
        if found.is_some() == limit.overrun.is_some() {
            continue;
        }
        let (ids, id) = (cx.ids.clone(), limit.id);
        let changed = cx
            .db
            .locked(move |tx| cross(tx, ids.as_ref(), (owner, id), (failures, found), now))
            .await?;
        let counted = if found.is_some() { &mut passed } else { &mut over };
        *counted += u64::from(changed);
        if changed && found.is_some() {
            let consequence = limit.handling.consequence.unwrap_or(Consequence::Alert);
            measure::passed(limit.limit_type, consequence);
        }
    }
    Ok((passed, over))
}

/// What has become of the LLM Runs that each of the limits is about.
async fn looked_at(
    cx: &Context,
    owner: TenantId,
    limits: Vec<Limit>,
    now: Timestamp,
) -> Result<Vec<(Limit, Failures)>, StoreError> {
    let began = |limit: &Limit| now.plus_seconds(-i64::from(rate::seconds_of(limit)));
    let since = limits.iter().map(began).min().unwrap_or(now);
    let mut counted: Vec<_> = limits
        .into_iter()
        .map(|limit| (limit, Failures::default()))
        .collect();
    let mut behind = None;
    for _ in 0..TURNS_MOST {
        let read = cx
            .db
            .read(move |tx| store::runs::outcomes(tx, owner, since, behind, READ_MOST));
        let ended: Vec<Ended> = read.await?;
        for (limit, failures) in &mut counted {
            let from = began(limit);
            for run in &ended {
                if failures.runs < RUNS_MOST
                    && run.started_at >= from
                    && domain::limits::applies(limit, &run.subject)
                {
                    failures.count(run.status);
                }
            }
        }
        let is_last = i64::try_from(ended.len()).is_ok_and(|found| found < READ_MOST);
        if is_last || counted.iter().all(|(_, failures)| failures.runs >= RUNS_MOST) {
            break;
        }
        behind = ended.last().map(|run| (run.started_at, run.id));
    }
    Ok(counted)
}

/// Writes down that a limit is passed, or not any more, unless another node has done so; whether it did.
fn cross(
    tx: &mut LockTx<'_>,
    ids: &dyn IdGenerator,
    (owner, id): (TenantId, LimitId),
    (failures, found): (Failures, Option<Overrun>),
    now: Timestamp,
) -> StoreResult<bool> {
    let known = store::limits::lock(tx, owner, id)?;
    let Some(known) = known.filter(|limit| limit.status == LimitStatus::Active) else {
        return Ok(false);
    };
    if known.overrun.is_some() == found.is_some() {
        return Ok(false);
    }
    let limit = Limit {
        overrun: found,
        ..known.clone()
    };
    store::limits::update(tx, &limit)?;
    let decision = snapshot(ids, &limit, failures, now);
    let mut fired = None;
    if let Some(overrun) = found {
        let breach = Breach {
            id: BreachId::generate(ids),
            tenant: owner,
            limit_owner: owner,
            limit: id,
            run: None,
            decision: decision.id,
            breach_type: BreachType::Violated,
            value: overrun.value,
            max: limit.max_at(now),
            at: now,
        };
        fired = (limit.enforcement == Enforcement::Alert).then(|| breach.clone());
        store::breaches::insert(tx, &[breach])?;
    }
    store::decisions::insert(tx, &[decision])?;
    let (event, word, text) = match found {
        Some(_) => (
            AuditEvent::LimitBreached,
            "limit_exceeded",
            "is passed: too many LLM Runs fail",
        ),
        None => (
            AuditEvent::LimitUpdated,
            "limit_recovered",
            "is not passed any more",
        ),
    };
    let shown = |overrun: Option<Overrun>| {
        overrun.map(|overrun| json!({ "error_rate_pct": overrun.value, "runs": overrun.runs, "since": overrun.since.as_micros() }))
    };
    let changed = Changed {
        before: shown(known.overrun),
        after: shown(limit.overrun),
        ..told::changed(&limit, event, word, text)
    };
    audit::record(tx, ids, &Author::system(), changed, now)?;
    if let Some(breach) = fired {
        store::timeline::insert(tx, &alerted(ids, &breach, ""))?;
    }
    Ok(true)
}

/// What was measured and what follows, so that it can be decided again.
fn snapshot(ids: &dyn IdGenerator, limit: &Limit, failures: Failures, now: Timestamp) -> DecisionSnapshot {
    let input = json!({
        "now": now.as_micros(), "limit_id": limit.id, "limit_type": limit.limit_type,
        "max": limit.max_at(now), "measured_seconds": rate::seconds_of(limit),
        "runs": failures.runs, "failed": failures.failed,
    })
    .to_string();
    DecisionSnapshot {
        id: DecisionId::generate(ids),
        tenant: limit.tenant,
        engine: domain::limits::NAME,
        engine_version: domain::limits::VERSION,
        outcome: if limit.overrun.is_some() {
            Outcome::Warn
        } else {
            Outcome::Allow
        },
        run: None,
        hold: None,
        input_hash: infra::secrets::sha256_hex(input.as_bytes()),
        input,
        output: json!({ "overrun": limit.overrun.map(|overrun| overrun.value) }).to_string(),
        correlation_id: String::new(),
        created_at: now,
    }
}
