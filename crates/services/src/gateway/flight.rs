//! Which requests are on their way, and on whose threads?
//!
//! The thread that took a request may end with its client or with the server; what was held must be carried to its
//! end all the same. So the work runs on a runtime of its own choice, and is counted until its books are done.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::hold::Hold;
use model::id::{HoldId, TenantId};
use model::time::Timestamp;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::measure;

/// The requests that are on their way.
#[derive(Debug, Clone)]
pub struct Flights {
    tracker: TaskTracker,
    runtime: Option<Handle>,
    holds: OpenHolds,
}

/// The holds under which requests are on their way, and until when each lives.
#[derive(Debug, Clone, Default)]
struct OpenHolds(Arc<Mutex<BTreeMap<(TenantId, HoldId), Timestamp>>>);

impl OpenHolds {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(TenantId, HoldId), Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A hold that is renewed for as long as this is kept.
#[derive(Debug)]
pub(super) struct OpenHold {
    name: (TenantId, HoldId),
    all: OpenHolds,
}

impl Drop for OpenHold {
    fn drop(&mut self) {
        self.all.lock().remove(&self.name);
        measure::in_flight(-1.0);
    }
}

impl Flights {
    /// Requests run on the runtime that is current here; without one, on the runtime of whoever takes them.
    pub(super) fn new() -> Self {
        Self {
            tracker: TaskTracker::new(),
            runtime: Handle::try_current().ok(),
            holds: OpenHolds::default(),
        }
    }

    /// Keeps the hold from expiring until its books are done.
    pub(super) fn keep(&self, hold: &Hold) -> OpenHold {
        let name = (hold.tenant, hold.id);
        self.holds.lock().insert(name, hold.expires_at);
        measure::in_flight(1.0);
        OpenHold {
            name,
            all: self.holds.clone(),
        }
    }

    /// The holds under which requests are on their way and that expire before this time.
    pub(crate) fn expiring(&self, before: Timestamp) -> Vec<(TenantId, HoldId)> {
        let holds = self.holds.lock();
        let due = holds.iter().filter(|(_, until)| **until < before);
        due.map(|(name, _)| *name).collect()
    }

    /// Whether a request is on its way under this hold.
    pub(crate) fn keeps(&self, name: (TenantId, HoldId)) -> bool {
        self.holds.lock().contains_key(&name)
    }

    /// The hold lives until then. Nothing happens if its books are done meanwhile.
    pub(crate) fn renewed(&self, name: (TenantId, HoldId), until: Timestamp) {
        if let Some(known) = self.holds.lock().get_mut(&name) {
            *known = until;
        }
    }

    /// Runs the work to its end, whatever becomes of the caller.
    pub(super) fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match &self.runtime {
            Some(runtime) => self.tracker.spawn_on(work, runtime),
            None => self.tracker.spawn(work),
        }
    }

    /// Counts as one on its way for as long as it is kept.
    pub(super) fn token(&self) -> TaskTrackerToken {
        self.tracker.token()
    }

    /// How many are on their way.
    pub fn count(&self) -> usize {
        self.tracker.len()
    }

    /// Waits until the books of all of them are done; says whether they were within the time.
    pub async fn landed(&self, within: Duration) -> bool {
        self.tracker.close();
        tokio::time::timeout(within, self.tracker.wait()).await.is_ok()
    }
}
