//! How long do all checks take, beside reading and lexing the same files, and beside checkers of Python?

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use rayon::prelude::*;

use super::plan::Tree as Generated;
use super::rivals::RIVALS;
use super::{generate, python};
use crate::check::root;
use crate::load::{Disk, Text, Tree};
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
    /// How often each figure is taken, in turn with the others; the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The Python of an environment with import-linter and Tach, to check an equal tree of Python files with them.
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Measure another tool in the same run, for example `--beside "tach=tach check"`; the tool's own tree is its
    /// matter.
    #[arg(long, value_name = "NAME=COMMAND")]
    beside: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Only read and lex this tree: the floor is measured as a process of its own, like everything else.
    #[arg(long, value_name = "DIR", hide = true)]
    floor: Option<PathBuf>,
}

/// Something that is measured.
struct Figure<'a> {
    name: String,
    /// Runs it once; how many forbidden edges it found, for those that look for them.
    run: Box<dyn Fn() -> Result<Option<usize>> + 'a>,
    took: Vec<Duration>,
}

impl<'a> Figure<'a> {
    fn new(name: impl Into<String>, run: impl Fn() -> Result<Option<usize>> + 'a) -> Self {
        Self {
            name: name.into(),
            run: Box::new(run),
            took: Vec::new(),
        }
    }

    fn median(&self) -> f64 {
        let mut took = self.took.clone();
        took.sort();
        took.get(took.len() / 2).map_or(0.0, Duration::as_secs_f64)
    }
}

const FLOOR: &str = "read and lex, generated, whole process";
const CHECKS: &str = "all checks, generated, whole process";

/// Generates the trees once and measures on them and on the own tree. An answer that is wrong is an error: what finds
/// nothing is not fast.
pub(super) fn run(rest: &[String]) -> Result<bool> {
    let args = Args::try_parse_from(std::iter::once(&"arch".to_owned()).chain(rest))?;
    if let Some(dir) = &args.floor {
        return floor_of(dir).map(|()| true);
    }
    let dir = fresh(&args, "arch-bench")?;
    let tree = generate::write(&dir, args.crates, args.files)?;
    let snakes = fresh(&args, "arch-bench-python")?;
    let mut notes = Vec::new();
    let mut figures = vec![
        Figure::new(FLOOR, || floor(&dir).map(|()| None)),
        Figure::new(CHECKS, || only_planted(&process(&dir)?).map(Some)),
        Figure::new("read and lex, own tree, whole process", || {
            floor(&root()).map(|()| None)
        }),
        Figure::new("all checks, own tree, whole process", || {
            process(&root()).map(|_| None)
        }),
    ];
    let mut python_tree = None;
    for rival in &RIVALS {
        let Some(program) = rival.found(args.python.as_deref()) else {
            notes.push(format!(
                "NOT RUN: {}, give --python PATH of an environment with it",
                rival.name
            ));
            continue;
        };
        if python_tree.is_none() {
            python_tree = Some(python::write(&snakes, args.crates, args.files)?);
        }
        let snakes = &snakes;
        figures.push(Figure::new(format!("{}, whole process", rival.name), move || {
            rival.run(&program, snakes).map(Some)
        }));
    }
    for beside in &args.beside {
        let (name, command) = beside.split_once('=').context("--beside needs NAME=COMMAND")?;
        figures.push(Figure::new(name, move || shell(command).map(|()| None)));
    }
    measure(&mut figures, args.rounds, tree.planted)?;
    tell(&args, &tree, python_tree.as_ref(), &figures, &notes)?;
    Ok(true)
}

/// The place for a generated tree, which is not there yet.
fn fresh(args: &Args, name: &str) -> Result<PathBuf> {
    let dir = root()
        .join("target")
        .join(format!("{name}-{}x{}", args.crates, args.files));
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    Ok(dir)
}

