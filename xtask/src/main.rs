//! The rules of the repository, and the two commands of the README.

mod bench;
mod cargo;
mod layers;
mod report;
mod test;
mod tidy;
mod up;
mod workspace;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use report::Report;
use workspace::Workspace;

/// Keeps the rules of docs/architecture.md and runs what the README promises.
///
/// Exit codes: 0 clean, 1 findings or failures, 2 the check itself could not run.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check every edge between our crates against xtask/architecture.toml and architecture.lock.
    CheckLayers {
        /// Write the graph as it is now to xtask/architecture.lock (only when the table allows it).
        #[arg(long)]
        accept: bool,
    },
    /// Check files, names, lengths, documents and links; print all findings with what to do instead.
    Tidy {
        /// Lower the entries of xtask/ratchet.toml to the lengths of today; never raises one.
        #[arg(long)]
        update_ratchet: bool,
    },
    /// Run everything that must pass before a change is merged; report all failures at the end.
    Test,
    /// Build plimsoll and run its demo: embedded database, tenants, traffic, consoles.
    Up(up::Args),
    /// Measure the release build under load and print ratios to a ceiling of the same run.
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::CheckLayers { accept } => check_layers(accept),
        Command::Tidy { update_ratchet } => run_tidy(update_ratchet),
        Command::Test => test::run(),
        Command::Up(args) => up::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            let told = writeln!(io::stderr().lock(), "error: {error:#}");
            told.map_or(ExitCode::FAILURE, |()| ExitCode::from(2))
        }
    }
}

fn check_layers(accept: bool) -> Result<bool> {
    let workspace = Workspace::read()?;
    let report = if accept {
        layers::accept(&workspace)?
    } else {
        layers::check(&workspace)
    };
    show("check-layers", report)
}

fn run_tidy(update_ratchet: bool) -> Result<bool> {
    let mut workspace = Workspace::read()?;
    if update_ratchet {
        tidy::update_ratchet(&workspace)?;
        workspace = Workspace::read()?;
    }
    show("tidy", tidy::check(&workspace))
}

fn show(title: &str, report: Report) -> Result<bool> {
    let report = report.finish();
    report.write(title, &mut io::stdout().lock())?;
    Ok(report.is_clean())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
