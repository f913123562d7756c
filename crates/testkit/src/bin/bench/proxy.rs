//! What does it cost to go through Plimsoll instead of calling the provider directly?

mod added;
mod memory;
mod replay;
mod saturation;
mod stage;

use serde_json::{Value, json};

use crate::args::Args;
use crate::engine::Engine;
use crate::{Outcome, machine, say};

/// The parts, in the order in which they run.
pub(crate) const PARTS: [&str; 4] = ["added", "saturation", "memory", "replay"];

/// Measures and says so; the figures go into `line` as they come, so that none is lost if a later part fails.
pub(crate) async fn run(args: &Args, line: &mut Value) -> Outcome<()> {
    let dir = std::path::absolute(&args.dir)?.join("proxy");
    std::fs::create_dir_all(&dir)?;
    let (fsync_p50, fsync_p99) = machine::sync_micros(&dir)?;
    let load_before = machine::load_average();
    let (rounds, seconds) = (args.rounds, args.measured.as_secs());
    say(&format!(
        "{}, load {load_before}, fsync p50 {fsync_p50} µs, p99 {fsync_p99} µs; {rounds} × {seconds} s",
        machine::processor(),
    ));
    *line = json!({"load_average": load_before, "fsync_p50_us": fsync_p50, "fsync_p99_us": fsync_p99,
        "rounds": rounds, "seconds": seconds, "processor": machine::processor()});
    let wanted = |part: &str| args.proxy.parts.iter().any(|wanted| wanted == part);
    for name in Engine::wanted(args)? {
        let engine = Engine::start(name, &dir)?;
        if wanted("added") {
            added::measure(args, &dir, &engine, line).await?;
        }
        if wanted("saturation") {
            saturation::measure(args, &dir, &engine, line).await?;
        }
        if wanted("memory") {
            memory::measure(args, &dir, &engine, line).await?;
        }
        if wanted("replay") {
            replay::measure(args, &dir, &engine, line).await?;
        }
    }
    line["load_average_after"] = json!(machine::load_average());
    Ok(())
}
