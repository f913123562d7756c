//! What travels to the thread that owns a connection, and how does the answer come back?

use std::panic::AssertUnwindSafe;

use infra::correlation::CorrelationContext;
use tokio::sync::oneshot;

use crate::dialect::AnyConnection;
use crate::error::StoreError;
use crate::tx::TxError;

/// What a transaction promises; on the wire of logs and metrics in these words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    ReadOnly,
    AtomicWrite,
    LockedMutation,
}

/// Why the work of a job is to be rolled back.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The store failed; it may be worth another try.
    Store(StoreError),
    /// The work itself said no; its answer is kept in the job.
    Refused,
}

/// Work for a connection.
pub(crate) trait Job: Send {
    fn intent(&self) -> Intent;

    /// Runs in an open transaction or savepoint; runs again if the transaction has to be repeated.
    fn run(&mut self, conn: &mut AnyConnection) -> Result<(), Failure>;

    /// Answers, after the commit returned (`Ok`) or nothing was written (`Err`). What it returns is more work
    /// for the same lane.
    fn finish(self: Box<Self>, end: Result<(), StoreError>) -> Vec<Box<dyn Job>>;
}

/// One closure in one transaction.
pub(crate) struct TxJob<W, R, E> {
    intent: Intent,
    work: W,
    answer: Option<Result<R, E>>,
    reply: oneshot::Sender<Result<R, E>>,
    correlation: Option<CorrelationContext>,
    span: tracing::Span,
}

/// The place where the answer will be.
pub(crate) struct Answer<R, E>(oneshot::Receiver<Result<R, E>>);

impl<R, E: TxError> Answer<R, E> {
    pub(crate) async fn wait(self) -> Result<R, E> {
        match self.0.await {
            Ok(answer) => answer,
            Err(_closed) => Err(E::from(StoreError::Stopped)),
        }
    }
}

impl<W, R, E> TxJob<W, R, E>
where
    W: FnMut(&mut AnyConnection) -> Result<R, E> + Send + 'static,
    R: Send + 'static,
    E: TxError,
{
    pub(crate) fn with_answer(intent: Intent, work: W) -> (Box<dyn Job>, Answer<R, E>) {
        let (reply, receiver) = oneshot::channel();
        let correlation = infra::correlation::current();
        let span = tracing::Span::current();
        let job = Box::new(Self {
            intent,
            work,
            answer: None,
            reply,
            correlation,
            span,
        });
        (job, Answer(receiver))
    }
}

impl<W, R, E> Job for TxJob<W, R, E>
where
    W: FnMut(&mut AnyConnection) -> Result<R, E> + Send + 'static,
    R: Send + 'static,
    E: TxError,
{
    fn intent(&self) -> Intent {
        self.intent
    }

    fn run(&mut self, conn: &mut AnyConnection) -> Result<(), Failure> {
        let work = &mut self.work;
        let entered = self.span.enter();
        let result = in_scope(self.correlation.as_ref(), || caught(|| work(conn)));
        drop(entered);
        match result {
            None => Err(Failure::Store(StoreError::Panicked)),
            Some(Ok(answer)) => {
                self.answer = Some(Ok(answer));
                Ok(())
            }
            Some(Err(error)) => match error.store_error() {
                Some(store) if store.is_retryable() || store.ends_transaction() => {
                    Err(Failure::Store(store.clone()))
                }
                _ => {
                    self.answer = Some(Err(error));
                    Err(Failure::Refused)
                }
            },
        }
    }

    fn finish(self: Box<Self>, end: Result<(), StoreError>) -> Vec<Box<dyn Job>> {
        let answer = match (end, self.answer) {
            (Ok(()), Some(answer)) | (Err(_), Some(answer @ Err(_))) => answer,
            (Ok(()), None) => Err(E::from(StoreError::Stopped)),
            (Err(error), _) => Err(E::from(error)),
        };
        // Nobody waits any more if the client has gone; the work is done all the same.
        let _gone = self.reply.send(answer);
        Vec::new()
    }
}

/// Runs the work within the correlation of the request that asked for it.
pub(crate) fn in_scope<T>(correlation: Option<&CorrelationContext>, work: impl FnOnce() -> T) -> T {
    match correlation {
        Some(context) => infra::correlation::sync_scope(context.clone(), work),
        None => work(),
    }
}

/// The result of the work, or none if it panicked.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).ok()
}
