//! The rules of the repository, and the two commands of the README.

mod bench;
mod cargo;
mod check;
mod config;
mod diff;
mod engine;
mod explain;
mod graph;
mod json;
mod load;
mod lock;
mod mermaid;
mod model;
mod openapi;
mod plant;
mod prove;
mod registry;
mod report;
mod rule;
mod rules;
mod scan;
mod selftest;
mod sql;
mod suggest;
mod test;
mod up;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use rule::Family;

// A check makes a few million short texts on all cores: a seventh of its time goes to the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keeps the rules of docs/architecture.md and runs what the README promises.
///
/// Exit codes: 0 clean, 1 findings or failures, 2 the check itself could not run.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check every edge between our crates against xtask/architecture.toml and architecture.lock.
    CheckLayers {
        /// Write the graph as it is now to xtask/architecture.lock (only when the table allows it).
        #[arg(long)]
        accept: bool,
        #[command(flatten)]
        args: check::Args,
    },
    /// Check what source and SQL may not say.
    CheckPatterns(check::Args),
    /// Check that transactions do what their intent says.
    CheckIntents(check::Args),
    /// Check which layer emits which class of errors, and what leaves the API.
    CheckErrors(check::Args),
    /// Check words and shapes that clients rely on.
    CheckContract {
        /// Write today's OpenAPI document as the released one: before the first release, or once with each.
        #[arg(long)]
        accept: bool,
        #[command(flatten)]
        args: check::Args,
    },
    /// Check that engines decide the same twice.
    CheckDeterminism(check::Args),
    /// Check migrations against the schema and the rules for tables.
    CheckSchema(check::Args),
    /// Run all checks and print one report.
    Check {
        /// Run the fixtures of every rule instead: each must be able to fail, and to stay silent.
        #[arg(long)]
        self_test: bool,
        /// With --self-test: plant each violation of xtask/mutations.toml in this workspace and print what is found.
        #[arg(long, requires = "self_test")]
        mutations: bool,
        /// With --self-test: print which rule is armed in which crate.
        #[arg(long, requires = "self_test")]
        armed: bool,
        #[command(flatten)]
        args: check::Args,
    },
    /// Say what a rule is for, with the fixtures that prove it; without a rule, list all.
    Explain {
        /// For example ARCH-EDGE-001.
        rule: Option<String>,
    },
    /// Print all chains of dependencies from one crate to another.
    Why {
        from: String,
        to: String,
        #[command(flatten)]
        target: check::Target,
    },
    /// Draw the crates and their edges.
    Graph {
        #[arg(long = "format", value_enum, default_value = "mermaid")]
        form: graph::Form,
        #[command(flatten)]
        target: check::Target,
    },
    /// Show what changed in the architecture since a revision: edges, fences, exemptions, intents, operations, public items.
    ///
    /// Compares the working tree with the revision, fact by fact: `-` went, `+` came. Each crate with its layer, each
    /// edge and outside crate with kind, feature and target; what fences, reaches and outside crates of the rule file
    /// forbid, pair by pair; the rest of the rule file; each `arch:expect`; each transaction with its intent; each
    /// operation of the OpenAPI document; each public item of a library.
    Diff {
        /// A commit, branch or tag of git.
        rev: String,
        #[command(flatten)]
        target: check::Target,
    },
    /// Check files, names, lengths, documents and links; print all findings with what to do instead.
    Tidy {
        /// Lower the entries of xtask/ratchet.toml to the lengths of today; never raises one.
        #[arg(long)]
        update_ratchet: bool,
        #[command(flatten)]
        args: check::Args,
    },
    /// Run everything that must pass before a change is merged; report all failures at the end.
    Test,
    /// Build plimsoll and run its demo: embedded database, tenants, a simulated provider, traffic, a server that waits.
    Up(up::Args),
    /// Measure the release build under load and print ratios to a ceiling of the same run.
    Bench(bench::Args),
}

/// The command line. A family that has no rules yet can be called, and is not promised in the help.
fn command_line() -> clap::Command {
    let rules = registry::all();
    let idle = |name: &str| {
        let family = |rule: &&dyn rule::Rule| rule.info().family.command() == name;
        name.starts_with("check-") && !rules.iter().any(family)
    };
    Cli::command().mut_subcommands(|command| {
        let hide = idle(command.get_name());
        command.hide(hide)
    })
}

