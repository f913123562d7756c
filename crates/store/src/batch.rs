//! How do many small commands share one transaction?
//!
//! A command is pushed to its lane's queue; the first one that finds the lane idle also sends a job that will
//! take everything that waits by the time it runs. Nothing waits for a timer: a batch is what has queued up
//! while the previous one was being committed. Answers are given after the commit.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::db::{Failure, Handle, Job};
use crate::dialect::AnyConnection;
use crate::error::{StoreError, StoreResult};
use crate::tx::LockTx;

mod reply;

use self::reply::{Reply, send_all};

/// Carries out the commands of one batch, in order, and answers each. It runs in one transaction; an error
/// rolls all of it back. It runs again if the transaction has to be repeated.
pub type BatchHandler<C, R> = Arc<dyn Fn(&mut LockTx<'_>, &[C]) -> StoreResult<Vec<R>> + Send + Sync>;

/// A queue whose commands are carried out together.
pub struct Batcher<C, R> {
    lanes: Vec<Arc<Shared<C, R>>>,
}

impl<C, R> Clone for Batcher<C, R> {
    fn clone(&self) -> Self {
        Self {
            lanes: self.lanes.clone(),
        }
    }
}

impl<C, R> std::fmt::Debug for Batcher<C, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batcher")
            .field("lanes", &self.lanes.len())
            .finish()
    }
}

struct Shared<C, R> {
    queue: Mutex<Queue<C, R>>,
    handler: BatchHandler<C, R>,
    lane: Handle,
    bounds: Bounds,
}

/// How much may wait, and how much may go together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Commands in the queue.
    pub(crate) depth: usize,
    /// Commands in one transaction.
    pub(crate) together: usize,
}

struct Queue<C, R> {
    waiting: VecDeque<(C, Reply<R>)>,
    /// Whether a job that will take what waits is on its way.
    scheduled: bool,
}

impl<C, R> Batcher<C, R>
where
    C: Send + Sync + 'static,
    R: Send + 'static,
{
    pub(crate) fn new(lanes: Vec<Handle>, handler: BatchHandler<C, R>, bounds: Bounds) -> Self {
        let handlers = std::iter::repeat_n(handler, lanes.len());
        let shared = |(lane, handler)| {
            let queue = Mutex::new(Queue {
                waiting: VecDeque::new(),
                scheduled: false,
            });
            Arc::new(Shared {
                queue,
                handler,
                lane,
                bounds,
            })
        };
        Self {
            lanes: lanes.into_iter().zip(handlers).map(shared).collect(),
        }
    }

    /// Carries the command out with whatever else waits. Commands with the same `lane_key` run in the order
    /// in which they came.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] at once when the queue is full; otherwise what ended the batch.
    pub async fn submit(&self, lane_key: u128, command: C) -> StoreResult<R> {
        let count = u128::try_from(self.lanes.len()).unwrap_or(1).max(1);
        let index = usize::try_from(lane_key % count).unwrap_or(0);
        let lane = self.lanes.get(index).ok_or(StoreError::Stopped)?;
        let (sender, answer) = oneshot::channel();
        lane.push(command, Reply::here(sender))?;
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }
}

impl<C, R> Shared<C, R>
where
    C: Send + Sync + 'static,
    R: Send + 'static,
{
    fn lock(&self) -> MutexGuard<'_, Queue<C, R>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(self: &Arc<Self>, command: C, reply: Reply<R>) -> StoreResult<()> {
        let mut queue = self.lock();
        if queue.waiting.len() >= self.bounds.depth {
            return Err(StoreError::Overloaded);
        }
        queue.waiting.push_back((command, reply));
        if queue.scheduled {
            return Ok(());
        }
        queue.scheduled = true;
        drop(queue);
        if let Err(error) = self.lane.submit(Box::new(Batch::of_what_waits(self))) {
            self.refuse_what_waits(&error);
        }
        Ok(())
    }

    /// Answers everything that waits, when no job will come for it.
    fn refuse_what_waits(&self, error: &StoreError) {
        let mut queue = self.lock();
        queue.scheduled = false;
        let waiting = std::mem::take(&mut queue.waiting);
        drop(queue);
        send_all(waiting.into_iter().map(|(_, reply)| (reply, Err(error.clone()))));
    }
}

