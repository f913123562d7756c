//! Are the Policy Rules still what was decided?

use model::audit::AuditEvent;
use model::id::{IdGenerator, RuleId, TenantId};
use model::integrity::{Integrity, assess};
use model::time::Timestamp;
use serde_json::{Value, json};
use store::{LockTx, StoreError, StoreResult};

use super::told;
use crate::audit::{self, Author, Changed};
use crate::context::Context;

/// Rules that are looked at in one turn.
const MOST: i64 = 200;

/// Compares the rules that nobody has looked at for this many seconds with their histories, writes down what is found,
/// and says how many there were and how many do not match.
///
/// # Errors
/// What the database says.
pub async fn check_all(cx: &Context, older_than_seconds: i64) -> Result<(u64, u64), StoreError> {
    let before = cx.clock.now().plus_seconds(-older_than_seconds);
    let (mut looked_at, mut broken) = (0, 0);
    loop {
        let due = cx
            .db
            .read(move |tx| store::policy_rules::longest_unchecked(tx, before, MOST))
            .await?;
        let is_last = i64::try_from(due.len()).is_ok_and(|found| found < MOST);
        for (owner, rule) in due {
            let (ids, now) = (cx.ids.clone(), cx.clock.now());
            let checked = cx.db.locked(move |tx| check(tx, ids.as_ref(), owner, rule, now));
            looked_at += 1;
            broken += u64::from(checked.await? > 0);
        }
        if is_last {
            return Ok((looked_at, broken));
        }
    }
}

/// Looks at one rule; more than zero if it does not match.
fn check(
    tx: &mut LockTx<'_>,
    ids: &dyn IdGenerator,
    owner: TenantId,
    rule: RuleId,
    now: Timestamp,
) -> StoreResult<u64> {
    let live = store::policy_rules::lock(tx, owner, rule)?;
    let known = store::policy_rules::found(tx, owner, rule)?;
    let (Some(live), Some(known)) = (live, known) else {
        return Ok(0);
    };
    let before = known.integrity;
    let history = store::policy_rules::stored(tx, owner, rule)?;
    let found = Integrity {
        // The root that was recorded stays: it is what the history has to lead to.
        hash_root: before.hash_root,
        ..assess(&history, &live.canonical(), before.hash_root)
    };
    store::policy_rules::record(tx, owner, rule, &found, now)?;
    if found.status != before.status {
        let shown = |integrity: &Integrity| -> Value {
            json!({
                "integrity_status": integrity.status,
                "integrity_score": integrity.score.to_string(),
                "first_broken": integrity.first_broken,
            })
        };
        let changed = Changed {
            before: Some(shown(&before)),
            after: Some(shown(&found)),
            ..told::entry(
                &live,
                AuditEvent::IntegrityChanged,
                "rule_integrity_changed",
                "does not match its history any more, or does again",
            )
        };
        audit::record(tx, ids, &Author::system(), changed, now)?;
    }
    Ok(u64::from(found.first_broken.is_some()))
}
