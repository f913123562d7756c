//! The scripted LLM upstream as a program, for tests in other languages and for load.
//!
//! Prints `{"base_url": …}` as one line when it serves, and stops with the process that started it.
//! Options: `--port N`, `--synthetic` (no recordings), `--workers N`, `--keep-requests N`, `--stay` (go on
//! when the starting process ends).

use std::io::Write as _;
use std::os::unix::process::parent_id;
use std::process::ExitCode;
use std::time::Duration;

use testkit::upstream::{Options, Scripted};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            drop(writeln!(std::io::stderr(), "scripted-upstream: {message}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let parent = parent_id();
    let (options, stays) = options(std::env::args().skip(1))?;
    let upstream = Scripted::with(&options).map_err(|error| error.to_string())?;
    let line = serde_json::json!({"base_url": upstream.base_url()});
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .map_err(|error| error.to_string())?;
    while stays || parent_id() == parent {
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

fn options(args: impl Iterator<Item = String>) -> Result<(Options, bool), String> {
    let (mut options, mut stays) = (Options::default(), false);
    let mut args = args;
    while let Some(flag) = args.next() {
        let mut number = || {
            let value = args.next().ok_or(format!("{flag} needs a number"))?;
            value
                .parse::<usize>()
                .map_err(|error| format!("{value}: {error}"))
        };
        match flag.as_str() {
            "--port" => {
                options.port = u16::try_from(number()?).map_err(|error| error.to_string())?;
            }
            "--workers" => options.workers = number()?.max(1),
            "--keep-requests" => options.keep_requests = number()?,
            "--synthetic" => options.recordings = false,
            "--stay" => stays = true,
            other => return Err(format!("unknown option {other}")),
        }
    }
    Ok((options, stays))
}
