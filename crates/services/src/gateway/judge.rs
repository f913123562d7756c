//! Do the Policy Rules let a request through?

use std::sync::Arc;

use domain::estimate::Bound;
use domain::policy::context::{Context as Asked, FailureContext};
use domain::policy::findings::accuracy::Unknowns;
use domain::policy::findings::{Finding, scan};
use domain::policy::outcome;
use domain::policy::prepared::Prepared;
use domain::policy::{JudgeInput, judge};
use model::decision::Outcome;
use model::hold::Subject;
use model::id::TenantId;
use model::incident::RequestTraits;
use model::money::NanoUsd;
use model::policy::Stage;
use model::time::Timestamp;
use model::zone::Zone;
use serde_json::{Value, json};

use super::facts::Parsed;
use super::failures::{self, OnRecord};
use crate::context::Context;
use crate::governing::Governing;
use crate::ledger::{Answer, HoldCommand, Judged, LedgerError};
use crate::measure;

/// How often a request is judged again because a rule or a limit has changed meanwhile.
const ATTEMPTS: usize = 8;

/// Texts beyond this many bytes are looked at on a thread of their own, so that other requests need not wait.
pub(super) const LONG_TEXT: usize = 16 * 1024;

/// What is asked of the rules beside what the command for the ledger says.
pub(super) struct Question<'a> {
    pub(super) parsed: &'a Parsed,
    pub(super) bound: &'a Bound,
    pub(super) cost: Option<NanoUsd>,
}

/// Judges the request by the rules that apply now and hands it to the ledger with what they say; gives its answer, and by
/// which rules that was.
///
/// # Errors
/// [`LedgerError`].
pub(super) async fn hold(
    cx: &Context,
    command: HoldCommand,
    question: &Question<'_>,
) -> Result<(Answer, Governing), LedgerError> {
    let mut rules = cx.rules.governing(&cx.db, command.tenant).await?;
    let (mut found, mut failed) = (None, None);
    for _ in 0..ATTEMPTS {
        if failed.is_none() && rules.rules.iter().any(|rule| asks_for_failures(rule)) {
            let parsed = question.parsed;
            let fingerprint = parsed.input_fingerprint.as_deref();
            let request = RequestTraits::of(&command.subject, &parsed.tools, fingerprint);
            failed = failures::of(cx, command.tenant, request.digest()).await?;
        }
        if found.is_none() && rules.rules.iter().any(|rule| looks_at_input(rule)) {
            let said = question.parsed.said();
            found = Some((said.unread, findings(said.text).await?));
        }
        let known = Known {
            unread: found.as_ref().is_some_and(|(unread, _)| *unread),
            findings: found
                .as_ref()
                .map_or(&[][..], |(_, findings)| findings.as_slice()),
            failed: failed.as_ref(),
        };
        let (judged, said) = judged(cx, &command, question, &rules, &known);
        let asked = HoldCommand {
            judged: Some(Box::new(judged)),
            ..command.clone()
        };
        match cx.ledger.hold(asked).await {
            Err(LedgerError::Outdated) => {}
            mut answer => {
                // Who waits is judged with every attempt, and counted once.
                let is_last = !matches!(&answer, Ok(answer) if answer.is_provisional());
                if let Some(said) = said.filter(|_| is_last) {
                    measure::judged(said.outcome, said.skipped);
                    if let Ok(Answer::Decided(decided)) = &mut answer {
                        decided.policy = Some(said.header);
                    }
                }
                return answer.map(|answer| (answer, rules));
            }
        }
        rules = cx.rules.renewed(&cx.db, command.tenant).await?;
    }
    tracing::warn!(tenant_id = %command.tenant, "what governs changes faster than a request can be judged");
    Err(LedgerError::Store(store::StoreError::overtaken()))
}

/// What is told of what the rules say.
struct Said {
    outcome: Outcome,
    skipped: usize,
    /// The value of the header.
    header: String,
}

/// What had to be found out before the rules could be asked.
struct Known<'a> {
    findings: &'a [Finding],
    /// Whether there is text that nobody can look at.
    unread: bool,
    failed: Option<&'a OnRecord>,
}