fn main() -> ExitCode {
    let cli = Cli::from_arg_matches(&command_line().get_matches()).unwrap_or_else(|error| error.exit());
    let outcome = match cli.command {
        Command::CheckLayers { accept: true, args } => check::accept(&args),
        Command::CheckLayers { accept: false, args } => checked("check-layers", Some(Family::Layers), &args),
        Command::Check {
            self_test: true,
            mutations,
            armed,
            ..
        } => self_test(mutations, armed),
        Command::CheckPatterns(args) => family(Family::Patterns, &args),
        Command::CheckIntents(args) => family(Family::Intents, &args),
        Command::CheckErrors(args) => family(Family::Errors, &args),
        Command::CheckContract { accept: true, args } => check::accept_document(&args),
        Command::CheckContract { accept: false, args } => family(Family::Contract, &args),
        Command::CheckDeterminism(args) => family(Family::Determinism, &args),
        Command::CheckSchema(args) => family(Family::Schema, &args),
        Command::Check {
            self_test: false,
            args,
            ..
        } => checked("check", None, &args),
        Command::Tidy { update_ratchet, args } => run_tidy(update_ratchet, &args),
        Command::Explain { rule } => explain::text(rule.as_deref()).and_then(|text| print(&text)),
        Command::Why { from, to, target } => target
            .load()
            .and_then(|loaded| graph::why(&loaded, &from, &to))
            .and_then(|text| print(&text)),
        Command::Graph { form, target } => target
            .load()
            .and_then(|loaded| print(&graph::render(&loaded, form))),
        Command::Diff { rev, target } => target
            .load()
            .and_then(|loaded| diff::text(&loaded, &rev))
            .and_then(|text| print(&text)),
        Command::Test => test::run().map(code),
        Command::Up(args) => up::run(&args).map(code),
        Command::Bench(args) => bench::run(&args).map(code),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let told = writeln!(io::stderr().lock(), "error: {error:#}");
            told.map_or(ExitCode::FAILURE, |()| ExitCode::from(2))
        }
    }
}

fn checked(title: &str, family: Option<Family>, args: &check::Args) -> Result<u8> {
    check::run(title, family, args, prove::live)
}

fn family(family: Family, args: &check::Args) -> Result<u8> {
    checked(family.command(), Some(family), args)
}

fn self_test(mutations: bool, armed: bool) -> Result<u8> {
    let mut verdict = selftest::run()?;
    let proof = prove::run(mutations)?;
    verdict.faults.extend(proof.faults);
    let mut stdout = io::stdout().lock();
    if armed {
        writeln!(stdout, "{}", proof.matrix)?;
    }
    if mutations {
        writeln!(stdout, "{}", proof.table)?;
    }
    for fault in &verdict.faults {
        writeln!(stdout, "{fault}\n")?;
    }
    let (cases, faults) = (verdict.cases, verdict.faults.len());
    writeln!(
        stdout,
        "self-test: {} rules, {cases} fixtures, {} pairs of rule and crate, {} mutations, {faults} faults",
        registry::all().len(),
        proof.pairs,
        proof.mutations,
    )?;
    Ok(code(verdict.faults.is_empty()))
}

fn print(text: &str) -> Result<u8> {
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(0)
}

fn code(passed: bool) -> u8 {
    u8::from(!passed)
}

fn run_tidy(update_ratchet: bool, args: &check::Args) -> Result<u8> {
    if update_ratchet {
        rules::tidy::update_ratchet(&args.target.load()?.workspace)?;
    }
    checked("tidy", Some(Family::Tidy), args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command_line().debug_assert();
    }

    #[test]
    fn the_help_lists_families_that_have_rules_and_the_others_can_still_be_called() {
        let help = command_line().render_long_help().to_string();
        for (command, listed) in [
            ("check-layers", true),
            ("tidy", true),
            ("check-patterns", !rules::patterns::RULES.is_empty()),
            ("check-schema", !rules::schema::RULES.is_empty()),
        ] {
            let line = help.lines().any(|line| line.trim_start().starts_with(command));
            assert_eq!(line, listed, "{command}: {help}");
            let called = command_line().try_get_matches_from(["cargo xtask", command]);
            assert!(called.is_ok(), "{command}");
        }
    }
}
