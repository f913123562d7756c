//! May a request run, after waiting if need be, or as something cheaper?
//!
//! A request that only QUEUE limits refuse waits in line; one that DEGRADE limits refuse is tried again as what they
//! say. Only the last attempt leaves a trace: a hold, or one refusal.

use std::sync::Arc;
use std::time::Duration;

use domain::estimate::Bound;
use domain::limits::BreachFact;
use model::amounts::Amounts;
use model::breach::BreachType;
use model::hold::Subject;
use model::id::{DecisionId, HoldId, RunId};
use model::key::KeyScope;
use model::limit::{Enforcement, Handling, Limit};
use model::time::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;
use workers::upstream::Upstream;

use super::estimate::{Estimate, estimate, most};
use super::facts::Parsed;
use super::judge::{self, Question};
use super::{GatewayError, GatewayRequest};
use crate::auth;
use crate::context::Context;
use crate::governing::Governing;
use crate::ledger::{Answer, HoldAnswer, HoldCommand, Instead, LedgerError, NewRun, Patience, Waited};
use crate::measure;
use crate::prices::Floor;

/// The shortest time after which the ledger is asked again without having been told of room.
const NAP_MIN: Duration = Duration::from_millis(10);

/// What is to be sent, and what it can cost at most.
pub(super) struct Plan {
    pub(super) parsed: Parsed,
    pub(super) upstream: Arc<Upstream>,
    pub(super) bound: Bound,
    pub(super) estimate: Option<Estimate>,
    pub(super) floor: Option<Floor>,
    pub(super) priced_at: Timestamp,
    instead: Option<Arc<Instead>>,
}

/// A place in the order of arrival. Whoever lets it go leaves every line.
struct Line<'a> {
    cx: &'a Context,
    place: u64,
    came: Instant,
    since: Timestamp,
    until: Option<(Instant, Timestamp)>,
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.cx.ledger.room().leave(self.place);
    }
}

/// Holds what the request can cost at most, at once, after waiting, or as something cheaper; else the answer says why
/// not. Gives what governed it too. `alive` ends when nobody waits for the answer any more.
pub(super) async fn admit(
    cx: &Context,
    request: &GatewayRequest,
    mut plan: Plan,
    mut alive: watch::Receiver<()>,
) -> Result<(HoldAnswer, Plan, Governing), GatewayError> {
    let mut line = Line {
        cx,
        place: cx.ledger.room().place(),
        came: Instant::now(),
        since: plan.priced_at,
        until: None,
    };
    let mut last = false;
    loop {
        let patience = Patience {
            place: line.place,
            last,
        };
        let (mut answer, rules) = authorise(cx, request, &plan, patience).await?;
        let Some(refusing) = answer.provisional.take() else {
            answer.waited = line.waited(&answer);
            return Ok((answer, plan, rules));
        };
        if refusing
            .iter()
            .any(|limit| limit.enforcement == Enforcement::Degrade)
        {
            match plan.lessened(cx, request, &refusing, &answer)? {
                Some(less) => plan = less,
                None => last = true,
            }
            continue;
        }
        if !line.wait(&refusing, &answer, &mut alive).await {
            measure::waited("left");
            return Err(GatewayError::Refused(Box::new(answer)));
        }
        auth::again(cx, &request.actor, KeyScope::Llm).await?;
        last = line.is_over();
    }
}

