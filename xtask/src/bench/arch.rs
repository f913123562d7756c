//! How long do all checks take, beside reading and lexing the same files?

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use rayon::prelude::*;

use super::generate;
use crate::check::root;
use crate::load::{Disk, Tree};
use crate::scan::{Words, lex};

/// The flags of `bench arch`.
#[derive(Parser)]
#[command(name = "cargo xtask bench arch")]
struct Args {
    /// Crates of the generated workspace.
    #[arg(long, default_value_t = 200)]
    crates: usize,
    /// Files of each crate.
    #[arg(long, default_value_t = 50)]
    files: usize,
    /// How often each figure is taken; the best counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Measure another tool in the same run, for example `--beside "tach=tach check"`; the tool's own tree is its
    /// matter.
    #[arg(long, value_name = "NAME=COMMAND")]
    beside: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// One line of the result.
struct Figure {
    name: String,
    best: Duration,
}

/// Generates a workspace once and measures on it and on the own tree. False when an answer was wrong.
pub(super) fn run(rest: &[String]) -> Result<bool> {
    let args = Args::try_parse_from(std::iter::once(&"arch".to_owned()).chain(rest))?;
    let dir = root()
        .join("target")
        .join(format!("arch-bench-{}x{}", args.crates, args.files));
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    let tree = generate::write(&dir, args.crates, args.files)?;
    let mut good = true;
    let mut figures = Vec::new();
    let floor = best(args.rounds, || floor_of(&dir))?;
    figures.push(Figure {
        name: "read and lex, generated".to_owned(),
        best: floor,
    });
    let mut found = 0;
    let checks = best(args.rounds, || {
        found = process(&dir)?;
        Ok(())
    })?;
    figures.push(Figure {
        name: "all checks, generated, whole process".to_owned(),
        best: checks,
    });
    good &= found == tree.planted;
    figures.push(Figure {
        name: "read and lex, own tree".to_owned(),
        best: best(args.rounds, || floor_of(&root()))?,
    });
    let own = best(args.rounds, || process(&root()).map(|_| ()))?;
    figures.push(Figure {
        name: "all checks, own tree, whole process".to_owned(),
        best: own,
    });
    for beside in &args.beside {
        let (name, command) = beside.split_once('=').context("--beside needs NAME=COMMAND")?;
        let best = best(args.rounds, || shell(command))?;
        figures.push(Figure {
            name: name.to_owned(),
            best,
        });
    }
    let ratio = checks.as_secs_f64() / floor.as_secs_f64();
    let mut out = io::stdout().lock();
    if args.json {
        let seconds: Vec<_> = figures
            .iter()
            .map(|figure| serde_json::json!({ "name": figure.name, "seconds": figure.best.as_secs_f64() }))
            .collect();
        let document = serde_json::json!({
            "files": tree.files, "bytes": tree.bytes, "planted": tree.planted, "found": found,
            "ratio": ratio, "figures": seconds,
        });
        writeln!(out, "{document:#}")?;
        return Ok(good);
    }
    writeln!(
        out,
        "{} files, {} bytes; {found} of {} planted edges found",
        tree.files, tree.bytes, tree.planted
    )?;
    for figure in &figures {
        writeln!(out, "{:<40}{:>8.3} s", figure.name, figure.best.as_secs_f64())?;
    }
    writeln!(out, "{:<40}{ratio:>8.2} x read and lex", "all checks, generated")?;
    Ok(good)
}

fn best(rounds: usize, mut run: impl FnMut() -> Result<()>) -> Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..rounds.max(1) {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed());
    }
    Ok(best)
}

/// Walks, reads and lexes every Rust file, and does nothing with it.
fn floor_of(dir: &Path) -> Result<()> {
    let disk = Disk {
        root: dir.to_path_buf(),
    };
    let mut paths = disk.paths()?;
    paths.retain(|path| crate::model::extension_of(path) == Some("rs"));
    let words = Words::new([]);
    let tokens: usize = disk
        .read(paths)
        .into_par_iter()
        .map(|(_, bytes)| {
            let bytes = bytes.ok().flatten().unwrap_or_default();
            std::str::from_utf8(&bytes).map_or(0, |text| lex(text, &words).list.len())
        })
        .sum();
    if tokens == 0 {
        bail!("there was nothing to lex in {}", dir.display());
    }
    Ok(())
}

/// `check` as a process of its own; how many forbidden edges it found.
fn process(dir: &Path) -> Result<usize> {
    let own: PathBuf = std::env::current_exe()?;
    let manifest = dir.join("Cargo.toml");
    let output = Command::new(own)
        .args(["check", "--format", "github", "--manifest-path"])
        .arg(&manifest)
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .lines()
        .filter(|line| line.contains("title=ARCH-EDGE-001"))
        .count())
}

fn shell(command: &str) -> Result<()> {
    // The exit code of a checker says what it found, not whether it ran.
    Command::new("sh")
        .args(["-c", command])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_workspace_holds_what_was_planted() {
        let dir = std::env::temp_dir().join(format!("arch-bench-{}", std::process::id()));
        let tree = generate::write(&dir, 40, 2).unwrap();
        let words = Words::new([]);
        let workspace = crate::load::load(&Disk { root: dir.clone() }, &words);
        fs::remove_dir_all(&dir).unwrap();
        assert!(workspace.broken.is_empty(), "{:?}", workspace.broken);
        assert_eq!(
            (workspace.crates.len(), workspace.sources.len()),
            (40, tree.files)
        );
        assert_eq!(tree.planted, 4);
    }
}
