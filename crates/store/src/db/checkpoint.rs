//! Who moves what was committed from SQLite's log to its database, so that the writer need not stop for it?
//!
//! A thread with a connection of its own. The writer goes on committing meanwhile; only the log's new beginning is
//! left to it (`wal_autocheckpoint`), when most of the work has been done.

use std::path::Path;
use std::thread::JoinHandle;

use crossbeam_channel::Sender;
use diesel::connection::SimpleConnection as _;

use crate::error::{StoreError, StoreResult};
use crate::settings::Settings;

/// The thread. Dropping it ends it.
pub(super) struct Checkpointer {
    sender: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(path: &Path, settings: &Settings) -> StoreResult<Self> {
        let mut conn = super::sqlite::connect(path, settings)?;
        // One that waits is enough: it moves whatever has been committed by the time it runs.
        let (sender, receiver) = crossbeam_channel::bounded::<()>(1);
        let work = move || {
            while receiver.recv().is_ok() {
                if let Err(error) = conn.batch_execute("PRAGMA wal_checkpoint(PASSIVE)") {
                    tracing::warn!(%error, "the log could not be moved to the database; the writer will");
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("db-checkpoint".to_owned())
            .spawn(work)
            .map_err(|error| StoreError::Settings(format!("cannot start a thread: {error}")))?;
        Ok(Self {
            sender: Some(sender),
            thread: Some(thread),
        })
    }

    /// There is something to move.
    pub(super) fn nudge(&self) {
        let _one_waits_already = self.sender.as_ref().map(|sender| sender.try_send(()));
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so already.
            let _ended = thread.join();
        }
    }
}
