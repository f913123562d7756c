//! How does SQLite serve reads and writes?
//!
//! One thread writes. It takes what waits, runs every piece in a savepoint of its own, commits once and only
//! then answers: the cost of a durable commit is shared, and no answer is given before it is true.

use std::collections::VecDeque;
use std::path::Path;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection};

use super::checkpoint::Checkpointer;
use super::job::{Failure, Job};
use super::lane::{Inbox, Lane};
use crate::dialect::AnyConnection;
use crate::error::{StoreError, StoreResult};
use crate::settings::Settings;

/// After so many commits what they wrote is moved from the log to the database, beside the writer.
const CHECKPOINT_COMMITS: u32 = 64;

/// The first release without the WAL-reset corruption race.
const VERSION_FLOOR: (u32, u32, u32) = (3, 51, 3);

#[derive(diesel::QueryableByName)]
struct Version {
    #[diesel(sql_type = diesel::sql_types::Text)]
    version: String,
}

/// Opens a connection with everything the promises of the product need.
pub(crate) fn connect(path: &Path, settings: &Settings) -> StoreResult<SqliteConnection> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .map_err(|error| StoreError::Settings(format!("cannot make {}: {error}", folder.display())))?;
    }
    let text = path
        .to_str()
        .ok_or_else(|| StoreError::Settings("the path is not valid UTF-8".to_owned()))?;
    let mut conn = SqliteConnection::establish(text)?;
    conn.batch_execute(&format!(
        "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
         PRAGMA trusted_schema = OFF; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; \
         PRAGMA wal_autocheckpoint = 16000;",
        settings.lock_timeout.as_millis()
    ))?;
    let found: Version = diesel::sql_query("SELECT sqlite_version() AS version").get_result(&mut conn)?;
    check_version(&found.version)?;
    Ok(conn)
}

fn check_version(found: &str) -> StoreResult<()> {
    let mut parts = found.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    let version = (next(), next(), next());
    if version >= VERSION_FLOOR {
        return Ok(());
    }
    Err(StoreError::Settings(format!(
        "SQLite {found} can corrupt its write-ahead log; 3.51.3 or newer is needed"
    )))
}

/// The one writer.
pub(crate) fn writer(path: &Path, settings: &Settings) -> StoreResult<Lane> {
    let mut conn = AnyConnection::Sqlite(connect(path, settings)?);
    let checkpointer = Checkpointer::start(path, settings)?;
    let most = settings.commit_group_max.max(1);
    let work = move |inbox: &Inbox| {
        let mut left_over = VecDeque::new();
        let mut commits: u32 = 0;
        while let Some(group) = inbox.next_group(std::mem::take(&mut left_over), most) {
            // Those who are about to ask come along: a commit costs the same for all of them.
            std::thread::yield_now();
            left_over = commit_group(&mut conn, group);
            commits = commits.wrapping_add(1);
            if commits.is_multiple_of(CHECKPOINT_COMMITS) {
                checkpointer.nudge();
            }
        }
    };
    Lane::start("write", settings.queue_depth, vec![work])
}

/// Connections that cannot write.
pub(crate) fn readers(path: &Path, settings: &Settings) -> StoreResult<Lane> {
    let mut workers = Vec::new();
    for _ in 0..settings.read_connections.max(1) {
        let mut conn = connect(path, settings)?;
        conn.batch_execute("PRAGMA query_only = ON;")?;
        let mut conn = AnyConnection::Sqlite(conn);
        workers.push(move |inbox: &Inbox| {
            while let Some(job) = inbox.next() {
                read_one(&mut conn, job);
            }
        });
    }
    Lane::start("read", settings.queue_depth, workers)
}

fn read_one(conn: &mut AnyConnection, mut job: Box<dyn Job>) {
    let end = match execute(conn, "BEGIN DEFERRED") {
        Ok(()) => {
            let end = run(conn, job.as_mut());
            // A read has nothing to commit; ending it cannot change the answer.
            let _ended = execute(conn, "ROLLBACK");
            end
        }
        Err(error) => Err(error),
    };
    job.finish(end);
}

