//! What happened on the side, and is it written down?
//!
//! Some facts belong to no transaction of their own: that an API was called, that something failed inside, that a
//! resource ran out. They are collected here and written by upkeep every second, so that a request never waits for
//! them. API calls of one kind are added up: the stream says that they happened and how often, not one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use infra::envelope::{ErrorEnvelope, ErrorId, ErrorSeverity, InfraClass, L5};
use model::event::{OpsEvent, OpsEventType};
use model::id::{EventId, IdGenerator, TenantId};
use model::run::Run;
use model::time::Timestamp;
use store::{StoreError, StoreResult};
use workers::upstream::UpstreamError;

use crate::context::Context;

/// LIMIT: errors that wait at most; beyond that they are logged and counted only.
const ERRORS_MAX: usize = 10_000;

/// How often an error is given another id before it waits for the next time.
const ID_ATTEMPTS: u32 = 3;

/// One kind of API call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiCall {
    /// Whose; none if the caller is not known.
    pub tenant: Option<TenantId>,
    /// The pattern of the path.
    pub endpoint: String,
    /// The HTTP method.
    pub method: String,
    /// The HTTP status of the answer.
    pub status: u16,
}

#[derive(Default)]
struct Waiting {
    calls: BTreeMap<ApiCall, u64>,
    limits: BTreeMap<&'static str, u64>,
    errors: Vec<ErrorEnvelope>,
}

/// What waits to be written down.
#[derive(Default)]
pub struct Journal(Mutex<Waiting>);

impl Journal {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an API call.
    pub fn call(&self, call: ApiCall) {
        *self.lock().calls.entry(call).or_default() += 1;
    }

    /// Notes that a resource of the installation ran out: `write_queue`, `storage`.
    pub fn limit_hit(&self, resource: &'static str) {
        *self.lock().limits.entry(resource).or_default() += 1;
    }

    /// Notes an error for the forensic store.
    pub fn error(&self, envelope: ErrorEnvelope) {
        let mut waiting = self.lock();
        waiting.errors.push(envelope);
        let beyond = waiting.beyond();
        drop(waiting);
        turned_away(&beyond);
    }

    fn take(&self) -> Taken<'_> {
        Taken {
            journal: self,
            left: std::mem::take(&mut *self.lock()),
        }
    }

    /// Puts back what could not be written, before what came meanwhile.
    fn put_back(&self, mut left: Waiting) {
        let mut waiting = self.lock();
        for (call, count) in left.calls {
            *waiting.calls.entry(call).or_default() += count;
        }
        for (resource, count) in left.limits {
            *waiting.limits.entry(resource).or_default() += count;
        }
        left.errors.append(&mut waiting.errors);
        waiting.errors = left.errors;
        let beyond = waiting.beyond();
        drop(waiting);
        turned_away(&beyond);
    }
}

impl Waiting {
    /// Takes away the newest errors that there is no room for.
    fn beyond(&mut self) -> Vec<ErrorEnvelope> {
        let room = self.errors.len().min(ERRORS_MAX);
        self.errors.split_off(room)
    }
}

/// The one way in which an error is not stored: it is said and counted.
fn turned_away(errors: &[ErrorEnvelope]) {
    for error in errors {
        metrics::counter!("plimsoll_errors_not_stored_total").increment(1);
        tracing::error!(component = error.component(), "too many errors wait to be stored");
    }
}

/// What is being written. Whatever is left of it when this is dropped waits again: after a failure, and when nobody
/// waits for the writing any more.
struct Taken<'a> {
    journal: &'a Journal,
    left: Waiting,
}

impl Taken<'_> {
    /// The errors as they are written now, and those that must wait because another one here has their id.
    fn told_apart(&self) -> (Vec<ErrorEnvelope>, Vec<ErrorEnvelope>) {
        let mut ids = BTreeSet::new();
        let errors = self.left.errors.iter().cloned();
        errors.partition(|error| ids.insert(error.error_id().clone()))
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.journal.put_back(std::mem::take(&mut self.left));
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}

