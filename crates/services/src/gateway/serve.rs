//! The path of one LLM request.

use std::sync::Arc;

use domain::estimate::{Bound, RequestFacts, bound};
use domain::limits::CheckOutput;
use model::amounts::Amounts;
use model::hold::{HoldItem, Subject};
use model::id::{DecisionId, HoldId, RunId};
use model::limit::Unit;
use model::money::NanoUsd;
use model::run::Operation;
use model::time::Timestamp;
use workers::upstream::pump::{Pump, PumpHow, PumpLimits, collect};
use workers::upstream::tap::UsageTap;
use workers::upstream::{AskUsage, Upstream, UpstreamRequest, UpstreamResponse};

use super::end::{Ending, Ticket};
use super::facts::{Parsed, parse};
use super::judge::{self, Question};
use super::{GatewayError, GatewayRequest, Served, ServedBody};
use crate::context::Context;
use crate::journal;
use crate::ledger::{Answer, HoldAnswer, HoldCommand, LedgerError, NewRun};
use crate::measure;
use crate::prices::{Floor, PriceError, WorstCaseFacts};

/// Chunks of a streamed answer that may wait for the client.
const QUEUE_CHUNKS: usize = 64;

/// A million USD. Whoever lets one request cost more has mistyped a cap, and no counter is to hold such sums.
const COST_MAX: NanoUsd = NanoUsd(1_000_000 * NanoUsd::PER_USD);

/// The most that a request can cost.
struct Estimate {
    cost: NanoUsd,
    /// By which prices.
    version: String,
}

/// Authorises, holds, serves and settles one request. Once it is held, it is carried to its end even if the
/// caller is dropped.
///
/// # Errors
/// [`GatewayError`].
pub async fn serve(cx: &Context, request: GatewayRequest) -> Result<Served, GatewayError> {
    let parsed = parse(request.operation, request.body.clone())?;
    let upstream = cx
        .gateway
        .upstreams
        .route(request.operation, &parsed.model)
        .map(Arc::clone)
        .ok_or_else(|| GatewayError::NoSuchModel(parsed.model.clone()))?;
    let key = super::traits::key(cx).await?;
    let parsed = parsed
        .fits(upstream.kind())?
        .known_by(&key, request.actor.tenant_id());
    let (cx, flights) = (cx.clone(), cx.gateway.flights.clone());
    let work = infra::correlation::capture().carry(async move { run(cx, request, parsed, upstream).await });
    // A task of its own: the client may hang up, the hold must end all the same.
    match flights.spawn(work).await {
        Ok(served) => served,
        Err(_panicked) => Err(GatewayError::Unenforceable(store::StoreError::Panicked)),
    }
}

async fn run(
    cx: Context,
    request: GatewayRequest,
    mut parsed: Parsed,
    upstream: Arc<Upstream>,
) -> Result<Served, GatewayError> {
    // Held and settled at the prices of one instant, so that a price that changes in between changes nothing.
    let priced_at = cx.clock.now();
    let bound = most(&cx, &parsed, &upstream, priced_at);
    let floor = cx.prices.floor(request.actor.tenant.floor_price);
    let estimate = estimate(&cx, &parsed, &bound, &upstream, floor.as_ref(), priced_at)?;
    let cost = estimate.as_ref().map(|estimate| estimate.cost);
    let answer = authorise(&cx, &request, &parsed, &bound, cost, &upstream).await?;
    let (Some(hold), Some(run)) = (answer.hold.clone(), answer.run.clone()) else {
        measure::blocked(upstream.provider(), request.operation);
        return Err(GatewayError::Refused(Box::new(answer)));
    };
    let capped = answer.output.bounds_usage;
    let (stream, choices) = (parsed.stream, parsed.choices);
    let hide_usage = wants_usage(&upstream, &answer.output) && parsed.ask_for_usage();
    let ticket = Ticket {
        open: cx.gateway.flights.keep(&hold),
        hold,
        run,
        priced_at,
        provider: upstream.provider().to_owned(),
        tier: parsed.tier.clone(),
        held_at: estimate.map(|estimate| estimate.version),
        floor,
    };
    let body = parsed.into_body(upstream.kind(), bound.output_cap.filter(|_| capped));
    let mut call = UpstreamRequest::new(&ticket.hold, request.operation, body, &request.headers);
    if let Some(traceparent) = &request.traceparent {
        call = call.with_traceparent(traceparent);
    }
    let response = match upstream.send(call).await {
        Ok(response) => response,
        Err(error) => {
            let (run, decision) = (ticket.run.id, answer.decision);
            tracing::warn!(%error, run_id = %run, "the provider did not answer");
            journal::provider_failed(&cx, &ticket.run, &error);
            let code = error.code();
            ticket.end(&cx, Ending::no_answer(&error)).await;
            return Err(GatewayError::Upstream { code, run, decision });
        }
    };
    if response.status == http::StatusCode::UNAUTHORIZED {
        // The provider's words about our key are not for our client.
        let (run, decision) = (ticket.run.id, answer.decision);
        tracing::error!(run_id = %run, upstream = upstream.name(), "the provider rejects the configured key");
        ticket.end(&cx, Ending::rejected(&response)).await;
        return Err(GatewayError::Upstream {
            code: "upstream_credential_rejected",
            run,
            decision,
        });
    }
    let events = response.is_event_stream();
    let passes_on = stream && events && response.status.is_success();
    let tap = UsageTap::new(request.operation, events, passes_on && hide_usage).expecting(choices);
    if passes_on {
        Ok(streamed(cx, ticket, answer, response, tap))
    } else {
        whole(&cx, ticket, answer, response, tap).await
    }
}

