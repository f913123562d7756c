//! What happened on the side, and is it written down?
//!
//! Some facts belong to no transaction of their own: that an API was called, that something failed inside, that a
//! resource ran out. They are collected here and written by upkeep every second, so that a request never waits for
//! them. API calls of one kind are added up: the stream says that they happened and how often, not one by one.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use infra::envelope::{ErrorEnvelope, ErrorId, ErrorSeverity, InfraClass, L5};
use model::event::{OpsEvent, OpsEventType};
use model::id::{EventId, IdGenerator, TenantId};
use model::run::Run;
use model::time::Timestamp;
use store::{StoreError, StoreResult};
use workers::upstream::UpstreamError;

use crate::context::Context;

/// Errors that wait at most; beyond that they are logged and counted only.
const ERRORS_MAX: usize = 10_000;

/// How often the writing of an error is tried under a new id.
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
        if waiting.errors.len() < ERRORS_MAX {
            waiting.errors.push(envelope);
        } else {
            drop(waiting);
            metrics::counter!("plimsoll_errors_not_stored_total").increment(1);
            tracing::error!(
                component = envelope.component(),
                "too many errors wait to be stored"
            );
        }
    }

    fn take(&self) -> Waiting {
        std::mem::take(&mut *self.lock())
    }

    /// Puts back what could not be written.
    fn put_back(&self, taken: Waiting) {
        let mut waiting = self.lock();
        for (call, count) in taken.calls {
            *waiting.calls.entry(call).or_default() += count;
        }
        for (resource, count) in taken.limits {
            *waiting.limits.entry(resource).or_default() += count;
        }
        let room = ERRORS_MAX.saturating_sub(waiting.errors.len());
        waiting.errors.extend(taken.errors.into_iter().take(room));
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
        UpstreamError::Broken { .. } | UpstreamError::TooLarge { .. } => InfraClass::ExternalService,
    };
    let (id, now) = (ErrorId::from_bits(cx.ids.next()), cx.clock.now());
    let message = "a provider did not answer, or not to the end";
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
    let taken = cx.journal.take();
    let now = cx.clock.now();
    let events = events(&taken, cx.ids.as_ref(), now);
    if events.is_empty() && taken.errors.is_empty() {
        return Ok(());
    }
    let mut errors = taken.errors.clone();
    let mut result = Ok(());
    for attempt in 0..ID_ATTEMPTS {
        let records: Vec<_> = errors.iter().map(ErrorEnvelope::to_record).collect();
        let fresh = if attempt == 0 { events.clone() } else { Vec::new() };
        let written = cx
            .db
            .write(move |tx| -> StoreResult<Vec<String>> {
                store::ops_events::insert(tx, &fresh)?;
                store::infra_errors::insert(tx, &records)
            })
            .await;
        match written {
            Ok(collided) if collided.is_empty() => return Ok(()),
            // An id of 48 bits can be taken: never drop the error, give it another one.
            Ok(collided) => {
                errors.retain(|error| collided.iter().any(|id| id == error.error_id().as_str()));
                errors = errors
                    .into_iter()
                    .map(|error| error.with_error_id(ErrorId::from_bits(cx.ids.next())))
                    .collect();
            }
            Err(error) => {
                if attempt == 0 {
                    cx.journal.put_back(taken);
                }
                result = Err(error);
                break;
            }
        }
    }
    result
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
