//! What follows when an LLM Run passes a threshold that only its course can tell?
//!
//! It is cut off there, if the limit says so, and what it has used is settled. That it was passed is recorded when the
//! run ends, in the same transaction; where the limit says that an Incident follows, `incidents::breaches` sees to it.

use std::time::Duration;

use domain::limits::BreachFact;
use domain::limits::outcome::{MESSAGE_CODE, RunBound, Violation, cutting};
use model::breach::Breach;
use model::id::BreachId;
use model::limit::LimitType;
use model::run::Run;
use model::time::Timestamp;
use tokio::time::{Instant, timeout_at};
use workers::upstream::{Upstream, UpstreamError, UpstreamRequest, UpstreamResponse};

use super::GatewayError;
use crate::context::Context;
use crate::ledger::Passed;
use crate::measure;

/// Where an LLM Run is cut off.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cuts {
    /// Without a byte of the answer.
    first_byte: Option<Instant>,
    /// Without its end.
    pub(super) end: Option<Instant>,
    /// With no further attempt.
    retries: Option<u32>,
}

impl Cuts {
    pub(super) fn of(bounds: &[RunBound], sent_at: Instant) -> Self {
        let max = |limit_type| cutting(bounds, limit_type).map(|bound| bound.max);
        // Equality passes: it is the next millisecond that is too late.
        let after = |ms: i64| {
            let ms = u64::try_from(ms).unwrap_or(0).saturating_add(1);
            sent_at.checked_add(Duration::from_millis(ms))
        };
        Self {
            first_byte: max(LimitType::LatencyMs).and_then(after),
            end: max(LimitType::DurationMs).and_then(after),
            retries: max(LimitType::RetryCount).map(|max| u32::try_from(max).unwrap_or(u32::MAX)),
        }
    }

    /// Calls the provider, for as long as the beginning of its answer may take.
    pub(super) async fn send(
        self,
        upstream: &Upstream,
        call: UpstreamRequest,
    ) -> Result<UpstreamResponse, UpstreamError> {
        let call = call.with_retries_max(self.retries);
        let begun = async {
            let mut response = upstream.send(call).await?;
            if self.first_byte.is_some() {
                response.body.begin().await?;
            }
            Ok(response)
        };
        match [self.first_byte, self.end].into_iter().flatten().min() {
            None => begun.await,
            Some(until) => timeout_at(until, begun)
                .await
                .unwrap_or(Err(UpstreamError::CutOff)),
        }
    }

    /// The refusal of a run that was cut off before anything of it was passed on.
    pub(super) fn refusal(self, bounds: &[RunBound], run: &Run) -> GatewayError {
        let too_late = self.end.is_some_and(|end| end <= Instant::now());
        let passed = match self.first_byte {
            Some(first_byte) if self.end.is_none_or(|end| first_byte <= end) && !too_late => {
                LimitType::LatencyMs
            }
            _ => LimitType::DurationMs,
        };
        let bound = cutting(bounds, passed).or_else(|| cutting(bounds, LimitType::LatencyMs));
        GatewayError::CutOff {
            limit: bound.map(|bound| (bound.limit, bound.name.clone())),
            run: run.id,
            decision: run.decision,
        }
    }
}

/// What is recorded of the thresholds that the run has passed.
pub(super) fn passed(cx: &Context, run: &Run, passed: &[Violation], now: Timestamp) -> Vec<Passed> {
    let recorded = |violation: &Violation| {
        let fact = violation.breach;
        let breach = Breach {
            id: BreachId::generate(cx.ids.as_ref()),
            tenant: run.tenant,
            limit_owner: fact.owner,
            limit: fact.limit,
            run: Some(run.id),
            decision: run.decision,
            breach_type: fact.breach_type,
            value: fact.value,
            max: fact.max,
            at: now,
        };
        Passed {
            breach,
            alert: fact.alert,
        }
    };
    passed.iter().map(recorded).collect()
}

/// Tells of the thresholds that the run has passed.
pub(super) fn tell(run: &Run, passed: &[Violation]) {
    for violation in passed {
        let BreachFact {
            limit, value, max, ..
        } = violation.breach;
        measure::passed(violation.limit_type, violation.consequence);
        let consequence = violation.consequence.as_str();
        tracing::warn!(run_id = %run.id, limit_id = %limit, value, max, consequence, message_code = MESSAGE_CODE, "an LLM Run was over a threshold");
    }
}
