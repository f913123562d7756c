//! `plimsoll doctor`: is this installation healthy?

mod checks;
mod online;

use std::process::ExitCode;

use anyhow::Result;
use infra::config::Config;
use serde::Serialize;
use serde_json::json;

use super::{quiet_config, runtime};
use crate::cli::Global;
use crate::output::{failure, table};
use crate::wiring;

#[cfg(test)]
pub(crate) use checks::sqlite_that_wrote;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also call the configured providers, without a key and without cost
    #[arg(long)]
    online: bool,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    /// It runs, but somebody should look at it.
    Warn,
    Fail,
    /// It could not be looked at, because of another check that failed, or was not asked for.
    Skipped,
}

/// One check.
#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    verdict: Verdict,
    detail: String,
}

impl Check {
    fn new(check: &'static str, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self {
            check,
            verdict,
            detail: detail.into(),
        }
    }

    /// Fine with this detail, or failed with these causes.
    fn of(check: &'static str, result: Result<String>) -> Self {
        match result {
            Ok(detail) => Self::new(check, Verdict::Ok, detail),
            Err(error) => Self::new(check, Verdict::Fail, failure(&error).unwrap_or_default()),
        }
    }
}

pub(crate) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (checks, shown) = match quiet_config(global) {
        Ok(config) => {
            let checks = all(&config, args.online)?;
            (checks, config.describe())
        }
        Err(error) => (vec![Check::of("configuration", Err(error))], String::new()),
    };
    let healthy = checks.iter().all(|check| check.verdict != Verdict::Fail);
    let json =
        json!({"healthy": healthy, "checks": checks, "configuration": shown.lines().collect::<Vec<_>>()});
    global.format().result(&json, || text(&checks, &shown))?;
    Ok(if healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn all(config: &Config, online: bool) -> Result<Vec<Check>> {
    let mut checks = vec![Check::new("configuration", Verdict::Ok, "valid")];
    let system = runtime()?;
    let database = system.block_on(checks::database(config));
    let reachable = database.verdict == Verdict::Ok;
    checks.push(database);
    checks.push(checks::schema(config));
    checks.push(checks::sqlite(config, reachable));
    checks.extend(checks::disk(config));
    checks.push(checks::upstreams(config));
    checks.extend(system.block_on(online::reach(config, online))?);
    checks.push(Check::of(
        "prices",
        wiring::prices(&config.prices).map(|book| book.version().to_owned()),
    ));
    checks.push(checks::master_key(config));
    checks.push(checks::clock());
    checks.push(checks::open_files());
    Ok(checks)
}

fn text(checks: &[Check], configuration: &str) -> String {
    let word = |verdict| match verdict {
        Verdict::Ok => "ok",
        Verdict::Warn => "warn",
        Verdict::Fail => "FAIL",
        Verdict::Skipped => "-",
    };
    let row = |check: &Check| {
        [
            check.check.to_owned(),
            word(check.verdict).to_owned(),
            check.detail.clone(),
        ]
    };
    let checks = table(
        ["CHECK", "RESULT", "DETAIL"],
        &checks.iter().map(row).collect::<Vec<_>>(),
    );
    if configuration.is_empty() {
        checks
    } else {
        format!("{checks}\nConfiguration in force:\n{configuration}")
    }
}
