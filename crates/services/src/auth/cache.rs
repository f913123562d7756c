//! What is known about keys, and when were they last used?

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use model::id::{KeyId, TenantId};
use model::time::Timestamp;

use super::TenantActor;
use crate::beliefs::{Beliefs, Remembered};

/// What is known about keys, and when they were last used.
#[derive(Default)]
pub struct KeyCache {
    keys: Beliefs<[u8; 32], TenantActor>,
    used: Mutex<HashMap<KeyId, (TenantId, Timestamp)>>,
}

impl KeyCache {
    pub(super) fn known(&self, digest: &[u8; 32], now: Timestamp) -> Option<TenantActor> {
        self.keys.known(digest, now)
    }

    pub(super) fn remembered(&self, digest: &[u8; 32]) -> Remembered<TenantActor> {
        self.keys.remembered(digest)
    }

    pub(super) fn learn(
        &self,
        state: (u64, i64),
        digest: [u8; 32],
        actor: Option<&TenantActor>,
        now: Timestamp,
    ) {
        self.keys.learn(state, digest, actor, now);
    }

    /// Forgets everything: what comes next is read anew, and what is being read is not kept.
    pub fn forget(&self) {
        self.keys.forget();
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
