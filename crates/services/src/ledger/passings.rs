//! Which breaches are recorded: every refusal, and once in a window that a limit which lets pass was passed.
//!
//! What is held swings around the maximum, and every swing would be another breach. Whether one was recorded in this
//! window is asked under the lock of its counter, so that of all who pass it at once one is the first.

use domain::limits::{BreachFact, CheckOutput};
use model::breach::Breach;
use model::decision::Outcome;
use model::id::BreachId;
use store::{StoreResult, Writes};

use super::batch::Batch;
use super::command::HoldCommand;
use super::passing::Passing;
use super::told;

impl Batch<'_> {
    /// Records what a decision says of limits.
    pub(super) fn record_breaches(&mut self, command: &HoldCommand, output: &CheckOutput) {
        let allowed = output.outcome != Outcome::Block;
        let degraded = command
            .instead
            .iter()
            .filter(|_| allowed)
            .flat_map(|instead| &instead.breaches);
        for fact in output.breaches.iter().chain(degraded) {
            let breach = self.breach_of(command, fact);
            let Some(since) = fact.once_since else {
                self.record_breach(breach, &command.correlation_id, fact.alert);
                continue;
            };
            self.effects.passings.push(Passing {
                breach,
                since,
                alert: fact.alert,
                correlation_id: command.correlation_id.clone(),
            });
        }
    }

    fn breach_of(&self, command: &HoldCommand, fact: &BreachFact) -> Breach {
        Breach {
            id: BreachId::generate(self.ids),
            tenant: command.tenant,
            limit_owner: fact.owner,
            limit: fact.limit,
            run: command.run.as_ref().map(|run| run.id),
            decision: command.decision,
            breach_type: fact.breach_type,
            value: fact.value,
            max: fact.max,
            at: self.now,
        }
    }

    /// Records a breach, tells of it, and of the alert that fires with it.
    pub(super) fn record_breach(&mut self, breach: Breach, correlation_id: &str, alert: bool) {
        let breached = told::breached(self.ids, &breach, correlation_id);
        self.effects.ruled.told.push(breached);
        if alert {
            let fired = told::alerted(self.ids, &breach, correlation_id);
            self.effects.ruled.told.push(fired);
        }
        self.effects.breaches.push(breach);
    }

    /// Records those passings that are the first in their window.
    pub(super) fn record_passings(&mut self, tx: &mut impl Writes) -> StoreResult<()> {
        let mut passings = std::mem::take(&mut self.effects.passings);
        let of = |passing: &Passing| {
            let breach = &passing.breach;
            (breach.tenant, breach.limit_owner, breach.limit)
        };
        // In one order everywhere. All of a batch are of one instant, and so of one window: of each limit the first one
        // is asked about, however many have passed it.
        passings.sort_by_key(of);
        passings.dedup_by_key(|passing| of(passing));
        for passing in passings {
            if store::breaches::is_first_since(tx, &passing.breach, passing.since)? {
                self.record_breach(passing.breach, &passing.correlation_id, passing.alert);
            }
        }
        Ok(())
    }
}
