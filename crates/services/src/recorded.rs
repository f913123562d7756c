//! What is on record of LLM Runs, as failures are explained by it?

use domain::incidents as engine;
use domain::policy::proposals::Recorded;
use model::id::TenantId;
use model::incident::Signature;
use model::page::PageRequest;
use model::run::{Run, RunStatus};
use model::time::Timestamp;
use store::{StoreResult, Tx};

/// How many of the latest runs of a tenant a draft is measured with.
const HISTORY_RUNS: u32 = 1_000;
/// How far back.
const HISTORY_DAYS: i64 = 30;

/// Which failures are the same as that of this run.
pub(crate) fn signature(run: &Run) -> Signature {
    Signature {
        failure: engine::failure(run.status, run.error_code.as_deref(), run.http_status),
        request: run.traits(),
    }
}

/// The latest runs of a tenant that have ended, as far as a draft is measured with them.
pub(crate) fn history(tx: &mut impl Tx, tenant: TenantId, now: Timestamp) -> StoreResult<Vec<Recorded>> {
    let since = now.plus_seconds(-HISTORY_DAYS * 86_400);
    let page = PageRequest {
        limit: HISTORY_RUNS,
        after: None,
    };
    let runs = store::runs::list(tx, tenant, &store::runs::Filter::default(), &page)?;
    let recorded = runs.items.into_iter().filter_map(|run| {
        let failure = match run.status {
            RunStatus::Succeeded => None,
            RunStatus::Failed | RunStatus::Crashed => Some(signature(&run).failure),
            // What was refused, broken off or is not over says nothing about failing.
            _ => return None,
        };
        (run.started_at >= since).then(|| Recorded {
            request: run.traits(),
            failure,
        })
    });
    Ok(recorded.collect())
}
