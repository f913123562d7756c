//! Do reports, changes and reads of Incidents keep their times when they come at a fixed rate, and how fast are events
//! replayed?

mod highest;
mod lanes;
mod lives;
mod replay;
mod stage;
mod steady;

use serde_json::{Value, json};

use crate::args::Args;
use crate::engine::Engine;
use crate::{Outcome, machine, say};

/// The parts, in the order in which they run.
pub(crate) const PARTS: [&str; 2] = ["steady", "highest"];

/// Measures and says so; the figures go into `line` as they come, so that none is lost if a later part fails.
pub(crate) async fn run(args: &Args, line: &mut Value) -> Outcome<()> {
    let dir = std::path::absolute(&args.dir)?.join("incidents");
    std::fs::create_dir_all(&dir)?;
    let (fsync_p50, fsync_p99) = machine::sync_micros(&dir)?;
    let load_before = machine::load_average();
    say(&format!(
        "{}, load {load_before}, fsync p50 {fsync_p50} µs, p99 {fsync_p99} µs",
        machine::processor(),
    ));
    let of = &args.incidents;
    *line = json!({"load_average": load_before, "fsync_p50_us": fsync_p50, "fsync_p99_us": fsync_p99,
        "processor": machine::processor(), "seconds": args.measured.as_secs(), "rate_per_minute": of.rate,
        "reads_per_second": of.read_rate, "connections": of.connections});
    let wanted = |part: &str| of.parts.iter().any(|wanted| wanted == part);
    for name in Engine::wanted(args)? {
        let engine = Engine::start(name, &dir)?;
        if wanted("steady") {
            steady::measure(args, &dir, &engine, line).await?;
        }
        if wanted("highest") {
            highest::measure(args, &dir, &engine, line).await?;
        }
    }
    line["load_average_after"] = json!(machine::load_average());
    Ok(())
}
