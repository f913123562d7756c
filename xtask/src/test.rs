//! What must pass before a change is merged, and what did not?

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{cargo, check};

/// One command that must succeed.
pub(crate) struct Step {
    name: &'static str,
    argv: &'static [&'static str],
    /// How to install the cargo subcommand, where it does not come with Rust.
    install: Option<&'static str>,
    /// Whether the steps after this one mean nothing when it fails.
    stops: bool,
}

impl Step {
    const fn new(name: &'static str, argv: &'static [&'static str]) -> Self {
        Self {
            name,
            argv,
            install: None,
            stops: false,
        }
    }

    const fn installed_by(mut self, command: &'static str) -> Self {
        self.install = Some(command);
        self
    }

    const fn stopping(mut self) -> Self {
        self.stops = true;
        self
    }
}

/// Everything that must pass, in this order. Append a step here and nowhere else.
const STEPS: &[Step] = &[
    Step::new("format", &["cargo", "fmt", "--all", "--check"]),
    Step::new("architecture", &["cargo", "xtask", "check"]),
    Step::new("rules", &["cargo", "xtask", "check", "--self-test"]),
    Step::new(
        "supply chain",
        &[
            "cargo",
            "deny",
            "--workspace",
            "check",
            "--deny",
            "unmatched-skip",
            "--deny",
            "unnecessary-skip",
            "bans",
            "licenses",
            "sources",
        ],
    )
    .installed_by("cargo install --locked cargo-deny"),
    Step::new(
        "clippy",
        &[
            "cargo",
            "clippy",
            "--workspace",
            "--all-targets",
            // What only the benchmarks are built with.
            "--features",
            "plimsoll/bench",
            "--",
            "-D",
            "warnings",
        ],
    ),
    Step::new("build", &["cargo", "build", "--workspace", "--all-targets"]).stopping(),
    Step::new(
        "tests",
        &["cargo", "nextest", "run", "--workspace", "--profile", "ci"],
    )
    .installed_by("cargo install --locked cargo-nextest"),
    Step::new("doc tests", &["cargo", "test", "--doc", "--workspace"]),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    ToolMissing,
    NotRun,
}

struct Done<'a> {
    step: &'a Step,
    outcome: Outcome,
    took: Duration,
}

/// Where tests that do nothing for want of data say so, a line each (`testkit::data`).
fn not_run_list() -> PathBuf {
    check::root().join("target/tests/not-run")
}

/// Runs all steps; false when one of them failed.
pub(crate) fn run() -> Result<bool> {
    let list = not_run_list();
    // What an earlier run left.
    match std::fs::remove_file(&list) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let done = run_all(STEPS, |step| {
        writeln!(io::stdout(), "\n=== {}: {}", step.name, step.argv.join(" "))?;
        let started = Instant::now();
        let outcome = execute(step)?;
        let took = started.elapsed();
        writeln!(
            io::stdout(),
            "=== {}: {} in {:.1} s",
            step.name,
            word(outcome),
            took.as_secs_f64()
        )?;
        Ok((outcome, took))
    })?;
    let lines = std::fs::read_to_string(&list).unwrap_or_default();
    write!(io::stdout(), "\n{}\n{}", summary(&done), not_run(&lines))?;
    Ok(done.iter().all(|done| done.outcome == Outcome::Passed))
}

fn run_all(
    steps: &[Step],
    mut execute: impl FnMut(&Step) -> Result<(Outcome, Duration)>,
) -> Result<Vec<Done<'_>>> {
    let mut stopped = false;
    let mut done = Vec::new();
    for step in steps {
        let (outcome, took) = if stopped {
            (Outcome::NotRun, Duration::ZERO)
        } else {
            execute(step)?
        };
        stopped |= step.stops && outcome != Outcome::Passed;
        done.push(Done { step, outcome, took });
    }
    Ok(done)
}

fn execute(step: &Step) -> Result<Outcome> {
    let Some((program, rest)) = step.argv.split_first() else {
        return Ok(Outcome::NotRun);
    };
    if step.install.is_some() && !available(program, rest) {
        return Ok(Outcome::ToolMissing);
    }
    let status = cargo::command(program).args(rest).status()?;
    Ok(if status.success() {
        Outcome::Passed
    } else {
        Outcome::Failed
    })
}

