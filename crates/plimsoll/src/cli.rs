//! Which commands and flags are there, and what does the process return?

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use infra::config::{ConfigError, PartialFlags, Source};

use crate::commands;
use crate::output::Format;

/// What the process returns when the command line is not understood.
pub(crate) const USAGE: u8 = 2;

/// What a command returns that compares, when there was nothing that it could compare: 1 says that something differs, as with
/// diff(1).
const NOT_COMPARED: u8 = 2;

/// What it returns when the configuration cannot be used (`EX_CONFIG` of sysexits): starting it again does not help.
const CONFIG: u8 = 78;

/// The control plane for LLM traffic: limits are held before a call spends, and settled after it.
#[derive(Debug, Parser)]
#[command(name = "plimsoll", version, max_term_width = 110)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong command line, 78 unusable configuration.\n\
    Of replay and verify: 0 all agrees, 1 something differs, 2 nothing could be compared.\n\
    Every setting can also come from the environment or a file: see docs/configuration.md."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Read the configuration from this file (default: plimsoll.toml, if there is one)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How results are written to stdout
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t = OutputFormat::Text)]
    pub(crate) output: OutputFormat,
    /// The database: postgres://…, sqlite:PATH, or a path that ends in .db or .sqlite
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    /// Which log messages are written, such as info or info,services=debug
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log_level: Option<String>,
    /// How log lines look: json or pretty
    #[arg(long, global = true, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// Set any setting by its path, such as `gateway.max_retries=0`; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) set: Vec<(String, String)>,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the gateway and the API until SIGTERM or SIGINT
    Serve(commands::serve::Args),
    /// Bring the database up to date
    Migrate,
    /// Play the main job with demo data: a simulated provider, three tenants, real traffic
    Demo(commands::demo::Args),
    /// Make and control API keys
    #[command(subcommand)]
    Keys(commands::keys::Command),
    /// Make and control tenants
    #[command(subcommand)]
    Tenants(commands::tenants::Command),
    /// Make operators: the people who run the installation
    #[command(subcommand)]
    Operators(commands::operators::Command),
    /// Make and control principals: who signs requests about Incidents
    #[command(subcommand)]
    Principals(commands::principals::Command),
    /// Check this installation: configuration, database, disk, providers, clock
    Doctor(commands::doctor::Args),
    /// Check that the books agree with themselves
    #[command(subcommand)]
    Verify(commands::verify::Command),
    /// Make what is stored again from its events, and compare
    #[command(subcommand)]
    Replay(commands::replay::Command),
    /// Serve a simulated LLM provider on loopback, for trying out and for benchmarks
    SimulateProvider(commands::simulate_provider::Args),
    /// Print the versions of the program, of SQLite and of the price table
    Version,
    /// Print a completion script for a shell
    Completions(commands::completions::Args),
}

impl Global {
    /// The part of the configuration that the command line says.
    pub(crate) fn flags(&self) -> PartialFlags {
        PartialFlags {
            config_file: self.config.clone(),
            database_url: self.database_url.clone(),
            log_level: self.log_level.clone(),
            log_format: self.log_format.clone(),
            set: self.set.clone(),
            ..PartialFlags::default()
        }
    }

    /// How results are written.
    pub(crate) fn format(&self) -> Format {
        match self.output {
            OutputFormat::Text => Format::Text,
            OutputFormat::Json => Format::Json,
        }
    }
}

impl Command {
    /// What the process returns when the command fails.
    pub(crate) const fn failure(&self) -> u8 {
        match self {
            Self::Replay(_) | Self::Verify(_) => NOT_COMPARED,
            _ => 1,
        }
    }
}

/// What the process returns for a failure of a command that returns this for others. A closed pipe is none: whoever reads has
/// seen enough.
pub(crate) fn exit_code(error: &anyhow::Error, failure: u8) -> ExitCode {
    if crate::output::is_closed_pipe(error) {
        return ExitCode::SUCCESS;
    }
    match error.downcast_ref::<ConfigError>() {
        Some(ConfigError::Invalid { problems })
            if problems
                .iter()
                .any(|problem| matches!(problem.source, Source::Flag(_))) =>
        {
            ExitCode::from(USAGE)
        }
        Some(_) => ExitCode::from(CONFIG),
        None => ExitCode::from(failure),
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command as Clap, CommandFactory as _};

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_flag_says_what_it_is_for() {
        fn check(command: &Clap) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                let (name, of) = (argument.get_id(), command.get_name());
                assert!(argument.get_help().is_some(), "{name} of {of}");
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn a_setting_is_split_at_the_first_equals_sign() {
        assert_eq!(key_value("a.b=c=d"), Ok(("a.b".to_owned(), "c=d".to_owned())));
        assert!(key_value("a.b").is_err() && key_value("=x").is_err());
    }
}
