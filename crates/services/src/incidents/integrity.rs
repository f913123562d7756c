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
use store::incidents::Named;

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
    /// Rows whose ids are none: no Incident can be looked for by them.
    pub unreadable: Vec<Named>,
    /// Those that could not be made again, or about which no Incident could be opened, with what was in the way.
    pub failed: Vec<(Named, IncidentError)>,
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
    let next = cx.db.read(move |tx| {
        let after = store::installation::replayed_up_to(tx)?;
        store::incidents::after(tx, after, most)
    });
    let next = next.await?;
    let mut turn = Turn {
        is_last: i64::try_from(next.len()).is_ok_and(|found| found < most),
        ..Turn::default()
    };
    let place = next.last().cloned().filter(|_| !turn.is_last);
    for named in next {
        if let Err(error) = look_at(cx, &named, &mut turn).await {
            turn.failed.push((named, error));
        }
    }
    cx.db
        .write(move |tx| store::installation::set_replayed_up_to(tx, place.as_ref()))
        .await?;
    Ok(turn)
}

/// Makes one Incident again and says what does not fit.
async fn look_at(cx: &Context, named: &Named, turn: &mut Turn) -> Result<(), IncidentError> {
    let Some((tenant, id)) = named.ids() else {
        turn.unreadable.push(named.clone());
        // What nobody can be found by is told to those who run the installation.
        let tenant = named.tenant.parse().unwrap_or(TenantId::PLATFORM);
        raise(
            cx,
            (tenant, &replay::shown_as(named)),
            &[replay::unreadable(named)],
        )
        .await?;
        return Ok(());
    };
    let violations = replay::one(cx, tenant, id).await?.replay.violations;
    turn.incidents += 1;
    if violations.is_empty() {
        return Ok(());
    }
    let raised = raise(cx, (tenant, &id.to_string()), &violations).await;
    turn.broken.push((tenant, id, violations));
    raised.map(drop)
}

async fn raise(
    cx: &Context,
    (tenant, id): (TenantId, &str),
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
    let found = own::Violation {
        kind: "incident",
        id,
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
