//! How is the database opened?

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{StoreError, StoreResult};

/// Which database, where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// One file, one writing process.
    Sqlite(PathBuf),
    /// A server, many processes.
    Postgres(String),
}

/// How to open the database.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(crate) target: Target,
    /// Connections for reading.
    pub read_connections: usize,
    /// Connections for writing (PostgreSQL; SQLite has exactly one).
    pub write_connections: usize,
    /// Lanes that batches are spread over (PostgreSQL; SQLite has exactly one).
    pub ledger_lanes: usize,
    /// Commands that may wait in one queue before the next is refused.
    pub queue_depth: usize,
    /// The most commands of the ledger in one transaction: bounds how long the first of them waits.
    pub batch_max: usize,
    /// The most pieces of work in one commit (SQLite): bounds how long the first of them waits.
    pub commit_group_max: usize,
    /// The longest a statement may take (PostgreSQL).
    pub statement_timeout: Duration,
    /// The longest a lock may be waited for.
    pub lock_timeout: Duration,
}

impl Settings {
    /// Settings for the database of this URL with the defaults of the configuration.
    ///
    /// # Errors
    /// [`StoreError::Settings`] unless the URL is `postgres://…`, `postgresql://…`, `sqlite:PATH`, or a path that
    /// ends in `.db` or `.sqlite`. Anything else is never taken for a file name.
    pub fn for_url(url: &str) -> StoreResult<Self> {
        Ok(Self {
            target: target(url)?,
            read_connections: 4,
            write_connections: 4,
            ledger_lanes: 2,
            queue_depth: 4096,
            batch_max: 512,
            commit_group_max: 256,
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(5),
        })
    }

    /// `sqlite` or `postgres`.
    pub fn backend(&self) -> &'static str {
        match self.target {
            Target::Sqlite(_) => "sqlite",
            Target::Postgres(_) => "postgres",
        }
    }
}

fn target(url: &str) -> StoreResult<Target> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Target::Postgres(url.to_owned()));
    }
    let path = match url.strip_prefix("sqlite:") {
        Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
        None if [".db", ".sqlite"].iter().any(|ending| url.ends_with(ending)) && !url.contains("://") => url,
        None => "",
    };
    if path.is_empty() || path == ":memory:" || path.contains('?') || path.contains('\0') {
        return Err(StoreError::Settings(
            "expected postgres://…, sqlite:PATH or a path that ends in .db or .sqlite".to_owned(),
        ));
    }
    Ok(Target::Sqlite(PathBuf::from(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_plainly_a_database_is_opened() {
        for (url, path) in [
            ("sqlite:./a/b.db", "./a/b.db"),
            ("sqlite:///x/y", "/x/y"),
            ("c.sqlite", "c.sqlite"),
        ] {
            assert_eq!(target(url).unwrap(), Target::Sqlite(path.into()), "{url}");
        }
        assert!(matches!(
            target("postgresql://u@h/d").unwrap(),
            Target::Postgres(_)
        ));
        for bad in [
            "host=h port=5432",
            "mysql://h/d",
            "",
            "sqlite:",
            "sqlite::memory:",
            "plain",
            "http://h/x.db",
        ] {
            assert!(matches!(target(bad), Err(StoreError::Settings(_))), "{bad}");
        }
    }
}
