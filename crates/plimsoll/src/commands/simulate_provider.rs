//! `plimsoll simulate-provider`: what if there is no provider at hand?

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::runtime;
use super::serve::asked_to_stop;
use crate::cli::Global;
use crate::simulate::{self, Options};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Listen on this port of 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8089)]
    port: u16,
    /// Milliseconds until the first byte of an answer
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_ms: u32,
    /// How fast answers are made; at once, if not stated
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    tokens_per_second: Option<u32>,
    /// Threads that serve; one for each core, if not stated
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// End every stream of a request that offers this tool in the middle, as a provider that fails
    #[arg(long, value_name = "NAME")]
    break_off_tool: Option<String>,
}

pub(crate) fn run(global: &Global, args: &Args) -> Result<()> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let options = Options {
        listen,
        threads: args.threads.unwrap_or_else(cores),
        latency: Duration::from_millis(u64::from(args.latency_ms)),
        tokens_per_second: args.tokens_per_second,
        breaks_off: args.break_off_tool.clone(),
    };
    runtime()?.block_on(async {
        let simulator = simulate::start(options).with_context(|| format!("cannot listen on {listen}"))?;
        let base_url = simulator.base_url();
        global.format().result(&json!({"base_url": base_url}), || {
            format!(
                "A simulated provider serves at {base_url} (Anthropic: without /v1). Stop it with Ctrl-C.\n"
            )
        })?;
        asked_to_stop().await?;
        simulator.stop().await;
        Ok(())
    })
}
