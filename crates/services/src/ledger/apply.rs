//! What does each command change?

use std::collections::BTreeMap;

use domain::limits::outcome::RunBound;
use domain::limits::{CheckInput, CheckOutput, LimitState};
use domain::settle::{Authority, Change, End};
use model::amounts::Amounts;
use model::breach::Breach;
use model::cost::CostRecord;
use model::decision::{DecisionSnapshot, Outcome};
use model::event::{OpsEvent, OpsEventType};
use model::hold::{Hold, HoldStatus};
use model::id::{EventId, HoldId, LimitId, RunId, TenantId};
use model::run::{Run, RunStatus};
use model::time::Timestamp;
use store::counters::{Counter, CounterKey};
use store::idempotency::StoredAnswer;
use store::{LockTx, StoreResult};

use super::batch::Batch;
use super::command::{
    Answer, EndAnswer, EndCommand, HoldAnswer, HoldCommand, Instead, LedgerError, RenewCommand,
};
use super::facts;
use super::judged::{Ruled, Verdict};
use super::load::{Counters, applying};
use super::memory::Witness;
use super::passing::{Audited, Passing};
use super::patience::provisional;
use crate::snapshot::{self, Beside};

/// Everything a batch writes.
#[derive(Default)]
pub(super) struct Effects {
    deltas: Counters,
    taken: Vec<Hold>,
    ended: Vec<Hold>,
    renewed: Vec<Hold>,
    pub(super) started: Vec<Run>,
    finished: Vec<Run>,
    /// Runs whose hold has expired: their process is gone. With what is told of each.
    lost: BTreeMap<(TenantId, RunId), OpsEvent>,
    costs: Vec<CostRecord>,
    pub(super) breaches: Vec<Breach>,
    /// What the audit ledger is to have of them.
    pub(super) audited: BTreeMap<(TenantId, TenantId, LimitId), Audited>,
    /// Breaches of limits that let pass, which are recorded once in a window.
    pub(super) passings: Vec<Passing>,
    pub(super) decisions: Vec<DecisionSnapshot>,
    pub(super) events: Vec<OpsEvent>,
    pub(super) ruled: Ruled,
    pub(super) answers: Vec<StoredAnswer>,
}

impl Effects {
    pub(super) fn write(&self, tx: &mut LockTx<'_>, now: Timestamp) -> StoreResult<()> {
        let deltas: Vec<Counter> = self.deltas.iter().collect();
        // A hold that was taken and ended in one batch is inserted first.
        store::holds::take(tx, &self.taken, &deltas)?;
        store::holds::renew(tx, &self.renewed)?;
        store::holds::end(tx, &self.ended)?;
        store::runs::insert(tx, &self.started)?;
        store::runs::finish(tx, &self.finished)?;
        let lost: Vec<_> = self.lost.keys().copied().collect();
        // A run that has ended by itself has told so.
        let crashed = store::runs::crash(tx, &lost, now)?;
        let told: Vec<_> = crashed
            .iter()
            .filter_map(|run| self.lost.get(run).cloned())
            .collect();
        store::costs::insert(tx, &self.costs)?;
        store::breaches::insert(tx, &self.breaches)?;
        store::decisions::insert(tx, &self.decisions)?;
        store::ops_events::insert(tx, &told)?;
        store::ops_events::insert(tx, &self.events)?;
        self.ruled.write_down(tx)?;
        for answer in &self.answers {
            store::idempotency::insert(tx, answer)?;
        }
        // Last, so that others wait as short as they can for the end of the chain.
        for (name, audited) in &self.audited {
            if store::breaches::is_first_audited_since(tx, *name, (audited.since, now))? {
                store::audit::append(tx, &audited.entry)?;
            }
        }
        Ok(())
    }
}

impl Effects {
    /// What is in the database afterwards only if all of this is: needed where counters are changed, which happens
    /// with a hold that is taken or ended.
    pub(super) fn witness(&self) -> Option<Witness> {
        self.ended.last().or(self.taken.last()).map(Into::into)
    }
}

