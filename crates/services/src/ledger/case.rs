//! What is written of what Policy Rules said about an LLM Run?

use domain::policy::Match;
use infra::secrets;
use model::decision::{DecisionSnapshot, Outcome};
use model::event::OpsEvent;
use model::hold::Subject;
use model::id::{
    DecisionId, EnforcementId, EventId, HoldId, IdGenerator, PreventionId, RunId, TenantId, TimelineId,
};
use model::permille::Permille;
use model::policy::{Enforcement, Prevention, PreventionOutcome, RuleScope, Stage};
use model::time::Timestamp;
use model::timeline::{SourceDomain, TimelineEntry};
use serde_json::json;

use super::facts;
use super::judged::{Born, Ruled, Verdict};
use super::ruling::Ruling;

/// An LLM Run that Policy Rules had something to say about, before it was sent or about its answer.
pub(crate) struct Case<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) run: RunId,
    pub(crate) decision: DecisionId,
    /// The hold it runs under; none if it was refused.
    pub(crate) hold: Option<HoldId>,
    pub(crate) stage: Stage,
    pub(crate) subject: &'a Subject,
    pub(crate) correlation_id: &'a str,
    pub(crate) verdict: &'a Verdict,
    pub(crate) ids: &'a dyn IdGenerator,
    pub(crate) at: Timestamp,
}

impl Case<'_> {
    /// What is written of an answer when its LLM Run ends.
    pub(crate) fn ruling(&self) -> Ruling {
        let mut ruling = Ruling {
            decision: self.snapshot(),
            ruled: Ruled {
                enforcements: self.enforcements(),
                ..Ruled::default()
            },
            events: Vec::new(),
        };
        if self.verdict.judgement.outcome == Outcome::Block {
            self.refused(&mut ruling.ruled, &mut ruling.events);
        }
        ruling
    }

    /// One for each match.
    pub(crate) fn enforcements(&self) -> Vec<Enforcement> {
        let matches = self.verdict.judgement.matches.iter();
        matches.map(|found| self.enforcement(found)).collect()
    }

    fn enforcement(&self, found: &Match) -> Enforcement {
        let rule_owner = match found.scope {
            RuleScope::Global => TenantId::PLATFORM,
            RuleScope::Tenant | RuleScope::Project | RuleScope::Agent => self.tenant,
        };
        Enforcement {
            id: EnforcementId::generate(self.ids),
            tenant: self.tenant,
            rule_owner,
            rule: found.rule,
            rule_version: found.version,
            run: Some(self.run),
            decision: Some(self.decision),
            action: found.mode.action(),
            stage: self.stage,
            details: json!(found.reason).to_string(),
            at: self.at,
        }
    }

    /// What is needed to decide it again.
    pub(crate) fn snapshot(&self) -> DecisionSnapshot {
        let input = self.verdict.input.to_string();
        DecisionSnapshot {
            id: self.decision,
            tenant: self.tenant,
            engine: domain::policy::NAME,
            engine_version: domain::policy::VERSION,
            outcome: self.verdict.judgement.outcome,
            run: Some(self.run),
            hold: self.hold,
            input_hash: secrets::sha256_hex(input.as_bytes()),
            input,
            output: json!(self.verdict.judgement).to_string(),
            correlation_id: self.correlation_id.to_owned(),
            created_at: self.at,
        }
    }

    /// What is written where a rule has refused: what it prevented, and that it did.
    pub(crate) fn refused(&self, ruled: &mut Ruled, events: &mut Vec<OpsEvent>) {
        if let Some(deciding) = self.verdict.judgement.deciding() {
            let blocking = self
                .verdict
                .judgement
                .matches
                .iter()
                .filter(|found| found.mode.refuses());
            for found in blocking {
                // Whichever rule decides: each one would have refused the LLM Run alone. A failure counts once.
                let prevention = self.prevention(found);
                let counts_as = |it: &Prevention| {
                    (
                        it.original_incident,
                        it.original_incident.is_none().then_some(it.signature),
                    )
                };
                ruled.preventions.extend(prevention.filter(|new| {
                    let mut known = ruled.preventions.iter();
                    known.all(|known| counts_as(known) != counts_as(new))
                }));
            }
            events.push(self.event(deciding));
            ruled.told.push(self.entry(deciding));
        }
    }

    /// Of a rule that came from a failure: what it has prevented. No Incident is opened for the request.
    fn prevention(&self, found: &Match) -> Option<Prevention> {
        let came_from = |born: &&Born| born.rule == found.rule;
        let born = self.verdict.born.iter().find(came_from)?;
        Some(Prevention {
            id: PreventionId::generate(self.ids),
            tenant: self.tenant,
            rule: found.rule,
            rule_version: found.version,
            signature: born.signature,
            original_incident: born.incident,
            blocked_run: self.run,
            outcome: match self.stage {
                Stage::Input => PreventionOutcome::Prevented,
                // The provider was paid; only what it said did not get out.
                Stage::Output => PreventionOutcome::Mitigated,
            },
            confidence: Permille::ONE,
            estimated_saving: born.cost,
            at: self.at,
        })
    }

    fn event(&self, deciding: &Match) -> OpsEvent {
        let metadata = json!({
            "policy_id": deciding.rule, "reason": "policy_violation", "run_id": self.run,
            "incident_id": deciding.source_incident,
        });
        let at = (EventId::generate(self.ids), self.at);
        facts::refusal(
            (self.tenant, self.subject),
            deciding.rule.to_string(),
            &metadata,
            at,
        )
    }

    fn entry(&self, deciding: &Match) -> TimelineEntry {
        let related = json!({
            "rule_id": deciding.rule, "run_id": self.run, "incident_id": deciding.source_incident,
            "decision_id": self.decision,
        });
        let done = match self.stage {
            Stage::Input => "refused an LLM Run",
            Stage::Output => "withheld the answer of an LLM Run",
        };
        TimelineEntry {
            id: TimelineId::generate(self.ids),
            tenant: self.tenant,
            at: self.at,
            source: SourceDomain::Policies,
            event_type: "rule_applied",
            entity_id: self.run.to_string(),
            related: related.to_string(),
            summary: format!("Policy Rule \u{201c}{}\u{201d} {done}", deciding.name),
            data: json!({ "version": deciding.version, "hash": deciding.hash }).to_string(),
            correlation_id: self.correlation_id.to_owned(),
        }
    }
}
