//! What does each check look at, without leaving this machine's network?

use std::fmt;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Instant, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, bail};
use infra::clock::SystemClock;
use infra::config::Config;
use model::time::{Clock as _, Timestamp};

use super::{Check, Verdict};
use crate::alone::database_file;
use crate::commands::version::SQLITE;
use crate::wiring;

/// The first release without the WAL-reset corruption race.
const SQLITE_FLOOR: SqliteVersion = SqliteVersion(3_051_003);

/// No release of this program is older: 2026-01-01.
const CLOCK_FLOOR: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// A file system and a clock that differ by more disagree about the time.
const SKEW_MS: i64 = 5_000;

/// A durable write that takes longer holds up every request.
const SLOW_SYNC_MS: u128 = 50;

/// Every client and every provider connection is one.
const FILES_FLOOR: u64 = 4_096;

/// A version of SQLite as its library numbers it: 3053002.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SqliteVersion(u32);

impl fmt::Display for SqliteVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}.{}",
            self.0 / 1_000_000,
            self.0 / 1_000 % 1_000,
            self.0 % 1_000
        )
    }
}

/// The schema is the one of this program: neither older nor newer. Nothing is migrated.
pub(super) fn schema(config: &Config) -> Check {
    let result = || {
        let status = store::migrate::status(&wiring::store_settings(&config.database)?)?;
        status.refuse_other()?;
        Ok("has every migration of this program, and no other".to_owned())
    };
    Check::of("schema", result())
}

/// The database answers. Nothing is migrated.
pub(super) async fn database(config: &Config) -> Check {
    let result = async {
        if let Some(file) = database_file(config.database.url.expose())
            && !file.exists()
        {
            bail!(
                "{} does not exist yet: `plimsoll migrate` or `plimsoll serve` makes it",
                file.display()
            );
        }
        let cx = wiring::context(config)?;
        let found = cx.db.read(|tx| store::operators::count(tx)).await;
        let backend = cx.db.backend();
        wiring::close(cx);
        let operators = found.context("the operators cannot be read")?;
        Ok(format!("{backend} answers; operators: {operators}"))
    };
    Check::of("database", result.await)
}

/// Whichever SQLite wrote the file last is new enough, as is the one that is built in.
pub(super) fn sqlite(config: &Config, reachable: bool) -> Check {
    let Some(file) = database_file(config.database.url.expose()) else {
        return Check::new("sqlite", Verdict::Skipped, "the database is not SQLite");
    };
    if !reachable {
        return Check::new("sqlite", Verdict::Skipped, format!("built in: {SQLITE}"));
    }
    Check::of(
        "sqlite",
        sqlite_that_wrote(file).and_then(|version| {
            if version >= SQLITE_FLOOR {
                Ok(format!("built in: {SQLITE}, last writer: {version}"))
            } else {
                Err(anyhow!(
                    "the file was last written by SQLite {version}; before {SQLITE_FLOOR} it can lose data"
                ))
            }
        }),
    )
}

/// The SQLite that wrote this file last, as it noted in the file's header.
pub(crate) fn sqlite_that_wrote(file: &Path) -> Result<SqliteVersion> {
    let read = || -> std::io::Result<[u8; 4]> {
        let mut file = File::open(file)?;
        // "SQLITE_VERSION_NUMBER", big-endian: https://www.sqlite.org/fileformat.html#the_database_header
        file.seek(SeekFrom::Start(96))?;
        let mut number = [0; 4];
        file.read_exact(&mut number)?;
        Ok(number)
    };
    let number = read().with_context(|| format!("the header of {} cannot be read", file.display()))?;
    Ok(SqliteVersion(u32::from_be_bytes(number)))
}

