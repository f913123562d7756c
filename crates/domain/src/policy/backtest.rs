//! What would a Policy Rule have done to the LLM Runs that are on record?
//!
//! Runs come in the order in which they started. Each is judged on what was known when it started: what it asked for, the
//! time it was, and the failures that were on record by then. Contents are not on record, so that only rules of the
//! stage INPUT that ask for no findings can be judged.

mod failures;
mod report;

use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use alloc::vec::Vec;

use model::decision::Outcome;
use model::digest::Digest;
use model::policy::{Definition, RuleType, Stage};
use model::run::Run;
use model::time::Timestamp;
use model::zone::Zone;

use self::failures::Failures;
use super::context::Context;
use super::prepared::Prepared;
use super::{JudgeInput, Judgement, Reason, judge};

pub use self::report::{DaySum, EXAMPLES_MAX, Example, Fates, Report};

/// Why a rule cannot be judged on what is on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOnRecord {
    /// It judges answers.
    #[error("answers are not on record")]
    Answers,
    /// It asks what the evaluators find in the request.
    #[error("contents are not on record")]
    Contents,
}

/// A rule that is asked about one run after the other.
#[derive(Debug, Clone)]
pub struct Backtest {
    rule: [Arc<Prepared>; 1],
    failures: Option<Failures>,
    report: Report,
}

impl Backtest {
    /// Makes a rule ready to be asked.
    ///
    /// # Errors
    /// [`NotOnRecord`] if nothing can be said.
    pub fn new(rule: Prepared) -> Result<Self, NotOnRecord> {
        let Definition { stage, rule_type, .. } = rule.rule().definition;
        if stage == Stage::Output {
            return Err(NotOnRecord::Answers);
        }
        if rule_type != RuleType::Condition || rule.needs_findings() {
            return Err(NotOnRecord::Contents);
        }
        Ok(Self {
            failures: rule.needs_failure().then(Failures::default),
            report: Report::default(),
            rule: [Arc::new(rule)],
        })
    }

    /// The same over whole days (UTC), from `from` to `until`.
    #[must_use]
    pub fn over(self, from: Timestamp, until: Timestamp) -> Self {
        Self {
            report: Report::new(from, until),
            ..self
        }
    }

    /// Whether it asks about failures, so that somebody must say what was on record before the history.
    pub const fn needs_failures(&self) -> bool {
        self.failures.is_some()
    }

    /// What was on record before the history of requests with these traits: the latest run that failed, and how many.
    /// What is said again is passed over.
    pub fn recall(&mut self, traits: Digest, latest: Option<(&Run, i64)>) {
        if let Some(failures) = &mut self.failures {
            failures.recall(traits, latest);
        }
    }

    /// What it has found so far.
    pub fn report(self) -> Report {
        self.report
    }

    /// Judges one run.
    pub fn take(&mut self, run: &Run) {
        let traits = self.failures.is_some().then(|| run.traits().digest());
        if let Some(failures) = &mut self.failures {
            failures.advance(run.started_at);
        }
        let judgement = self.judge(run, traits);
        self.report.look_at(run);
        let fault = fault(&judgement);
        if let Some(detail) = &fault {
            self.report.fail(detail);
        }
        if !judgement.matches.is_empty() {
            let refuses = judgement.outcome == Outcome::Block;
            self.report.meet(run, refuses, fault.is_some());
        }
        if let (Some(failures), Some(traits)) = (&mut self.failures, traits) {
            failures.happened(traits, run);
        }
    }

    fn judge(&self, run: &Run, traits: Option<Digest>) -> Judgement {
        let known = self.failures.as_ref().zip(traits);
        let failure = known.and_then(|(failures, traits)| failures.of(&traits));
        let subject = &run.subject;
        let key = subject.api_key_id.map(|id| id.to_string()).unwrap_or_default();
        let tools: Vec<&str> = run.tools.iter().map(String::as_str).collect();
        let (hour, weekday) = Zone::UTC.hour_and_weekday(run.started_at);
        judge(&JudgeInput {
            tenant: run.tenant,
            stage: Stage::Input,
            context: Context {
                model: text(subject.model.as_ref()),
                provider: text(subject.provider.as_ref()),
                agent: text(subject.agent_id.as_ref()),
                project: text(subject.project_id.as_ref()),
                feature: text(subject.feature.as_ref()),
                key: &key,
                stream: run.stream,
                input_tokens: run.estimated.input_tokens,
                output_tokens: run.estimated.output_tokens,
                cost: run.estimated_cost(),
                tools: &tools,
                input_fingerprint: text(run.input_fingerprint.as_ref()),
                hour,
                weekday,
                failure,
                ..Context::default()
            },
            findings: &[],
            streamed: false,
            unread: false,
            unasked: false,
            rules: &self.rule,
        })
    }
}

/// Why the rule could not be judged, if it could not.
fn fault(judgement: &Judgement) -> Option<String> {
    let skipped = judgement.skipped.first().map(|skipped| skipped.detail.clone());
    let refused = judgement.matches.iter().find_map(|found| match &found.reason {
        Reason::PolicyError { detail } => Some(detail.clone()),
        Reason::Condition | Reason::Findings { .. } => None,
    });
    skipped.or(refused)
}

fn text(given: Option<&String>) -> &str {
    given.map_or("", String::as_str)
}

#[cfg(test)]
mod tests;
