//! Is this the only server on its SQLite file?
//!
//! An SQLite file has one process that serves it: what another one froze or changed would be seen late. The lock ends
//! with the process, however it ends. Commands that do one thing need none.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use infra::config::Config;

/// The lock of a server; dropping it lets the next one in.
#[derive(Debug)]
pub(crate) struct Alone(#[expect(dead_code, reason = "held until it is dropped")] Option<File>);

/// Takes the lock of the configured database; a server of PostgreSQL shares it and needs none.
pub(crate) fn on_database(config: &Config) -> Result<Alone> {
    let Some(file) = database_file(config.database.url.expose()) else {
        return Ok(Alone(None));
    };
    let mut path = file.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let lock = File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(Alone(Some(lock))),
        Err(TryLockError::WouldBlock) => bail!(
            "another server runs on {}: an SQLite file is served by one process (PostgreSQL takes many)",
            file.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).context(format!("cannot lock {}", path.display())),
    }
}

/// The file of the configured database, if it is one.
pub(crate) fn database_file(url: &str) -> Option<&Path> {
    if url.starts_with("postgres") && url.contains("://") {
        return None;
    }
    let path = url
        .strip_prefix("sqlite:")
        .map_or(url, |rest| rest.strip_prefix("//").unwrap_or(rest));
    Some(Path::new(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_the_one_that_the_store_opens() {
        for (url, file) in [
            ("sqlite:./a/b.db", "./a/b.db"),
            ("sqlite:///x/y", "/x/y"),
            ("postgres.db", "postgres.db"),
        ] {
            assert_eq!(database_file(url), Some(Path::new(file)), "{url}");
        }
        assert_eq!(database_file("postgres://h/d"), None);
        assert_eq!(database_file("postgresql://h/d"), None);
    }
}
