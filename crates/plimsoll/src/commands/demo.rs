//! `plimsoll demo`: what does the product do, with data that anybody can look at?

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Global;
use crate::demo::{self, Options};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Play the demo, check the outcome, print it as JSON and exit; 1 if something is not as it should be
    #[arg(long)]
    once: bool,
    /// Print the outcome as one JSON object on stdout and keep serving
    #[arg(long)]
    json: bool,
    /// Listen on this port of 127.0.0.1; 8080 or, if it is taken, a free one, if not stated
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Answer metrics and health on this port of 127.0.0.1; a free one, if not stated
    #[arg(long, value_name = "N")]
    metrics_port: Option<u16>,
    /// Keep the database here
    #[arg(long, value_name = "D", default_value = "data")]
    data_dir: PathBuf,
    /// Send this many requests
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(20..=1_000_000))]
    requests: u32,
    /// Go on with the database of the last demo instead of a fresh one
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    demo::play(
        global,
        &Options {
            once: args.once,
            json: args.json,
            port: args.port,
            metrics_port: args.metrics_port,
            data_dir: args.data_dir.clone(),
            requests: usize::try_from(args.requests)?,
            keep: args.keep,
        },
    )
}
