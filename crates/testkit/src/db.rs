//! How does a test get a database of its own, on either engine?
//!
//! SQLite is a file in a directory of its own; PostgreSQL a copy of a template that is migrated once per
//! test run. Both are gone when the [`TestDb`] is dropped. A test that must hold on both is written once,
//! in [`both_databases!`](crate::both_databases).

use std::collections::BTreeMap;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use store::{Db, Settings};
use tempfile::TempDir;

use crate::postgres::PrivatePostgres;

/// A fresh, migrated database that belongs to one test.
#[derive(Debug)]
pub struct TestDb {
    /// First, so that its connections are closed before the database goes.
    db: Db,
    url: String,
    home: Home,
}

/// What was done to a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableActivity {
    /// How often all of it was read, row by row.
    pub sequential_scans: u64,
    /// Rows that were added.
    pub inserted: u64,
    /// Rows that were changed.
    pub updated: u64,
}

impl TableActivity {
    /// A line of psql: a name and three numbers.
    fn named(line: &str) -> (String, Self) {
        let parts: Vec<&str> = line.split('|').collect();
        let [name, scans, inserted, updated] = parts[..] else {
            panic!("psql said {line}");
        };
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("psql said {line}"));
        let activity = Self {
            sequential_scans: number(scans),
            inserted: number(inserted),
            updated: number(updated),
        };
        (name.to_owned(), activity)
    }
}

#[derive(Debug)]
enum Home {
    Directory(#[expect(dead_code, reason = "removed when dropped")] TempDir),
    Database(String),
}

impl TestDb {
    /// A fresh SQLite database.
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("no directory: {error}"));
        let url = format!("sqlite:{}", directory.path().join("test.db").display());
        migrate(&url);
        Self::open(url, Home::Directory(directory))
    }

    /// A fresh PostgreSQL database. Panics and says how to install it if there is none.
    pub fn postgres() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let server = PrivatePostgres::shared();
        let template = template(server);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let url = server
            .create_from_template(&name, &template)
            .unwrap_or_else(|error| panic!("{error}"));
        Self::open(url, Home::Database(name))
    }

    fn open(url: String, home: Home) -> Self {
        let db = Db::open(&settings(&url)).unwrap_or_else(|error| panic!("cannot open {url}: {error:?}"));
        Self { db, url, home }
    }

    /// What a process is configured with to use this database.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The database, for what keeps one.
    pub fn db(&self) -> Db {
        self.db.clone()
    }

    /// What PostgreSQL has counted of each table that was touched. A connection tells it when it is closed.
    pub fn table_activity(&self) -> BTreeMap<String, TableActivity> {
        let Home::Database(name) = &self.home else {
            panic!("only PostgreSQL counts what is done to its tables");
        };
        let counted = PrivatePostgres::shared().sql(
            name,
            "SELECT relname, seq_scan, n_tup_ins, n_tup_upd FROM pg_stat_user_tables ORDER BY relname",
        );
        let counted = counted.unwrap_or_else(|error| panic!("{error}"));
        counted.lines().map(TableActivity::named).collect()
    }

    /// Does something to the database by hand, past everything that guards it in the product. For SQLite that takes
    /// Python, whose library brings one of its own.
    pub fn by_hand(&self, statement: &str) {
        let done = match &self.home {
            Home::Database(name) => PrivatePostgres::shared().sql(name, statement).map(drop),
            Home::Directory(_) => {
                by_hand_on_sqlite(&self.url, statement);
                Ok(())
            }
        };
        done.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Has PostgreSQL count what its tables hold, as its autovacuum would. `SQLite` plans without it.
    pub fn analyze(&self) {
        if let Home::Database(name) = &self.home {
            let said = PrivatePostgres::shared().sql(name, "VACUUM ANALYZE");
            said.unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// The same database opened once more, as another process would.
    pub fn open_again(&self) -> Db {
        Db::open(&settings(&self.url)).unwrap_or_else(|error| panic!("cannot open {}: {error:?}", self.url))
    }
}

impl Deref for TestDb {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Self::Database(name) = self {
            // What cannot be dropped goes with the server.
            drop(PrivatePostgres::shared().drop_database(name));
        }
    }
}

/// The settings of a test: few connections, because many tests share one server.
fn settings(url: &str) -> Settings {
    let mut settings = Settings::for_url(url).unwrap_or_else(|error| panic!("{url}: {error:?}"));
    settings.read_connections = 2;
    settings.write_connections = 2;
    settings
}

fn migrate(url: &str) {
    let applied = store::migrate::run(&settings(url));
    applied.unwrap_or_else(|error| panic!("cannot migrate {url}: {error:?}"));
}

/// The name of the migrated template, made by whoever comes first in this run.
fn template(server: &PrivatePostgres) -> String {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/postgres");
    let name = format!("template_{:016x}", fingerprint(&migrations));
    let made = server.once_per_run(&name, || {
        server
            .drop_database(&name)
            .unwrap_or_else(|error| panic!("{error}"));
        let url = server
            .create_database(&name)
            .unwrap_or_else(|error| panic!("{error}"));
        migrate(&url);
    });
    made.unwrap_or_else(|error| panic!("{error}"));
    name
}

/// A number that changes with the name or content of any file below this directory.
fn fingerprint(directory: &Path) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};

    let mut hasher = DefaultHasher::new();
    for path in files(directory) {
        path.strip_prefix(directory).unwrap_or(&path).hash(&mut hasher);
        fs::read(&path).unwrap_or_default().hash(&mut hasher);
    }
    hasher.finish()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
        .into_iter()
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

/// Writes each test twice, once per database engine: `sentence_name::sqlite` and
/// `sentence_name::postgres`. The crate that uses it needs `tokio` for its tests.
///
/// ```ignore
/// testkit::both_databases! {
///     async fn a_limit_that_was_made_can_be_read(db: testkit::db::TestDb) {
///         db.read(|tx| limits::get(tx, id)).await.unwrap();
///     }
/// }
/// ```
#[macro_export]
macro_rules! both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: $type:ty) $body:block)+) => {$(
        mod $name {
            use super::*;

            $(#[$meta])*
            async fn check($db: $type) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                check($crate::db::TestDb::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                check($crate::db::TestDb::postgres()).await;
            }
        }
    )+};
}

/// Does something to an `SQLite` database by hand, with the library that Python brings.
pub fn by_hand_on_sqlite(url: &str, statement: &str) {
    let file = url.trim_start_matches("sqlite:");
    let script = "import sqlite3, sys\n\
                  with sqlite3.connect(sys.argv[1], timeout=10) as db: db.execute(sys.argv[2])";
    let ran = Command::new("python3")
        .args(["-c", script, file, statement])
        .output();
    let ran = ran.unwrap_or_else(|error| panic!("python3 is needed: {error}"));
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[cfg(test)]
mod tests;