/// The most tokens that the request can use.
fn most(cx: &Context, parsed: &Parsed, upstream: &Upstream, at: Timestamp) -> Bound {
    let settings = &cx.gateway.settings;
    let (provider, model) = (upstream.provider(), parsed.model.as_str());
    let stated = settings.output_caps.find(provider, model);
    bound(&RequestFacts {
        // Nothing is longer than all that a model can have in view.
        model_output: stated.or_else(|| cx.prices.context_window(provider, model, at)),
        ..parsed.facts(settings.default_output_tokens)
    })
}

/// Whether the upstream is to say what a stream used: always, or where a limit counts it.
fn wants_usage(upstream: &Upstream, output: &CheckOutput) -> bool {
    let counted = |item: &HoldItem| matches!(item.counts.unit(), Unit::NanoUsd | Unit::Tokens);
    match upstream.ask_usage() {
        AskUsage::Always => true,
        AskUsage::Limited => output.bounds_usage || output.items.iter().any(counted),
        AskUsage::Never => false,
    }
}

async fn authorise(
    cx: &Context,
    request: &GatewayRequest,
    parsed: &Parsed,
    bound: &Bound,
    cost: Option<NanoUsd>,
    upstream: &Upstream,
) -> Result<HoldAnswer, GatewayError> {
    let attribution = request.attribution.clone();
    let subject = Subject {
        api_key_id: Some(request.actor.key.id),
        project_id: attribution.project_id,
        agent_id: attribution.agent_id,
        feature: attribution.feature,
        session_id: attribution.session_id,
        end_user: attribution.end_user.or_else(|| parsed.end_user.clone()),
        provider: Some(upstream.provider().to_owned()),
        model: Some(parsed.model.clone()),
    };
    let amounts = Amounts {
        requests: 1,
        ..bound.amounts(cost.unwrap_or_default())
    };
    let command = HoldCommand {
        tenant: request.actor.tenant_id(),
        subject: Arc::new(subject),
        amounts,
        cost_known: cost.is_some(),
        ttl_ms: cx.gateway.settings.hold_ttl_ms,
        hold: HoldId::generate(cx.ids.as_ref()),
        decision: DecisionId::generate(cx.ids.as_ref()),
        run: Some(NewRun {
            id: RunId::generate(cx.ids.as_ref()),
            operation: request.operation,
            stream: parsed.stream,
            tools: parsed.tools.clone(),
            input_fingerprint: parsed.input_fingerprint.clone(),
        }),
        correlation_id: request.correlation_id.clone(),
        idempotency: None,
        judged: None,
    };
    let question = Question { parsed, bound, cost };
    match judge::hold(cx, command, &question).await {
        Ok(Answer::Decided(answer)) => Ok(*answer),
        Err(LedgerError::Forbidden(forbidden)) => {
            measure::blocked(upstream.provider(), request.operation);
            Err(GatewayError::Forbidden(forbidden))
        }
        Ok(Answer::Ended(_) | Answer::Renewed(_) | Answer::Replayed(_)) => {
            Err(GatewayError::Unenforceable(store::StoreError::Stopped))
        }
        Err(LedgerError::Store(error)) => Err(GatewayError::Unenforceable(error)),
        Err(error) => {
            tracing::error!(%error, "the ledger gave an answer that a new hold cannot have");
            Err(GatewayError::Unenforceable(store::StoreError::Stopped))
        }
    }
}

