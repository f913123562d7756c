//! How does a test get a PostgreSQL of its own, and who stops it?
//!
//! One server per test run, shared by all of its processes: the first one starts it from the installed
//! programs, and a keeper process stops it and removes its files when the run is over, however it ended.
//! A benchmark that wants a server for itself, or a durable one, takes [`PrivatePostgres::own`].

mod binaries;
mod run;

use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use binaries::Binaries;
use run::{Keeper, Watched};

/// After so many minutes without a user a shared server stops even if its run seems to go on: when a
/// test binary is started by hand, the "run" is the shell, which may live for weeks.
const IDLE_MINUTES: u32 = 10;

/// Why there is no PostgreSQL for the test.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// No installed server that is new enough.
    #[error("no PostgreSQL 15 or newer found; run: apt-get install -y postgresql-15")]
    NotInstalled,
    /// Running as root without any account to run the server as.
    #[error("PostgreSQL does not run as root and there is neither a `postgres` nor a `nobody` account")]
    NoAccount,
    /// Somebody else made the directory that is ours by name.
    #[error("{} belongs to another user; remove it or set TMPDIR", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// A file or directory of the server could not be made or read.
    #[error("cannot use {}", path.display())]
    Directory {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {output}")]
    Program {
        /// The program.
        program: String,
        /// What it said, and the end of the server's log.
        output: String,
    },
}

/// How a private server is set up.
#[derive(Debug, Clone)]
pub struct Options {
    settings: Vec<(String, String)>,
}

impl Options {
    /// For tests: nothing survives a power cut, everything is quick.
    pub fn fast() -> Self {
        Self { settings: Vec::new() }
            .set("fsync", "off")
            .set("synchronous_commit", "off")
            .set("full_page_writes", "off")
            .set("autovacuum", "off")
            .set("checkpoint_timeout", "1h")
            .set("max_wal_size", "8GB")
    }

    /// For benchmarks that claim durability: PostgreSQL's own defaults.
    pub fn durable() -> Self {
        Self { settings: Vec::new() }
            .set("fsync", "on")
            .set("synchronous_commit", "on")
    }

    /// The same with one more setting of `postgresql.conf`, which wins over an earlier one.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A running PostgreSQL that belongs to this test run.
#[derive(Debug)]
pub struct PrivatePostgres {
    binaries: Binaries,
    dir: PathBuf,
    port: u16,
    stops_on_drop: bool,
}

impl PrivatePostgres {
    /// The server of this test run, started by whoever comes first. Panics with the remedy if it cannot.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<PrivatePostgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::join_or_start().unwrap_or_else(|error| panic!("{}", report(&error))))
    }

    /// A server for the caller alone, stopped when it is dropped (or when the process ends).
    pub fn own(options: &Options) -> Result<Self, PostgresError> {
        let base = run::base()?;
        let name = tempfile::Builder::new()
            .prefix("own-")
            .tempdir_in(&base)
            .map_err(|source| PostgresError::Directory {
                path: base.clone(),
                source,
            })?;
        let dir = name.keep();
        Self::start(&base, dir, &Watched::me(), options, true)
    }

    /// The connection URL of the maintenance database, as superuser.
    pub fn admin_url(&self) -> String {
        self.url("postgres")
    }

    /// The connection URL of a database, as superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The connection URL of a database by the server's Unix socket, as one connects on the same machine.
    pub fn socket_url(&self, database: &str) -> String {
        let folder = self.dir.join("data").display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{folder}:{}/{database}", self.port)
    }

    /// The server's directory, which goes when it goes.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes an empty database and returns its URL.
    pub fn create_database(&self, name: &str) -> Result<String, PostgresError> {
        self.sql("postgres", &format!("CREATE DATABASE {}", quoted(name)))?;
        Ok(self.url(name))
    }

    /// Makes a copy of a database that nobody is connected to and returns its URL.
    pub fn create_from_template(&self, name: &str, template: &str) -> Result<String, PostgresError> {
        let (name_sql, template) = (quoted(name), quoted(template));
        self.sql(
            "postgres",
            &format!("CREATE DATABASE {name_sql} TEMPLATE {template}"),
        )?;
        Ok(self.url(name))
    }