fn available(program: &str, rest: &[&str]) -> bool {
    cargo::command(program)
        .args(rest.first())
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "FAILED",
        Outcome::ToolMissing => "TOOL MISSING",
        Outcome::NotRun => "not run",
    }
}

fn summary(done: &[Done<'_>]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let mut failures = String::new();
    for Done { step, outcome, took } in done {
        let (name, word, seconds) = (step.name, word(*outcome), took.as_secs_f64());
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{name:<14}{word:<14}{seconds:>8.1} s");
        let _ = match (outcome, step.install) {
            (Outcome::Failed, _) => writeln!(failures, "{name} failed: {}", step.argv.join(" ")),
            (Outcome::ToolMissing, Some(install)) => {
                writeln!(failures, "{name} needs a tool: {install}")
            }
            _ => Ok(()),
        };
    }
    let total: Duration = done.iter().map(|done| done.took).sum();
    let _ = writeln!(text, "{:<28}{:>8.1} s", "total", total.as_secs_f64());
    if !failures.is_empty() {
        let _ = write!(text, "\n{failures}");
    }
    text
}

/// Which tests did nothing, and why. They count as passed, so nobody would know.
fn not_run(lines: &str) -> String {
    use std::fmt::Write as _;
    let mut reasons: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in lines.lines() {
        let (test, reason) = line.split_once(": ").unwrap_or((line, "no reason was given"));
        reasons.entry(reason).or_default().insert(test);
    }
    let tests: usize = reasons.values().map(BTreeSet::len).sum();
    if tests == 0 {
        return "NOT RUN: no test for want of data\n".to_owned();
    }
    let mut text = format!(
        "NOT RUN: {tests} tests, which count as passed; PLIMSOLL_REQUIRE_RECORDINGS=1 makes that a failure\n"
    );
    for (reason, tests) in reasons {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "  {reason}");
        for test in tests {
            let _ = writeln!(text, "    {test}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &[Step] = &[
        Step::new("one", &["cargo", "one"]),
        Step::new("two", &["cargo", "two"]).installed_by("cargo install two"),
        Step::new("build", &["cargo", "build"]).stopping(),
        Step::new("last", &["cargo", "last"]),
    ];

    fn run_with(outcomes: [Outcome; 4]) -> Vec<Done<'static>> {
        let mut outcomes = outcomes.into_iter();
        run_all(SAMPLE, |_| {
            Ok((outcomes.next().unwrap(), Duration::from_millis(1500)))
        })
        .unwrap()
    }

    #[test]
    fn all_failures_are_listed_and_only_a_broken_build_stops() {
        use Outcome::{Failed, Passed, ToolMissing};
        let done = run_with([Failed, ToolMissing, Failed, Passed]);
        insta::assert_snapshot!(summary(&done), @"
        one           FAILED             1.5 s
        two           TOOL MISSING       1.5 s
        build         FAILED             1.5 s
        last          not run            0.0 s
        total                            4.5 s

        one failed: cargo one
        two needs a tool: cargo install two
        build failed: cargo build
        ");
    }

    #[test]
    fn a_failed_step_does_not_hide_the_next_one() {
        use Outcome::{Failed, Passed};
        let done = run_with([Failed, Passed, Passed, Passed]);
        assert_eq!(done.last().unwrap().outcome, Passed);
    }

    #[test]
    fn tests_that_did_nothing_are_counted_and_listed_with_their_reason() {
        let lines = "a::b: the file x is missing: not here\nc: the file x is missing: not here\nc: the file x is missing: not here\n";
        insta::assert_snapshot!(not_run(lines), @r"
        NOT RUN: 2 tests, which count as passed; PLIMSOLL_REQUIRE_RECORDINGS=1 makes that a failure
          the file x is missing: not here
            a::b
            c
        ");
        assert_eq!(not_run(""), "NOT RUN: no test for want of data\n");
    }

    #[test]
    fn every_step_names_a_command() {
        assert!(STEPS.iter().all(|step| step.argv.len() > 1));
    }
}