fn asks_for_failures(rule: &Prepared) -> bool {
    rule.rule().definition.stage == Stage::Input && rule.needs_failure()
}

fn looks_at_input(rule: &Prepared) -> bool {
    rule.rule().definition.stage == Stage::Input && rule.needs_findings()
}

async fn findings(text: String) -> Result<Vec<Finding>, LedgerError> {
    if text.len() <= LONG_TEXT {
        return Ok(scan(&text, &Unknowns::default()));
    }
    let looked = tokio::task::spawn_blocking(move || scan(&text, &Unknowns::default()));
    looked
        .await
        .map_err(|_panicked| LedgerError::Store(store::StoreError::Panicked))
}

/// What the rules say, and what is told of it; none if there are no rules.
fn judged(
    cx: &Context,
    command: &HoldCommand,
    question: &Question<'_>,
    governing: &Governing,
    known: &Known<'_>,
) -> (Judged, Option<Said>) {
    let versions = governing.versions;
    if governing.rules.is_empty() {
        let nothing = Judged {
            versions,
            verdict: None,
        };
        return (nothing, None);
    }
    let (subject, parsed) = (&command.subject, question.parsed);
    let key = key(subject);
    let tools: Vec<&str> = parsed.tools.iter().map(String::as_str).collect();
    let facts = Facts {
        subject,
        key: &key,
        stream: parsed.stream,
        tokens: (question.bound.input_tokens, question.bound.output_tokens),
        cost: question.cost,
        tools: &tools,
        input_fingerprint: parsed.input_fingerprint.as_deref(),
        at: cx.clock.now(),
        failure: known.failed.map(OnRecord::context),
    };
    let input = JudgeInput {
        tenant: command.tenant,
        stage: Stage::Input,
        context: facts.context(),
        findings: known.findings,
        streamed: false,
        unread: known.unread,
        unasked: false,
        rules: &governing.rules,
    };
    let judgement = judge(&input);
    let said = Said {
        outcome: judgement.outcome,
        skipped: judgement.skipped.len(),
        header: outcome::header(&judgement),
    };
    let verdict = governing.verdict(&judgement, || redacted(&input, versions, &governing.rules));
    (Judged { versions, verdict }, Some(said))
}

/// What conditions may ask about a request, before it is sent or when it is answered.
pub(super) struct Facts<'a> {
    pub(super) subject: &'a Subject,
    /// The id of its key; empty if it has none.
    pub(super) key: &'a str,
    pub(super) stream: bool,
    /// Input and output, at most.
    pub(super) tokens: (i64, i64),
    pub(super) cost: Option<NanoUsd>,
    pub(super) tools: &'a [&'a str],
    pub(super) input_fingerprint: Option<&'a str>,
    pub(super) at: Timestamp,
    pub(super) failure: Option<FailureContext<'a>>,
}

impl<'a> Facts<'a> {
    pub(super) fn context(&self) -> Asked<'a> {
        let (hour, weekday) = Zone::UTC.hour_and_weekday(self.at);
        Asked {
            model: text(self.subject.model.as_ref()),
            provider: text(self.subject.provider.as_ref()),
            agent: text(self.subject.agent_id.as_ref()),
            project: text(self.subject.project_id.as_ref()),
            feature: text(self.subject.feature.as_ref()),
            key: self.key,
            stream: self.stream,
            input_tokens: self.tokens.0,
            output_tokens: self.tokens.1,
            cost: self.cost,
            tools: self.tools,
            input_fingerprint: self.input_fingerprint.unwrap_or_default(),
            hour,
            weekday,
            failure: self.failure,
            ..Asked::default()
        }
    }
}

pub(super) fn key(subject: &Subject) -> String {
    subject.api_key_id.map(|id| id.to_string()).unwrap_or_default()
}

fn text(given: Option<&String>) -> &str {
    given.map_or("", String::as_str)
}

/// What was judged, without any content: the facts, what was found, and by which rules.
pub(super) fn redacted(
    input: &JudgeInput<'_>,
    versions: [(TenantId, i64); 2],
    rules: &[Arc<Prepared>],
) -> Value {
    json!({
        "stage": input.stage,
        "context": input.context,
        "findings": input.findings,
        "governed_by": versions,
        "rules": rules.len(),
    })
}