impl Line<'_> {
    /// Waits for its turn or for the end of its time; false if nobody waits for the answer any more.
    async fn wait(
        &mut self,
        refusing: &[Limit],
        answer: &HoldAnswer,
        alive: &mut watch::Receiver<()>,
    ) -> bool {
        let longest = refusing
            .iter()
            .map(|limit| limit.handling.queue_ms.unwrap_or(Handling::QUEUE_MS_DEFAULT));
        let longest = longest.min().unwrap_or(Handling::QUEUE_MS_DEFAULT);
        let end = self.came + millis(longest);
        if self.until.is_none_or(|(until, _)| end < until) {
            self.until = Some((end, self.since.plus_millis(longest)));
        }
        let end = self.until.map_or(end, |(until, _)| until);
        let room = self.cx.ledger.room();
        let Some(wake) = room.wake(self.place) else {
            return true;
        };
        let resets = answer
            .output
            .blocking
            .iter()
            .filter_map(|report| report.resets_at)
            .max();
        let resets = resets.map(|at| millis(at.millis_since(answer.at)));
        let poll = room.settings().poll;
        let mut nap = resets.map_or(poll, |resets| resets.clamp(NAP_MIN, poll.max(NAP_MIN)));
        loop {
            let asks_at = (Instant::now() + nap).min(end);
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep_until(asks_at) => {}
                _gone = alive.changed() => return false,
            }
            if self.is_over() || room.is_first(self.place) {
                return true;
            }
            nap = poll;
        }
    }

    /// Whether it waits no longer, whatever the limits say.
    fn is_over(&self) -> bool {
        let late = self.until.is_some_and(|(until, _)| until <= Instant::now());
        late || self.cx.ledger.room().is_closed()
    }

    fn ms(&self) -> i64 {
        i64::try_from(self.came.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn waited(&self, answer: &HoldAnswer) -> Option<Waited> {
        let (_, deadline) = self.until?;
        measure::waited(if answer.hold.is_some() {
            "served"
        } else {
            "timeout"
        });
        Some(Waited {
            ms: self.ms(),
            deadline,
        })
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

impl Plan {
    /// The request as it came.
    pub(super) fn asked(
        cx: &Context,
        request: &GatewayRequest,
        parsed: Parsed,
        upstream: Arc<Upstream>,
    ) -> Result<Self, GatewayError> {
        // Held and settled at the prices of one instant, so that a price that changes in between changes nothing.
        let priced_at = cx.clock.now();
        let bound = most(cx, &parsed, &upstream, priced_at);
        let floor = cx.prices.floor(request.actor.tenant.floor_price);
        let estimate = estimate(cx, &parsed, &bound, &upstream, floor.as_ref(), priced_at)?;
        Ok(Self {
            parsed,
            upstream,
            bound,
            estimate,
            floor,
            priced_at,
            instead: None,
        })
    }

    /// The same request as what these limits say instead; none if they have said so before, or if nobody serves it.
    fn lessened(
        &self,
        cx: &Context,
        request: &GatewayRequest,
        refusing: &[Limit],
        answer: &HoldAnswer,
    ) -> Result<Option<Self>, GatewayError> {
        let known = self.instead.as_deref();
        let told = |id| known.is_some_and(|known| known.because.contains(&id));
        let mut fresh: Vec<&Limit> = refusing.iter().collect();
        fresh.retain(|limit| limit.enforcement == Enforcement::Degrade && !told(limit.id));
        fresh.sort_by_key(|limit| limit.id);
        if fresh.is_empty() {
            return Ok(None);
        }
        let of = |limit: &&Limit| limit.handling.degrade.clone();
        let asked_model = known.map_or_else(|| self.parsed.model.clone(), |known| known.asked_model.clone());
        // A model that was swapped once stays: two limits that point at each other's models would go round in circles.
        let swapped = known.filter(|known| known.served_model != known.asked_model);
        let model = swapped.map(|known| known.served_model.clone());
        let model = model.or_else(|| fresh.iter().filter_map(of).find_map(|degrade| degrade.model));
        let caps = fresh
            .iter()
            .filter_map(of)
            .filter_map(|degrade| degrade.output_tokens);
        let cap = caps.chain(known.and_then(|known| known.output_tokens)).min();
        let model = model.unwrap_or_else(|| asked_model.clone());
        let Some(upstream) = self.serves(cx, &model) else {
            tracing::warn!(model, limits = ?fresh.iter().map(|limit| limit.id).collect::<Vec<_>>(), "no provider of this kind serves the model of a DEGRADE limit; the request is refused");
            return Ok(None);
        };
        let parsed = self.parsed.lessened(&model, cap);
        let asked = Self::asked(cx, request, parsed, upstream)?;
        let mut because = known.map(|known| known.because.clone()).unwrap_or_default();
        because.extend(fresh.iter().map(|limit| limit.id));
        let mut breaches = known.map(|known| known.breaches.clone()).unwrap_or_default();
        breaches.extend(fresh.iter().filter_map(|limit| breached(limit, answer)));
        let instead = Instead {
            asked_model,
            served_model: model,
            output_tokens: cap,
            because,
            breaches,
        };
        Ok(Some(Self {
            instead: Some(Arc::new(instead)),
            ..asked
        }))
    }

    /// Who serves this model in the way that the body is written for.
    fn serves(&self, cx: &Context, model: &str) -> Option<Arc<Upstream>> {
        let found = cx.gateway.upstreams.route(self.parsed.operation, model)?;
        (found.kind() == self.upstream.kind()).then(|| Arc::clone(found))
    }

    /// Whether what is sent may not make more than was held for it.
    pub(super) fn is_lessened(&self) -> bool {
        self.instead
            .as_ref()
            .is_some_and(|instead| instead.output_tokens.is_some())
    }
}

/// How what was asked for would have passed the limit; none if nobody knows what that costs.
fn breached(limit: &Limit, answer: &HoldAnswer) -> Option<BreachFact> {
    let report = answer
        .output
        .blocking
        .iter()
        .find(|report| report.limit == limit.id)?;
    let used = report.settled.saturating_add(report.held);
    Some(BreachFact {
        owner: report.owner,
        limit: report.limit,
        breach_type: BreachType::Breached,
        value: used.saturating_add(report.requested),
        max: report.max,
        alert: false,
        once_since: None,
    })
}

async fn authorise(
    cx: &Context,
    request: &GatewayRequest,
    plan: &Plan,
    patience: Patience,
) -> Result<(HoldAnswer, Governing), GatewayError> {
    let parsed = &plan.parsed;
    let cost = plan.estimate.as_ref().map(|estimate| estimate.cost);
    let attribution = request.attribution.clone();
    let subject = Subject {
        api_key_id: Some(request.actor.key.id),
        project_id: attribution.project_id,
        agent_id: attribution.agent_id,
        feature: attribution.feature,
        session_id: attribution.session_id,
        end_user: attribution.end_user.or_else(|| parsed.end_user.clone()),
        provider: Some(plan.upstream.provider().to_owned()),
        model: Some(parsed.model.clone()),
    };
    let amounts = Amounts {
        requests: 1,
        ..plan.bound.amounts(cost.unwrap_or_default())
    };
    let command = HoldCommand {
        tenant: request.actor.tenant_id(),
        subject: Arc::new(subject),
        amounts,
        concurrency: 1,
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
            parent: attribution.parent_run,
        }),
        correlation_id: request.correlation_id.clone(),
        idempotency: None,
        judged: None,
        patience: Some(patience),
        instead: plan.instead.clone(),
    };
    let question = Question {
        parsed,
        bound: &plan.bound,
        cost,
    };
    match judge::hold(cx, command, &question).await {
        Ok((Answer::Decided(answer), rules)) => Ok((*answer, rules)),
        Err(LedgerError::Forbidden(forbidden)) => {
            measure::blocked(plan.upstream.provider(), request.operation);
            Err(GatewayError::Forbidden(forbidden))
        }
        Ok((Answer::Ended(_) | Answer::Renewed(_) | Answer::Replayed(_), _)) => {
            Err(GatewayError::Unenforceable(store::StoreError::Stopped))
        }
        Err(LedgerError::Store(error)) => Err(GatewayError::Unenforceable(error)),
        Err(error) => {
            tracing::error!(%error, "the ledger gave an answer that a new hold cannot have");
            Err(GatewayError::Unenforceable(store::StoreError::Stopped))
        }
    }
}
