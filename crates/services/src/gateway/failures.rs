//! Has a request like this failed before?

use domain::incidents as engine;
use domain::policy::context::FailureContext;
use model::digest::Digest;
use model::id::TenantId;
use model::incident::Signature;
use model::run::{Run, RunStatus};
use store::StoreResult;

use crate::context::Context;
use crate::recorded;

/// The latest failure on record of requests that look the same, and how many there are.
#[derive(Debug, Clone)]
pub(super) struct OnRecord {
    of: Signature,
    id: String,
    family: String,
    count: i64,
}

impl OnRecord {
    /// As conditions see it.
    pub(super) fn context(&self) -> FailureContext<'_> {
        let failure = &self.of.failure;
        FailureContext {
            code: failure.code.as_str(),
            class: &failure.error_class,
            status: i64::from(failure.upstream_status.unwrap_or_default()),
            signature: &self.id,
            family: &self.family,
            count: self.count,
        }
    }
}

/// What is on record of requests of these traits.
///
/// # Errors
/// What the database says.
pub(super) async fn of(cx: &Context, tenant: TenantId, traits: Digest) -> StoreResult<Option<OnRecord>> {
    let latest = cx
        .db
        .read(move |tx| store::runs::latest_failure(tx, tenant, traits))
        .await?;
    Ok(latest.map(|(run, count)| {
        let of = recorded::signature(&run);
        OnRecord {
            id: of.id().to_string(),
            family: of.family().to_string(),
            of,
            count,
        }
    }))
}

/// The failure of this run, which is not on record yet, and how many there are with it.
pub(super) async fn this(cx: &Context, run: &Run, ended: &Failed<'_>) -> OnRecord {
    let request = run.traits();
    let before = of(cx, run.tenant, request.digest()).await;
    let before = before.unwrap_or_else(|error| {
        tracing::warn!(%error, run_id = %run.id, "the failures on record are not known; one is counted");
        None
    });
    let of = Signature {
        failure: engine::failure(RunStatus::Failed, ended.code, ended.status),
        request,
    };
    OnRecord {
        id: of.id().to_string(),
        family: of.family().to_string(),
        of,
        count: before.map_or(0, |before| before.count).saturating_add(1),
    }
}

/// How a run failed.
pub(super) struct Failed<'a> {
    pub(super) code: Option<&'a str>,
    pub(super) status: Option<u16>,
}
