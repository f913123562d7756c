//! Is the schema up to date, and who brings it there?

use diesel::connection::SimpleConnection as _;
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
        Target::Sqlite(path) => apply(&mut db::connect_sqlite(path, settings)?, SQLITE),
        Target::Postgres(url) => {
            let mut conn = db::connect_postgres(url, settings)?;
            conn.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0;")?;
            // Released with the connection.
            conn.batch_execute(ADVISORY_LOCK)?;
            apply(&mut conn, POSTGRES)
        }
    }
}

/// Undoes the latest migration and applies it again.
///
/// # Errors
/// [`StoreError::Migration`].
pub fn redo_latest(settings: &Settings) -> StoreResult<()> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Migration(error.to_string());
    match &settings.target {
        Target::Sqlite(path) => {
            let mut conn = db::connect_sqlite(path, settings)?;
            conn.revert_last_migration(SQLITE).map_err(failed)?;
            apply(&mut conn, SQLITE)?;
        }
        Target::Postgres(url) => {
            let mut conn = db::connect_postgres(url, settings)?;
            conn.revert_last_migration(POSTGRES).map_err(failed)?;
            apply(&mut conn, POSTGRES)?;
        }
    }
    Ok(())
}

fn apply<DB: diesel::backend::Backend>(
    conn: &mut impl MigrationHarness<DB>,
    migrations: EmbeddedMigrations,
) -> StoreResult<Vec<String>> {
    conn.run_pending_migrations(migrations)
        .map(|applied| applied.iter().map(ToString::to_string).collect())
        .map_err(|error| StoreError::Migration(error.to_string()))
}
