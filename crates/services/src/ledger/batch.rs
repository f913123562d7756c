//! How is a batch of commands carried out in one transaction?

use std::collections::{BTreeMap, BTreeSet};

use model::hold::Hold;
use model::id::{HoldId, IdGenerator, TenantId};
use model::time::Timestamp;
use store::counters::CounterKey;
use store::idempotency::StoredAnswer;
use store::{LockTx, StoreResult};

use super::apply::Effects;
use super::cache::LimitsCache;
use super::command::{Answer, Command, Idempotency, LedgerError, Replay};
use super::late::may_be_late;
use super::load::{Needs, Windows, applying};
use super::memory::{Known, Memory};

type KeyName = (TenantId, &'static str, String);

/// One batch on its way: what is known, and what is to be written.
pub(super) struct Batch<'a> {
    cache: &'a LimitsCache,
    memory: &'a Memory,
    pub(super) now: Timestamp,
    pub(super) ids: &'a dyn IdGenerator,
    /// Whether other processes change the same counters.
    shared: bool,
    pub(super) known: Known,
    pub(super) windows: Windows,
    pub(super) holds: BTreeMap<(TenantId, HoldId), Hold>,
    answered: BTreeMap<KeyName, StoredAnswer>,
    pub(super) effects: Effects,
}

impl<'a> Batch<'a> {
    pub(super) fn new(
        (cache, memory): (&'a LimitsCache, &'a Memory),
        now: Timestamp,
        ids: &'a dyn IdGenerator,
        shared: bool,
    ) -> Self {
        Self {
            cache,
            memory,
            now,
            ids,
            shared,
            known: Known::default(),
            windows: Windows::at(now),
            holds: BTreeMap::new(),
            answered: BTreeMap::new(),
            effects: Effects::default(),
        }
    }

    pub(super) fn run(
        mut self,
        tx: &mut LockTx<'_>,
        commands: &[Command],
    ) -> StoreResult<Vec<Result<Answer, LedgerError>>> {
        self.known = self.memory.recall(tx)?;
        self.load(tx, commands)?;
        let answers = commands.iter().map(|command| self.answer(command)).collect();
        self.effects.write(tx, self.now)?;
        self.memory.keep(tx, self.known, self.effects.witness())?;
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
        self.learn_limits(tx, owners)?;
        let ended: Vec<_> = ended.into_iter().collect();
        for hold in store::holds::lock(tx, &ended)? {
            self.holds.insert((hold.tenant, hold.id), hold);
        }
        let late = self.holds.values().filter(|hold| may_be_late(hold));
        let owners = late.flat_map(|hold| &hold.items).map(|item| item.owner).collect();
        self.learn_limits(tx, owners)?;
        let needs = self.needs(commands);
        let known = &mut self.known;
        let locks = needs.locks.into_iter().filter(|key| !known.knows(key));
        let locks: Vec<_> = locks.collect();
        known.counters.learn(store::counters::lock(tx, &locks)?);
        for key in locks {
            known.counters.learn_absence(key);
        }
        let ranges = needs.ranges.into_iter().filter(|key| !known.knows_since(key));
        let ranges: Vec<_> = ranges.collect();
        known.learn_since(&ranges, store::counters::since(tx, &ranges)?);
        Ok(())
    }

    fn learn_limits(&mut self, tx: &mut LockTx<'_>, owners: BTreeSet<TenantId>) -> StoreResult<()> {
        let unknown = |owner: &TenantId| !self.known.limits.contains_key(owner);
        let owners: Vec<_> = owners.into_iter().filter(unknown).collect();
        self.known.limits.extend(self.cache.of(tx, &owners)?);
        Ok(())
    }

    fn needs(&mut self, commands: &[Command]) -> Needs {
        let mut needs = Needs::default();
        for command in commands {
            if let Command::Hold(hold) = command {
                for limit in applying(&self.known.limits, hold.tenant, &hold.subject) {
                    needs.add(limit, &mut self.windows);
                }
            }
        }
        // Counters of ended holds are only added to, unless one is settled late. Where others do the same at the same
        // time, they are locked here with all the rest, in one ascending order.
        let locked = |hold: &&Hold| self.shared || may_be_late(hold);
        let items = self.holds.values().filter(locked).flat_map(|hold| &hold.items);
        needs.locks.extend(items.map(|item| CounterKey {
            owner: item.owner,
            limit: item.limit,
            window_start: item.window_start,
        }));
        needs
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
            Command::Hold(hold) => self.decide(hold),
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
