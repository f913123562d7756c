//! How is a batch of commands carried out in one transaction?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::hold::{Hold, HoldItem};
use model::id::{HoldId, IdGenerator, TenantId};
use model::limit::Limit;
use model::time::Timestamp;
use model::window::WindowSpec;
use store::counters::CounterKey;
use store::idempotency::StoredAnswer;
use store::{LockTx, StoreError, StoreResult};

use super::apply::Effects;
use super::cache::LimitsCache;
use super::command::{Answer, Command, Idempotency, LedgerError, Replay};
use super::late::may_pass;
use super::load::{Needs, Windows, applying};
use super::memory::{Known, Memory};
use super::moved::{self, Moves};
use super::room::Room;

type KeyName = (TenantId, &'static str, String);

/// What outlives a batch.
pub(super) struct Lasting {
    limits: LimitsCache,
    memory: Memory,
    moves: Moves,
    pub(super) room: Arc<Room>,
}

impl Lasting {
    /// Knows nothing yet, but where requests wait.
    pub(super) fn in_room(room: Arc<Room>) -> Self {
        Self {
            limits: LimitsCache::default(),
            memory: Memory::default(),
            moves: Moves::default(),
            room,
        }
    }
}

/// One batch on its way: what is known, and what is to be written.
pub(super) struct Batch<'a> {
    pub(super) lasting: &'a Lasting,
    pub(super) now: Timestamp,
    pub(super) ids: &'a dyn IdGenerator,
    /// Whether other processes change the same counters.
    shared: bool,
    pub(super) known: Known,
    pub(super) windows: Windows,
    pub(super) holds: BTreeMap<(TenantId, HoldId), Hold>,
    answered: BTreeMap<KeyName, StoredAnswer>,
    /// The versions of limits that are used as they were known last, until the database has confirmed them.
    assumed: BTreeMap<TenantId, i64>,
    pub(super) effects: Effects,
}

impl<'a> Batch<'a> {
    pub(super) fn new(lasting: &'a Lasting, now: Timestamp, ids: &'a dyn IdGenerator, shared: bool) -> Self {
        Self {
            lasting,
            now,
            ids,
            shared,
            known: Known::default(),
            windows: Windows::at(now),
            holds: BTreeMap::new(),
            answered: BTreeMap::new(),
            assumed: BTreeMap::new(),
            effects: Effects::default(),
        }
    }

    pub(super) fn run(
        mut self,
        tx: &mut LockTx<'_>,
        commands: &[Command],
    ) -> StoreResult<Vec<Result<Answer, LedgerError>>> {
        self.known = self.lasting.memory.recall(tx)?;
        self.load(tx, commands)?;
        let answers = commands.iter().map(|command| self.answer(command)).collect();
        self.record_passings(tx)?;
        self.effects.write(tx, self.now)?;
        let witness = self.effects.witness();
        self.lasting.memory.keep(tx, self.known, witness)?;
        Ok(answers)
    }

    /// Reads and locks in one order everywhere: keys, versions, holds, counters.
    fn load(&mut self, tx: &mut LockTx<'_>, commands: &[Command]) -> StoreResult<()> {
        let mut owners = BTreeSet::new();
        let mut ended = BTreeSet::new();
        for command in commands {
            if let Some((tenant, key)) = command.idempotency() {
                self.find_answer(tx, tenant, key)?;
            }
            match command {
                Command::Hold(hold) => owners.extend([TenantId::PLATFORM, hold.tenant]),
                Command::End(end) => {
                    ended.insert((end.tenant, end.hold));
                }
                Command::Renew(renew) => {
                    ended.insert((renew.tenant, renew.hold));
                }
            }
        }
        if !self.assume_limits(&owners) {
            self.learn_limits(tx, owners)?;
        }
        let ended: Vec<_> = ended.into_iter().collect();
        for hold in store::holds::lock(tx, &ended)? {
            self.holds.insert((hold.tenant, hold.id), hold);
        }
        let may_pass = commands.iter().filter_map(|command| match command {
            Command::End(end) => {
                let hold = self.holds.get(&(end.tenant, end.hold));
                hold.filter(|hold| may_pass(hold, end.end))
            }
            Command::Hold(_) | Command::Renew(_) => None,
        });
        let owners = may_pass.flat_map(|hold| &hold.items).map(|item| item.owner);
        let owners = owners.collect();
        self.learn_limits(tx, owners)?;
        let needs = self.needs(commands);
        self.lock(tx, needs.locks)?;
        self.follow_moves(tx, commands)?;
        let known = &mut self.known;
        let ranges = needs.ranges.into_iter().filter(|key| !known.knows_since(key));
        let ranges: Vec<_> = ranges.collect();
        known.learn_since(&ranges, store::counters::since(tx, &ranges)?);
        Ok(())
    }

