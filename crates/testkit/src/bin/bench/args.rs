//! What is to be measured, for how long, and where may files be?

use std::path::PathBuf;
use std::time::Duration;

use crate::Outcome;
use crate::{incidents, proxy};

/// Which bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Checks of limits over HTTP.
    Limits,
    /// LLM requests through the gateway.
    Proxy,
    /// Incidents that are reported, driven and read with signed requests.
    Incidents,
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
    pub(crate) proxy: ProxyArgs,
    pub(crate) incidents: IncidentsArgs,
}

/// What only the bench of Incidents has.
#[derive(Debug, Clone)]
pub(crate) struct IncidentsArgs {
    /// Which parts are measured.
    pub(crate) parts: Vec<String>,
    /// Incidents per minute.
    pub(crate) rate: u32,
    /// Reads per second.
    pub(crate) read_rate: u32,
    /// Open connections that read.
    pub(crate) connections: usize,
}

/// What only the bench of the gateway has.
#[derive(Debug, Clone)]
pub(crate) struct ProxyArgs {
    /// Which parts are measured.
    pub(crate) parts: Vec<String>,
    /// Requests per second of the open loop.
    pub(crate) rate: u32,
    /// The same of streams.
    pub(crate) stream_rate: u32,
    /// How long the slower of the two providers takes.
    pub(crate) delay_ms: u32,
    /// Requests until memory is read for the last time, and the most that are replayed.
    pub(crate) requests: u64,
    /// How many times as fast the trace is replayed.
    pub(crate) speed: u32,
}

impl Args {
    pub(crate) fn read(args: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut args = args;
        let what = match args.next().as_deref() {
            Some("limits") => What::Limits,
            Some("proxy") => What::Proxy,
            Some("incidents") => What::Incidents,
            other => {
                let other = other.unwrap_or("?");
                return Err(format!("bench {other}: there are limits, proxy and incidents").into());
            }
        };
        let mut read = Self {
            what,
            json: false,
            plimsoll: std::path::absolute("target/release/plimsoll")?,
            dir: PathBuf::from("target/bench"),
            measured: Duration::from_secs(if what == What::Incidents { 600 } else { 10 }),
            rounds: 3,
            only: None,
            proxy: ProxyArgs {
                parts: proxy::PARTS.map(str::to_owned).to_vec(),
                rate: 1_000,
                stream_rate: 200,
                delay_ms: 20,
                requests: 200_000,
                speed: 60,
            },
            incidents: IncidentsArgs {
                parts: incidents::PARTS.map(str::to_owned).to_vec(),
                rate: 1_000,
                read_rate: 2_000,
                connections: 1_000,
            },
        };
        while let Some(flag) = args.next() {
            if flag == "--json" {
                read.json = true;
                continue;
            }
            let value = args.next().ok_or(format!("{flag} needs a value"))?;
            let known = read.set(&flag, &value);
            let known = known.map_err(|error| format!("{flag} {value}: {error}"))?;
            if !known {
                return Err(format!("unknown option {flag}").into());
            }
        }
        Ok(read)
    }

    /// Whether there is such a flag.
    fn set(&mut self, flag: &str, value: &str) -> Outcome<bool> {
        match flag {
            // The server runs in a directory of its own.
            "--plimsoll" => self.plimsoll = std::path::absolute(value)?,
            "--dir" => self.dir = value.into(),
            "--seconds" => self.measured = Duration::from_secs(value.parse::<u64>()?.max(1)),
            "--rounds" => self.rounds = value.parse::<usize>()?.max(1),
            "--only" => self.only = Some(value.to_owned()),
            _ => {
                return match self.what {
                    What::Limits => Ok(false),
                    What::Proxy => self.proxy.set(flag, value),
                    What::Incidents => self.incidents.set(flag, value),
                };
            }
        }
        Ok(true)
    }
}

impl ProxyArgs {
    fn set(&mut self, flag: &str, value: &str) -> Outcome<bool> {
        match flag {
            "--parts" => self.parts = parts(value, &proxy::PARTS)?,
            "--rate" => self.rate = value.parse::<u32>()?.max(1),
            "--stream-rate" => self.stream_rate = value.parse::<u32>()?.max(1),
            "--delay-ms" => self.delay_ms = value.parse::<u32>()?,
            "--requests" => self.requests = value.parse::<u64>()?.max(4),
            "--speed" => self.speed = value.parse::<u32>()?.max(1),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl IncidentsArgs {
    fn set(&mut self, flag: &str, value: &str) -> Outcome<bool> {
        match flag {
            "--parts" => self.parts = parts(value, &incidents::PARTS)?,
            "--rate" => self.rate = value.parse::<u32>()?.max(1),
            "--read-rate" => self.read_rate = value.parse::<u32>()?.max(1),
            "--connections" => self.connections = value.parse::<usize>()?.max(1),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn parts(value: &str, known: &[&str]) -> Outcome<Vec<String>> {
    let parts: Vec<String> = value.split(',').map(str::to_owned).collect();
    match parts.iter().find(|part| !known.contains(&part.as_str())) {
        Some(part) => Err(format!("there is no part {part}, but {}", known.join(", ")).into()),
        None => Ok(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Outcome<Args> {
        Args::read(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn a_mistake_is_named() {
        let complaint = |line: &str| read(line).unwrap_err().to_string();
        assert_eq!(
            complaint("limit"),
            "bench limit: there are limits, proxy and incidents"
        );
        assert_eq!(complaint("proxy --rounds"), "--rounds needs a value");
        assert_eq!(complaint("limits --rate 5"), "unknown option --rate");
        assert!(complaint("proxy --rate fast").starts_with("--rate fast: invalid digit"));
        assert!(complaint("proxy --parts added,all").contains("there is no part all, but added, saturation"));
    }

    #[test]
    fn each_bench_has_its_flags() {
        let args = read("proxy --json --seconds 2 --parts memory,replay --speed 600").unwrap();
        assert_eq!((args.what, args.json, args.proxy.speed), (What::Proxy, true, 600));
        assert_eq!(args.proxy.parts, ["memory", "replay"]);
        let args = read("incidents --rate 6000 --parts steady").unwrap();
        assert_eq!((args.incidents.rate, args.measured.as_secs()), (6_000, 600));
        assert_eq!(
            read("limits --only sqlite").unwrap().only.as_deref(),
            Some("sqlite")
        );
    }
}
