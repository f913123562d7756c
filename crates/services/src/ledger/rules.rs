//! What is written of a request that Policy Rules have judged?
//!
//! The gateway judges before it comes here, by the rules as it knows them. Here it is made sure that they are still the
//! rules; if not, nothing is written and it judges again. What they did is written in the transaction of the hold, or of
//! the refusal.

use model::decision::Outcome;
use model::id::TenantId;
use model::policy::Stage;
use model::run::Run;

use super::batch::Batch;
use super::case::Case;
use super::command::{Answer, HoldCommand, LedgerError, NewRun};
use super::facts;
use super::judged::{Forbidden, Ruled, Verdict};

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

    fn case<'c>(&'c self, command: &'c HoldCommand, new: &NewRun, verdict: &'c Verdict) -> Case<'c> {
        Case {
            tenant: command.tenant,
            run: new.id,
            decision: command.decision,
            hold: None,
            stage: Stage::Input,
            subject: &command.subject,
            correlation_id: &command.correlation_id,
            verdict,
            ids: self.ids,
            at: self.now,
        }
    }

    fn record_matches(&mut self, command: &HoldCommand, new: &NewRun, verdict: &Verdict) {
        let done = self.case(command, new, verdict).enforcements();
        self.effects.ruled.enforcements.extend(done);
    }

    fn forbid(&mut self, command: &HoldCommand, new: &NewRun, verdict: &Verdict) -> Forbidden {
        self.record_matches(command, new, verdict);
        let case = self.case(command, new, verdict);
        let decision = case.snapshot();
        let run = Run {
            error_code: Some("policy_violation".to_owned()),
            ..facts::blocked(command, new, self.now)
        };
        let (mut ruled, mut events) = (Ruled::default(), Vec::new());
        case.refused(&mut ruled, &mut events);
        self.effects.started.push(run);
        self.effects.decisions.push(decision);
        self.effects.ruled.append(&ruled);
        self.effects.events.append(&mut events);
        Forbidden {
            stage: Stage::Input,
            decision: command.decision,
            run: new.id,
            judgement: verdict.judgement.clone(),
        }
    }
}