/// Runs and commits a group; returns the work that the answers gave rise to.
fn commit_group(conn: &mut AnyConnection, group: VecDeque<Box<dyn Job>>) -> VecDeque<Box<dyn Job>> {
    if let Err(error) = execute(conn, "BEGIN IMMEDIATE") {
        return refuse_all(group, &error);
    }
    let mut done = Vec::with_capacity(group.len());
    let mut group = group;
    // A savepoint keeps a copy of every page that its job changes; a job without company needs none.
    if group.len() == 1
        && let Some(job) = group.pop_front()
    {
        return commit_alone(conn, job);
    }
    while let Some(mut job) = group.pop_front() {
        let end = run_in_savepoint(conn, job.as_mut());
        if let Err(error) = &end
            && error.ends_transaction()
        {
            let error = error.clone();
            roll_back(conn);
            stop_on_io_error(&error);
            group.push_front(job);
            let mut all: VecDeque<_> = done.into_iter().map(|(job, _)| job).collect();
            all.extend(group);
            return refuse_all(all, &error);
        }
        done.push((job, end));
    }
    match execute(conn, "COMMIT") {
        Ok(()) => done.into_iter().flat_map(|(job, end)| job.finish(end)).collect(),
        Err(error) => {
            stop_on_io_error(&error);
            roll_back(conn);
            refuse_all(done.into_iter().map(|(job, _)| job).collect(), &error)
        }
    }
}

/// Runs and commits the only job of a transaction.
fn commit_alone(conn: &mut AnyConnection, mut job: Box<dyn Job>) -> VecDeque<Box<dyn Job>> {
    let ran = run(conn, job.as_mut());
    let end = ran.clone().and_then(|()| execute(conn, "COMMIT"));
    if let Err(error) = &end {
        roll_back(conn);
        if ran.is_ok() || error.ends_transaction() {
            stop_on_io_error(error);
        }
    }
    job.finish(end).into()
}

fn run(conn: &mut AnyConnection, job: &mut dyn Job) -> Result<(), StoreError> {
    match job.run(conn) {
        Ok(()) => Ok(()),
        Err(Failure::Store(error)) => Err(error),
        // The job keeps its own answer; any error tells it that nothing was written.
        Err(Failure::Refused) => Err(StoreError::Stopped),
    }
}

fn run_in_savepoint(conn: &mut AnyConnection, job: &mut dyn Job) -> Result<(), StoreError> {
    execute(conn, "SAVEPOINT job")?;
    match run(conn, job) {
        Ok(()) => execute(conn, "RELEASE job"),
        Err(error) if error.ends_transaction() => Err(error),
        Err(error) => {
            crate::rollbacks::note();
            execute(conn, "ROLLBACK TO job")?;
            execute(conn, "RELEASE job")?;
            Err(error)
        }
    }
}

fn refuse_all(group: VecDeque<Box<dyn Job>>, error: &StoreError) -> VecDeque<Box<dyn Job>> {
    group
        .into_iter()
        .flat_map(|job| job.finish(Err(error.clone())))
        .collect()
}

/// After a failed write to the disk nobody knows what is on it: stop, and let recovery find out.
fn stop_on_io_error(error: &StoreError) {
    if matches!(error, StoreError::Io(_)) {
        infra::stop::emergency("the storage failed while a transaction was being written");
    }
}

/// Nothing that was read or written in the transaction is true any more.
fn roll_back(conn: &mut AnyConnection) {
    crate::rollbacks::note();
    let _rolled_back = execute(conn, "ROLLBACK");
}

fn execute(conn: &mut AnyConnection, sql: &str) -> StoreResult<()> {
    Ok(conn.batch_execute(sql)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sqlite_with_the_wal_reset_race_is_refused() {
        assert!(check_version("3.51.2").is_err());
        assert!(check_version("3.40.1").is_err());
        assert!(check_version("3.51.3").is_ok());
        assert!(check_version("3.53.0").is_ok());
    }
}
