//! Which Policy Rules does a request or an answer match, and may it go on?
//!
//! All rules that apply are judged and all matches are reported; the most restrictive mode decides (BLOCK before WARN
//! before LOG before `DRY_RUN`). LOG and `DRY_RUN` never refuse. A BLOCK rule that cannot be judged refuses, with a reason
//! of its own; any other rule that cannot be judged is reported and has no effect.

pub mod backtest;
pub mod condition;
pub mod context;
pub mod draft;
pub mod findings;
pub mod outcome;
pub mod prepared;
pub mod proposals;

use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use alloc::vec::Vec;

use model::decision::Outcome;
use model::digest::Digest;
use model::id::{IncidentId, RuleId, RunId, TenantId};
use model::policy::{EnforcementMode, OnStream, RuleScope, RuleType, Stage};

use self::condition::Fault;
use self::context::Context;
use self::findings::{Finding, Summary};
use self::prepared::{Hit, Prepared};

/// The engine's name in decision snapshots.
pub const NAME: &str = "policy";
/// The engine's version; raised with every change of what it decides, the evaluators included.
pub const VERSION: &str = "4";

/// Everything the decision depends on.
#[derive(Debug, Clone)]
pub struct JudgeInput<'a> {
    /// Whose request it is.
    pub tenant: TenantId,
    /// Before the call, or on its answer.
    pub stage: Stage,
    /// What conditions are judged on; its findings are taken from `findings`.
    pub context: Context<'a>,
    /// What the evaluators found in the text that is judged.
    pub findings: &'a [Finding],
    /// Whether the answer is on its way to the client while it is judged: what only annotates streams warns then.
    pub streamed: bool,
    /// Whether there was text that nobody could look at: rules that ask for findings cannot be judged then.
    pub unread: bool,
    /// Whether nobody knows in full what the model was told nothing about: rules that ask whether an answer is accurate
    /// cannot be judged then.
    pub unasked: bool,
    /// The rules of the tenant and of the platform; those that do not apply are passed over.
    pub rules: &'a [Arc<Prepared>],
}

/// Why a rule matched.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", tag = "reason")]
pub enum Reason {
    /// Its condition holds.
    Condition,
    /// Its evaluator found something, and its condition, if it has one, holds.
    Findings {
        /// What it found.
        findings: Vec<Finding>,
    },
    /// It could not be judged, and refuses what it cannot judge.
    PolicyError {
        /// Why.
        detail: String,
    },
}

/// A rule that matched.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Match {
    /// Which rule.
    pub rule: RuleId,
    /// In which version.
    pub version: u32,
    /// The hash of that version.
    pub hash: Digest,
    /// What people call it.
    pub name: String,
    /// What it judges by.
    pub rule_type: RuleType,
    /// Whose requests it applies to.
    pub scope: RuleScope,
    /// What it does.
    pub mode: EnforcementMode,
    /// What it does in a stream.
    pub on_stream: OnStream,
    /// Why it matched.
    #[serde(flatten)]
    pub reason: Reason,
    /// The Incident that it came from.
    pub source_incident: Option<IncidentId>,
    /// The LLM Run that it came from.
    pub source_run: Option<RunId>,
}

/// A rule that could not be judged and has no effect.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Skipped {
    /// Which rule.
    pub rule: RuleId,
    /// In which version.
    pub version: u32,
    /// What it would have done.
    pub mode: EnforcementMode,
    /// Why.
    pub detail: String,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Judgement {
    /// ALLOW, WARN or BLOCK.
    pub outcome: Outcome,
    /// Every match: the most restrictive first, then the narrowest scope, then by id.
    pub matches: Vec<Match>,
    /// The rules that could not be judged, by id.
    pub skipped: Vec<Skipped>,
}

impl Judgement {
    /// The match that decides: the first one that refuses or warns.
    pub fn deciding(&self) -> Option<&Match> {
        self.matches
            .first()
            .filter(|first| first.mode >= EnforcementMode::Warn)
    }
}

/// Decides.
pub fn judge(input: &JudgeInput<'_>) -> Judgement {
    let summary = Summary::of(input.findings);
    let context = Context {
        findings: summary.context(),
        ..input.context.clone()
    };
    let (mut matches, mut skipped) = (Vec::new(), Vec::new());
    for rule in input.rules {
        if !rule.applies(input.tenant, input.stage, &context) {
            continue;
        }
        let mode = rule.mode(input.streamed);
        let blind = (input.unread && rule.needs_findings()) || (input.unasked && rule.needs_accuracy());
        let hit = if blind {
            Err(Fault::Unread)
        } else {
            rule.hit(&context, input.findings)
        };
        let reason = match hit {
            Ok(None) => continue,
            Ok(Some(Hit::Condition)) => Reason::Condition,
            Ok(Some(Hit::Findings(findings))) => Reason::Findings { findings },
            Err(fault) if mode.refuses() => Reason::PolicyError {
                detail: fault.to_string(),
            },
            Err(fault) => {
                skipped.push(rule.skipped(fault.to_string()));
                continue;
            }
        };
        matches.push(rule.matched(mode, reason));
    }
    matches.sort_by(|one, other| {
        let key = |it: &Match| (core::cmp::Reverse((it.mode, it.scope)), it.rule);
        key(one).cmp(&key(other))
    });
    skipped.sort_by_key(|skipped| skipped.rule);
    let outcome = match matches.first().map(|first| first.mode) {
        Some(EnforcementMode::Block) => Outcome::Block,
        Some(EnforcementMode::Warn) => Outcome::Warn,
        Some(EnforcementMode::Log | EnforcementMode::DryRun) | None => Outcome::Allow,
    };
    Judgement {
        outcome,
        matches,
        skipped,
    }
}

#[cfg(test)]
mod tests;