/// Notes that a provider failed.
pub(crate) fn provider_failed(cx: &Context, run: &Run, error: &UpstreamError) {
    let class = match error {
        UpstreamError::Connect { .. } => InfraClass::Connection,
        UpstreamError::FirstByteTimeout { .. } | UpstreamError::IdleTimeout { .. } => InfraClass::Timeout,
        UpstreamError::Broken { .. } | UpstreamError::CutOff | UpstreamError::TooLarge { .. } => {
            InfraClass::ExternalService
        }
    };
    let (id, now) = (ErrorId::from_bits(cx.ids.next()), cx.clock.now());
    let message = "a provider did not answer, or not to the end";
    // arch:expect(ARCH-ERR-001): the worker returns its error, ids and the time are the service's; until=2027-03-31
    let mut envelope =
        ErrorEnvelope::new::<L5, _>(class, ErrorSeverity::Error, "workers::upstream", message, id, now)
            .with_run_id(run.id)
            .with_decision_id(run.decision)
            .with_tenant_id(run.tenant)
            .with_context("code", error.code())
            .caused_by(error);
    if let Some(context) = infra::correlation::current() {
        envelope = envelope.correlated(&context);
    }
    cx.journal.error(envelope);
}

/// Writes down what waits. What cannot be written now is kept for the next time.
///
/// # Errors
/// What the database says.
pub async fn write_down(cx: &Context) -> StoreResult<()> {
    let mut taken = cx.journal.take();
    let mut fresh = events(&taken.left, cx.ids.as_ref(), cx.clock.now());
    for _ in 0..ID_ATTEMPTS {
        if fresh.is_empty() && taken.left.errors.is_empty() {
            return Ok(());
        }
        let (now, later) = taken.told_apart();
        let records: Vec<_> = now.iter().map(ErrorEnvelope::to_record).collect();
        let events = std::mem::take(&mut fresh);
        let collided = cx
            .db
            .write(move |tx| -> StoreResult<Vec<String>> {
                store::ops_events::insert(tx, &events)?;
                store::infra_errors::insert(tx, &records)
            })
            .await?;
        // An id of 48 bits can be taken: never drop the error, give it another one.
        let again = now
            .into_iter()
            .filter(|error| collided.iter().any(|id| id == error.error_id().as_str()))
            .chain(later)
            .map(|error| error.with_error_id(ErrorId::from_bits(cx.ids.next())));
        taken.left = Waiting {
            errors: again.collect(),
            ..Waiting::default()
        };
    }
    if !taken.left.errors.is_empty() {
        let errors = taken.left.errors.len();
        tracing::warn!(errors, "no free id was found for errors; they wait");
    }
    Ok(())
}

fn events(waiting: &Waiting, ids: &dyn IdGenerator, at: Timestamp) -> Vec<OpsEvent> {
    let event = |tenant, event_type, metadata: serde_json::Value| OpsEvent {
        id: EventId::generate(ids),
        at,
        tenant,
        event_type,
        user_id: None,
        session_id: None,
        entity_type: None,
        entity_id: None,
        severity: (event_type == OpsEventType::InfraLimitHit).then_some(4),
        latency_ms: None,
        cost: None,
        metadata: metadata.to_string(),
    };
    let calls = waiting.calls.iter().map(|(call, count)| {
        let metadata = serde_json::json!({
            "endpoint": call.endpoint, "method": call.method, "status_code": call.status, "count": count,
        });
        event(call.tenant, OpsEventType::ApiCallReceived, metadata)
    });
    let limits = waiting.limits.iter().map(|(resource, count)| {
        event(
            None,
            OpsEventType::InfraLimitHit,
            serde_json::json!({ "resource": resource, "count": count }),
        )
    });
    calls.chain(limits).collect()
}

/// The resource that ran out when the store failed like this, if one did.
pub fn exhausted(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::Overloaded => Some("write_queue"),
        StoreError::Full(_) => Some("storage"),
        _ => None,
    }
}
