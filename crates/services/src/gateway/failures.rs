//! Has a request like this failed before?

use domain::policy::context::FailureContext;
use model::digest::Digest;
use model::id::TenantId;
use model::incident::Signature;
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
