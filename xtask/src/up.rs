//! How does one see the product running?

use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;

use crate::cargo;

/// The flags of `plimsoll demo`, passed on as they are.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Play the demo once and exit instead of serving.
    #[arg(long)]
    once: bool,
    /// Print the result as JSON on stdout; everything else goes to stderr.
    #[arg(long)]
    json: bool,
    /// Listen on this port.
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Answer metrics and health on this port instead of a free one.
    #[arg(long, value_name = "N")]
    metrics_port: Option<u16>,
    /// Keep the database here instead of ./data.
    #[arg(long, value_name = "D")]
    data_dir: Option<PathBuf>,
}

/// Builds `plimsoll` and becomes it. Returns only when something went wrong.
pub(crate) fn run(args: &Args) -> Result<bool> {
    // Stdout belongs to the demo: `up --once --json` must stay parseable.
    let built = cargo::command("cargo")
        .args(["build", "--package", "plimsoll"])
        .stdout(Stdio::from(io::stderr()))
        .status()
        .context("cannot run cargo")?;
    if !built.success() {
        return Ok(false);
    }
    let metadata = MetadataCommand::new().no_deps().exec()?;
    let binary = metadata.target_directory.join("debug").join("plimsoll");
    let error = cargo::command(binary.as_str()).args(demo(args)).exec();
    Err(error).with_context(|| format!("cannot start {binary}"))
}

fn demo(args: &Args) -> Vec<String> {
    let mut flags = vec!["demo".to_owned()];
    if args.once {
        flags.push("--once".to_owned());
    }
    if args.json {
        flags.push("--json".to_owned());
    }
    if let Some(port) = args.port {
        flags.extend(["--port".to_owned(), port.to_string()]);
    }
    if let Some(port) = args.metrics_port {
        flags.extend(["--metrics-port".to_owned(), port.to_string()]);
    }
    if let Some(dir) = &args.data_dir {
        flags.extend(["--data-dir".to_owned(), dir.display().to_string()]);
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_reach_the_demo() {
        let all = Args {
            once: true,
            json: true,
            port: Some(7000),
            metrics_port: Some(7001),
            data_dir: Some(PathBuf::from("/tmp/d")),
        };
        let expected = "demo --once --json --port 7000 --metrics-port 7001 --data-dir /tmp/d";
        assert_eq!(demo(&all).join(" "), expected);
        let none = Args {
            once: false,
            json: false,
            port: None,
            metrics_port: None,
            data_dir: None,
        };
        assert_eq!(demo(&none), ["demo"]);
    }
}
