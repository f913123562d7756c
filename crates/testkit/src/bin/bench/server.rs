//! A server of our own: started on free ports, stopped when it is no longer needed.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Outcome;

/// The longest that a server may take to stop.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

/// A running `plimsoll`.
pub(crate) struct Server {
    child: Child,
    name: String,
    /// Where it serves.
    pub(crate) addr: SocketAddr,
    /// What it said when it served.
    pub(crate) said: Value,
}

impl Server {
    /// `plimsoll serve` on this database with further flags. Its log goes to a file in `dir`.
    pub(crate) fn serve(plimsoll: &Path, dir: &Path, name: &str, url: &str, flags: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(plimsoll);
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--metrics-listen",
            "127.0.0.1:0",
        ]);
        command.args(["--database-url", url]).args(flags);
        Self::start(command, dir, name)
    }

    /// Starts the program and waits until it says where it serves.
    pub(crate) fn start(mut command: Command, dir: &Path, name: &str) -> Outcome<Self> {
        let log = dir.join(format!("{name}.log"));
        let mut child = command
            .args(["--output", "json"])
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", command.get_program().display()))?;
        let stdout = child.stdout.take().ok_or("a child without stdout")?;
        let mut text = String::new();
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            text.push_str(&line);
            if line == "}" {
                break;
            }
        }
        let said: Value = serde_json::from_str(&text)
            .map_err(|error| format!("{name} did not start ({error}): see {}", log.display()))?;
        let url = said["base_url"].as_str().unwrap_or_default();
        let addr = url
            .trim_start_matches("http://")
            .trim_end_matches("/v1")
            .parse()?;
        Ok(Self {
            child,
            name: name.to_owned(),
            addr,
            said,
        })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The token of the operator of a new installation.
    pub(crate) fn operator_token(&self) -> Outcome<&str> {
        Ok(self.said["operator_token"].as_str().ok_or("no operator token")?)
    }

    /// Stops it as an operator would; fails if it does not end well.
    pub(crate) fn stop(mut self) -> Outcome<()> {
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        let by = Instant::now() + STOPS_WITHIN;
        while Instant::now() < by {
            if let Some(status) = self.child.try_wait()? {
                return if status.success() {
                    Ok(())
                } else {
                    Err(format!("{} ended with {status}", self.name).into())
                };
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("{} did not stop", self.name).into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already unless the bench failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
