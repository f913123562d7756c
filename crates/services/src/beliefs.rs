//! What is known about credentials, so that not every request asks the database?
//!
//! Everything that is remembered was read in one state of the database, or is still true in it: the number of changes
//! that were made to credentials and tenants says so. Asking for that number confirms all of them at once, whether they
//! are ten or a hundred thousand.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::time::Timestamp;

/// How long a node may believe what nobody has confirmed.
const FRESH_MS: i64 = 500;

/// After how long one request asks whether it is still true, while the others go on believing it.
const ASK_MS: i64 = 250;

/// Keys that are remembered; beyond that all are read anew.
const KEYS_MAX: usize = 100_000;

struct Believed<K, A> {
    known: HashMap<K, A>,
    /// The number of changes in the state in which all of it was true.
    version: Option<i64>,
    confirmed_at: Option<Timestamp>,
    asked_at: Option<Timestamp>,
    /// How often everything was forgotten.
    epoch: u64,
}

impl<K, A> Default for Believed<K, A> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            version: None,
            confirmed_at: None,
            asked_at: None,
            epoch: 0,
        }
    }
}

/// What is known about credentials of one kind.
pub(crate) struct Beliefs<K, A>(Mutex<Believed<K, A>>);

impl<K, A> Default for Beliefs<K, A> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// What is remembered and has to be confirmed.
pub(crate) struct Remembered<A> {
    pub(crate) actor: Option<A>,
    pub(crate) version: Option<i64>,
    pub(crate) epoch: u64,
}

/// Whether it is less than so long ago; what seems to lie in the future, after a change of the clock, is not.
fn within(then: Option<Timestamp>, now: Timestamp, millis: i64) -> bool {
    then.is_some_and(|then| (0..millis).contains(&now.millis_since(then)))
}

impl<K: Eq + Hash, A: Clone> Beliefs<K, A> {
    fn keys(&self) -> MutexGuard<'_, Believed<K, A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known about the key. None also if it is the turn of this request to ask.
    pub(crate) fn known(&self, key: &K, now: Timestamp) -> Option<A> {
        let mut keys = self.keys();
        if !within(keys.confirmed_at, now, FRESH_MS) {
            return None;
        }
        if !within(keys.confirmed_at, now, ASK_MS) && !within(keys.asked_at, now, ASK_MS) {
            keys.asked_at = Some(now);
            return None;
        }
        keys.known.get(key).cloned()
    }

    /// Whether anything is remembered of the key: what it is asked about then costs no look-up.
    pub(crate) fn is_remembered(&self, key: &K) -> bool {
        self.keys().known.contains_key(key)
    }

    pub(crate) fn remembered(&self, key: &K) -> Remembered<A> {
        let keys = self.keys();
        Remembered {
            actor: keys.known.get(key).cloned(),
            version: keys.version,
            epoch: keys.epoch,
        }
    }

    /// Learns about a key what was true in the state with so many changes, which was read after `now`; nothing if
    /// everything has been forgotten since, or something newer is known.
    pub(crate) fn learn(&self, (epoch, version): (u64, i64), key: K, actor: Option<&A>, now: Timestamp) {
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
            keys.known.insert(key, actor.clone());
        }
    }

    /// Forgets everything: what comes next is read anew, and what is being read is not kept.
    pub(crate) fn forget(&self) {
        let mut keys = self.keys();
        *keys = Believed {
            epoch: keys.epoch + 1,
            ..Believed::default()
        };
    }
}
