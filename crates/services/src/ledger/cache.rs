//! Which limits does a tenant have, without asking the database each time?
//!
//! A copy is used only while its version is the tenant's, and the version is read in the transaction that
//! decides: a change of a limit is seen by the next decision, on every node.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::id::TenantId;
use model::limit::Limit;
use store::{StoreResult, Tx};

/// Tenants whose limits are kept; beyond that the copies start anew.
const TENANTS_MAX: usize = 50_000;

type Copies = BTreeMap<TenantId, (i64, Arc<Vec<Limit>>)>;

#[derive(Default)]
pub(super) struct LimitsCache {
    copies: Mutex<Copies>,
}

impl LimitsCache {
    fn lock(&self) -> MutexGuard<'_, Copies> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The limits of all owners as they were known last, with their versions; none if one is not known. Whoever uses
    /// them must make sure of the versions before anything is decided.
    pub(super) fn assumed(&self, owners: &[TenantId]) -> Option<Copies> {
        let copies = self.lock();
        let known = |owner: &TenantId| Some((*owner, copies.get(owner)?.clone()));
        owners.iter().map(known).collect()
    }

    /// The limits of an owner as they were known last.
    pub(super) fn last_known(&self, owner: TenantId) -> Option<Arc<Vec<Limit>>> {
        self.lock().get(&owner).map(|(_, limits)| Arc::clone(limits))
    }

    /// Forgets what was assumed in vain.
    pub(super) fn forget(&self, owners: impl Iterator<Item = TenantId>) {
        let mut copies = self.lock();
        for owner in owners {
            copies.remove(&owner);
        }
    }

    /// The ACTIVE limits of each owner as this transaction sees them. `owners` ascend.
    pub(super) fn of(&self, tx: &mut impl Tx, owners: &[TenantId]) -> StoreResult<Copies> {
        let mut found = BTreeMap::new();
        for (owner, version) in store::limits::versions(tx, owners)? {
            let known = self
                .lock()
                .get(&owner)
                .filter(|(known, _)| *known == version)
                .map(|(_, list)| Arc::clone(list));
            let list = if let Some(list) = known {
                list
            } else {
                let list = Arc::new(store::limits::active(tx, owner)?);
                let mut copies = self.lock();
                if copies.len() >= TENANTS_MAX {
                    copies.clear();
                }
                copies.insert(owner, (version, Arc::clone(&list)));
                list
            };
            found.insert(owner, (version, list));
        }
        Ok(found)
    }
}
