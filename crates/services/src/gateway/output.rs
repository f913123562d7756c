//! What do the Policy Rules say of an answer?
//!
//! It is judged by the rules that let its request run: a change of the rules is seen by the next request, not in the
//! middle of an answer.

use std::sync::Arc;

use bytes::Bytes;
use domain::policy::context::{Context as Asked, FailureContext};
use domain::policy::findings::accuracy::Unknowns;
use domain::policy::findings::scan;
use domain::policy::prepared::Prepared;
use domain::policy::{JudgeInput, judge};
use model::decision::Outcome;
use model::hold::{Hold, Subject};
use model::id::{DecisionId, IdGenerator, TenantId};
use model::money::NanoUsd;
use model::policy::Stage;
use model::run::{Operation, Run};
use model::time::Timestamp;

use super::admit::Plan;
use super::answers;
use super::ending::Ending;
use super::failures::{self, OnRecord};
use super::judge::{Facts, LONG_TEXT, key, redacted};
use super::ruled::Ruled;
use super::sift::{Forbids, Found, Sift};
use crate::context::Context;
use crate::governing::Governing;
use crate::measure;

/// The rules that judge the answer to one request, and what they are asked beside the answer.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    governing: Governing,
    /// Those that apply.
    rules: Vec<Arc<Prepared>>,
    tenant: TenantId,
    subject: Arc<Subject>,
    key: String,
    stream: bool,
    /// Input and output, at most.
    tokens: (i64, i64),
    cost: Option<NanoUsd>,
    tools: Vec<String>,
    input_fingerprint: Option<String>,
    /// What the model was told nothing about.
    unknowns: Unknowns,
    /// Whether that could not be found out in full, so that nobody can say what the answer should not have said.
    unasked: bool,
}

/// An answer that came whole.
pub(super) enum Body {
    /// As it is.
    Text(Bytes),
    /// As the events of a stream.
    Events(Bytes),
    /// In an encoding that nobody asked for.
    Unreadable,
}

/// When an answer is judged, and what is known by then.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) at: Timestamp,
    pub(super) found: &'a Found,
    /// Whether it is on its way to its client meanwhile.
    pub(super) streamed: bool,
    pub(super) failure: Option<FailureContext<'a>>,
}

impl Watch {
    /// The rules that will judge the answer to this request; none if there are none, and then nobody looks at it.
    pub(super) async fn on(plan: &Plan, hold: &Hold, governing: Governing) -> Option<Self> {
        let output = |rule: &&Arc<Prepared>| rule.rule().definition.stage == Stage::Output;
        governing.rules.iter().find(output)?;
        let (tenant, subject) = (hold.tenant, &hold.subject);
        let mut watch = Self {
            rules: Vec::new(),
            tenant,
            subject: Arc::clone(subject),
            key: key(subject),
            stream: plan.parsed.stream,
            tokens: (plan.bound.input_tokens, plan.bound.output_tokens),
            cost: plan.estimate.as_ref().map(|estimate| estimate.cost),
            tools: plan.parsed.tools.clone(),
            input_fingerprint: plan.parsed.input_fingerprint.clone(),
            unknowns: Unknowns::default(),
            unasked: false,
            governing,
        };
        watch.rules = watch.with_context(Timestamp::from_micros(0), None, |context| {
            let applies = |rule: &&Arc<Prepared>| rule.applies(tenant, Stage::Output, context);
            watch.governing.rules.iter().filter(applies).cloned().collect()
        });
        if watch.rules.is_empty() {
            return None;
        }
        if watch.reads() {
            let said = plan.parsed.said();
            let unread = said.unread;
            watch.unknowns = unknowns(said.text, &plan.parsed.unknown_fields)
                .await
                .unwrap_or_else(Unknowns::untold);
            watch.unasked = unread || watch.unknowns.is_incomplete();
        }
        Some(watch)
    }

