//! Is the schema up to date, and who brings it there?

use std::path::Path;

use diesel::connection::SimpleConnection as _;
use diesel::{PgConnection, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::db;
use crate::error::{StoreError, StoreResult};
use crate::settings::{Settings, Target};

const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// Any fixed number: one migration at a time on one database.
const ADVISORY_LOCK: &str = "SELECT pg_advisory_lock(5117330472180921)";

/// Applies the migrations that are missing and returns their names.
///
/// # Errors
/// [`StoreError::Migration`] with the name of the one that failed; it leaves nothing behind.
pub fn run(settings: &Settings) -> StoreResult<Vec<String>> {
    match &settings.target {
        Target::Sqlite(path) => alone_sqlite(path, settings, |conn| apply(conn, SQLITE)),
        Target::Postgres(url) => apply(&mut alone_postgres(url, settings)?, POSTGRES),
    }
}

/// Undoes the latest migration and applies it again.
///
/// # Errors
/// [`StoreError::Migration`].
pub fn redo_latest(settings: &Settings) -> StoreResult<()> {
    match &settings.target {
        Target::Sqlite(path) => alone_sqlite(path, settings, |conn| {
            revert(conn, SQLITE)?;
            apply(conn, SQLITE)
        })?,
        Target::Postgres(url) => {
            let mut conn = alone_postgres(url, settings)?;
            revert(&mut conn, POSTGRES)?;
            apply(&mut conn, POSTGRES)?
        }
    };
    Ok(())
}

/// Does the work in one transaction that keeps every other process from looking what is missing meanwhile.
fn alone_sqlite<T>(
    path: &Path,
    settings: &Settings,
    work: impl FnOnce(&mut SqliteConnection) -> StoreResult<T>,
) -> StoreResult<T> {
    let mut conn = db::connect_sqlite(path, settings)?;
    conn.batch_execute("PRAGMA busy_timeout = 60000;")?;
    conn.immediate_transaction(work)
}

/// A connection that no other migration runs beside; the lock is released with it.
fn alone_postgres(url: &str, settings: &Settings) -> StoreResult<PgConnection> {
    let mut conn = db::connect_postgres(url, settings)?;
    conn.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0;")?;
    conn.batch_execute(ADVISORY_LOCK)?;
    Ok(conn)
}

fn revert<DB: diesel::backend::Backend>(
    conn: &mut impl MigrationHarness<DB>,
    migrations: EmbeddedMigrations,
) -> StoreResult<()> {
    conn.revert_last_migration(migrations)
        .map(drop)
        .map_err(|error| StoreError::Migration(error.to_string()))
}

fn apply<DB: diesel::backend::Backend>(
    conn: &mut impl MigrationHarness<DB>,
    migrations: EmbeddedMigrations,
) -> StoreResult<Vec<String>> {
    conn.run_pending_migrations(migrations)
        .map(|applied| applied.iter().map(ToString::to_string).collect())
        .map_err(|error| StoreError::Migration(error.to_string()))
}
