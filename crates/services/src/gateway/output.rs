//! What do the Policy Rules say of an answer?
//!
//! It is judged by the rules that let its request run: a change of the rules is seen by the next request, not in the
//! middle of an answer.

use std::sync::Arc;

use bytes::Bytes;
use domain::policy::context::{Context as Asked, FailureContext};
use domain::policy::findings::accuracy::Unknowns;
use domain::policy::findings::{Finding, scan};
use domain::policy::prepared::Prepared;
use domain::policy::{JudgeInput, judge};
use model::hold::{Hold, Subject};
use model::id::{DecisionId, IdGenerator, TenantId};
use model::money::NanoUsd;
use model::policy::Stage;
use model::run::{Operation, Run};
use model::time::Timestamp;

use super::admit::Plan;
use super::answers;
use super::end::Ending;
use super::failures::{self, OnRecord};
use super::judge::{Facts, LONG_TEXT, key, redacted};
use super::ruled::Ruled;
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
}

/// What was found in an answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub(super) findings: Vec<Finding>,
    /// Whether there was text that nobody could look at.
    pub(super) unread: bool,
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
            watch.unknowns = unknowns(plan.parsed.said()).await;
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

    /// What the rules say of an answer that came whole; `body` is none if nobody can read it.
    pub(super) async fn whole(&self, cx: &Context, run: &Run, ending: &Ending, body: Option<Bytes>) -> Ruled {
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

    async fn look(&self, operation: Operation, body: Option<Bytes>) -> Found {
        let unread = Found {
            unread: true,
            ..Found::default()
        };
        if !self.reads() {
            return Found::default();
        }
        let Some(body) = body else { return unread };
        let (unknowns, long) = (self.unknowns.clone(), body.len() > LONG_TEXT);
        let look = move || Found {
            findings: scan(&answers::of(operation, &body), &unknowns),
            unread: false,
        };
        if !long {
            return look();
        }
        tokio::task::spawn_blocking(look).await.unwrap_or(unread)
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
                rules,
            })
        })
    }
}

/// What the model was told nothing about. Without an answer to that, nothing is held against what it says.
async fn unknowns(context: String) -> Unknowns {
    if context.len() <= LONG_TEXT {
        return Unknowns::in_context(&context);
    }
    let read = tokio::task::spawn_blocking(move || Unknowns::in_context(&context));
    read.await.unwrap_or_default()
}
