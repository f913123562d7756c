//! How does a run end in the books?
//!
//! What the provider reported is settled. What it did not report, but may have charged, is settled as the most
//! it can have been: money that may be gone is never counted as there. What it refused or never saw is released.

use std::time::Duration;

use domain::settle::{Authority, End};
use http::StatusCode;
use model::amounts::Amounts;
use model::cost::{CostSource, TokenUsage};
use model::event::{OpsEvent, OpsEventType};
use model::hold::Hold;
use model::id::{CostId, EventId};
use model::money::NanoUsd;
use model::run::{Operation, Run, RunStatus, UsageSource};
use model::time::Timestamp;
use store::StoreError;
use workers::upstream::pump::{Collected, PumpEnd, PumpHow};
use workers::upstream::tap::TapReport;
use workers::upstream::{UpstreamError, UpstreamResponse};

use crate::context::Context;
use crate::ledger::{Answer, CostFacts, EndCommand, LedgerError};
use crate::prices::{PriceError, WorstCaseFacts};

/// A request on its way: what has to be ended.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) hold: Hold,
    pub(super) run: Run,
    /// At whose prices it was held and is settled.
    pub(super) priced_at: Timestamp,
    pub(super) provider: String,
    pub(super) tier: Option<String>,
}

/// What became of the call.
#[derive(Debug)]
pub(super) struct Ending {
    status: RunStatus,
    report: Option<TapReport>,
    /// Whether the provider may have charged for it, even though it reported nothing.
    may_have_run: bool,
    http_status: Option<u16>,
    error_code: Option<String>,
    retries: u32,
    first_byte: Option<Duration>,
}

/// What was used, as far as it is known.
struct Used {
    amounts: Amounts,
    tokens: Option<TokenUsage>,
    source: UsageSource,
    model: Option<String>,
    /// Whether the cost is known; an unknown cost makes no cost record.
    priced: bool,
}

impl Ending {
    /// The provider gave no answer.
    pub(super) fn no_answer(error: &UpstreamError) -> Self {
        Self {
            status: RunStatus::Failed,
            report: None,
            may_have_run: error.may_have_run(),
            http_status: None,
            error_code: Some(error.code().to_owned()),
            retries: error.retries(),
            first_byte: None,
        }
    }

    /// The provider does not accept our own key.
    pub(super) fn rejected(response: &UpstreamResponse) -> Self {
        Self {
            status: RunStatus::Failed,
            report: None,
            may_have_run: false,
            http_status: Some(response.status.as_u16()),
            error_code: Some("upstream_credential_rejected".to_owned()),
            retries: response.retries,
            first_byte: None,
        }
    }

    /// The answer was collected whole, or broke off.
    pub(super) fn collected(collected: &Collected, status: StatusCode, retries: u32) -> Self {
        let broken = collected.body.as_ref().err();
        let failed = broken.is_some() || !status.is_success();
        let code = broken
            .map(|error| error.code().to_owned())
            .or_else(|| collected.report.upstream_error.clone())
            .or_else(|| failed.then(|| format!("upstream_status_{}", status.as_u16())));
        Self {
            status: if failed {
                RunStatus::Failed
            } else {
                RunStatus::Succeeded
            },
            report: Some(collected.report.clone()),
            may_have_run: status.is_success(),
            http_status: Some(status.as_u16()),
            error_code: code,
            retries,
            first_byte: collected.first_byte,
        }
    }

