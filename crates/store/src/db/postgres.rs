//! How does PostgreSQL serve reads and writes?
//!
//! One transaction per piece of work, on a thread that owns its connection. A transaction that lost against
//! another one is repeated here; a broken connection is replaced before the next piece of work.

use std::collections::VecDeque;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};

use super::job::{Failure, Intent, Job};
use super::lane::{Inbox, Lane};
use crate::dialect::AnyConnection;
use crate::error::{StoreError, StoreResult};
use crate::settings::Settings;

/// How often a transaction that lost against another one is tried in all; it waits for half a second at most in between.
/// On a machine that has other things to do six were too few: a settlement lost against one change of its window after
/// the other.
const ATTEMPTS: u32 = 12;

/// What PostgreSQL says to every statement after one that failed.
const ABORTED: &str = "current transaction is aborted";

/// Opens a connection whose statements, locks and idle transactions cannot last for ever.
pub(crate) fn connect(url: &str, settings: &Settings) -> StoreResult<PgConnection> {
    let mut conn = PgConnection::establish(url)?;
    conn.batch_execute(&format!(
        "SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = '60s'; \
         SET synchronous_commit = on; SET application_name = 'plimsoll'; SET TimeZone = 'UTC'; \
         SET plan_cache_mode = auto;",
        settings.statement_timeout.as_millis(),
        settings.lock_timeout.as_millis(),
    ))?;
    // Some errors are told apart by their text. Not every role may choose its language.
    let _may_not = conn.batch_execute("SET lc_messages = 'C'");
    Ok(conn)
}

/// For connections whose statements only ever find rows by the keys that they are given. The planner, which may have
/// seen the tables small or empty, must neither choose to read all of one nor be asked again with every batch.
const BY_KEY: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
     SET enable_hashjoin = off; SET enable_mergejoin = off;";

/// A lane of one thread for batches, which touch rows by their keys only.
pub(crate) fn ledger_lane(url: &str, settings: &Settings) -> StoreResult<Lane> {
    start("ledger", url, settings, 1, Some(BY_KEY))
}

/// A lane of `connections` threads.
pub(crate) fn lane(name: &str, url: &str, settings: &Settings, connections: usize) -> StoreResult<Lane> {
    start(name, url, settings, connections, None)
}

fn start(
    name: &str,
    url: &str,
    settings: &Settings,
    connections: usize,
    session: Option<&'static str>,
) -> StoreResult<Lane> {
    let mut workers = Vec::new();
    for _ in 0..connections.max(1) {
        let mut worker = Worker {
            url: url.to_owned(),
            settings: settings.clone(),
            session,
            conn: None,
        };
        // Fail at start rather than at the first request.
        worker.conn = Some(worker.connect()?);
        workers.push(move |inbox: &Inbox| worker.serve(inbox));
    }
    Lane::start(name, settings.queue_depth, workers)
}

struct Worker {
    url: String,
    settings: Settings,
    /// What a new connection is told.
    session: Option<&'static str>,
    conn: Option<AnyConnection>,
}

impl Worker {
    fn connect(&self) -> StoreResult<AnyConnection> {
        let mut conn = connect(&self.url, &self.settings)?;
        if let Some(session) = self.session {
            conn.batch_execute(session)?;
        }
        Ok(AnyConnection::Postgres(conn))
    }

    fn serve(&mut self, inbox: &Inbox) {
        // In the order in which it arose, and before what came later.
        let mut more: VecDeque<Box<dyn Job>> = VecDeque::new();
        while let Some(mut job) = more.pop_front().or_else(|| inbox.next()) {
            let end = self.carry_out(job.as_mut());
            more.extend(job.finish(end));
        }
    }

    fn carry_out(&mut self, job: &mut dyn Job) -> Result<(), StoreError> {
        let mut attempt = 1;
        loop {
            let fresh = self.conn.is_none();
            let end = self.attempt(job);
            match &end {
                Err(Broken {
                    error: StoreError::Contention(_),
                    ..
                }) if attempt < ATTEMPTS => {
                    std::thread::sleep(backoff(attempt));
                }
                // The connection had gone stale before anything was sent: a new one deserves a try.
                Err(Broken {
                    before_begin: true, ..
                }) if attempt < ATTEMPTS && !fresh => {}
                _ => return end.map_err(|broken| broken.error),
            }
            attempt += 1;
        }
    }

    fn attempt(&mut self, job: &mut dyn Job) -> Result<(), Broken> {
        let before = |error| Broken {
            error,
            before_begin: true,
        };
        let within = |error| Broken {
            error,
            before_begin: false,
        };
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.connect().map_err(within)?,
        };
        let begin = match job.intent() {
            Intent::ReadOnly => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Intent::AtomicWrite | Intent::LockedMutation => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        };
        conn.batch_execute(begin).map_err(|error| before(error.into()))?;
        match job.run(&mut conn) {
            Ok(()) => {
                let end = commit(&mut conn);
                // Where the outcome is open the connection is lost.
                if !matches!(end, Err(StoreError::OutcomeUnknown(_))) {
                    self.conn = Some(conn);
                }
                end.map_err(within)
            }
            Err(failure) => {
                let error = match failure {
                    Failure::Store(error) => error,
                    Failure::Refused => StoreError::Stopped,
                };
                // A connection that cannot roll back is broken; the next piece of work gets a new one.
                if conn.batch_execute("ROLLBACK").is_ok() {
                    self.conn = Some(conn);
                }
                Err(within(error))
            }
        }
    }
}

struct Broken {
    error: StoreError,
    before_begin: bool,
}

/// Commits, unless a statement failed and the work hid it: PostgreSQL would answer such a COMMIT with a
/// silent rollback, so one more statement asks whether the transaction still stands.
fn commit(conn: &mut AnyConnection) -> StoreResult<()> {
    let Err(error) = conn.batch_execute("SELECT 1; COMMIT") else {
        return Ok(());
    };
    match StoreError::from(error) {
        StoreError::Query(source) if source.to_string().contains(ABORTED) => {
            conn.batch_execute("ROLLBACK")?;
            Err(StoreError::Query(source))
        }
        // A connection that is lost while committing leaves the outcome open: the client asks again with
        // its idempotency key.
        StoreError::Unavailable(source) | StoreError::Query(source) => {
            Err(StoreError::OutcomeUnknown(source))
        }
        other => Err(other),
    }
}

/// 2, 4, 8 … ms with a spread that differs between threads, so that the same two do not meet again.
fn backoff(attempt: u32) -> Duration {
    let base = 1_u64 << attempt.min(6);
    let address = std::ptr::from_ref(&base).addr();
    let spread = u64::try_from((address >> 12) % 7).unwrap_or(0);
    Duration::from_millis(base + spread)
}
