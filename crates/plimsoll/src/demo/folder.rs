//! Where does the demo keep its database and its configuration?

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use infra::config::Config;

use crate::cli::Global;
use crate::simulate::Simulator;

/// Where it listens unless told otherwise.
const PORT: u16 = 8080;

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
        for name in ["demo.db", "demo.db-wal", "demo.db-shm"] {
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
        fs::write(&file, text(&database, ports, &simulator.base_url()))
            .with_context(|| format!("{} cannot be written", file.display()))?;
        let mut flags = global.flags();
        flags.config_file = Some(file);
        Ok(Config::load_from(&flags, [])?)
    }
}

fn text(database: &str, (port, metrics_port): (u16, u16), provider: &str) -> String {
    // A text of JSON is one of TOML.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        "# Written by `plimsoll demo`; the next demo writes it again.\n\
         [server]\nlisten = \"127.0.0.1:{port}\"\nmetrics_listen = \"127.0.0.1:{metrics_port}\"\n\n\
         [database]\nurl = {database}\n\n\
         [log]\nformat = \"pretty\"\nlevel = \"warn\"\n\n\
         [upstreams.openai]\nkind = \"openai\"\nbase_url = {openai}\napi_key = \"sk-simulated\"\n\n\
         [upstreams.anthropic]\nkind = \"anthropic\"\nbase_url = {anthropic}\napi_key = \"sk-ant-simulated\"\n",
        database = quoted(database),
        openai = quoted(provider),
        anthropic = quoted(provider.trim_end_matches("/v1")),
    )
}
