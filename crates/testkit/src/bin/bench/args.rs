//! What is to be measured, for how long, and where may files be?

use std::path::PathBuf;
use std::time::Duration;

use crate::Outcome;

/// Which bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Checks of limits over HTTP.
    Limits,
}

/// The command line.
#[derive(Debug, Clone)]
pub(crate) struct Args {
    pub(crate) what: What,
    /// The last line of stdout is JSON.
    pub(crate) json: bool,
    /// The server's binary.
    pub(crate) plimsoll: PathBuf,
    /// Where databases and logs of the bench are; on a real disk.
    pub(crate) dir: PathBuf,
    /// How long each load is measured.
    pub(crate) measured: Duration,
    /// How often everything is measured; the medians are reported.
    pub(crate) rounds: usize,
    /// Only this database.
    pub(crate) only: Option<String>,
}

impl Args {
    pub(crate) fn read(args: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut args = args;
        let what = match args.next().as_deref() {
            Some("limits") => What::Limits,
            _ => return Err("expected: bench limits".into()),
        };
        let mut read = Self {
            what,
            json: false,
            plimsoll: PathBuf::from("target/release/plimsoll"),
            dir: PathBuf::from("target/bench"),
            measured: Duration::from_secs(10),
            rounds: 3,
            only: None,
        };
        while let Some(flag) = args.next() {
            let mut value = || args.next().ok_or(format!("{flag} needs a value"));
            match flag.as_str() {
                "--json" => read.json = true,
                "--plimsoll" => read.plimsoll = value()?.into(),
                "--dir" => read.dir = value()?.into(),
                "--seconds" => read.measured = Duration::from_secs(value()?.parse::<u64>()?.max(1)),
                "--rounds" => read.rounds = value()?.parse::<usize>()?.max(1),
                "--only" => read.only = Some(value()?),
                other => return Err(format!("unknown option {other}").into()),
            }
        }
        Ok(read)
    }
}
