//! What have the Policy Rules said about a request, and what is written of it?

use domain::policy::Judgement;
use model::id::{DecisionId, IncidentId, RuleId, RunId, SignatureId, TenantId};
use model::money::NanoUsd;
use model::policy::{Enforcement, Prevention, Stage};
use model::timeline::TimelineEntry;
use serde_json::json;
use store::{StoreResult, Writes};

/// What the Policy Rules said about a request before it came here.
#[derive(Debug, Clone)]
pub struct Judged {
    /// By which versions of what governs: the installation's and the tenant's.
    pub versions: [(TenantId, i64); 2],
    /// What they said; none if no rule has anything to say about it.
    pub verdict: Option<Verdict>,
}

/// What Policy Rules said.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The engine's output.
    pub judgement: Judgement,
    /// The engine's input, without any content of the request.
    pub input: serde_json::Value,
    /// Of the matches that came from failures, what is known of them.
    pub born: Vec<Born>,
}

impl Verdict {
    /// What a snapshot keeps: what was asked, and what was said.
    pub(super) fn facts(&self) -> (serde_json::Value, serde_json::Value) {
        (self.input.clone(), json!(self.judgement))
    }
}

/// What a Policy Rule came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Born {
    /// The rule.
    pub rule: RuleId,
    /// The Incident that the failure had opened; none if it was less than high.
    pub incident: Option<IncidentId>,
    /// The failure.
    pub signature: SignatureId,
    /// What the failed LLM Run had cost.
    pub cost: NanoUsd,
}

/// An LLM Run that Policy Rules refuse, or whose answer they withhold.
#[derive(Debug, Clone)]
pub struct Forbidden {
    /// INPUT if it was refused, OUTPUT if its answer is withheld.
    pub stage: Stage,
    /// The decision's id.
    pub decision: DecisionId,
    /// The LLM Run, recorded as blocked or as halted.
    pub run: RunId,
    /// What they said.
    pub judgement: Judgement,
}

/// What is written of rules beside the decision.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ruled {
    pub(crate) enforcements: Vec<Enforcement>,
    pub(crate) preventions: Vec<Prevention>,
    pub(crate) told: Vec<TimelineEntry>,
}

impl Ruled {
    pub(super) fn append(&mut self, more: &Self) {
        self.enforcements.extend_from_slice(&more.enforcements);
        self.preventions.extend_from_slice(&more.preventions);
        self.told.extend_from_slice(&more.told);
    }

    pub(crate) fn write_down(&self, tx: &mut impl Writes) -> StoreResult<()> {
        store::enforcements::insert(tx, &self.enforcements)?;
        for prevention in &self.preventions {
            store::preventions::insert(tx, prevention)?;
        }
        self.told
            .iter()
            .try_for_each(|entry| store::timeline::insert(tx, entry))
    }
}
