//! `plimsoll serve`: the gateway and the API, until a signal ends them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::server::Running;
use infra::clock::SystemClock;
use infra::config::{Config, ServerConfig};
use infra::secrets::OperatorTokenSecret;
use infra::shutdown::Shutdown;
use infra::telemetry::LogFormat;
use model::time::Clock as _;
use serde_json::json;
use services::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::runtime;
use crate::alone;
use crate::cli::Global;
use crate::filesystem;
use crate::output::{self, Format};
use crate::telemetry::{self, Metrics};
use crate::upkeep::{self, Upkeep};
use crate::wiring;

/// How long the threads of a listener may take to end once it has been stopped.
const LAST_GRACE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Serve the API and the LLM routes here, such as 0.0.0.0:8080
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Serve metrics and health here; not meant for the public
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<String>,
    /// Leave the schema as it is; `plimsoll migrate` brings it up to date
    #[arg(long)]
    no_migrate: bool,
}

/// Both listeners and what runs beside them.
pub(crate) struct Server {
    cx: Context,
    main: Running,
    ops: Running,
    upkeep: Upkeep,
    shutdown: Shutdown,
    grace: Duration,
}

pub(crate) fn run(global: &Global, args: &Args) -> Result<()> {
    let mut flags = global.flags();
    flags.listen.clone_from(&args.listen);
    flags.metrics_listen.clone_from(&args.metrics_listen);
    let config = Config::load(&flags)?;
    telemetry::start_logs(&config)?;
    tell_configuration(&config)?;
    if config.upstreams.is_empty() {
        tracing::warn!("no upstream is configured: LLM routes have nowhere to go");
    }
    filesystem::refuse_network(&config)?;
    let _alone = alone::on_database(&config)?;
    let migrations = if args.no_migrate {
        wiring::refuse_other_schema(&config)?;
        Vec::new()
    } else {
        wiring::migrate(&config)?
    };
    for name in migrations {
        tracing::info!(name, "migration applied");
    }
    let metrics = Metrics::install()?;
    runtime()?.block_on(async {
        // Made on the runtime that carries requests to their end.
        let cx = wiring::context(&config)?;
        let server = Server::start(cx, &config.server, &metrics)?;
        // Last, when nothing can fail any more that would keep the token from being shown: it is shown once.
        let first = services::tenants::bootstrap(server.context())
            .await
            .context("the first operator could not be made")?;
        let token = first.as_ref().map(OperatorTokenSecret::expose);
        server.announce(global.format(), token)?;
        server.until_stopped().await
    })
}

/// Says what is in force, whatever the level of the log: in one line for machines.
fn tell_configuration(config: &Config) -> Result<()> {
    let (told, configuration) = ("Configuration in force", config.describe());
    let text = match config.log.format {
        LogFormat::Pretty => format!("{told}:\n{configuration}"),
        LogFormat::Json => {
            let timestamp = SystemClock::new().now();
            let line = json!({"timestamp": timestamp, "level": "INFO", "message": told, "configuration": configuration});
            format!("{line}\n")
        }
    };
    Ok(output::stderr(&text)?)
}

impl Server {
    /// Starts to serve.
    pub(crate) fn start(cx: Context, config: &ServerConfig, metrics: &Metrics) -> Result<Self> {
        let main = api::server::start(cx.clone(), settings(config))
            .with_context(|| format!("cannot listen on {}", config.listen))?;
        let ops = api::server::start_ops(cx.clone(), config.metrics_listen, metrics.render())
            .with_context(|| format!("cannot listen on {} for metrics", config.metrics_listen))?;
        let shutdown = Shutdown::new();
        let upkeep = upkeep::start(&cx, metrics, &shutdown);
        Ok(Self {
            cx,
            main,
            ops,
            upkeep,
            shutdown,
            grace: config.shutdown_grace,
        })
    }

    /// Where the API and the LLM routes are.
    pub(crate) fn base_url(&self) -> String {
        url(self.main.addr())
    }

