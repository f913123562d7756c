//! How does a run end in the books?
//!
//! What the provider reported is settled. What it did not report, but may have charged, is settled as the most
//! it can have been: money that may be gone is never counted as there. What it refused or never saw is released.

use std::time::Duration;

use domain::limits::outcome::{self, RunBound};
use domain::settle::{Authority, End};
use model::amounts::Amounts;
use model::cost::{CostSource, TokenUsage};
use model::hold::Hold;
use model::id::CostId;
use model::money::NanoUsd;
use model::policy::Stage;
use model::run::{Operation, Run, UsageSource};
use model::time::Timestamp;
use workers::upstream::tap::TapReport;

use super::books;
use super::ending::Ending;
use super::flight::OpenHold;
use super::thresholds;
use crate::context::Context;
use crate::ledger::{Case, CostFacts, EndCommand, Ruling};
use crate::measure;
use crate::prices::{Floor, Metered, PriceError, WorstCaseFacts};

/// More tokens than any call can use: a provider that reports more reports nonsense.
const TOKENS_MAX: i64 = 1_000_000_000;

/// A request on its way: what has to be ended.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) hold: Hold,
    /// Keeps it from expiring.
    pub(super) open: OpenHold,
    /// The thresholds that the run is judged by.
    pub(super) bounds: Vec<RunBound>,
    pub(super) run: Run,
    /// At whose prices it was held and is settled.
    pub(super) priced_at: Timestamp,
    pub(super) provider: String,
    pub(super) tier: Option<String>,
    /// By which prices what is held was computed; none if nobody knows them, and then no cost is recorded.
    pub(super) held_at: Option<String>,
    /// What tokens cost where no price is known, if anybody has said so.
    pub(super) floor: Option<Floor>,
}

/// What was used, as far as it is known.
struct Used {
    amounts: Amounts,
    tokens: Option<TokenUsage>,
    source: UsageSource,
    model: Option<String>,
    /// By which prices the cost was computed; an unknown cost makes no cost record.
    price_version: Option<String>,
}

impl Ticket {
    /// Ends the hold and writes down what became of the run; says what it cost.
    pub(super) async fn end(self, cx: &Context, ending: Ending) -> Option<NanoUsd> {
        let now = cx.clock.now();
        let used = self.used(cx, &ending);
        let priced = used.as_ref().filter(|used| used.price_version.is_some());
        let cost = priced.map(|used| used.amounts.cost);
        let run = self.finished(&ending, used.as_ref(), cost, now);
        let facts = priced.map(|used| CostFacts {
            id: CostId::generate(cx.ids.as_ref()),
            model: used.model.clone(),
            usage: used.tokens.unwrap_or(TokenUsage {
                input: used.amounts.input_tokens,
                output: used.amounts.output_tokens,
                ..TokenUsage::default()
            }),
            price_version: used.price_version.clone(),
            source: CostSource::Gateway,
            is_retry: run.parent.is_some() || run.retries > 0,
        });
        measure::ended(&self.provider, &run, used.as_ref().map(|used| used.amounts), cost);
        let passed = outcome::violations(&self.bounds, ending.outcome());
        thresholds::tell(&run, &passed);
        let command = EndCommand {
            tenant: self.hold.tenant,
            hold: self.hold.id,
            end: used
                .as_ref()
                .map_or(End::Release, |used| End::Settle(used.amounts)),
            authority: Authority::Gateway,
            key: None,
            cost: facts,
            events: books::events(cx, &run, now),
            passed: thresholds::passed(cx, &run, &passed, now),
            ruling: self.ruling(cx, &ending, now),
            run: Some(Box::new(run)),
            idempotency: None,
        };
        books::close(cx, command, self.open).await;
        cost
    }

    /// What is written of what Policy Rules said.
    fn ruling(&self, cx: &Context, ending: &Ending, now: Timestamp) -> Option<Box<Ruling>> {
        let ruled = ending.ruled.as_ref()?;
        let case = Case {
            tenant: self.hold.tenant,
            run: self.run.id,
            decision: ruled.decision,
            hold: Some(self.hold.id),
            stage: Stage::Output,
            subject: &self.hold.subject,
            correlation_id: &self.run.correlation_id,
            verdict: ruled.verdict.as_ref()?,
            ids: cx.ids.as_ref(),
            at: now,
        };
        Some(Box::new(case.ruling()))
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
                price_version: None,
            });
        }
        let reported = ending
            .report
            .as_ref()
            .and_then(|report| self.reported(cx, report));
        reported.or_else(|| {
            ending.may_have_run.then_some(Used {
                amounts: self.hold.requested,
                tokens: None,
                source: UsageSource::Estimated,
                model: None,
                price_version: self.held_at.clone(),
            })
        })
    }

    /// What the provider says was used; none if it says nothing that can be the last word.
    fn reported(&self, cx: &Context, report: &TapReport) -> Option<Used> {
        // Counts in the middle of a stream (Anthropic begins with some) leave out what was made after them.
        let body = report.usage_body.as_ref().filter(|_| report.usage_is_final)?;
        let metered = cx.prices.meter(&self.provider, self.run.operation, body);
        let metered = match metered {
            Ok(metered) if metered.tokens.input.max(metered.tokens.output) <= TOKENS_MAX => metered,
            other => {
                tracing::warn!(usage = ?other, run_id = %self.run.id, "the reported usage is not believed; what is held is taken");
                return None;
            }
        };
        let asked = self.hold.subject.model.as_deref().unwrap_or_default();
        let served = metered.model.as_deref().unwrap_or(asked);
        let tokens = metered.tokens;
        // What was held at a price is settled at one, whatever name the provider gives the model.
        let by_table = |cost| (cost, cx.prices.version().to_owned());
        let at_floor = |floor: &Floor| {
            (
                floor.cost(tokens.input, tokens.output),
                floor.version().to_owned(),
            )
        };
        let as_held = |version: &String| (self.hold.requested.cost, version.clone());
        let (cost, price_version) = self
            .priced(cx, served, &metered, report)
            .or_else(|| self.priced(cx, asked, &metered, report))
            .map(by_table)
            .or_else(|| self.floor.as_ref().map(at_floor))
            .or_else(|| self.held_at.as_ref().map(as_held))
            .unzip();
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
            price_version,
        })
    }

    fn priced(&self, cx: &Context, model: &str, metered: &Metered, report: &TapReport) -> Option<NanoUsd> {
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
                .and_then(|report| report.served_model.clone())
                .or_else(|| self.run.served_model.clone()),
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
