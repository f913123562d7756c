//! Who gets a transaction, on which connection, and when is the answer given?
//!
//! Every connection belongs to a thread of its own, and work travels to it as a closure. SQLite has exactly
//! one writing thread, which commits whatever waits as one group and answers after the commit returned;
//! PostgreSQL has lanes of threads, one transaction per closure.

mod checkpoint;
mod job;
mod lane;
mod postgres;
mod sqlite;

use std::sync::Arc;

use self::job::TxJob;
use self::lane::Lane;
use crate::batch::{BatchHandler, Batcher, Bounds};
use crate::error::StoreResult;
use crate::settings::{Settings, Target};
use crate::tx::{LockTx, ReadTx, TxError, WriteTx};

pub(crate) use self::job::{Failure, Intent, Job, caught};
pub(crate) use self::lane::Handle;
pub(crate) use self::postgres::connect as connect_postgres;
pub(crate) use self::sqlite::connect as connect_sqlite;

/// The database. Clones share the same connections.
#[derive(Clone, Debug)]
pub struct Db {
    lanes: Arc<Lanes>,
    settings: Settings,
}

#[derive(Debug)]
struct Lanes {
    read: Lane,
    write: Lane,
    /// Empty on SQLite, where batches go through the one writer.
    ledger: Vec<Lane>,
}

impl Db {
    /// Opens the database and its connections. The schema must be up to date (see [`crate::migrate`]).
    ///
    /// # Errors
    /// When the database cannot be reached, or is too old an engine.
    pub fn open(settings: &Settings) -> StoreResult<Self> {
        let lanes = match &settings.target {
            Target::Sqlite(path) => Lanes {
                write: sqlite::writer(path, settings)?,
                read: sqlite::readers(path, settings)?,
                ledger: Vec::new(),
            },
            Target::Postgres(url) => Lanes {
                write: postgres::lane("write", url, settings, settings.write_connections)?,
                read: postgres::lane("read", url, settings, settings.read_connections)?,
                ledger: (0..settings.ledger_lanes.max(1))
                    .map(|_| postgres::ledger_lane(url, settings))
                    .collect::<StoreResult<_>>()?,
            },
        };
        Ok(Self {
            lanes: Arc::new(lanes),
            settings: settings.clone(),
        })
    }

    /// `sqlite` or `postgres`.
    pub fn backend(&self) -> &'static str {
        self.settings.backend()
    }

    /// Whether other processes may change the same database at any time.
    pub fn is_shared(&self) -> bool {
        matches!(self.settings.target, Target::Postgres(_))
    }

    /// Reads one state of the database.
    ///
    /// # Errors
    /// What the closure returns, and everything that can go wrong around it.
    pub async fn read<R, E, F>(&self, work: F) -> Result<R, E>
    where
        F: FnMut(&mut ReadTx<'_>) -> Result<R, E> + Send + 'static,
        R: Send + 'static,
        E: TxError,
    {
        let mut work = work;
        let (job, answer) =
            TxJob::with_answer(Intent::ReadOnly, move |conn: &mut _| work(&mut ReadTx::new(conn)));
        self.lanes.read.submit(job)?;
        answer.wait().await
    }

    /// Writes everything the closure writes, or nothing.
    ///
    /// # Errors
    /// What the closure returns (nothing is written then), and everything that can go wrong around it.
    pub async fn write<R, E, F>(&self, work: F) -> Result<R, E>
    where
        F: FnMut(&mut WriteTx<'_>) -> Result<R, E> + Send + 'static,
        R: Send + 'static,
        E: TxError,
    {
        let mut work = work;
        let (job, answer) = TxJob::with_answer(Intent::AtomicWrite, move |conn: &mut _| {
            work(&mut WriteTx::new(conn))
        });
        self.lanes.write.submit(job)?;
        answer.wait().await
    }

    /// Locks rows, decides on what they hold, and writes; everything or nothing.
    ///
    /// # Errors
    /// What the closure returns (nothing is written then), and everything that can go wrong around it.
    pub async fn locked<R, E, F>(&self, work: F) -> Result<R, E>
    where
        F: FnMut(&mut LockTx<'_>) -> Result<R, E> + Send + 'static,
        R: Send + 'static,
        E: TxError,
    {
        let mut work = work;
        let (job, answer) = TxJob::with_answer(Intent::LockedMutation, move |conn: &mut _| {
            work(&mut LockTx::new(conn))
        });
        self.lanes.write.submit(job)?;
        answer.wait().await
    }

    /// A queue whose commands are carried out together: all that wait form one transaction.
    pub fn batcher<C, R>(&self, handler: BatchHandler<C, R>) -> Batcher<C, R>
    where
        C: Send + Sync + 'static,
        R: Send + 'static,
    {
        let lanes = if self.lanes.ledger.is_empty() {
            vec![self.lanes.write.handle()]
        } else {
            self.lanes.ledger.iter().map(Lane::handle).collect()
        };
        let bounds = Bounds {
            depth: self.settings.queue_depth,
            together: self.settings.batch_max,
        };
        Batcher::new(lanes, handler, bounds)
    }
}
