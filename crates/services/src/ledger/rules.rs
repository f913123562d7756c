//! What is written of a request that Policy Rules have judged?
//!
//! The gateway judges before it comes here, by the rules as it knows them. Here it is made sure that they are still the
//! rules; if not, nothing is written and it judges again. What they did is written in the transaction of the hold, or of
//! the refusal.

use domain::policy::Match;
use infra::secrets;
use model::decision::{DecisionSnapshot, Outcome};
use model::id::{DecisionId, EnforcementId, EventId, PreventionId, RunId, TenantId, TimelineId};
use model::permille::Permille;
use model::policy::{Enforcement, Prevention, PreventionOutcome, RuleScope, Stage};
use model::run::Run;
use model::time::Timestamp;
use model::timeline::{SourceDomain, TimelineEntry};
use serde_json::json;

use super::batch::Batch;
use super::command::{Answer, HoldCommand, LedgerError, NewRun};
use super::facts;
use super::judged::{Born, Forbidden, Verdict};

impl Batch<'_> {
    /// Decides about a request that was judged by the rules that apply now.
    pub(super) fn judge(&mut self, command: &HoldCommand) -> Result<Answer, LedgerError> {
        let Some(judged) = command.judged.as_deref() else {
            return Ok(self.decide(command));
        };
        let applies = |(owner, version): &(TenantId, i64)| {
            let known = self.known.limits.get(owner);
            known.is_some_and(|(known, _)| known == version)
        };
        if !judged.versions.iter().all(applies) {
            return Err(LedgerError::Outdated);
        }
        match (&judged.verdict, &command.run) {
            (Some(verdict), Some(run)) if verdict.judgement.outcome == Outcome::Block => Err(
                LedgerError::Forbidden(Box::new(self.forbid(command, run, verdict))),
            ),
            (Some(verdict), Some(run)) => {
                let before = self.effects.ruled.enforcements.len();
                self.record_matches(command, run, verdict);
                let answer = self.decide(command);
                // An attempt that is not the last word leaves no trace.
                if answer.is_provisional() {
                    self.effects.ruled.enforcements.truncate(before);
                }
                Ok(answer)
            }
            _ => Ok(self.decide(command)),
        }
    }

    fn record_matches(&mut self, command: &HoldCommand, run: &NewRun, verdict: &Verdict) {
        let matches = verdict.judgement.matches.iter();
        let done = matches.map(|found| {
            let at = (EnforcementId::generate(self.ids), self.now);
            enforcement(
                command.tenant,
                found,
                (run.id, command.decision),
                Stage::Input,
                at,
            )
        });
        self.effects.ruled.enforcements.extend(done);
    }

    fn forbid(&mut self, command: &HoldCommand, new: &NewRun, verdict: &Verdict) -> Forbidden {
        self.record_matches(command, new, verdict);
        self.effects.started.push(Run {
            error_code: Some("policy_violation".to_owned()),
            ..facts::blocked(command, new, self.now)
        });
        self.effects.decisions.push(self.snapshot(command, new, verdict));
        if let Some(deciding) = verdict.judgement.deciding() {
            self.record_prevention(command, new, deciding, verdict);
            self.tell(command, new, deciding);
        }
        Forbidden {
            decision: command.decision,
            run: new.id,
            judgement: verdict.judgement.clone(),
        }
    }

    fn snapshot(&self, command: &HoldCommand, new: &NewRun, verdict: &Verdict) -> DecisionSnapshot {
        let input = verdict.input.to_string();
        DecisionSnapshot {
            id: command.decision,
            tenant: command.tenant,
            engine: domain::policy::NAME,
            engine_version: domain::policy::VERSION,
            outcome: verdict.judgement.outcome,
            run: Some(new.id),
            hold: None,
            input_hash: secrets::sha256_hex(input.as_bytes()),
            input,
            output: json!(verdict.judgement).to_string(),
            correlation_id: command.correlation_id.clone(),
            created_at: self.now,
        }
    }

    /// Of a rule that came from an Incident: what it has prevented. No Incident is opened for the request.
    fn record_prevention(
        &mut self,
        command: &HoldCommand,
        new: &NewRun,
        deciding: &Match,
        verdict: &Verdict,
    ) {
        // What the installation's own rules prevent is not a tenant's.
        let own = deciding.scope != RuleScope::Global;
        let came_from = |born: &&Born| own && Some(born.incident) == deciding.source_incident;
        let Some(born) = verdict.born.iter().find(came_from) else {
            return;
        };
        self.effects.ruled.preventions.push(Prevention {
            id: PreventionId::generate(self.ids),
            tenant: command.tenant,
            rule: deciding.rule,
            rule_version: deciding.version,
            signature: born.signature,
            original_incident: born.incident,
            blocked_run: new.id,
            outcome: PreventionOutcome::Prevented,
            confidence: Permille::ONE,
            estimated_saving: born.cost,
            at: self.now,
        });
    }

    fn tell(&mut self, command: &HoldCommand, new: &NewRun, deciding: &Match) {
        let metadata = json!({
            "policy_id": deciding.rule, "reason": "policy_violation", "run_id": new.id,
            "incident_id": deciding.source_incident,
        });
        let at = (EventId::generate(self.ids), self.now);
        let told = facts::refusal(command, deciding.rule.to_string(), &metadata, at);
        self.effects.events.push(told);
        let related = json!({
            "rule_id": deciding.rule, "run_id": new.id, "incident_id": deciding.source_incident,
            "decision_id": command.decision,
        });
        self.effects.ruled.told.push(TimelineEntry {
            id: TimelineId::generate(self.ids),
            tenant: command.tenant,
            at: self.now,
            source: SourceDomain::Policies,
            event_type: "rule_applied",
            entity_id: new.id.to_string(),
            related: related.to_string(),
            summary: format!("Policy Rule \u{201c}{}\u{201d} refused an LLM Run", deciding.name),
            data: json!({ "version": deciding.version, "hash": deciding.hash }).to_string(),
            correlation_id: command.correlation_id.clone(),
        });
    }
}

/// What is recorded of a match.
pub(crate) fn enforcement(
    tenant: TenantId,
    found: &Match,
    (run, decision): (RunId, DecisionId),
    stage: Stage,
    (id, at): (EnforcementId, Timestamp),
) -> Enforcement {
    let rule_owner = match found.scope {
        RuleScope::Global => TenantId::PLATFORM,
        RuleScope::Tenant | RuleScope::Project | RuleScope::Agent => tenant,
    };
    Enforcement {
        id,
        tenant,
        rule_owner,
        rule: found.rule,
        rule_version: found.version,
        run: Some(run),
        decision: Some(decision),
        action: found.mode.action(),
        stage,
        details: json!(found.reason).to_string(),
        at,
    }
}