    /// Removes a database together with whoever is connected to it.
    pub fn drop_database(&self, name: &str) -> Result<(), PostgresError> {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name));
        self.sql("postgres", &sql).map(drop)
    }

    /// Runs one statement with psql and returns the rows, columns separated by `|`.
    pub fn sql(&self, database: &str, statement: &str) -> Result<String, PostgresError> {
        let mut psql = self.binaries.client("psql");
        psql.args([
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            &self.url(database),
            "-c",
            statement,
        ]);
        finish(psql, None)
    }

    /// Runs `make` in the first process of the run that asks for this name; the others wait for it.
    pub fn once_per_run(&self, name: &str, make: impl FnOnce()) -> Result<(), PostgresError> {
        let done = self.dir.join(format!("{name}.done"));
        let lock = run::lock(&self.dir.join(format!("{name}.lock")))?;
        if !done.exists() {
            make();
            write(&done, "")?;
        }
        drop(lock);
        Ok(())
    }

    fn join_or_start() -> Result<Self, PostgresError> {
        let base = run::base()?;
        let watched = Watched::run();
        let key = run::key(&watched);
        let dir = base.join(&key);
        let lock = run::lock(&base.join(format!("{key}.lock")))?;
        let server = if let Some(server) = Self::join(&dir)? {
            server
        } else {
            run::sweep(&base, &dir);
            Self::start(&base, dir.clone(), &watched, &Options::fast(), false)?
        };
        write(&dir.join("used"), "")?;
        drop(lock);
        Ok(server)
    }

    fn join(dir: &Path) -> Result<Option<Self>, PostgresError> {
        let Some(port) = fs::read_to_string(dir.join("ready"))
            .ok()
            .and_then(|text| text.trim().parse().ok())
        else {
            return Ok(None);
        };
        let server = Self {
            binaries: Binaries::find(dir)?,
            dir: dir.to_path_buf(),
            port,
            stops_on_drop: false,
        };
        let answers = std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        Ok(answers.then_some(server))
    }

    fn start(
        base: &Path,
        dir: PathBuf,
        watched: &Watched,
        options: &Options,
        stops_on_drop: bool,
    ) -> Result<Self, PostgresError> {
        let binaries = Binaries::find(base)?;
        let io = |source| PostgresError::Directory {
            path: dir.clone(),
            source,
        };
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(io)?;
        }
        fs::create_dir(&dir).map_err(io)?;
        // The server's account must be able to pass through, whatever our umask is.
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).map_err(io)?;
        // Before the server, so that there is no moment in which nobody would stop it.
        Keeper {
            dir: &dir,
            watched,
            idle_minutes: if stops_on_drop { 0 } else { IDLE_MINUTES },
            psql: &binaries.psql_path(),
        }
        .spawn()?;
        let port = start_server(&binaries, &dir, options)?;
        write(&dir.join("ready.new"), &format!("{port}\n"))?;
        fs::rename(dir.join("ready.new"), dir.join("ready")).map_err(io)?;
        Ok(Self {
            binaries,
            dir,
            port,
            stops_on_drop,
        })
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        if self.stops_on_drop {
            let mut stop = self.binaries.server("pg_ctl");
            stop.args(["stop", "-w", "-m", "fast", "-D"])
                .arg(self.dir.join("data"));
            let (stopped, removed) = (finish(stop, None), fs::remove_dir_all(&self.dir));
            drop((stopped, removed));
        }
    }
}

fn start_server(binaries: &Binaries, dir: &Path, options: &Options) -> Result<u16, PostgresError> {
    let data = dir.join("data");
    binaries.make_private_dir(&data)?;
    let mut initdb = binaries.server("initdb");
    initdb
        .args([
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
            "-U",
            "postgres",
            "-D",
        ])
        .arg(&data);
    finish(initdb, None)?;
    let log = data.join("server.log");
    // Another process may take the port between our look and the server's: then try the next one.
    let mut attempts = 0;
    loop {
        attempts += 1;
        let port = free_port(dir)?;
        configure(&data, port, options)?;
        let mut start = binaries.server("pg_ctl");
        start
            .args(["start", "-w", "-t", "60", "-D"])
            .arg(&data)
            .arg("-l")
            .arg(&log);
        match finish(start, Some(&log)) {
            Ok(_) => return Ok(port),
            Err(error) if attempts == 5 => return Err(error),
            Err(_) => {}
        }
    }
}

fn configure(data: &Path, port: u16, options: &Options) -> Result<(), PostgresError> {
    let (port, data_dir) = (port.to_string(), data.display().to_string());
    let ours = [
        ("listen_addresses", "127.0.0.1"),
        ("port", &port),
        ("unix_socket_directories", &data_dir),
        ("max_connections", "1000"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
    ];
    let asked = options.settings.iter().map(|(name, value)| (&**name, &**value));
    let lines = ours.into_iter().chain(asked);
    let text: Vec<String> = lines
        .map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''")))
        .collect();
    let path = data.join("postgresql.conf");
    let io = |source| PostgresError::Directory {
        path: path.clone(),
        source,
    };
    // Appended: the last value of a setting counts.
    let mut file = File::options().append(true).open(&path).map_err(io)?;
    file.write_all(text.concat().as_bytes()).map_err(io)
}

fn free_port(dir: &Path) -> Result<u16, PostgresError> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| PostgresError::Directory {
            path: dir.to_path_buf(),
            source,
        })
}

fn write(path: &Path, text: &str) -> Result<(), PostgresError> {
    fs::write(path, text).map_err(|source| PostgresError::Directory {
        path: path.to_path_buf(),
        source,
    })
}

fn finish(mut command: Command, log: Option<&Path>) -> Result<String, PostgresError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |output: String| PostgresError::Program {
        program: program.clone(),
        output,
    };
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
    }
    let mut said = String::from_utf8_lossy(&output.stderr).into_owned();
    if let Some(log) = log {
        said.push_str(&fs::read_to_string(log).unwrap_or_default());
    }
    Err(failed(said))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn report(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