impl Batch<'_> {
    fn count(&mut self, key: CounterKey, settled: i64, held: i64) {
        self.known.count(key, settled, held);
        self.effects.deltas.add(key, settled, held);
    }

    /// Decides about a request.
    pub(super) fn decide(&mut self, command: &HoldCommand) -> Answer {
        let limits = applying(&self.known.limits, command.tenant, &command.subject);
        let place = command.patience.map(|patience| patience.place);
        let crowded = self.lasting.room.crowded(&limits, place);
        let states: Vec<LimitState<'_>> = limits
            .iter()
            .copied()
            .map(|limit| self.known.counters.state(limit, &mut self.windows))
            .collect();
        let input = CheckInput {
            now: self.now,
            amounts: command.amounts,
            concurrency: command.concurrency,
            cost_known: command.cost_known,
            limits: &states,
            crowded: &crowded,
            degraded_by: command.instead.as_ref().map_or(&[], |instead| &instead.because),
        };
        let output = domain::limits::check(&input);
        if let Some(answer) = provisional(&self.lasting.room, command, &limits, &output, self.now) {
            return Answer::Decided(Box::new(answer));
        }
        let decision = command.run.as_ref().map(|run| {
            let beside = Beside {
                run: run.id,
                hold: (output.outcome != Outcome::Block).then_some(command.hold),
                correlation_id: &command.correlation_id,
                instead: command.instead.as_deref().map(Instead::facts),
                policy: command.verdict().map(Verdict::facts),
            };
            snapshot::of_check((command.tenant, command.decision), &input, &output, beside)
        });
        drop(states);
        let bounds = limits.iter().filter_map(|limit| RunBound::of(limit, self.now));
        let bounds = bounds.collect();
        self.effects.decisions.extend(decision);
        let hold = (output.outcome != Outcome::Block).then(|| self.take(command, &output));
        let run = self.record_run(command, &output, hold.as_ref());
        self.record_breaches(command, &output);
        let answer = HoldAnswer {
            decision: command.decision,
            hold,
            run,
            output,
            at: self.now,
            policy: None,
            provisional: None,
            bounds,
            instead: command.instead.clone(),
            waited: None,
        };
        Answer::Decided(Box::new(answer))
    }

    fn take(&mut self, command: &HoldCommand, output: &CheckOutput) -> Hold {
        for item in &output.items {
            self.count(item.into(), 0, item.amount);
        }
        let hold = Hold {
            id: command.hold,
            tenant: command.tenant,
            status: HoldStatus::Pending,
            decision: command.decision,
            run: command.run.as_ref().map(|run| run.id),
            subject: command.subject.clone(),
            requested: command.amounts,
            settled: None,
            items: output.items.clone(),
            created_at: self.now,
            expires_at: self.now.plus_millis(command.ttl_ms),
            ended_at: None,
        };
        self.effects.taken.push(hold.clone());
        hold
    }

    fn record_run(
        &mut self,
        command: &HoldCommand,
        output: &CheckOutput,
        hold: Option<&Hold>,
    ) -> Option<Run> {
        let new = command.run.as_ref()?;
        let instead = command.instead.as_ref();
        let refused = Run {
            served_model: instead.map(|instead| instead.served_model.clone()),
            error_code: refusal_code(output).map(str::to_owned),
            ..facts::blocked(command, new, self.now)
        };
        let run = match hold {
            None => refused,
            Some(hold) => Run {
                status: RunStatus::Running,
                hold: Some(hold.id),
                completed_at: None,
                ..refused
            },
        };
        if let Some(blocking) = output.deciding() {
            let metadata = serde_json::json!({
                "policy_id": blocking.limit, "reason": refusal_code(output), "run_id": run.id,
            });
            let at = (EventId::generate(self.ids), self.now);
            let told = facts::refusal(
                (command.tenant, &command.subject),
                blocking.limit.to_string(),
                &metadata,
                at,
            );
            self.effects.events.push(told);
        }
        self.effects.started.push(run.clone());
        Some(run)
    }

    fn hold(&self, tenant: TenantId, id: HoldId) -> Option<&Hold> {
        let taken = || {
            let mut taken = self.effects.taken.iter();
            taken.find(|hold| (hold.tenant, hold.id) == (tenant, id))
        };
        self.holds.get(&(tenant, id)).or_else(taken)
    }

    /// Lets an open hold live on.
    pub(super) fn renew(&mut self, command: RenewCommand) -> Result<Answer, LedgerError> {
        let hold = self
            .hold(command.tenant, command.hold)
            .ok_or(LedgerError::HoldNotFound)?;
        let renewed = domain::settle::renew(hold, self.now.plus_millis(command.ttl_ms))?;
        self.holds.insert((renewed.tenant, renewed.id), renewed.clone());
        self.effects.renewed.push(renewed.clone());
        Ok(Answer::Renewed(Box::new(renewed)))
    }

    /// Ends a hold.
    pub(super) fn end(&mut self, command: &EndCommand) -> Result<Answer, LedgerError> {
        let hold = self
            .hold(command.tenant, command.hold)
            // What our gateway holds for a call is ended by our gateway alone.
            .filter(|hold| hold.run.is_none() || command.authority == Authority::Gateway)
            .filter(|hold| command.key.is_none() || hold.subject.api_key_id == command.key)
            .ok_or(LedgerError::HoldNotFound)?;
        let expired_before = hold.status == HoldStatus::Expired;
        let ended = domain::settle::end(hold, command.end, command.authority, self.now)?;
        for change in &ended.changes {
            self.count(counter_of(change), change.settled, change.held);
            self.record_overrun(&ended.hold, command, change, expired_before);
        }
        let hold = ended.hold;
        if let (End::Expire, Some(run)) = (command.end, hold.run) {
            let told = lost(&hold, run, EventId::generate(self.ids), self.now);
            self.effects.lost.insert((hold.tenant, run), told);
        }
        if let (Some(cost), Some(used)) = (&command.cost, hold.settled) {
            self.effects.costs.push(cost_record(&hold, used, cost, self.now));
        }
        self.effects.finished.extend(command.run.as_deref().cloned());
        self.record_passed(command);
        // Of a run whose hold expired before it has been told that it failed; unless that is in this very batch,
        // and then what the run itself says is told instead.
        let gone = hold.run.map(|run| (hold.tenant, run));
        let withdrawn = expired_before && gone.is_some_and(|run| self.effects.lost.remove(&run).is_some());
        let told = expired_before && !withdrawn;
        let news = |event: &&OpsEvent| !told || event.event_type != OpsEventType::LlmCallFailed;
        self.effects
            .events
            .extend(command.events.iter().filter(news).cloned());
        if let Some(ruling) = command.ruling.as_deref() {
            self.effects.decisions.push(ruling.decision.clone());
            self.effects.events.extend_from_slice(&ruling.events);
            self.effects.ruled.append(&ruling.ruled);
        }
        self.holds.insert((hold.tenant, hold.id), hold.clone());
        if expired_before {
            // It may have expired in this very batch: the row of a hold is written once.
            let name = (hold.tenant, hold.id);
            self.effects
                .ended
                .retain(|ended| (ended.tenant, ended.id) != name);
        }
        self.effects.ended.push(hold.clone());
        let overruns = ended.changes.iter().map(|change| change.overrun).collect();
        Ok(Answer::Ended(Box::new(EndAnswer { hold, overruns })))
    }
}