    /// The answer was streamed, to its end or not.
    pub(super) fn streamed(end: &PumpEnd, status: StatusCode, retries: u32) -> Self {
        let (run_status, code) = match &end.how {
            PumpHow::Completed if end.report.upstream_error.is_some() || !end.report.complete => {
                let code = end.report.upstream_error.clone();
                (
                    RunStatus::Failed,
                    Some(code.unwrap_or_else(|| "upstream_incomplete".to_owned())),
                )
            }
            PumpHow::Completed => (RunStatus::Succeeded, None),
            PumpHow::ClientGone { .. } => (RunStatus::Aborted, Some("client_disconnected".to_owned())),
            PumpHow::UpstreamBroken(error) => (RunStatus::Failed, Some(error.code().to_owned())),
            PumpHow::IdleTimeout => (RunStatus::Failed, Some("upstream_timeout".to_owned())),
        };
        Self {
            status: run_status,
            report: Some(end.report.clone()),
            may_have_run: true,
            http_status: Some(status.as_u16()),
            error_code: code,
            retries,
            first_byte: end.first_byte,
        }
    }
}

impl Ticket {
    /// Ends the hold and writes down what became of the run; says what it cost.
    pub(super) async fn end(self, cx: &Context, ending: Ending) -> Result<Option<NanoUsd>, StoreError> {
        let now = cx.clock.now();
        let used = self.used(cx, &ending);
        let cost = used
            .as_ref()
            .filter(|used| used.priced)
            .map(|used| used.amounts.cost);
        let run = self.finished(&ending, used.as_ref(), cost, now);
        let events = vec![received(cx, &run, now), called(cx, &run, now)];
        let facts = used.as_ref().filter(|used| used.priced).map(|used| CostFacts {
            id: CostId::generate(cx.ids.as_ref()),
            model: used.model.clone(),
            usage: used.tokens.unwrap_or(TokenUsage {
                input: used.amounts.input_tokens,
                output: used.amounts.output_tokens,
                ..TokenUsage::default()
            }),
            price_version: Some(cx.prices.version().to_owned()),
            source: CostSource::Gateway,
        });
        let command = EndCommand {
            tenant: self.hold.tenant,
            hold: self.hold.id,
            end: used
                .as_ref()
                .map_or(End::Release, |used| End::Settle(used.amounts)),
            authority: Authority::Gateway,
            cost: facts,
            run: Some(Box::new(run)),
            events,
            idempotency: None,
        };
        match cx.ledger.end(command).await {
            Ok(Answer::Ended(ended)) => {
                if ended.overruns.iter().any(|overrun| *overrun > 0) {
                    tracing::warn!(run_id = ?ended.hold.run, overruns = ?ended.overruns, "a provider reported more than was held");
                }
                Ok(cost)
            }
            Ok(Answer::Decided(_) | Answer::Replayed(_)) => Ok(cost),
            Err(LedgerError::Store(error)) => Err(error),
            Err(error) => {
                tracing::error!(%error, hold_id = %self.hold.id, "a hold of the gateway could not be ended");
                Ok(cost)
            }
        }
    }

    /// What was used; none if nothing can have been.
    fn used(&self, cx: &Context, ending: &Ending) -> Option<Used> {
        if self.run.operation == Operation::CountTokens {
            return ending.may_have_run.then_some(Used {
                amounts: Amounts {
                    requests: 1,
                    ..Amounts::ZERO
                },
                tokens: None,
                source: UsageSource::None,
                model: None,
                priced: false,
            });
        }
        let reported = ending
            .report
            .as_ref()
            .and_then(|report| self.reported(cx, report));
        reported.or_else(|| {
            ending.may_have_run.then(|| Used {
                amounts: self.hold.requested,
                tokens: None,
                source: UsageSource::Estimated,
                model: None,
                priced: self.hold.requested.cost > NanoUsd::ZERO,
            })
        })
    }

    fn reported(&self, cx: &Context, report: &TapReport) -> Option<Used> {
        let body = report.usage_body.as_ref()?;
        let metered = cx.prices.meter(&self.provider, self.run.operation, body).ok()?;
        let asked = self.hold.subject.model.as_deref().unwrap_or_default();
        let served = metered.model.as_deref().unwrap_or(asked);
        let cost = self
            .priced(cx, served, &metered, report)
            .or_else(|| self.priced(cx, asked, &metered, report));
        let tokens = metered.tokens;
        let amounts = Amounts {
            cost: cost.unwrap_or_default(),
            input_tokens: tokens.input,
            output_tokens: tokens.output,
            requests: self.hold.requested.requests,
        };
        Some(Used {
            amounts,
            tokens: Some(tokens),
            source: UsageSource::Provider,
            model: Some(served.to_owned()),
            priced: cost.is_some(),
        })
    }

