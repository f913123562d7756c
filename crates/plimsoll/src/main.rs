//! The binary `plimsoll`: it wires everything and decides nothing.

mod alone;
mod cli;
mod commands;
mod demo;
mod filesystem;
mod output;
mod simulate;
mod telemetry;
mod upkeep;
mod wiring;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

/// What a request allocates on one thread is freed on another, where the system's allocator would wait for a lock.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout and are no error; nobody is left to tell if printing fails.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { cli::USAGE } else { 0 });
        }
    };
    let failure = cli.command.failure();
    commands::run(cli).unwrap_or_else(|error| {
        if let Some(message) = output::failure(&error) {
            drop(writeln!(std::io::stderr(), "plimsoll: {message}"));
        }
        cli::exit_code(&error, failure)
    })
}
