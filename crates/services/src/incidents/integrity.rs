//! Does anybody learn of it when an Incident is not what its events say?

use domain::attribution::{Facts, attribute};
use domain::pipeline::signals::own;
use model::authority::AuthorityContext;
use model::id::{IncidentId, TenantId};
use model::incident::{CauseType, Creation, IncidentCategory, IncidentSource, Violation};
use model::integrity::IntegrityStatus;
use model::money::NanoUsd;
use model::severity::Severity;

use super::pipeline::{self, Asked};
use super::replay::{self, Verified};
use super::{ENGINE, IncidentError, Opened, open};
use crate::audit::Author;
use crate::context::Context;

/// The service that its Incidents are about.
const SERVICE: &str = "incident-store";

/// Makes the next Incidents again, at most this many, and opens an Incident for each that is not what its events say. One
/// that has been told before is not told again.
///
/// # Errors
/// What the database says.
pub async fn verify(
    cx: &Context,
    after: Option<(TenantId, IncidentId)>,
    most: i64,
) -> Result<Verified, IncidentError> {
    let verified = replay::some(cx, after, most).await?;
    for (tenant, id, violations) in &verified.broken {
        raise(cx, (*tenant, *id), violations).await?;
    }
    Ok(verified)
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