    fn priced(
        &self,
        cx: &Context,
        model: &str,
        metered: &crate::prices::Metered,
        report: &TapReport,
    ) -> Option<NanoUsd> {
        let at = self.priced_at;
        let tier = report.service_tier.as_deref();
        match cx.prices.price(&self.provider, model, metered, tier, at) {
            Ok(cost) => Some(cost),
            Err(PriceError::Unpriced { .. }) => None,
            Err(error) => {
                tracing::warn!(%error, model, "the reported usage cannot be priced; its worst case is taken");
                let facts = WorstCaseFacts {
                    cache_write: true,
                    audio: true,
                    searches: 0,
                    tier: self.tier.as_deref(),
                };
                let tokens = metered.tokens;
                cx.prices
                    .worst_case(&self.provider, model, tokens.input, tokens.output, &facts, at)
                    .ok()
            }
        }
    }

    fn finished(&self, ending: &Ending, used: Option<&Used>, cost: Option<NanoUsd>, now: Timestamp) -> Run {
        let started = self.run.started_at;
        let after = |duration: Duration| {
            started
                .plus_millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
                .min(now)
        };
        Run {
            status: ending.status,
            served_model: ending
                .report
                .as_ref()
                .and_then(|report| report.served_model.clone()),
            usage: used.and_then(|used| used.tokens),
            usage_source: used.map_or(UsageSource::None, |used| used.source),
            cost,
            http_status: ending.http_status,
            error_code: ending.error_code.clone(),
            retries: ending.retries,
            first_byte_at: ending.first_byte.map(after),
            completed_at: Some(now),
            ..self.run.clone()
        }
    }
}

fn event(
    cx: &Context,
    run: &Run,
    now: Timestamp,
    event_type: OpsEventType,
    metadata: &serde_json::Value,
) -> OpsEvent {
    OpsEvent {
        id: EventId::generate(cx.ids.as_ref()),
        at: now,
        tenant: Some(run.tenant),
        event_type,
        user_id: run.subject.end_user.clone(),
        session_id: run.subject.session_id.clone(),
        entity_type: Some("llm_call"),
        entity_id: Some(run.id.to_string()),
        severity: None,
        latency_ms: Some(now.millis_since(run.started_at)),
        cost: run.cost,
        metadata: metadata.to_string(),
    }
}

fn received(cx: &Context, run: &Run, now: Timestamp) -> OpsEvent {
    let metadata = serde_json::json!({
        "endpoint": run.operation, "method": "POST", "status_code": run.http_status,
    });
    event(cx, run, now, OpsEventType::ApiCallReceived, &metadata)
}

fn called(cx: &Context, run: &Run, now: Timestamp) -> OpsEvent {
    let usage = run.usage.unwrap_or_default();
    if run.status == RunStatus::Failed {
        let metadata = serde_json::json!({
            "model": run.subject.model, "error_type": run.error_code, "retry_count": run.retries,
        });
        let failed = event(cx, run, now, OpsEventType::LlmCallFailed, &metadata);
        return OpsEvent {
            severity: Some(3),
            ..failed
        };
    }
    let metadata = serde_json::json!({
        "model": run.served_model.as_ref().or(run.subject.model.as_ref()),
        "tokens_in": usage.input,
        "tokens_out": usage.output,
        "cost_usd": run.cost.map(NanoUsd::to_usd_string),
    });
    event(cx, run, now, OpsEventType::LlmCallMade, &metadata)
}
