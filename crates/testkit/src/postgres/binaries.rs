//! Where is PostgreSQL installed, and as whom may it run?

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::PostgresError;

const OLDEST: u32 = 15;

/// The programs of one installed PostgreSQL and the account that runs its server.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    bin: PathBuf,
    /// Set when this process is root, which PostgreSQL refuses to run as.
    account: Option<(u32, u32)>,
}

impl Binaries {
    /// The newest installed PostgreSQL: of the distribution's directories, else of the `PATH`.
    pub(super) fn find(root: &Path) -> Result<Self, PostgresError> {
        let bin = newest_below(Path::new("/usr/lib/postgresql"))
            .or_else(on_path)
            .ok_or(PostgresError::NotInstalled)?;
        let account = if owner(root)? == 0 {
            Some(unprivileged_account()?)
        } else {
            None
        };
        Ok(Self { bin, account })
    }

    /// A program that speaks to a server, run as ourselves.
    pub(super) fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        for name in [
            "PGOPTIONS",
            "PGSERVICE",
            "PGPASSWORD",
            "PGSSLMODE",
            "PGDATABASE",
            "PGHOST",
            "PGPORT",
        ] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).current_dir("/");
        command
    }

    /// A program that is or makes a server, run as an account that PostgreSQL accepts.
    pub(super) fn server(&self, program: &str) -> Command {
        let mut command = self.client(program);
        if let Some((uid, gid)) = self.account {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Makes a directory that only the server's account can enter.
    pub(super) fn make_private_dir(&self, path: &Path) -> Result<(), PostgresError> {
        let io = |source| PostgresError::Directory {
            path: path.to_path_buf(),
            source,
        };
        fs::create_dir(path).map_err(io)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(io)?;
        if let Some((uid, gid)) = self.account {
            chown(path, Some(uid), Some(gid)).map_err(io)?;
        }
        Ok(())
    }

    pub(super) fn psql_path(&self) -> PathBuf {
        self.bin.join("psql")
    }
}

/// Who owns this file or directory; of one we just made, that is who we are.
pub(super) fn owner(path: &Path) -> Result<u32, PostgresError> {
    fs::metadata(path)
        .map(|metadata| metadata.uid())
        .map_err(|source| PostgresError::Directory {
            path: path.to_path_buf(),
            source,
        })
}

fn newest_below(versions: &Path) -> Option<PathBuf> {
    fs::read_dir(versions)
        .ok()?
        .filter_map(|entry| {
            let version = entry.ok()?.file_name().to_str()?.parse::<u32>().ok()?;
            let bin = versions.join(version.to_string()).join("bin");
            (version >= OLDEST && bin.join("initdb").is_file()).then_some((version, bin))
        })
        .max()
        .map(|(_, bin)| bin)
}

fn on_path() -> Option<PathBuf> {
    let config = Command::new("pg_config")
        .args(["--bindir", "--version"])
        .output()
        .ok()?;
    let text = String::from_utf8(config.stdout).ok()?;
    let (bin, version) = text.trim().split_once('\n')?;
    let major = version
        .split(|c: char| !c.is_ascii_digit())
        .find_map(|digits| digits.parse::<u32>().ok())?;
    let bin = PathBuf::from(bin);
    (major >= OLDEST && bin.join("initdb").is_file()).then_some(bin)
}

fn unprivileged_account() -> Result<(u32, u32), PostgresError> {
    let passwd = fs::read_to_string("/etc/passwd").map_err(|source| PostgresError::Directory {
        path: PathBuf::from("/etc/passwd"),
        source,
    })?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| account(&passwd, name))
        .ok_or(PostgresError::NoAccount)
}

fn account(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some((uid, gid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\npostgresql:x:9:9::/:\npostgres:x:101:103:PG:/var:/bin/sh\n";
        assert_eq!(account(passwd, "postgres"), Some((101, 103)));
        assert_eq!(account(passwd, "nobody"), None);
    }

    #[test]
    fn a_directory_without_a_postgres_gives_none() {
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(newest_below(empty.path()), None);
        fs::create_dir_all(empty.path().join("14/bin")).unwrap();
        fs::write(empty.path().join("14/bin/initdb"), "").unwrap();
        assert_eq!(newest_below(empty.path()), None, "14 is too old");
        fs::create_dir_all(empty.path().join("16/bin")).unwrap();
        fs::write(empty.path().join("16/bin/initdb"), "").unwrap();
        assert_eq!(newest_below(empty.path()), Some(empty.path().join("16/bin")));
    }

    #[test]
    fn without_postgres_the_message_is_the_install_command() {
        assert!(
            PostgresError::NotInstalled
                .to_string()
                .ends_with("apt-get install -y postgresql-15")
        );
    }
}