/// Runs all in turn, so that what else the machine does hits all alike. The first round fills caches and does not count.
fn measure(figures: &mut [Figure<'_>], rounds: usize, planted: usize) -> Result<()> {
    for round in 0..=rounds.max(1) {
        for figure in &mut *figures {
            let start = Instant::now();
            let found = (figure.run)()?;
            let took = start.elapsed();
            if let Some(found) = found.filter(|found| *found != planted) {
                bail!("{} found {found} of {planted} planted edges", figure.name);
            }
            if round > 0 {
                figure.took.push(took);
            }
        }
    }
    Ok(())
}

fn tell(
    args: &Args,
    tree: &Generated,
    python: Option<&Generated>,
    figures: &[Figure<'_>],
    notes: &[String],
) -> Result<()> {
    let median = |name: &str| {
        let named = figures.iter().find(|figure| figure.name == name);
        named.map_or(0.0, Figure::median)
    };
    let ratio = median(CHECKS) / median(FLOOR);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let mut out = io::stdout().lock();
    if args.json {
        let seconds: Vec<_> = figures
            .iter()
            .map(|figure| {
                let all: Vec<_> = figure.took.iter().map(Duration::as_secs_f64).collect();
                serde_json::json!({ "name": figure.name, "seconds": figure.median(), "all": all })
            })
            .collect();
        let document = serde_json::json!({
            "files": tree.files, "bytes": tree.bytes, "planted": tree.planted, "ratio": ratio, "figures": seconds,
            "python_files": python.map(|tree| tree.files), "python_bytes": python.map(|tree| tree.bytes),
            "load": load, "notes": notes,
        });
        writeln!(out, "{document:#}")?;
        return Ok(());
    }
    let size = |tree: &Generated| format!("{} files, {} bytes", tree.files, tree.bytes);
    writeln!(
        out,
        "Rust: {}; each found all {} planted edges",
        size(tree),
        tree.planted
    )?;
    if let Some(python) = python {
        writeln!(out, "Python: {}", size(python))?;
    }
    writeln!(out, "medians of {} rounds, load {load}", args.rounds)?;
    for figure in figures {
        writeln!(out, "{:<44}{:>8.3} s", figure.name, figure.median())?;
    }
    for note in notes {
        writeln!(out, "{note}")?;
    }
    writeln!(out, "{:<44}{ratio:>8.2} x read and lex", "all checks, generated")?;
    Ok(())
}

/// Walks, reads and lexes every Rust file, and does nothing with it.
fn floor_of(dir: &Path) -> Result<()> {
    let disk = Disk {
        root: dir.to_path_buf(),
    };
    let (read, _) = disk.files(|path| crate::model::extension_of(path) == Some("rs"))?;
    let words = Words::none();
    let tokens: usize = read
        .into_par_iter()
        .map(|(_, text)| match text {
            Ok(Some(Text::Utf8(text))) => lex(&text, &words).list.len(),
            _ => 0,
        })
        .sum();
    if tokens == 0 {
        bail!("there was nothing to lex in {}", dir.display());
    }
    Ok(())
}

/// The floor as a process of its own: it starts, maps memory and ends as a check does.
fn floor(dir: &Path) -> Result<()> {
    let own = std::env::current_exe()?;
    let status = Command::new(own)
        .args(["bench", "arch", "--floor"])
        .arg(dir)
        .status()?;
    if !status.success() {
        bail!("{} could not be read", dir.display());
    }
    Ok(())
}

/// `check` as a process of its own; the rules of its findings.
fn process(dir: &Path) -> Result<Vec<String>> {
    let own = std::env::current_exe()?;
    let manifest = dir.join("Cargo.toml");
    let output = Command::new(own)
        .args(["check", "--format", "github", "--manifest-path"])
        .arg(&manifest)
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let rules = text.lines().filter_map(|line| {
        let title = line.strip_prefix("::error ")?.split_once("title=")?.1;
        Some(title.split("::").next()?.to_owned())
    });
    Ok(rules.collect())
}

/// How many forbidden edges were found. Everything else in the generated tree keeps the rules: a finding that nobody
/// planted would be time that no clean tree costs.
fn only_planted(rules: &[String]) -> Result<usize> {
    match rules.iter().find(|rule| *rule != "ARCH-EDGE-001") {
        Some(rule) => bail!("{rule} found what nobody planted"),
        None => Ok(rules.len()),
    }
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
            (workspace.crates.len(), workspace.sources.0.len()),
            (40, tree.files)
        );
        assert_eq!(tree.planted, 4);
    }
}
