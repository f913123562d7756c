//! Which breaches are recorded: every refusal, and once in a window that a limit which lets pass was passed.
//!
//! What is held swings around the maximum, and every swing would be another breach. Whether one was recorded in this
//! window is asked under the lock of its counter, so that of all who pass it at once one is the first. The audit ledger
//! has the first breach of a limit in a day and window alone: it is one chain per tenant, and a flood of refusals must
//! not make everybody wait for its end.

use domain::limits::{BreachFact, CheckOutput};
use domain::settle::Change;
use model::breach::{Breach, BreachType};
use model::decision::Outcome;
use model::hold::Hold;
use model::id::{BreachId, IdGenerator, LimitId, TenantId};
use model::limit::{Enforcement, Limit};
use model::time::Timestamp;
use model::window::WindowSpec;
use store::{StoreResult, Writes};

use super::apply::counter_of;
use super::batch::Batch;
use super::command::{EndCommand, HoldCommand, Passed};
use super::late::passed;
use super::passing::{Audited, Hit, Passing};
use super::told;

/// Writes down the thresholds that an LLM Run turned out to be over whose hold is gone.
pub(crate) fn write_down_passed(
    tx: &mut impl Writes,
    ids: &dyn IdGenerator,
    command: &EndCommand,
) -> StoreResult<()> {
    let breaches: Vec<_> = command
        .passed
        .iter()
        .map(|passed| passed.breach.clone())
        .collect();
    store::breaches::insert(tx, &breaches)?;
    for Passed { breach, alert } in &command.passed {
        let correlation_id = command.correlation_id();
        store::timeline::insert(tx, &told::breached(ids, breach, correlation_id))?;
        if *alert {
            store::timeline::insert(tx, &told::alerted(ids, breach, correlation_id))?;
        }
        let name = (breach.tenant, breach.limit_owner, breach.limit);
        let day = Timestamp::start_of_day(breach.at.day());
        if store::breaches::is_first_audited_since(tx, name, (day, breach.at))? {
            store::audit::append(tx, &told::audited(ids, breach, correlation_id))?;
        }
    }
    Ok(())
}

