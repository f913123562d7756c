//! What does the process need to tell the outside what has happened?

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use workers::webhooks::{Reach, Sender};

use crate::seats::Seats;

/// Receivers to whom this process sends at the same time.
const AT_ONCE: usize = 128;
/// Receivers of one tenant among them: those that hang keep nobody else waiting.
const OF_TENANT: usize = 16;

/// The way out, and who is on it.
#[derive(Debug)]
pub struct Post {
    pub(crate) sender: Option<Sender>,
    pub(crate) tasks: TaskTracker,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) shares: Arc<Seats>,
    /// That the process stops.
    pub(crate) ends: CancellationToken,
}

impl Post {
    /// A way out; without a sender nothing is sent by this process.
    pub fn new(sender: Option<Sender>) -> Self {
        Self {
            sender,
            tasks: TaskTracker::new(),
            slots: Arc::new(Semaphore::new(AT_ONCE)),
            shares: Arc::new(Seats::new(OF_TENANT, AT_ONCE)),
            ends: CancellationToken::new(),
        }
    }

    /// Begins nothing more, and ends the streams.
    pub fn stop(&self) {
        self.ends.cancel();
    }

    /// Whether nothing is on its way.
    pub fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// What may be reached.
    pub(crate) fn reach(&self) -> Reach {
        self.sender.as_ref().map(Sender::reach).unwrap_or_default()
    }
}

impl Default for Post {
    fn default() -> Self {
        Self::new(None)
    }
}