    fn with_context<T>(
        &self,
        at: Timestamp,
        failure: Option<FailureContext<'_>>,
        then: impl FnOnce(&Asked<'_>) -> T,
    ) -> T {
        let tools: Vec<&str> = self.tools.iter().map(String::as_str).collect();
        let facts = Facts {
            subject: &self.subject,
            key: &self.key,
            stream: self.stream,
            tokens: self.tokens,
            cost: self.cost,
            tools: &tools,
            input_fingerprint: self.input_fingerprint.as_deref(),
            at,
            failure,
        };
        then(&facts.context())
    }

    /// Whether any of them asks about the text.
    pub(super) fn reads(&self) -> bool {
        self.rules.iter().any(|rule| rule.needs_findings())
    }

    /// What the rules say of an answer that came whole.
    pub(super) async fn whole(&self, cx: &Context, run: &Run, ending: &Ending, body: Body) -> Ruled {
        let found = self.look(run.operation, body).await;
        let failure = self.failure(cx, run, ending).await;
        let asking = Asking {
            at: cx.clock.now(),
            found: &found,
            streamed: false,
            failure: failure.as_ref().map(OnRecord::context),
        };
        self.judge(cx.ids.as_ref(), asking)
    }

    /// How the run failed, if it did and if any of them asks about that.
    pub(super) async fn failure(&self, cx: &Context, run: &Run, ending: &Ending) -> Option<OnRecord> {
        let failed = ending.failed()?;
        let asks = self.rules.iter().any(|rule| rule.needs_failure());
        if !asks {
            return None;
        }
        Some(failures::this(cx, run, &failed).await)
    }

    async fn look(&self, operation: Operation, body: Body) -> Found {
        if !self.reads() {
            return Found::default();
        }
        let unread = Found {
            unread: true,
            ..Found::default()
        };
        let (body, events) = match body {
            Body::Text(body) => (body, false),
            Body::Events(body) => (body, true),
            Body::Unreadable => return unread,
        };
        let (unknowns, long) = (self.unknowns.clone(), body.len() > LONG_TEXT);
        let look = move || {
            if events {
                let mut sift = Sift::new(operation, Some(unknowns), None);
                sift.take(Some(body));
                sift.take(None);
                return sift.found().clone();
            }
            let said = answers::of(operation, &body);
            Found {
                findings: scan(&said.text, &unknowns),
                unread: said.unread,
            }
        };
        if !long {
            return look();
        }
        tokio::task::spawn_blocking(look).await.unwrap_or(unread)
    }

    /// Looks at the answer as a stream that began at this time, and holds back what a rule may block.
    pub(super) fn sift(self: &Arc<Self>, operation: Operation, at: Timestamp) -> Sift {
        let blocks = |rule: &&Arc<Prepared>| rule.needs_findings() && rule.mode(true).refuses();
        let forbids = self.on_the_way().any(|rule| blocks(&rule)).then(|| {
            let watch = Arc::clone(self);
            let rules: Vec<_> = self.on_the_way().cloned().collect();
            let forbids: Forbids = Box::new(move |found| watch.forbids(&rules, found, at));
            forbids
        });
        let unknowns = self.reads().then(|| self.unknowns.clone());
        Sift::new(operation, unknowns, forbids)
    }

    /// The rules that can be judged before the answer is over.
    fn on_the_way(&self) -> impl Iterator<Item = &Arc<Prepared>> {
        self.rules.iter().filter(|rule| !rule.needs_failure())
    }

    fn forbids(&self, rules: &[Arc<Prepared>], found: &Found, at: Timestamp) -> bool {
        let asking = Asking {
            at,
            found,
            streamed: true,
            failure: None,
        };
        self.with_input(asking, rules, |input| judge(input).outcome == Outcome::Block)
    }

    /// What the rules say of a stream before it begins, if they forbid it whatever it says.
    pub(super) fn beforehand(&self, ids: &dyn IdGenerator, at: Timestamp) -> Option<Ruled> {
        let known = |rule: &&Arc<Prepared>| !rule.needs_findings() || (self.unasked && rule.needs_accuracy());
        let rules: Vec<_> = self.on_the_way().filter(known).cloned().collect();
        let found = Found::default();
        if rules.is_empty() || !self.forbids(&rules, &found, at) {
            return None;
        }
        let asking = Asking {
            at,
            found: &found,
            streamed: true,
            failure: None,
        };
        Some(self.judge(ids, asking))
    }

    /// What the rules say of an answer.
    pub(super) fn judge(&self, ids: &dyn IdGenerator, asking: Asking<'_>) -> Ruled {
        let ruled = self.with_input(asking, &self.rules, |input| {
            let judgement = judge(input);
            let verdict = self.governing.verdict(&judgement, || {
                redacted(input, self.governing.versions, &self.rules)
            });
            Ruled {
                decision: DecisionId::generate(ids),
                verdict,
                judgement,
            }
        });
        measure::judged(ruled.judgement.outcome, ruled.judgement.skipped.len());
        ruled
    }

    fn with_input<T>(
        &self,
        asking: Asking<'_>,
        rules: &[Arc<Prepared>],
        then: impl FnOnce(&JudgeInput<'_>) -> T,
    ) -> T {
        self.with_context(asking.at, asking.failure, |context| {
            then(&JudgeInput {
                tenant: self.tenant,
                stage: Stage::Output,
                context: context.clone(),
                findings: &asking.found.findings,
                streamed: asking.streamed,
                unread: asking.found.unread,
                unasked: self.unasked,
                rules,
            })
        })
    }
}

/// What the model was told nothing about; none if that could not be found out.
async fn unknowns(context: String, named: &[String]) -> Option<Unknowns> {
    let unknowns = if context.len() <= LONG_TEXT {
        Unknowns::in_context(&context)
    } else {
        let read = tokio::task::spawn_blocking(move || Unknowns::in_context(&context));
        read.await.ok()?
    };
    Some(unknowns.and(named.iter().map(String::as_str)))
}
