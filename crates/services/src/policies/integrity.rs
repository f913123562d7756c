//! Are the Policy Rules still what was decided?

use model::audit::{AuditEvent, EntityType};
use model::id::{IdGenerator, RuleId, TenantId};
use model::integrity::{Integrity, IntegrityStatus, assess};
use model::time::Timestamp;
use model::timeline::SourceDomain;
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
            let is_intact = match checked.await {
                Err(StoreError::Corrupt { .. }) => unreadable(cx, owner, rule).await?,
                checked => checked?,
            };
            looked_at += 1;
            broken += u64::from(!is_intact);
        }
        if is_last {
            return Ok((looked_at, broken));
        }
    }
}

/// Looks at one rule; whether it is what was decided.
fn check(
    tx: &mut LockTx<'_>,
    ids: &dyn IdGenerator,
    owner: TenantId,
    rule: RuleId,
    now: Timestamp,
) -> StoreResult<bool> {
    let live = store::policy_rules::lock(tx, owner, rule)?;
    let known = store::policy_rules::found(tx, owner, rule)?;
    let (Some(live), Some(known)) = (live, known) else {
        return Ok(true);
    };
    let before = known.integrity;
    let history = store::policy_rules::stored(tx, owner, rule)?;
    let assessed = assess(&history, &live.canonical(), before.hash_root);
    let newest = history.last();
    let found = Integrity {
        // The root that was recorded stays: it is what the history has to lead to.
        hash_root: before.hash_root,
        ..match newest.filter(|newest| (newest.version, newest.hash) != (live.version, live.hash)) {
            // What decisions name is not what was decided.
            Some(newest) => assessed.failed_at(newest.version),
            None => assessed,
        }
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
    Ok(found.status == IntegrityStatus::Verified)
}

/// Writes down that one cannot be read: somebody has changed it, or what is known of it, by hand. It is what was decided in no
/// case, and must not keep the others from being looked at.
async fn unreadable(cx: &Context, owner: TenantId, rule: RuleId) -> Result<bool, StoreError> {
    let (ids, now) = (cx.ids.clone(), cx.clock.now());
    cx.db
        .write(move |tx| -> StoreResult<bool> {
            if store::policy_rules::record_unreadable(tx, owner, rule, now)? {
                let changed = Changed {
                    tenant: owner,
                    event: AuditEvent::IntegrityChanged,
                    entity_type: EntityType::PolicyRule,
                    entity_id: rule.to_string(),
                    reason: None,
                    before: None,
                    after: Some(json!({ "integrity_status": IntegrityStatus::Failed, "readable": false })),
                    source: SourceDomain::Policies,
                    event_type: "rule_integrity_changed",
                    summary: format!("Policy Rule {rule} cannot be read any more"),
                    related: json!({ "rule_id": rule }),
                };
                audit::record(tx, ids.as_ref(), &Author::system(), changed, now)?;
            }
            Ok(false)
        })
        .await
}
