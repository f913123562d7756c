//! Which test run is this, where does its server live, and who cleans up after it?

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::{CommandExt as _, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::PostgresError;
use super::binaries::owner;

const KEEPER: &str = include_str!("keeper.sh");

/// A process and when it started, so that a later one with the same number is not mistaken for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Watched {
    pid: u32,
    start: String,
}

impl Watched {
    /// The process whose end is the end of this test run: nextest or cargo.
    pub(super) fn run() -> Self {
        let parent = parent_id();
        // An orphan has init as its parent, which never ends.
        let pid = if parent > 1 { parent } else { std::process::id() };
        Self::of(pid)
    }

    /// This very process.
    pub(super) fn me() -> Self {
        Self::of(std::process::id())
    }

    pub(super) fn of(pid: u32) -> Self {
        Self {
            pid,
            start: start_of(pid),
        }
    }
}

/// What the keeper needs to know about the server that it looks after.
#[derive(Debug)]
pub(super) struct Keeper<'a> {
    pub(super) dir: &'a Path,
    pub(super) watched: &'a Watched,
    pub(super) idle_minutes: u32,
    pub(super) psql: &'a Path,
}

impl Keeper<'_> {
    /// Starts the keeper in a process group of its own, so that no signal to the test reaches it.
    pub(super) fn spawn(&self) -> Result<(), PostgresError> {
        let script = self.dir.join("keeper.sh");
        let io = |source| PostgresError::Directory {
            path: script.clone(),
            source,
        };
        fs::write(&script, KEEPER).map_err(io)?;
        let words = [
            script.display().to_string(),
            self.dir.display().to_string(),
            self.watched.pid.to_string(),
            self.watched.start.clone(),
            self.idle_minutes.to_string(),
            self.psql.display().to_string(),
        ];
        fs::write(self.dir.join("keeper.args"), words.join("\n")).map_err(io)?;
        detached(&words).spawn().map_err(io)?;
        Ok(())
    }
}

/// Removes what runs before this one left behind because even their keeper was killed.
pub(super) fn sweep(base: &Path, mine: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for dir in entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|dir| dir != mine)
    {
        if let Ok(words) = fs::read_to_string(dir.join("keeper.args")) {
            let mut words: Vec<String> = words.split('\n').map(str::to_owned).collect();
            words.push("once".to_owned());
            // Not waited for: a server that is stopping may take seconds.
            drop(detached(&words).spawn());
        }
    }
}

fn detached(words: &[String]) -> Command {
    let mut command = Command::new("sh");
    command
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        .process_group(0);
    command
}

/// The directory of all private servers of this user, made if it is missing.
pub(super) fn base() -> Result<PathBuf, PostgresError> {
    let temp = std::env::temp_dir();
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| PostgresError::Directory { path, source }
    };
    let probe = tempfile::tempfile_in(&temp).map_err(io(&temp))?;
    let uid = probe.metadata().map_err(io(&temp))?.uid();
    let base = temp.join(format!("plimsoll-pg-{uid}"));
    fs::create_dir_all(&base).map_err(io(&base))?;
    if owner(&base)? != uid {
        return Err(PostgresError::Foreign { path: base });
    }
    fs::set_permissions(&base, fs::Permissions::from_mode(0o755)).map_err(io(&base))?;
    Ok(base)
}

/// The name of this test run: nextest's own, else that of the process that started this one.
#[expect(
    clippy::disallowed_methods,
    reason = "nextest tells its processes through the environment that they belong together"
)]
pub(super) fn key(watched: &Watched) -> String {
    let mut hasher = DefaultHasher::new();
    match std::env::var("NEXTEST_RUN_ID") {
        Ok(run) => run.hash(&mut hasher),
        Err(_) => watched.hash(&mut hasher),
    }
    // Short: the path of the socket may have a hundred bytes only.
    format!("{:016x}", hasher.finish())
}

/// The lock of this file, held until the returned file is dropped.
pub(super) fn lock(path: &Path) -> Result<File, PostgresError> {
    let io = |source| PostgresError::Directory {
        path: path.to_path_buf(),
        source,
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(io)?;
    file.lock().map_err(io)?;
    Ok(file)
}

fn start_of(pid: u32) -> String {
    if let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) {
        let behind_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        return behind_name.split(' ').nth(19).unwrap_or_default().to_owned();
    }
    Command::new("ps")
        .args(["-o", "lstart=", "-p", &pid.to_string()])
        .output()
        .map(|ps| String::from_utf8_lossy(&ps.stdout).trim_end().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_number_and_its_start() {
        let me = Watched::me();
        assert_eq!(me, Watched::me());
        assert!(!me.start.is_empty());
        assert_ne!(me, Watched::run());
    }

    #[test]
    fn processes_of_one_run_share_a_key() {
        assert_eq!(key(&Watched::run()), key(&Watched::run()));
    }
}