    /// Takes the limits as they were known last, where the database confirms them with the locks and not with a
    /// question of its own; false if one has to be read.
    fn assume_limits(&mut self, owners: &BTreeSet<TenantId>) -> bool {
        let owners: Vec<_> = owners.iter().copied().collect();
        let Some(assumed) = self
            .shared
            .then(|| self.lasting.limits.assumed(&owners))
            .flatten()
        else {
            return false;
        };
        for (owner, (version, limits)) in assumed {
            self.assumed.insert(owner, version);
            self.known.limits.insert(owner, (version, limits));
        }
        true
    }

    fn learn_limits(&mut self, tx: &mut LockTx<'_>, owners: BTreeSet<TenantId>) -> StoreResult<()> {
        let unknown = |owner: &TenantId| !self.known.limits.contains_key(owner);
        let owners: Vec<_> = owners.into_iter().filter(unknown).collect();
        self.known.limits.extend(self.lasting.limits.of(tx, &owners)?);
        Ok(())
    }

    fn lock(&mut self, tx: &mut LockTx<'_>, keys: BTreeSet<CounterKey>) -> StoreResult<()> {
        let known = &mut self.known;
        let keys = keys.into_iter().filter(|key| !known.knows(key));
        let keys: Vec<_> = keys.collect();
        let assumed = std::mem::take(&mut self.assumed);
        if assumed.is_empty() {
            known.counters.learn_locked(&store::counters::lock(tx, &keys)?);
        } else {
            let owners: Vec<_> = assumed.keys().copied().collect();
            let (locked, versions) = store::counters::lock_and_confirm(tx, &keys, &owners)?;
            if versions.into_iter().collect::<BTreeMap<_, _>>() != assumed {
                self.lasting.limits.forget(assumed.into_keys());
                return Err(StoreError::overtaken());
            }
            known.counters.learn_locked(&locked);
        }
        for key in keys {
            known.counters.learn_absence(key);
        }
        Ok(())
    }

    /// Finds where the holds that end count now, under the locks of their counters. If more has to be locked, or if the
    /// window of a limit was changed after it was read, the batch is to be repeated.
    fn follow_moves(&mut self, tx: &mut LockTx<'_>, commands: &[Command]) -> StoreResult<()> {
        if self.known.counters.moves().is_empty() {
            return Ok(());
        }
        let elsewhere = moved::follow(self.holds.values_mut(), &self.known);
        if !self.shared {
            // Nobody else locks anything, and limits are read in the transaction that decides.
            return self.lock(tx, elsewhere);
        }
        if !elsewhere.is_empty() || self.has_old_limits(commands) {
            self.lasting.moves.remember(self.known.counters.moves());
            return Err(StoreError::overtaken());
        }
        Ok(())
    }

    /// Whether a request is to be decided in a window that its limit has left.
    fn has_old_limits(&mut self, commands: &[Command]) -> bool {
        let holds = commands.iter().filter_map(|command| match command {
            Command::Hold(hold) if hold.asks_limits() => Some(hold),
            Command::Hold(_) | Command::End(_) | Command::Renew(_) => None,
        });
        let moves = self.known.counters.moves();
        for hold in holds {
            for limit in applying(&self.known.limits, hold.tenant, &hold.subject) {
                let key = CounterKey {
                    owner: limit.tenant,
                    limit: limit.id,
                    window_start: self.windows.current(limit),
                };
                if moves.contains_key(&key) {
                    return true;
                }
            }
        }
        false
    }

