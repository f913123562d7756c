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

    /// The ACTIVE limits of each owner as this transaction sees them. `owners` ascend.
    pub(super) fn of(
        &self,
        tx: &mut impl Tx,
        owners: &[TenantId],
    ) -> StoreResult<BTreeMap<TenantId, Arc<Vec<Limit>>>> {
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
            found.insert(owner, list);
        }
        Ok(found)
    }
}
