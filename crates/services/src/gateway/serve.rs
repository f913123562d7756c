//! The path of one LLM request.

use std::sync::Arc;

use domain::limits::{CheckOutput, outcome};
use domain::policy::outcome::with_answer;
use http::StatusCode;
use model::hold::HoldItem;
use model::limit::Unit;
use tokio::sync::watch;
use tokio::time::Instant;
use workers::upstream::pump::collect;
use workers::upstream::tap::UsageTap;
use workers::upstream::{AskUsage, Upstream, UpstreamError, UpstreamRequest, UpstreamResponse};

use super::admit::{Plan, admit};
use super::end::Ticket;
use super::ending::Ending;
use super::facts::{Parsed, parse};
use super::output::{Body, Watch};
use super::stream::streamed;
use super::thresholds::Cuts;
use super::{GatewayError, GatewayRequest, Served, ServedBody};
use crate::context::Context;
use crate::journal;
use crate::ledger::HoldAnswer;
use crate::measure;

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
        .known_by(key, request.actor.tenant_id())
        .told_nothing_of(&request.unknown_fields);
    let (cx, flights) = (cx.clone(), cx.gateway.flights.clone());
    // Whoever waits in line leaves it when nobody waits for the answer any more.
    let (waits, alive) = watch::channel(());
    let work = async move { run(cx, request, parsed, upstream, alive).await };
    let work = infra::correlation::capture().carry(work);
    // A task of its own: the client may hang up, the hold must end all the same.
    let ended = flights.spawn(work).await;
    drop(waits);
    match ended {
        Ok(served) => served,
        Err(_panicked) => Err(GatewayError::Unenforceable(store::StoreError::Panicked)),
    }
}

async fn run(
    cx: Context,
    request: GatewayRequest,
    parsed: Parsed,
    upstream: Arc<Upstream>,
    alive: watch::Receiver<()>,
) -> Result<Served, GatewayError> {
    let plan = Plan::asked(&cx, &request, parsed, upstream)?;
    let (answer, plan, rules) = admit(&cx, &request, plan, alive).await?;
    let (Some(hold), Some(run)) = (answer.hold.clone(), answer.run.clone()) else {
        measure::blocked(plan.upstream.provider(), request.operation);
        return Err(GatewayError::Refused(Box::new(answer)));
    };
    let watch = Watch::on(&plan, &hold, rules).await;
    let capped = answer.output.bounds_usage || plan.is_lessened();
    let Plan {
        mut parsed,
        upstream,
        bound,
        estimate,
        floor,
        priced_at,
        ..
    } = plan;
    let (stream, choices) = (parsed.stream, parsed.choices);
    let hide_usage = wants_usage(&upstream, &answer.output) && parsed.ask_for_usage();
    let ticket = Ticket {
        open: cx.gateway.flights.keep(&hold),
        bounds: answer.bounds.clone(),
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
    let cuts = Cuts::of(&ticket.bounds, Instant::now());
    let (ticket, response) = send(&cx, ticket, cuts, &upstream, call).await?;
    let events = response.is_event_stream();
    let passes_on = stream && events && response.status.is_success();
    let tap = UsageTap::new(request.operation, events, passes_on && hide_usage).expecting(choices);
    if passes_on {
        streamed(cx, ticket, answer, response, (tap, cuts, watch)).await
    } else {
        whole(&cx, ticket, answer, response, (tap, cuts, watch)).await
    }
}

/// Calls the provider. Without an answer that is for the client, the hold ends here.
async fn send(
    cx: &Context,
    ticket: Ticket,
    cuts: Cuts,
    upstream: &Upstream,
    call: UpstreamRequest,
) -> Result<(Ticket, UpstreamResponse), GatewayError> {
    let (run, decision) = (ticket.run.id, ticket.run.decision);
    let sent_at = Instant::now();
    let (error, ending) = match cuts.send(upstream, call).await {
        // The provider's words about our key are not for our client.
        Ok(response) if response.status == StatusCode::UNAUTHORIZED => {
            tracing::error!(run_id = %run, upstream = upstream.name(), "the provider rejects the configured key");
            let code = "upstream_credential_rejected";
            (
                GatewayError::Upstream { code, run, decision },
                Ending::rejected(&response),
            )
        }
        Ok(response) => return Ok((ticket, response)),
        Err(error @ UpstreamError::CutOff) => (
            cuts.refusal(&ticket.bounds, &ticket.run),
            Ending::no_answer(&error, sent_at.elapsed()),
        ),
        Err(error) => {
            tracing::warn!(%error, run_id = %run, "the provider did not answer");
            journal::provider_failed(cx, &ticket.run, &error);
            let code = error.code();
            (
                GatewayError::Upstream { code, run, decision },
                Ending::no_answer(&error, sent_at.elapsed()),
            )
        }
    };
    ticket.end(cx, ending).await;
    Err(error)
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

async fn whole(
    cx: &Context,
    ticket: Ticket,
    mut answer: HoldAnswer,
    response: UpstreamResponse,
    (tap, cuts, watch): (UsageTap, Cuts, Option<Watch>),
) -> Result<Served, GatewayError> {
    let cap = cx.gateway.settings.answer_cap_bytes;
    let (status, retries) = (response.status, response.retries);
    let (readable, events) = (response.is_readable(), response.is_event_stream());
    let collected = collect(response.body, tap, cap, response.sent_at, cuts.end).await;
    let (run, decision) = (ticket.run.id, answer.decision);
    let cut_off =
        (collected.body == Err(UpstreamError::CutOff)).then(|| cuts.refusal(&ticket.bounds, &ticket.run));
    if let Err(error) = &collected.body
        && cut_off.is_none()
    {
        tracing::warn!(%error, run_id = %run, "the provider's answer broke off");
        journal::provider_failed(cx, &ticket.run, error);
    }
    let mut ending = Ending::collected(&collected, status, retries);
    let mut withheld = None;
    if let (Some(watch), Ok(body)) = (&watch, &collected.body) {
        let body = match (readable, events) {
            (false, _) => Body::Unreadable,
            (true, true) => Body::Events(body.clone()),
            (true, false) => Body::Text(body.clone()),
        };
        let ruled = watch.whole(cx, &ticket.run, &ending, body).await;
        answer.policy = Some(with_answer(answer.policy.as_deref(), &ruled.judgement));
        withheld = ruled.withholds().then(|| ruled.forbidden(run));
        ending = ending.ruled(ruled, StatusCode::FORBIDDEN);
    }
    let passed = outcome::reports(&ticket.bounds, ending.outcome());
    answer.output.warnings.extend(passed);
    let cost = ticket.end(cx, ending).await;
    if let Some(forbidden) = withheld {
        return Err(GatewayError::Forbidden(Box::new(forbidden)));
    }
    match collected.body {
        Ok(body) => Ok(Served {
            status,
            headers: response.headers,
            body: ServedBody::Whole(body),
            run,
            decision,
            cost,
            answer: Box::new(answer),
            withheld: None,
        }),
        Err(error) => Err(cut_off.unwrap_or(GatewayError::Upstream {
            code: error.code(),
            run,
            decision,
        })),
    }
}