/// Writing beside the database works, is durable in a reasonable time, and agrees with the clock.
pub(super) fn disk(config: &Config) -> Vec<Check> {
    let Some(file) = database_file(config.database.url.expose()) else {
        return vec![Check::new(
            "disk",
            Verdict::Skipped,
            "the database is not on this machine's disk",
        )];
    };
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let probe = folder.join(format!(".plimsoll-probe-{}", std::process::id()));
    let result = probe_disk(&probe).with_context(|| format!("cannot write in {}", folder.display()));
    drop(fs::remove_file(&probe));
    match result {
        Ok((micros, skew_ms)) => {
            let detail = format!(
                "write and fsync in {}: {}.{:03} ms",
                folder.display(),
                micros / 1000,
                micros % 1000
            );
            let slow = if micros / 1000 > SLOW_SYNC_MS {
                Verdict::Warn
            } else {
                Verdict::Ok
            };
            let agree = if skew_ms.abs() > SKEW_MS {
                Verdict::Warn
            } else {
                Verdict::Ok
            };
            let skew = format!("the file system's clock differs by {skew_ms} ms");
            vec![
                Check::new("disk", slow, detail),
                Check::new("disk clock", agree, skew),
            ]
        }
        Err(error) => vec![Check::of("disk", Err(error))],
    }
}

fn probe_disk(probe: &Path) -> std::io::Result<(u128, i64)> {
    let mut file = File::create_new(probe)?;
    let began = Instant::now();
    file.write_all(&[0; 4096])?;
    file.sync_all()?;
    let micros = began.elapsed().as_micros();
    let written = file
        .metadata()?
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let written = Timestamp::from_micros(i64::try_from(written.as_micros()).unwrap_or(i64::MAX));
    Ok((micros, SystemClock::new().now().millis_since(written)))
}

/// There is a provider to call.
pub(super) fn upstreams(config: &Config) -> Check {
    if config.upstreams.is_empty() {
        return Check::new(
            "upstreams",
            Verdict::Warn,
            "none is configured: LLM routes have nowhere to go",
        );
    }
    let names = || {
        config
            .upstreams
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    Check::of("upstreams", wiring::upstreams(config).map(|_| names()))
}

/// What is sealed can be opened.
pub(super) fn master_key(config: &Config) -> Check {
    match config.secrets.master_key() {
        Ok(Some(_)) => Check::new(
            "master key",
            Verdict::Ok,
            "set; secrets of access keys are encrypted under it",
        ),
        Ok(None) => Check::new(
            "master key",
            Verdict::Ok,
            "not set; nobody can sign requests about Incidents",
        ),
        Err(error) => Check::of("master key", Err(error.into())),
    }
}

/// The clock is not before this program was written.
pub(super) fn clock() -> Check {
    let now = SystemClock::new().now();
    let verdict = if now < CLOCK_FLOOR {
        Verdict::Fail
    } else {
        Verdict::Ok
    };
    Check::new("clock", verdict, now.to_string())
}

/// Enough files can be open at once.
pub(super) fn open_files() -> Check {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    match soft_limit(&limits) {
        Some(limit) if limit < FILES_FLOOR => {
            let detail = format!("{limit} may be open; raise it to {FILES_FLOOR} or more (ulimit -n)");
            Check::new("open files", Verdict::Warn, detail)
        }
        Some(u64::MAX) => Check::new("open files", Verdict::Ok, "unlimited"),
        Some(limit) => Check::new("open files", Verdict::Ok, format!("{limit} may be open")),
        None => Check::new("open files", Verdict::Skipped, "this system does not say"),
    }
}

fn soft_limit(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_is_the_soft_one() {
        let limits =
            "Limit   Soft Limit  Hard Limit  Units\nMax open files            1024   524288   files\n";
        assert_eq!(soft_limit(limits), Some(1024));
        assert_eq!(
            soft_limit("Max open files   unlimited unlimited files"),
            Some(u64::MAX)
        );
        assert_eq!(soft_limit(""), None);
    }

    #[test]
    fn a_version_reads_as_sqlite_writes_it() {
        assert_eq!(SQLITE_FLOOR.to_string(), "3.51.3");
        assert!(SqliteVersion(3_050_004) < SQLITE_FLOOR && SqliteVersion(3_053_000) > SQLITE_FLOOR);
    }

    #[test]
    fn the_probe_leaves_nothing_behind_and_agrees_with_the_clock() {
        let folder = tempfile::tempdir().unwrap();
        let (_, skew_ms) = probe_disk(&folder.path().join("probe")).unwrap();
        assert!(skew_ms.abs() < SKEW_MS, "{skew_ms}");
        assert!(probe_disk(&folder.path().join("no/such/folder")).is_err());
    }
}
