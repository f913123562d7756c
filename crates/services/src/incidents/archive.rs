//! When is an Incident put away?
//!
//! A closed Incident is archived by the product, so many days after it was closed (`incidents.archive_after_days`): by the
//! same machine as every other change, which says by itself that it is too early.

use model::authority::AuthorityContext;
use model::id::{IncidentId, TenantId};
use model::incident::{Change, IncidentState, Refusal, Retention, Step, Transition};
use store::StoreError;

use super::{ENGINE, IncidentError, record};
use crate::audit::Author;
use crate::context::Context;
use crate::projections::readable;

/// Incidents that are looked for at a time.
const MOST: i64 = 100;

/// The rule by which Incidents are put away here.
pub fn retention(cx: &Context) -> Retention {
    Retention {
        policy_id: "default-retention".to_owned(),
        policy_version: "1.0.0".to_owned(),
        retention_days: cx.archive_after_days,
    }
}

/// Archives every Incident that was closed long enough ago, and says how many there were. One that cannot be archived now
/// is tried again at the next turn, and holds up none of the others.
///
/// # Errors
/// What the database says.
pub async fn archive_due(cx: &Context) -> Result<u64, StoreError> {
    let before = cx.clock.now().plus_seconds(-cx.archive_after_days * 86_400);
    let (mut archived, mut after) = (0, None);
    loop {
        let (found, next) = cx
            .db
            .read(move |tx| store::incidents::closed(tx, before, after.clone(), MOST))
            .await?;
        for one in readable(found).iter().filter(|one| one.closed_at <= before) {
            match archive(cx, one.tenant, one.id).await {
                Ok(is_done) => archived += u64::from(is_done),
                Err(error) => {
                    tracing::warn!(%error, incident_id = %one.id, "an Incident could not be archived yet");
                }
            }
        }
        if next.is_none() {
            return Ok(archived);
        }
        after = next;
    }
}

/// Whether this has archived it; somebody else may have been faster, or everything automatic is switched off.
async fn archive(cx: &Context, tenant: TenantId, id: IncidentId) -> Result<bool, IncidentError> {
    let (clock, ids, rule) = (cx.clock.clone(), cx.ids.clone(), retention(cx));
    cx.db
        .write(move |tx| -> Result<bool, IncidentError> {
            if store::automation::switches(tx, tenant)?.is_paused() {
                return Ok(false);
            }
            let found = store::incidents::standing(tx, tenant, id)?;
            let Some(standing) = found.filter(|found| found.incident.state == IncidentState::Closed) else {
                return Ok(false);
            };
            let (author, now) = (Author::system(), clock.now());
            let step = Step {
                change: Change::Archived(rule.clone()),
                authority: AuthorityContext::engine(ENGINE, now),
                reason: None,
                at: now,
                request_id: author.correlation_id.clone(),
                idempotency_key: None,
            };
            let happened = match Transition::of(&standing, step) {
                Err(Refusal::RetentionNotReached { .. }) => return Ok(false),
                happened => happened?,
            };
            record(tx, ids.as_ref(), &author, Some(&standing), &[happened])?;
            Ok(true)
        })
        .await
}
