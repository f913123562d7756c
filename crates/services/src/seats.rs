//! Who goes through a history now, or listens to a stream?

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::id::TenantId;

/// How many seats of each tenant are taken in this process; who has taken none is not in it.
#[derive(Debug)]
pub(crate) struct Seats {
    each: usize,
    total: usize,
    taken: Mutex<BTreeMap<TenantId, usize>>,
}

/// A seat of a tenant, until it is dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    tenant: TenantId,
}

/// Why there is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// The tenant has as many as it may have.
    Tenant,
    /// All are taken.
    All,
}

impl Seats {
    /// So many seats for each tenant, and for all of them.
    pub(crate) fn new(each: usize, total: usize) -> Self {
        Self {
            each,
            total,
            taken: Mutex::default(),
        }
    }

    /// A seat for this tenant, if one is free.
    ///
    /// # Errors
    /// [`Full`].
    pub(crate) fn take(self: &Arc<Self>, tenant: TenantId) -> Result<Seat, Full> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.get(&tenant).is_some_and(|taken| *taken >= self.each) {
            return Err(Full::Tenant);
        }
        if taken.values().sum::<usize>() >= self.total {
            return Err(Full::All);
        }
        *taken.entry(tenant).or_default() += 1;
        Ok(Seat {
            seats: Arc::clone(self),
            tenant,
        })
    }
}

impl Seats {
    /// The tenants that have as many seats as they may.
    pub(crate) fn full(&self) -> Vec<TenantId> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let full = taken.iter().filter(|(_, taken)| **taken >= self.each);
        full.map(|(tenant, _)| *tenant).collect()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let left = taken.get(&self.tenant).map_or(0, |taken| taken.saturating_sub(1));
        if left == 0 {
            taken.remove(&self.tenant);
        } else {
            taken.insert(self.tenant, left);
        }
    }
}
