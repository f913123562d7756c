//! How fast is Plimsoll, measured from outside?
//!
//! Started by `cargo xtask bench`, which builds the server and this program. Tables go to stderr while it runs;
//! with `--json` the last line of stdout is one JSON object. A wrong answer or a ledger that does not add up fails it.
#![expect(
    clippy::indexing_slicing,
    reason = "a member that a JSON answer lacks reads as null and is refused"
)]

mod answer;
mod args;
mod engine;
mod http;
mod incidents;
mod ledger;
mod limits;
mod load;
mod machine;
mod nginx;
mod open;
mod process;
mod proxy;
mod recorded;
mod server;
mod setup;
mod trace;

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use serde_json::Value;

use args::{Args, What};

/// What can go wrong ends the bench, with a sentence.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("bench: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let args = Args::read(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut figures = Value::Null;
    let outcome = match args.what {
        What::Limits => runtime.block_on(limits::run(&args)).map(|line| figures = line),
        What::Proxy => runtime.block_on(proxy::run(&args, &mut figures)),
        What::Incidents => runtime.block_on(incidents::run(&args, &mut figures)),
    };
    // What was measured before something went wrong is worth having.
    if args.json && !figures.is_null() {
        writeln!(std::io::stdout(), "{figures}")?;
    }
    outcome
}

/// One line for whoever watches.
fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