    /// Where the metrics are.
    pub(crate) fn metrics_url(&self) -> String {
        format!("{}/metrics", url(self.ops.addr()))
    }

    /// What works on the database of the server.
    pub(crate) fn context(&self) -> &Context {
        &self.cx
    }

    fn announce(&self, format: Format, token: Option<&str>) -> Result<()> {
        let (base_url, metrics_url) = (self.base_url(), self.metrics_url());
        tracing::info!(base_url, metrics_url, backend = self.cx.db.backend(), "serving");
        let json = json!({"base_url": base_url, "metrics_url": metrics_url, "operator_token": token});
        format.result(&json, || {
            let operator = token.map(first_token).unwrap_or_default();
            format!(
                "{operator}Plimsoll serves at {base_url}, metrics at {metrics_url}. Stop it with Ctrl-C.\n"
            )
        })
    }

    async fn until_stopped(self) -> Result<()> {
        let signal = asked_to_stop().await?;
        tracing::info!(
            signal,
            grace_ms = self.grace.as_millis(),
            "stopping: requests that run may finish"
        );
        self.stop().await;
        Ok(())
    }

    /// Accepts nothing more, lets what runs finish within the grace, and lets the database go.
    pub(crate) async fn stop(self) {
        let Self {
            cx,
            main,
            ops,
            upkeep,
            shutdown,
            grace,
        } = self;
        // Who waits for room would wait for longer than the grace.
        cx.ledger.stop_waiting();
        // And who listens to what happens would listen for longer.
        cx.post.stop();
        // A second signal means now; what is held then expires by itself.
        let hurried = tokio::select! {
            ended = timeout(grace, main.stop(true)) => ended.is_err(),
            _ = asked_to_stop() => true,
        };
        ended("the API", main).await;
        // A client may be gone while its provider is still read on and its books are still open.
        let landed = cx
            .gateway
            .flights
            .landed(if hurried { LAST_GRACE } else { grace })
            .await;
        if hurried || !landed {
            let left = cx.gateway.flights.count();
            tracing::warn!(left, "requests were cut off; what they hold expires by itself");
        }
        shutdown.trigger();
        upkeep.finish().await;
        ops.stop(false).await;
        ended("metrics", ops).await;
        wiring::close(cx);
        tracing::info!("stopped");
    }
}

/// Waits for SIGTERM or SIGINT; says which it was.
pub(crate) async fn asked_to_stop() -> Result<&'static str> {
    let mut term = signal(SignalKind::terminate()).context("signals cannot be watched")?;
    let mut int = signal(SignalKind::interrupt()).context("signals cannot be watched")?;
    Ok(tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = int.recv() => "SIGINT",
    })
}

/// Waits until the threads of a listener have let go of the database.
async fn ended(name: &'static str, listener: Running) {
    match timeout(LAST_GRACE, listener.wait()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, name, "a listener ended with an error"),
        Err(_elapsed) => tracing::warn!(name, "a listener did not end in time"),
    }
}

fn settings(config: &ServerConfig) -> api::Settings {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    api::Settings {
        listen: config.listen,
        workers: if config.workers == 0 {
            cores()
        } else {
            config.workers
        },
        native_body_bytes: config.max_body_bytes,
        llm_body_bytes: config.llm_max_body_bytes,
        request_timeout: config.request_timeout,
        keep_alive: config.keep_alive,
        shutdown_grace: config.shutdown_grace,
        allowed_hosts: config.allowed_hosts.clone(),
    }
}

/// An address that can be called: "all addresses" is called as this machine.
fn url(addr: SocketAddr) -> String {
    if addr.ip().is_unspecified() {
        format!("http://localhost:{}", addr.port())
    } else {
        format!("http://{addr}")
    }
}

fn first_token(token: &str) -> String {
    format!(
        "\nThis is the first start: an operator `admin` was made. This is the token; it is not shown again:\n\n  \
         {token}\n\n"
    )
}
