//! How does work reach the threads that own the connections?

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::job::Job;
use crate::error::{StoreError, StoreResult};

/// A bounded queue with the threads that serve it. Dropping it ends the threads after the work that waits.
pub(crate) struct Lane {
    /// The only strong reference: without it the threads find their queue closed.
    sender: Option<Arc<Sender<Box<dyn Job>>>>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

/// A way into a lane's queue that does not keep the lane alive.
#[derive(Clone)]
pub(crate) struct Handle(Weak<Sender<Box<dyn Job>>>);

impl Lane {
    /// Starts one thread per worker; each worker owns its connection.
    pub(crate) fn start<W>(name: &str, depth: usize, workers: Vec<W>) -> StoreResult<Self>
    where
        W: FnMut(&Inbox) + Send + 'static,
    {
        let (sender, receiver) = crossbeam_channel::bounded(depth);
        let mut threads = Vec::with_capacity(workers.len());
        for (index, mut worker) in workers.into_iter().enumerate() {
            let inbox = Inbox {
                receiver: receiver.clone(),
            };
            let thread = std::thread::Builder::new()
                .name(format!("db-{name}-{index}"))
                .spawn(move || worker(&inbox))
                .map_err(|error| StoreError::Settings(format!("cannot start a thread: {error}")))?;
            threads.push(thread);
        }
        Ok(Self {
            sender: Some(Arc::new(sender)),
            threads,
        })
    }

    pub(crate) fn submit(&self, job: Box<dyn Job>) -> StoreResult<()> {
        self.handle().submit(job)
    }

    pub(crate) fn handle(&self) -> Handle {
        Handle(self.sender.as_ref().map(Arc::downgrade).unwrap_or_default())
    }
}

impl Handle {
    pub(crate) fn submit(&self, job: Box<dyn Job>) -> StoreResult<()> {
        let sender = self.0.upgrade().ok_or(StoreError::Stopped)?;
        sender.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Overloaded,
            TrySendError::Disconnected(_) => StoreError::Stopped,
        })
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.sender = None;
        let own = std::thread::current().id();
        // Work that holds the last reference to the database ends the lane from within; it cannot wait for
        // itself.
        for thread in self
            .threads
            .drain(..)
            .filter(|thread| thread.thread().id() != own)
        {
            // A worker that panicked has said so already; there is nothing left to save here.
            let _ended = thread.join();
        }
    }
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane")
            .field("threads", &self.threads.len())
            .finish_non_exhaustive()
    }
}

/// A worker's end of the queue.
pub(crate) struct Inbox {
    receiver: Receiver<Box<dyn Job>>,
}

impl Inbox {
    /// The next piece of work; none when the lane has ended.
    pub(crate) fn next(&self) -> Option<Box<dyn Job>> {
        self.receiver.recv().ok()
    }

    /// Everything that waits, at most `most`; waits for the first piece unless `jobs` brings some along.
    pub(crate) fn next_group(
        &self,
        mut jobs: VecDeque<Box<dyn Job>>,
        most: usize,
    ) -> Option<VecDeque<Box<dyn Job>>> {
        if jobs.is_empty() {
            jobs.push_back(self.receiver.recv().ok()?);
        }
        while jobs.len() < most {
            match self.receiver.try_recv() {
                Ok(job) => jobs.push_back(job),
                Err(_) => break,
            }
        }
        Some(jobs)
    }
}
