//! Is the schema up to date, and who brings it there?

use std::path::Path;

use diesel::connection::SimpleConnection as _;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::sqlite::Sqlite;
use diesel::{PgConnection, QueryDsl as _, RunQueryDsl as _, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use self::book::__diesel_schema_migrations;
use crate::db;
use crate::dialect::AnyConnection;
use crate::error::{StoreError, StoreResult};
use crate::settings::{Settings, Target};

const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// Any fixed number: one migration at a time on one database.
const ADVISORY_LOCK: &str = "SELECT pg_advisory_lock(5117330472180921)";

/// Diesel's own book of what was applied.
mod book {
    diesel::table! {
        __diesel_schema_migrations (version) {
            version -> Text,
        }
    }
}

/// How the schema of a database and the migrations of this program differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// What this program has and the database lacks, by name, oldest first.
    pub pending: Vec<String>,
    /// What the database has and this program does not know, by version: a newer release was here.
    pub unknown: Vec<String>,
}

impl Status {
    /// Refuses a schema that is newer than this program: what it would write, the newer release may not understand.
    ///
    /// # Errors
    /// [`StoreError::Settings`] with the versions.
    pub fn refuse_newer(&self) -> StoreResult<()> {
        if self.unknown.is_empty() {
            return Ok(());
        }
        Err(StoreError::Settings(format!(
            "its schema is newer than this program, which does not know the migration {}: run the release that \
             made it, or restore a backup from before",
            self.unknown.join(", ")
        )))
    }

    /// Refuses every schema but the one of this program.
    ///
    /// # Errors
    /// [`StoreError::Settings`] with what is missing or unknown.
    pub fn refuse_other(&self) -> StoreResult<()> {
        self.refuse_newer()?;
        if self.pending.is_empty() {
            return Ok(());
        }
        Err(StoreError::Settings(format!(
            "its schema is not up to date: run `plimsoll migrate`, which applies {}",
            self.pending.join(", ")
        )))
    }
}

/// Compares the database with this program and changes nothing. A file that does not exist lacks everything.
///
/// # Errors
/// When the database cannot be read.
pub fn status(settings: &Settings) -> StoreResult<Status> {
    let (known, applied) = match &settings.target {
        Target::Sqlite(path) if !path.exists() => (known::<Sqlite>(&SQLITE)?, Vec::new()),
        Target::Sqlite(path) => {
            let conn = db::connect_sqlite(path, settings)?;
            (known::<Sqlite>(&SQLITE)?, applied(AnyConnection::Sqlite(conn))?)
        }
        Target::Postgres(url) => {
            let conn = db::connect_postgres(url, settings)?;
            (known::<Pg>(&POSTGRES)?, applied(AnyConnection::Postgres(conn))?)
        }
    };
    let is_known = |version: &String| known.iter().any(|(known, _)| known == version);
    Ok(Status {
        unknown: applied
            .iter()
            .filter(|version| !is_known(version))
            .cloned()
            .collect(),
        pending: known
            .iter()
            .filter(|(version, _)| !applied.contains(version))
            .map(|(_, name)| name.clone())
            .collect(),
    })
}

/// The versions and names of the migrations that are built in, oldest first.
fn known<DB: diesel::backend::Backend>(source: &EmbeddedMigrations) -> StoreResult<Vec<(String, String)>>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    let migrations = MigrationSource::<DB>::migrations(source)
        .map_err(|error| StoreError::Migration(error.to_string()))?;
    let mut names: Vec<_> = migrations
        .iter()
        .map(|migration| {
            (
                migration.name().version().to_string(),
                migration.name().to_string(),
            )
        })
        .collect();
    names.sort();
    Ok(names)
}

/// The versions that were applied. Diesel would make its table where there is none, which a server without the
/// right to migrate may not.
fn applied(mut conn: AnyConnection) -> StoreResult<Vec<String>> {
    let found = __diesel_schema_migrations::table
        .select(__diesel_schema_migrations::version)
        .order(__diesel_schema_migrations::version)
        .load(&mut conn);
    match found {
        Err(diesel::result::Error::DatabaseError(_, info))
            if info.message().contains("no such table") || info.message().contains("does not exist") =>
        {
            Ok(Vec::new())
        }
        found => Ok(found?),
    }
}

/// Applies the migrations that are missing and returns their names.
///
/// # Errors
/// [`StoreError::Migration`] with the name of the one that failed; it leaves nothing behind.
/// [`StoreError::Settings`] if the schema is newer than this program.
pub fn run(settings: &Settings) -> StoreResult<Vec<String>> {
    status(settings)?.refuse_newer()?;
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
