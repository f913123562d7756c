//! Which function does which command?

pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod operators;
pub(crate) mod principals;
pub(crate) mod replay;
pub(crate) mod serve;
pub(crate) mod simulate_provider;
pub(crate) mod tenants;
pub(crate) mod verify;
pub(crate) mod version;

use std::future::Future;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use infra::config::Config;
use services::Context;

use crate::alone::database_file;
use crate::cli::{Cli, Command, Global};
use crate::{telemetry, wiring};

/// Messages of commands that do one thing and end.
const QUIET: &str = "warn";

/// Runs the command. An error is a failure that nobody expected; a check that failed is an exit code.
pub(crate) fn run(cli: Cli) -> Result<ExitCode> {
    let global = cli.global;
    let done = match cli.command {
        Command::Serve(args) => serve::run(&global, &args),
        Command::Migrate => migrate::run(&global),
        Command::Demo(args) => return demo::run(&global, &args),
        Command::Keys(command) => keys::run(&global, command),
        Command::Tenants(command) => tenants::run(&global, command),
        Command::Operators(command) => operators::run(&global, command),
        Command::Principals(command) => principals::run(&global, command),
        Command::Doctor(args) => return doctor::run(&global, &args),
        Command::SimulateProvider(args) => simulate_provider::run(&global, &args),
        Command::Replay(command) => return replay::run(&global, &command),
        Command::Verify(command) => return verify::run(&global, &command),
        Command::Version => version::run(&global),
        Command::Completions(args) => completions::run(&args),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// The configuration for a command that does one thing: it logs only what goes wrong, unless asked for more.
fn quiet_config(global: &Global) -> Result<Config> {
    let mut flags = global.flags();
    flags.log_level.get_or_insert_with(|| QUIET.to_owned());
    flags.log_format.get_or_insert_with(|| "pretty".to_owned());
    Ok(Config::load(&flags)?)
}

/// Runs one piece of work on the database, as the server would do it.
fn with_context<T, F>(global: &Global, work: impl FnOnce(Context) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let config = quiet_config(global)?;
    telemetry::start_logs(&config)?;
    wiring::migrate(&config)?;
    let cx = wiring::context(&config)?;
    let done = runtime()?.block_on(work(cx.clone()));
    wiring::close(cx);
    done
}

/// Refuses to go on without a database: a mistyped path would be made, and hold nothing.
fn must_exist(global: &Global) -> Result<()> {
    let config = quiet_config(global)?;
    match database_file(config.database.url.expose()) {
        Some(file) if !file.exists() => bail!("there is no database at {}", file.display()),
        _ => Ok(()),
    }
}

/// The event loops of the process: LLM requests are carried to their end here, while each serving thread has one of
/// its own.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("carry")
        .build()
        .context("the event loops could not be started")
}
