//! How fast is it, measured from outside?

mod arch;
mod families;
mod generate;
mod plan;
mod python;
mod rivals;

use std::os::unix::process::CommandExt;
use std::process::Stdio;

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;

use crate::cargo;

/// What to measure; everything behind it is passed on to the load generator.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// `limits` (checks of limits beside a ceiling), `proxy` (LLM requests beside direct calls and nginx) or `incidents`, with
    /// `[--json] [--seconds N] [--rounds N] [--only sqlite|postgres]`; `proxy` also takes
    /// `[--parts added,saturation,memory,replay] [--rate N] [--stream-rate N] [--delay-ms N] [--requests N]
    /// [--speed N]`; `incidents` (signed reports, changes and reads at fixed rates) `[--parts steady,highest] [--rate N]
    /// [--read-rate N] [--connections N]`. docs/benchmarks.md says what each figure means.
    /// `arch` (the checks of this program beside reading and lexing the same files) takes
    /// `[--json] [--crates N] [--files N] [--rounds N] [--python PATH] [--beside NAME=COMMAND]`
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "WHAT"
    )]
    what: Vec<String>,
}

/// Builds the server and the load generator with all optimisations and becomes the generator. Returns only when
/// something went wrong.
pub(crate) fn run(args: &Args) -> Result<bool> {
    if let Some((what, rest)) = args.what.split_first()
        && what == "arch"
    {
        return arch::run(rest);
    }
    let builds = [
        &[
            "build",
            "--release",
            "--package",
            "plimsoll",
            "--features",
            "bench",
        ][..],
        &["build", "--release", "--package", "testkit", "--bin", "bench"],
    ];
    for build in builds {
        // Stdout belongs to the figures: `--json` must stay parseable.
        let built = cargo::command("cargo")
            .args(build)
            .stdout(Stdio::from(std::io::stderr()))
            .status()
            .context("cannot run cargo")?;
        if !built.success() {
            return Ok(false);
        }
    }
    let target = MetadataCommand::new().no_deps().exec()?.target_directory;
    let work = target.join("bench");
    std::fs::create_dir_all(&work).with_context(|| format!("cannot make {work}"))?;
    let generator = target.join("release").join("bench");
    let server = target.join("release").join("plimsoll");
    let error = cargo::command(generator.as_str())
        .args(&args.what)
        .args(["--plimsoll", server.as_str(), "--dir", work.as_str()])
        .exec();
    Err(error).with_context(|| format!("cannot start {generator}"))
}
