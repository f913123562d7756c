//! Where does the demo keep its database and its configuration?

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use infra::config::Config;
use infra::secrets::random_bytes;

use crate::cli::Global;
use crate::simulate::Simulator;

/// Where it listens unless told otherwise.
const PORT: u16 = 8080;

/// What secrets of access keys and of webhooks are sealed under, made for this demo.
const MASTER_KEY: &str = "demo.key";

/// The folder of one demo; nobody else plays in it meanwhile.
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Takes the folder for this process.
    pub(super) fn take(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("the folder {} cannot be made", path.display()))?;
        let lock = File::create(path.join("demo.lock"));
        let lock = lock.with_context(|| format!("cannot write in {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "another demo runs in {}: stop it, or use --data-dir",
                    path.display()
                )
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{} cannot be locked", path.display()))
            }
        }
    }

    /// The configuration of the demo, by which other commands find its database.
    pub(super) fn config_file(&self) -> PathBuf {
        self.path.join("demo.toml")
    }

    /// Removes the database of an earlier demo.
    pub(super) fn clear(&self) -> Result<()> {
        for name in ["demo.db", "demo.db-wal", "demo.db-shm", MASTER_KEY] {
            let file = self.path.join(name);
            match fs::remove_file(&file) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("{} cannot be removed", file.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes the configuration of the demo and reads it as the server would. The environment is left out: no
    /// request of the demo may ever reach a real provider.
    pub(super) fn configure(
        &self,
        global: &Global,
        (port, metrics_port): (Option<u16>, Option<u16>),
        simulator: &Simulator,
    ) -> Result<Config> {
        let file = self.config_file();
        let ports = (port.unwrap_or(PORT), metrics_port.unwrap_or(0));
        let database = format!("sqlite:{}", self.path.join("demo.db").display());
        let master_key = self.master_key()?;
        let paths = (database.as_str(), master_key.as_str());
        fs::write(&file, text(paths, ports, &simulator.base_url()))
            .with_context(|| format!("{} cannot be written", file.display()))?;
        let mut flags = global.flags();
        flags.config_file = Some(file);
        Ok(Config::load_from(&flags, [])?)
    }

    /// Where the master key is; one is made if there is none, which only the owner of the folder may read.
    fn master_key(&self) -> Result<String> {
        let path = self.path.join(MASTER_KEY);
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        let written = match made {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            made => made
                .and_then(|mut file| file.write_all(BASE64_STANDARD.encode(random_bytes::<32>()).as_bytes())),
        };
        written.with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(path.display().to_string())
    }
}

fn text((database, master_key): (&str, &str), (port, metrics_port): (u16, u16), provider: &str) -> String {
    // A text of JSON is one of TOML.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        "# Written by `plimsoll demo`; the next demo writes it again.\n\
         [server]\nlisten = \"127.0.0.1:{port}\"\nmetrics_listen = \"127.0.0.1:{metrics_port}\"\n\n\
         [database]\nurl = {database}\n\n\
         [secrets]\nmaster_key_file = {master_key}\n\n\
         [log]\nformat = \"pretty\"\nlevel = \"warn\"\n\n\
         [upstreams.openai]\nkind = \"openai\"\nbase_url = {openai}\napi_key = \"sk-simulated\"\n\n\
         [upstreams.anthropic]\nkind = \"anthropic\"\nbase_url = {anthropic}\napi_key = \"sk-ant-simulated\"\n",
        database = quoted(database),
        master_key = quoted(master_key),
        openai = quoted(provider),
        anthropic = quoted(provider.trim_end_matches("/v1")),
    )
}
