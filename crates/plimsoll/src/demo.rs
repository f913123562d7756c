//! The main job, played with demo data.
//!
//! A simulated provider, a fresh database, tenants with limits, the real server and real requests to it: what fits is
//! answered, what does not is refused before it spends, and the books say so. A call that fails becomes an Incident and
//! the rule that prevents the next one. `--once` checks all of that.

mod books;
mod cast;
mod folder;
mod lesson;
mod plan;
mod show;
mod traffic;
mod verdict;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use infra::config::Config;
use services::Context;

use crate::cli::Global;
use crate::commands::runtime;
use crate::commands::serve::{Server, asked_to_stop};
use crate::output;
use crate::simulate::{self, Simulator};
use crate::telemetry::{self, Metrics};
use crate::wiring;

use self::folder::Folder;
use self::plan::Plan;

/// How to play.
#[derive(Debug)]
pub(crate) struct Options {
    /// Check the outcome and exit instead of serving.
    pub(crate) once: bool,
    /// Print the outcome as JSON.
    pub(crate) json: bool,
    /// Where to listen.
    pub(crate) port: Option<u16>,
    /// Where metrics and health are.
    pub(crate) metrics_port: Option<u16>,
    /// Where the database is kept.
    pub(crate) data_dir: PathBuf,
    /// How many requests to send.
    pub(crate) requests: usize,
    /// Whether to go on with the database of the last time.
    pub(crate) keep: bool,
}

/// Plays the demo; says whether everything was as it should be.
pub(crate) fn play(global: &Global, options: &Options) -> Result<ExitCode> {
    let folder = Folder::take(&options.data_dir)?;
    if !options.keep {
        folder.clear()?;
    }
    let system = runtime()?;
    system.block_on(async {
        let simulator = simulate::start(simulate::Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            threads: 1,
            latency: Duration::ZERO,
            tokens_per_second: None,
            breaks_off: Some(lesson::TOOL.to_owned()),
        });
        let simulator = simulator.context("the simulated provider cannot listen on 127.0.0.1")?;
        let config = folder.configure(global, (options.port, options.metrics_port), &simulator)?;
        telemetry::start_logs(&config)?;
        let played = serve_and_play(options, config, &folder, &simulator).await;
        simulator.stop().await;
        played
    })
}

async fn serve_and_play(
    options: &Options,
    config: Config,
    folder: &Folder,
    simulator: &Simulator,
) -> Result<ExitCode> {
    let began = Instant::now();
    wiring::migrate(&config)?;
    let metrics = Metrics::install()?;
    let cx = wiring::context(&config)?;
    let plan = Plan::of(options.requests);
    let cast = cast::make(&cx, &plan).await?;
    let server = listen(cx, config, options.port.is_none(), &metrics)?;
    let ready = began.elapsed();
    let sent = traffic::send(&server.base_url(), &plan, &cast).await?;
    let lesson = lesson::learn(&server.base_url(), &cast.lightship).await?;
    let books = books::read(server.context(), &cast).await?;
    let stage = show::Stage {
        server: &server,
        config_file: folder.config_file(),
        simulator,
        cast: &cast,
        sent: &sent,
        lesson: &lesson,
        books: &books,
        ready,
    };
    if options.once {
        let failures = verdict::failures(&plan, &cast, (&sent, &lesson), &books);
        output::stdout(&stage.json()?)?;
        for failure in &failures {
            output::stderr(&format!(
                "failed: {failure}
"
            ))?;
        }
        server.stop().await;
        return Ok(if failures.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    output::stdout(&if options.json { stage.json()? } else { stage.text() })?;
    asked_to_stop().await?;
    server.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Starts the server; on a free port if the usual one is taken and nobody asked for it.
fn listen(cx: Context, config: Config, any_port: bool, metrics: &Metrics) -> Result<Server> {
    let mut config = config;
    match Server::start(cx.clone(), &config.server, metrics) {
        Err(error) if any_port && is_taken(&error) => {
            config.server.listen.set_port(0);
            Server::start(cx, &config.server, metrics)
        }
        started => started,
    }
}

fn is_taken(error: &anyhow::Error) -> bool {
    let kind = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<std::io::Error>())
        .map(std::io::Error::kind);
    kind == Some(ErrorKind::AddrInUse)
}
