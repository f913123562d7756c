//! Who takes part? A server on a fresh database, and in each tenant somebody who is on call.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testkit::sigv4::TestSigner;

use crate::Outcome;
use crate::args::Args;
use crate::engine::Engine;
use crate::server::Server;
use crate::setup;

/// Tenants whose Incidents they are.
const TENANTS: usize = 4;

/// The database of every load.
const DATABASE: &str = "incidents";

/// The rates of an authority are for people, who are slower. The key is that of the bench, and rests nowhere else.
const CONFIGURATION: &str = "[secrets]\nmaster_key = \"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\"\n\
    [rates.on_call_sre]\nmutations_per_minute = 1000000\nreads_per_minute = 1000000\nburst = 1000000\n";

/// Somebody who is on call, and the API key of a customer.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) signer: TestSigner,
    pub(super) key: String,
}

/// A server with people.
pub(super) struct Stage {
    pub(super) server: Server,
    pub(super) people: Vec<Person>,
    pub(super) url: String,
    plimsoll: PathBuf,
    dir: PathBuf,
}

/// What `plimsoll replay incident --all` has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) incidents: u64,
    pub(super) events: u64,
}

impl Stage {
    pub(super) async fn open(args: &Args, dir: &Path, engine: &Engine) -> Outcome<Self> {
        let url = engine.fresh(DATABASE)?;
        std::fs::write(dir.join("plimsoll.toml"), CONFIGURATION)?;
        let file = dir.join("plimsoll.toml").to_string_lossy().into_owned();
        let server = Server::serve(&args.plimsoll, dir, "plimsoll", &url, &["--config", &file])?;
        let callers = setup::callers(server.addr, server.operator_token()?, TENANTS).await?;
        let mut stage = Self {
            server,
            people: Vec::new(),
            url,
            plimsoll: args.plimsoll.clone(),
            dir: dir.to_owned(),
        };
        for (number, caller) in callers.into_iter().enumerate() {
            let tenant = format!("bench-{number}");
            let made = stage.command(&[
                "principals",
                "create",
                "--tenant",
                &tenant,
                "--name",
                "pager",
                "--roles",
                "sre",
            ])?;
            let text = |name: &str| -> Outcome<String> {
                Ok(made[name]
                    .as_str()
                    .ok_or("a principal without its key")?
                    .to_owned())
            };
            let signer = TestSigner {
                access_key: text("access_key_id")?,
                secret: text("secret_access_key")?,
            };
            let key = caller.secret;
            stage.people.push(Person { signer, key });
        }
        Ok(stage)
    }

    /// What a command of the product says.
    fn command(&self, words: &[&str]) -> Outcome<Value> {
        command(&self.plimsoll, &self.dir, &self.url, words)
    }

    /// Stops the server as an operator would, and leaves the database for whoever reads it.
    pub(super) fn stop(self) -> Outcome<Stopped> {
        self.server.stop()?;
        Ok(Stopped {
            plimsoll: self.plimsoll,
            dir: self.dir,
            url: self.url,
        })
    }
}

/// What a server has left behind.
pub(super) struct Stopped {
    plimsoll: PathBuf,
    dir: PathBuf,
    pub(super) url: String,
}

impl Stopped {
    /// Makes every Incident again from its events; an error if one is not what they say.
    pub(super) fn replayed(&self) -> Outcome<Found> {
        let found = command(
            &self.plimsoll,
            &self.dir,
            &self.url,
            &["replay", "incident", "--all"],
        )?;
        let count = |name: &str| found[name].as_u64().ok_or(format!("no {name} in {found}"));
        Ok(Found {
            incidents: count("incidents")?,
            events: count("events")?,
        })
    }
}

/// Removes what a server has left behind.
pub(super) fn clear(engine: &Engine) -> Outcome<()> {
    engine.remove(DATABASE)
}

fn command(plimsoll: &Path, dir: &Path, url: &str, words: &[&str]) -> Outcome<Value> {
    let file = dir.join("plimsoll.toml");
    let done = Command::new(plimsoll)
        .args(words)
        .args(["--output", "json", "--database-url", url, "--config"])
        .arg(file)
        .current_dir(dir)
        .output()?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        return Err(format!("plimsoll {}: {said}", words.join(" ")).into());
    }
    Ok(serde_json::from_slice(&done.stdout)?)
}