/// The most the request can cost; none if nobody knows.
fn estimate(
    cx: &Context,
    parsed: &Parsed,
    bound: &Bound,
    upstream: &Upstream,
    floor: Option<&Floor>,
    at: Timestamp,
) -> Result<Option<Estimate>, GatewayError> {
    let by_table = |cost| Estimate {
        cost,
        version: cx.prices.version().to_owned(),
    };
    if parsed.operation == Operation::CountTokens {
        return Ok(Some(by_table(NanoUsd::ZERO)));
    }
    let facts = WorstCaseFacts {
        cache_write: parsed.cache_write,
        audio: parsed.audio,
        searches: parsed.searches,
        tier: parsed.tier.as_deref(),
    };
    let (input, output) = (bound.input_tokens, bound.output_tokens);
    let most = cx
        .prices
        .worst_case(upstream.provider(), &parsed.model, input, output, &facts, at);
    let estimate = match most {
        Ok(cost) => Some(by_table(cost)),
        Err(PriceError::Range) => Some(by_table(NanoUsd::MAX)),
        Err(PriceError::Unpriced { .. } | PriceError::Usage { .. }) => floor.map(|floor| {
            // If it is the tier that has no price, the call may still be served in the standard one.
            let facts = WorstCaseFacts { tier: None, ..facts };
            let prices = &cx.prices;
            let standard = prices.worst_case(upstream.provider(), &parsed.model, input, output, &facts, at);
            Estimate {
                cost: floor.cost(input, output).max(standard.unwrap_or_default()),
                version: floor.version().to_owned(),
            }
        }),
    };
    if estimate.as_ref().is_some_and(|estimate| estimate.cost > COST_MAX) {
        return Err(parsed.too_dear());
    }
    Ok(estimate)
}

fn streamed(
    cx: Context,
    ticket: Ticket,
    answer: HoldAnswer,
    response: UpstreamResponse,
    tap: UsageTap,
) -> Served {
    let settings = &cx.gateway.settings;
    let pump = Pump {
        body: response.body,
        tap,
        sent_at: response.sent_at,
        limits: PumpLimits {
            queue_chunks: QUEUE_CHUNKS,
            stall_timeout: settings.stall_timeout,
            drain_timeout: settings.drain_timeout,
        },
    };
    let run = ticket.run.id;
    let (status, retries) = (response.status, response.retries);
    let correlation = infra::correlation::capture();
    let token = cx.gateway.flights.token();
    let (stream, _task) = pump.spawn(move |end| {
        correlation.carry(async move {
            if let PumpHow::UpstreamBroken(error) = &end.how {
                journal::provider_failed(&cx, &ticket.run, error);
            }
            ticket.end(&cx, Ending::streamed(&end, status, retries)).await;
            drop(token);
        })
    });
    Served {
        status: response.status,
        headers: response.headers,
        body: ServedBody::Stream(stream),
        run,
        decision: answer.decision,
        cost: None,
        answer: Box::new(answer),
    }
}

async fn whole(
    cx: &Context,
    ticket: Ticket,
    answer: HoldAnswer,
    response: UpstreamResponse,
    tap: UsageTap,
) -> Result<Served, GatewayError> {
    let cap = cx.gateway.settings.answer_cap_bytes;
    let collected = collect(response.body, tap, cap, response.sent_at).await;
    let (run, decision) = (ticket.run.id, answer.decision);
    if let Err(error) = &collected.body {
        tracing::warn!(%error, run_id = %run, "the provider's answer broke off");
        journal::provider_failed(cx, &ticket.run, error);
    }
    let ending = Ending::collected(&collected, response.status, response.retries);
    let cost = ticket.end(cx, ending).await;
    match collected.body {
        Ok(body) => Ok(Served {
            status: response.status,
            headers: response.headers,
            body: ServedBody::Whole(body),
            run,
            decision,
            cost,
            answer: Box::new(answer),
        }),
        Err(error) => Err(GatewayError::Upstream {
            code: error.code(),
            run,
            decision,
        }),
    }
}
