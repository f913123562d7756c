//! How does an override end: by itself, by somebody who takes it back, or with its limit?

use model::audit::AuditEvent;
use model::id::IdGenerator;
use model::limit::Limit;
use model::limit_override::{LimitOverride, OverrideStatus};
use model::time::Timestamp;
use serde_json::json;
use store::{LockTx, StoreError, StoreResult, Tx, Writes};

use super::super::{Owner, told};
use crate::audit::{self, Author, Changed};
use crate::context::Context;

/// Overrides that are ended in one transaction.
const EXPIRE_MOST: i64 = 100;

/// Writes down that somebody has taken an override back: as it is now, and what the limit is without it, which is not
/// written.
pub(super) fn cancel(
    tx: &mut impl Writes,
    ids: &dyn IdGenerator,
    author: &Author,
    known: LimitOverride,
    limit: &Limit,
    now: Timestamp,
) -> StoreResult<(LimitOverride, Limit)> {
    let cancelled = LimitOverride {
        status: OverrideStatus::Cancelled,
        cancelled_by: Some(author.actor.name().to_owned()),
        cancelled_at: Some(now),
        ..known
    };
    store::limit_overrides::update(tx, &cancelled)?;
    let lowered = Limit {
        raise: None,
        updated_at: now,
        ..limit.clone()
    };
    let changed = Changed {
        before: Some(told::state(limit)),
        after: Some(told::state(&lowered)),
        related: json!({ "limit_id": limit.id, "override_id": cancelled.id }),
        ..told::changed(
            &lowered,
            AuditEvent::LimitOverrideRevoked,
            "limit_override_revoked",
            "is no longer raised",
        )
    };
    audit::record(tx, ids, author, changed, now)?;
    Ok((cancelled, lowered))
}

/// Takes back what raises a limit, now or later, in the transaction that disables it, and says what the limit is without
/// it, which is not written. Otherwise it would be one of those that there may be, and come back with the limit.
pub(crate) fn with_limit(
    tx: &mut impl Writes,
    ids: &dyn IdGenerator,
    author: &Author,
    limit: &Limit,
    now: Timestamp,
) -> StoreResult<Limit> {
    let live = store::limit_overrides::live(tx, limit.tenant)?;
    let Some(known) = live.into_iter().find(|one| one.limit == limit.id) else {
        return Ok(limit.clone());
    };
    if known.expires_at <= now {
        end(tx, ids, known, now)?;
        return Ok(limit.clone());
    }
    cancel(tx, ids, author, known, limit, now).map(|(_, lowered)| lowered)
}

/// Ends the overrides of an owner whose time is over, so that another one can be granted.
pub(super) fn end_due(
    tx: &mut LockTx<'_>,
    ids: &dyn IdGenerator,
    owner: Owner,
    now: Timestamp,
) -> StoreResult<()> {
    let live = store::limit_overrides::live(tx, owner.id())?;
    let mut due = live.into_iter().filter(|one| one.expires_at <= now);
    due.try_for_each(|one| end(tx, ids, one, now))
}

fn end(tx: &mut impl Writes, ids: &dyn IdGenerator, due: LimitOverride, now: Timestamp) -> StoreResult<()> {
    let Some(limit) = find(tx, &due)? else {
        return Ok(());
    };
    let related = json!({ "limit_id": due.limit, "override_id": due.id });
    let ended = LimitOverride {
        status: OverrideStatus::Expired,
        ..due
    };
    store::limit_overrides::update(tx, &ended)?;
    let changed = Changed {
        related,
        ..told::changed(
            &limit,
            AuditEvent::LimitOverrideExpired,
            "limit_override_expired",
            "is no longer raised: the time is over",
        )
    };
    audit::record(tx, ids, &Author::system(), changed, now)
}

fn find(tx: &mut impl Tx, of: &LimitOverride) -> StoreResult<Option<Limit>> {
    store::limits::find(tx, of.tenant, of.limit)
}

/// Ends every override whose time is over, and says how many there were. What they allow ends by itself; this is for
/// the record.
///
/// # Errors
/// What the database says.
pub async fn expire(cx: &Context) -> Result<u64, StoreError> {
    let now = cx.clock.now();
    let mut ended = 0;
    loop {
        let due = cx
            .db
            .read(move |tx| store::limit_overrides::due(tx, now, EXPIRE_MOST))
            .await?;
        let is_last = i64::try_from(due.len()).is_ok_and(|found| found < EXPIRE_MOST);
        for one in due {
            let ids = cx.ids.clone();
            ended += cx
                .db
                .locked(move |tx| end_one(tx, ids.as_ref(), &one, now))
                .await?;
        }
        if is_last {
            return Ok(ended);
        }
    }
}

fn end_one(
    tx: &mut LockTx<'_>,
    ids: &dyn IdGenerator,
    due: &LimitOverride,
    now: Timestamp,
) -> StoreResult<u64> {
    store::limits::lock(tx, due.tenant, due.limit)?;
    let known = store::limit_overrides::find(tx, due.tenant, due.id)?;
    // Another node may have been faster.
    let Some(known) = known.filter(|known| known.status == due.status) else {
        return Ok(0);
    };
    end(tx, ids, known, now)?;
    Ok(1)
}