impl Batch<'_> {
    /// Records what a decision says of limits.
    pub(super) fn record_breaches(&mut self, command: &HoldCommand, output: &CheckOutput) {
        let allowed = output.outcome != Outcome::Block;
        let degraded = command
            .instead
            .iter()
            .filter(|_| allowed)
            .flat_map(|instead| &instead.breaches);
        let hit = Hit {
            tenant: command.tenant,
            run: command.run.as_ref().map(|run| run.id),
            decision: command.decision,
            correlation_id: &command.correlation_id,
        };
        for fact in output.breaches.iter().chain(degraded) {
            let window = self.window_of(fact);
            self.record_hit(&hit, fact, (window, self.now));
        }
    }

    /// When the window of the calendar began in which a limit is hit now; 0 for what has none.
    fn window_of(&self, fact: &BreachFact) -> Timestamp {
        let limit = self.limit(fact.owner, fact.limit);
        match limit.filter(|limit| !limit.limit_type.is_given_back()) {
            Some(limit) if matches!(limit.window, WindowSpec::Calendar { .. }) => {
                limit.window.window_at(self.now).start
            }
            _ => Timestamp::from_micros(0),
        }
    }

    /// The limit, if it applies.
    fn limit(&self, owner: TenantId, id: LimitId) -> Option<&Limit> {
        let (_, limits) = self.known.limits.get(&owner)?;
        limits.iter().find(|limit| limit.id == id)
    }

    /// Records that a limit was hit: at once, or when it is known whether that is new in its window, in which it is noted
    /// at this time.
    fn record_hit(&mut self, hit: &Hit<'_>, fact: &BreachFact, (window, noted_at): (Timestamp, Timestamp)) {
        let breach = Breach {
            id: BreachId::generate(self.ids),
            tenant: hit.tenant,
            limit_owner: fact.owner,
            limit: fact.limit,
            run: hit.run,
            decision: hit.decision,
            breach_type: fact.breach_type,
            value: fact.value,
            max: fact.max,
            at: self.now,
        };
        match fact.once_since {
            None => self.record_breach(breach, hit.correlation_id, fact.alert),
            Some(since) => self.effects.passings.push(Passing {
                breach,
                window,
                since,
                noted_at,
                alert: fact.alert,
                correlation_id: hit.correlation_id.to_owned(),
            }),
        }
    }

    /// Records the thresholds that an LLM Run turned out to be over: every one, as a threshold is about one run.
    pub(super) fn record_passed(&mut self, command: &EndCommand) {
        for passed in &command.passed {
            self.record_breach(passed.breach.clone(), command.correlation_id(), passed.alert);
        }
    }

    /// Says that more was used than was held, and records where that, or what is settled late, passes the maximum.
    pub(super) fn record_overrun(&mut self, hold: &Hold, command: &EndCommand, change: &Change, late: bool) {
        let key = counter_of(change);
        if change.overrun > 0 {
            let told = told::overrun(self.ids, hold, change, self.now);
            self.effects.ruled.told.push(told);
        } else if !late || change.settled == 0 {
            return;
        }
        let Some(above) = passed(&self.known, &key, hold.created_at, self.now) else {
            return;
        };
        let lets_pass = !above.enforcement.is_strict();
        let fact = BreachFact {
            owner: key.owner,
            limit: key.limit,
            breach_type: BreachType::Breached,
            value: above.value,
            max: above.max,
            alert: above.enforcement == Enforcement::Alert,
            once_since: above.told_since.filter(|_| lets_pass),
        };
        let window = Timestamp::from_micros(key.window_start);
        self.record_hit(&Hit::of(hold, command), &fact, (window, above.noted_at));
    }

    /// Records a breach, tells of it, and of the alert that fires with it.
    fn record_breach(&mut self, breach: Breach, correlation_id: &str, alert: bool) {
        let breached = told::breached(self.ids, &breach, correlation_id);
        self.effects.ruled.told.push(breached);
        if alert {
            let fired = told::alerted(self.ids, &breach, correlation_id);
            self.effects.ruled.told.push(fired);
        }
        let name = (breach.tenant, breach.limit_owner, breach.limit);
        if !self.effects.audited.contains_key(&name) {
            let audited = Audited {
                since: self.audited_since(&breach),
                entry: told::audited(self.ids, &breach, correlation_id),
            };
            self.effects.audited.insert(name, audited);
        }
        self.effects.breaches.push(breach);
    }

    /// Since when the audit ledger has at most one breach of the limit: the day (UTC), or its window, if that began later.
    fn audited_since(&self, breach: &Breach) -> Timestamp {
        let day = Timestamp::start_of_day(self.now.day());
        let limit = self.limit(breach.limit_owner, breach.limit);
        match limit.map(|limit| &limit.window) {
            Some(window @ WindowSpec::Calendar { .. }) => day.max(window.window_at(self.now).start),
            _ => day,
        }
    }

    /// Records those passings that are the first in their window.
    pub(super) fn record_passings(&mut self, tx: &mut impl Writes) -> StoreResult<()> {
        let mut passings = std::mem::take(&mut self.effects.passings);
        let of = |passing: &Passing| {
            let breach = &passing.breach;
            (breach.tenant, breach.limit_owner, breach.limit, passing.window)
        };
        // In one order everywhere. All of a batch are of one instant: of each window of a limit, the one that is over too, the
        // first one is asked about, however many have passed it.
        passings.sort_by_key(of);
        passings.dedup_by_key(|passing| of(passing));
        for passing in passings {
            let noted = (passing.since, passing.noted_at);
            if store::breaches::is_first_since(tx, &passing.breach, passing.window, noted)? {
                self.record_breach(passing.breach, &passing.correlation_id, passing.alert);
            }
        }
        Ok(())
    }
}
