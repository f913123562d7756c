//! Who goes through a history now, or listens to a stream?

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::id::TenantId;

/// How many seats of each tenant are taken in this process; who has taken none is not in it.
#[derive(Debug)]
pub(crate) struct Seats {
    each: usize,
    taken: Mutex<BTreeMap<TenantId, usize>>,
}

/// A seat of a tenant, until it is dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    tenant: TenantId,
}

impl Seats {
    /// So many seats for each tenant.
    pub(crate) fn new(each: usize) -> Self {
        Self {
            each,
            taken: Mutex::default(),
        }
    }

    /// A seat for this tenant, if one is free.
    pub(crate) fn take(self: &Arc<Self>, tenant: TenantId) -> Option<Seat> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_tenant = taken.entry(tenant).or_default();
        if *of_tenant >= self.each {
            return None;
        }
        *of_tenant += 1;
        Some(Seat {
            seats: Arc::clone(self),
            tenant,
        })
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