    fn needs(&mut self, commands: &[Command]) -> Needs {
        let mut needs = Needs::default();
        for command in commands {
            if let Command::Hold(hold) = command
                && hold.asks_limits()
            {
                for limit in applying(&self.known.limits, hold.tenant, &hold.subject) {
                    needs.add(limit, &mut self.windows);
                }
            }
        }
        // Counters of ended holds are only added to, but those of calendar windows may have been moved. They are locked
        // here with all the rest, in one ascending order. The steps of rolling windows are first touched when all
        // locks are there: locked here, they could be waited for in a circle with a batch that adds to them.
        for item in self.holds.values().flat_map(|hold| &hold.items) {
            if self.counts_in_steps(item) {
                continue;
            }
            let key = CounterKey::from(item);
            needs.locks.insert(key);
            needs.locks.extend(self.lasting.moves.of(key));
        }
        needs
    }

    /// Whether the item is of a limit with a rolling window, as far as that is known without asking. A limit never changes
    /// from one kind of window to the other.
    fn counts_in_steps(&self, item: &HoldItem) -> bool {
        let of_owner = |limits: &[Limit]| {
            let found = limits.iter().find(|limit| limit.id == item.limit);
            found.is_some_and(|limit| matches!(limit.window, WindowSpec::Rolling { .. }))
        };
        match self.known.limits.get(&item.owner) {
            Some((_, limits)) => of_owner(limits),
            None => self
                .lasting
                .limits
                .last_known(item.owner)
                .is_some_and(|limits| of_owner(&limits)),
        }
    }

    fn find_answer(&mut self, tx: &mut LockTx<'_>, tenant: TenantId, key: &Idempotency) -> StoreResult<()> {
        let name = (tenant, key.operation, key.key.clone());
        if !self.answered.contains_key(&name)
            && let Some(answer) = store::idempotency::find(tx, tenant, key.operation, &key.key)?
        {
            self.answered.insert(name, answer);
        }
        Ok(())
    }

    fn answer(&mut self, command: &Command) -> Result<Answer, LedgerError> {
        if let Some((tenant, key)) = command.idempotency()
            && let Some(stored) = self.answered.get(&(tenant, key.operation, key.key.clone()))
        {
            return replay(stored, key);
        }
        let answer = match command {
            Command::Hold(hold) => self.judge(hold)?,
            Command::End(end) => self.end(end)?,
            Command::Renew(renew) => self.renew(*renew)?,
        };
        if let Some((tenant, key)) = command.idempotency() {
            let (status, body) = (key.render)(&answer);
            let stored = StoredAnswer {
                tenant,
                operation: key.operation.to_owned(),
                key: key.key.clone(),
                principal: key.principal.clone(),
                fingerprint: key.fingerprint.clone(),
                status,
                body,
                created_at: self.now,
            };
            self.effects.answers.push(stored.clone());
            self.answered
                .insert((tenant, key.operation, key.key.clone()), stored);
        }
        Ok(answer)
    }
}

fn replay(stored: &StoredAnswer, key: &Idempotency) -> Result<Answer, LedgerError> {
    if stored.principal != key.principal {
        return Err(LedgerError::KeyForeign);
    }
    if stored.fingerprint != key.fingerprint {
        return Err(LedgerError::KeyReused(stored.created_at));
    }
    Ok(Answer::Replayed(Replay {
        status: stored.status,
        body: stored.body.clone(),
    }))
}

impl Command {
    fn idempotency(&self) -> Option<(TenantId, &Idempotency)> {
        match self {
            Self::Hold(hold) => hold.idempotency.as_ref().map(|key| (hold.tenant, key)),
            Self::End(end) => end.idempotency.as_ref().map(|key| (end.tenant, key)),
            Self::Renew(_) => None,
        }
    }
}
