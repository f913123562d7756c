//! Has a request like this failed before?

use domain::incidents::failure;
use domain::policy::context::FailureContext;
use model::id::TenantId;
use model::incident::{RequestTraits, Signature};
use store::StoreResult;

use crate::context::Context;

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

/// What is on record of requests like this one.
///
/// # Errors
/// What the database says.
pub(super) async fn of(
    cx: &Context,
    tenant: TenantId,
    request: RequestTraits,
) -> StoreResult<Option<OnRecord>> {
    let traits = request.digest();
    let latest = cx
        .db
        .read(move |tx| store::runs::latest_failure(tx, tenant, traits))
        .await?;
    Ok(latest.map(|(run, count)| {
        let of = Signature {
            failure: failure(run.status, run.error_code.as_deref(), run.http_status),
            request,
        };
        OnRecord {
            id: of.id().to_string(),
            family: of.family().to_string(),
            of,
            count,
        }
    }))
}
