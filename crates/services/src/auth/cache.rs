//! What is known about keys, so that not every request asks the database?
//!
//! Everything that is remembered was read in one state of the database, or is still true in it: the number of changes
//! that were made to keys and tenants says so. Asking for that number confirms all keys at once, whether they are ten
//! or a hundred thousand.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::id::{KeyId, TenantId};
use model::time::Timestamp;

use super::TenantActor;

/// How long a node may believe what nobody has confirmed.
const FRESH_MS: i64 = 500;

/// After how long one request asks whether it is still true, while the others go on believing it.
const ASK_MS: i64 = 250;

/// Keys that are remembered; beyond that all are read anew.
const KEYS_MAX: usize = 100_000;

#[derive(Default)]
struct Keys {
    known: HashMap<[u8; 32], TenantActor>,
    /// The number of changes in the state in which all of it was true.
    version: Option<i64>,
    confirmed_at: Option<Timestamp>,
    asked_at: Option<Timestamp>,
    /// How often everything was forgotten.
    epoch: u64,
}

/// What is known about keys, and when they were last used.
#[derive(Default)]
pub struct KeyCache {
    keys: Mutex<Keys>,
    used: Mutex<HashMap<KeyId, (TenantId, Timestamp)>>,
}

/// What is remembered and has to be confirmed.
pub(super) struct Remembered {
    pub(super) actor: Option<TenantActor>,
    pub(super) version: Option<i64>,
    pub(super) epoch: u64,
}

/// Whether it is less than so long ago; what seems to lie in the future, after a change of the clock, is not.
fn within(then: Option<Timestamp>, now: Timestamp, millis: i64) -> bool {
    then.is_some_and(|then| (0..millis).contains(&now.millis_since(then)))
}

impl KeyCache {
    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known about the key. None also if it is the turn of this request to ask.
    pub(super) fn known(&self, digest: &[u8; 32], now: Timestamp) -> Option<TenantActor> {
        let mut keys = self.keys();
        if !within(keys.confirmed_at, now, FRESH_MS) {
            return None;
        }
        if !within(keys.confirmed_at, now, ASK_MS) && !within(keys.asked_at, now, ASK_MS) {
            keys.asked_at = Some(now);
            return None;
        }
        keys.known.get(digest).cloned()
    }

    pub(super) fn remembered(&self, digest: &[u8; 32]) -> Remembered {
        let keys = self.keys();
        Remembered {
            actor: keys.known.get(digest).cloned(),
            version: keys.version,
            epoch: keys.epoch,
        }
    }

    /// Learns about a key what was true in the state with so many changes, which was read after `now`; nothing if
    /// everything has been forgotten since, or something newer is known.
    pub(super) fn learn(
        &self,
        (epoch, version): (u64, i64),
        digest: [u8; 32],
        actor: Option<&TenantActor>,
        now: Timestamp,
    ) {
        let mut keys = self.keys();
        if keys.epoch != epoch || keys.version.is_some_and(|known| known > version) {
            return;
        }
        if keys.version != Some(version) {
            keys.known.clear();
        }
        keys.version = Some(version);
        // After a change of the clock the new time counts, even if it is the earlier one.
        keys.confirmed_at = Some(now);
        if let Some(actor) = actor {
            if keys.known.len() >= KEYS_MAX {
                keys.known.clear();
            }
            keys.known.insert(digest, actor.clone());
        }
    }

    /// Forgets everything: what comes next is read anew, and what is being read is not kept.
    pub fn forget(&self) {
        let mut keys = self.keys();
        *keys = Keys {
            epoch: keys.epoch + 1,
            ..Keys::default()
        };
    }

    pub(super) fn note_use(&self, actor: &TenantActor, now: Timestamp) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert(actor.key.id, (actor.key.tenant, now));
    }

    /// The keys that were used since the last call.
    pub(crate) fn take_used(&self) -> Vec<(TenantId, KeyId, Timestamp)> {
        let taken = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        let mut list: Vec<_> = taken
            .into_iter()
            .map(|(key, (tenant, at))| (tenant, key, at))
            .collect();
        list.sort_unstable();
        list
    }
}

impl std::fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyCache").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
