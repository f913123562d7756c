//! Does anybody learn of it when an Incident is not what its events say?

use domain::attribution::{Facts, attribute};
use domain::pipeline::signals::own;
use model::authority::AuthorityContext;
use model::id::{IncidentId, TenantId};
use model::incident::{CauseType, Creation, IncidentCategory, IncidentSource, Violation};
use model::integrity::IntegrityStatus;
use model::money::NanoUsd;
use model::severity::Severity;
use store::StoreError;

use super::pipeline::{self, Asked};
use super::replay;
use super::{ENGINE, IncidentError, Opened, open};
use crate::audit::Author;
use crate::context::Context;

/// The service that its Incidents are about.
const SERVICE: &str = "incident-store";

/// What a turn of [`verify`] came to.
#[derive(Debug, Default)]
pub struct Turn {
    /// How many Incidents were made again.
    pub incidents: u64,
    /// Those that are not what their events say, with what does not fit.
    pub broken: Vec<(TenantId, IncidentId, Vec<Violation>)>,
    /// Those that could not be made again, or about which no Incident could be opened, with what was in the way.
    pub failed: Vec<(TenantId, IncidentId, IncidentError)>,
    /// Whether it came to the last of all.
    pub is_last: bool,
}

/// Makes the next Incidents again, at most this many, and opens an Incident for each that is not what its events say. One
/// that has been told before is not told again. Every turn, of whichever process, goes on where the last one has come to,
/// also behind what failed, which is looked at again when all the others have been.
///
/// # Errors
/// What the database says.
pub async fn verify(cx: &Context, most: i64) -> Result<Turn, StoreError> {
    let ids = cx.db.read(move |tx| {
        let after = store::installation::replayed_up_to(tx)?;
        store::incidents::after(tx, after, most)
    });
    let ids = ids.await?;
    let mut turn = Turn {
        is_last: i64::try_from(ids.len()).is_ok_and(|found| found < most),
        ..Turn::default()
    };
    let place = ids.last().copied().filter(|_| !turn.is_last);
    for (tenant, id) in ids {
        let violations = match replay::one(cx, tenant, id).await {
            Ok(replayed) => replayed.replay.violations,
            Err(error) => {
                turn.failed.push((tenant, id, error));
                continue;
            }
        };
        turn.incidents += 1;
        if violations.is_empty() {
            continue;
        }
        if let Err(error) = raise(cx, (tenant, id), &violations).await {
            turn.failed.push((tenant, id, error));
        }
        turn.broken.push((tenant, id, violations));
    }
    cx.db
        .write(move |tx| store::installation::set_replayed_up_to(tx, place))
        .await?;
    Ok(turn)
}

async fn raise(
    cx: &Context,
    (tenant, id): (TenantId, IncidentId),
    violations: &[Violation],
) -> Result<bool, IncidentError> {
    let (now, ids) = (cx.clock.now(), cx.ids.clone());
    let mut kinds: Vec<_> = violations
        .iter()
        .map(|violation| violation.kind.as_str().to_owned())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let identity = format!("integrity {id} {}", kinds.join(" "));
    let new = IncidentId::derive(tenant, &identity);
    let text = id.to_string();
    let found = own::Violation {
        kind: "incident",
        id: &text,
        status: IntegrityStatus::Failed,
        mismatches: &kinds,
        found_at: now,
    };
    let Some(draft) = own::integrity_violation(&found, SERVICE) else {
        return Ok(false);
    };
    let author = Author::system();
    let creation = Creation {
        identity,
        source: IncidentSource::Promotion,
        severity: Severity::Sev1,
        category: IncidentCategory::ExecutionFailure,
        cause_type: CauseType::System,
        attribution: attribute(&Facts::of_category(IncidentCategory::ExecutionFailure)),
        service: SERVICE.to_owned(),
        title: draft.title.clone(),
        description: format!(
            "The Incident {id} is not what its events say: {}.",
            kinds.join(", ")
        ),
        tags: vec!["integrity".to_owned()],
        run: None,
        error_code: Some("REPLAY_INTEGRITY_VIOLATION".to_owned()),
        signature: None,
        fingerprint: None,
        cost: NanoUsd::ZERO,
        correlation_id: author.correlation_id.clone(),
    };
    cx.db
        .write(move |tx| -> Result<bool, IncidentError> {
            if store::incidents::find(tx, tenant, new)?.is_some() {
                return Ok(false);
            }
            let asked = Asked {
                tenant,
                naming: pipeline::Naming::Given {
                    incident: new,
                    active: None,
                },
                authority: AuthorityContext::engine(ENGINE, now),
                request_id: author.correlation_id.clone(),
            };
            let noticed = pipeline::notice(tx, tenant, &draft, now)?;
            let promoted = pipeline::decide(tx, &noticed, &asked, now)?;
            let new = (tenant, creation.clone(), promoted.promotion());
            Ok(open(tx, ids.as_ref(), &author, new, now)? == Opened::Open)
        })
        .await
}