pub(super) fn counter_of(change: &Change) -> CounterKey {
    CounterKey {
        owner: change.owner,
        limit: change.limit,
        window_start: change.window_start,
    }
}

/// What is told of a run whose process is gone.
fn lost(hold: &Hold, run: RunId, id: EventId, now: Timestamp) -> OpsEvent {
    let metadata = serde_json::json!({
        "model": hold.subject.model, "error_type": "hold_expired", "retry_count": 0,
    });
    OpsEvent {
        id,
        at: now,
        tenant: Some(hold.tenant),
        event_type: OpsEventType::LlmCallFailed,
        user_id: hold.subject.end_user.clone(),
        session_id: hold.subject.session_id.clone(),
        entity_type: Some("llm_call"),
        entity_id: Some(run.to_string()),
        severity: Some(3),
        latency_ms: Some(now.millis_since(hold.created_at)),
        cost: None,
        metadata: metadata.to_string(),
    }
}

/// A stable word for why a request is refused.
fn refusal_code(output: &CheckOutput) -> Option<&'static str> {
    let deciding = output.deciding()?;
    let has_room = output.blocking.is_empty();
    Some(if has_room {
        "unpriced_model"
    } else {
        deciding.message_code
    })
}

fn cost_record(hold: &Hold, used: Amounts, facts: &super::command::CostFacts, now: Timestamp) -> CostRecord {
    CostRecord {
        id: facts.id,
        tenant: hold.tenant,
        run: hold.run,
        hold: hold.id,
        subject: hold.subject.clone(),
        model: facts.model.clone().or_else(|| hold.subject.model.clone()),
        usage: facts.usage,
        cost: used.cost,
        price_version: facts.price_version.clone(),
        source: facts.source,
        created_at: now,
        is_retry: facts.is_retry,
    }
}
