//! Who goes through a history now?

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::id::TenantId;

/// How many histories of a tenant are gone through at once, in this process.
const SEATS: usize = 2;

/// How many histories of each tenant are gone through now; who has none is not in it.
#[derive(Debug, Default)]
pub(crate) struct Seats(Mutex<BTreeMap<TenantId, usize>>);

/// The right to go through a tenant's history, until it is dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    tenant: TenantId,
}

impl Seats {
    /// A seat for this tenant, if one is free.
    pub(crate) fn take(self: &Arc<Self>, tenant: TenantId) -> Option<Seat> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_tenant = taken.entry(tenant).or_default();
        if *of_tenant >= SEATS {
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
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = taken.get(&self.tenant).map_or(0, |taken| taken.saturating_sub(1));
        if left == 0 {
            taken.remove(&self.tenant);
        } else {
            taken.insert(self.tenant, left);
        }
    }
}
