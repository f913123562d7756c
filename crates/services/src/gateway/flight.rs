//! Which requests are on their way, and on whose threads?
//!
//! The thread that took a request may end with its client or with the server; what was held must be carried to its
//! end all the same. So the work runs on a runtime of its own choice, and is counted until its books are done.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The requests that are on their way.
#[derive(Debug, Clone)]
pub struct Flights {
    tracker: TaskTracker,
    runtime: Option<Handle>,
}

impl Flights {
    /// Requests run on the runtime that is current here; without one, on the runtime of whoever takes them.
    pub(super) fn new() -> Self {
        Self {
            tracker: TaskTracker::new(),
            runtime: Handle::try_current().ok(),
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