struct Batch<C, R> {
    shared: Arc<Shared<C, R>>,
    commands: Vec<C>,
    replies: Vec<Reply<R>>,
    answers: Vec<R>,
    /// A single command that is given a try of its own after its batch failed.
    alone: bool,
}

impl<C, R> Batch<C, R>
where
    C: Send + Sync + 'static,
    R: Send + 'static,
{
    /// A job that takes its commands when it runs.
    fn of_what_waits(shared: &Arc<Shared<C, R>>) -> Self {
        let shared = Arc::clone(shared);
        Self {
            shared,
            commands: Vec::new(),
            replies: Vec::new(),
            answers: Vec::new(),
            alone: false,
        }
    }

    fn take_what_waits(&mut self) {
        let mut queue = self.shared.lock();
        let count = queue.waiting.len().min(self.shared.bounds.together.max(1));
        for (command, reply) in queue.waiting.drain(..count) {
            self.commands.push(command);
            self.replies.push(reply);
        }
    }

    /// The job for what has queued up meanwhile, if anything has.
    fn next(shared: &Arc<Shared<C, R>>) -> Option<Box<dyn Job>> {
        let mut queue = shared.lock();
        queue.scheduled = !queue.waiting.is_empty();
        queue.scheduled.then(|| {
            let job: Box<dyn Job> = Box::new(Self::of_what_waits(shared));
            job
        })
    }
}

impl<C, R> Job for Batch<C, R>
where
    C: Send + Sync + 'static,
    R: Send + 'static,
{
    fn intent(&self) -> crate::db::Intent {
        crate::db::Intent::LockedMutation
    }

    fn run(&mut self, conn: &mut AnyConnection) -> Result<(), Failure> {
        if self.commands.is_empty() {
            self.take_what_waits();
        }
        let handler = Arc::clone(&self.shared.handler);
        let commands = &self.commands;
        match crate::db::caught(|| handler(&mut LockTx::new(conn), commands)) {
            None => Err(Failure::Store(StoreError::Panicked)),
            // A handler that leaves a command without its answer is as broken as one that panics.
            Some(Ok(answers)) if answers.len() != commands.len() => Err(Failure::Store(StoreError::Panicked)),
            Some(Ok(answers)) => {
                self.answers = answers;
                Ok(())
            }
            Some(Err(error)) => Err(Failure::Store(error)),
        }
    }

    fn finish(self: Box<Self>, end: Result<(), StoreError>) -> Vec<Box<dyn Job>> {
        let Self {
            shared,
            commands,
            replies,
            answers,
            alone,
        } = *self;
        let mut more: Vec<Box<dyn Job>> = Vec::new();
        match end {
            // The transaction did not even begin: whoever waits would wait until one does.
            Err(error) if commands.is_empty() => shared.refuse_what_waits(&error),
            Ok(()) => {
                send_all(replies.into_iter().zip(answers.into_iter().map(Ok)));
            }
            Err(error) if error.may_be_poison() && commands.len() > 1 => {
                for (command, reply) in commands.into_iter().zip(replies) {
                    let shared = Arc::clone(&shared);
                    more.push(Box::new(Self {
                        shared,
                        commands: vec![command],
                        replies: vec![reply],
                        answers: Vec::new(),
                        alone: true,
                    }));
                }
            }
            Err(error) => {
                send_all(replies.into_iter().map(|reply| (reply, Err(error.clone()))));
            }
        }
        if !alone {
            more.extend(Self::next(&shared));
        }
        more
    }
}
