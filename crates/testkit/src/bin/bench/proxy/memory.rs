//! Does the server's memory grow with the requests that it has served?

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::stage::{self, MODEL, Stage};
use crate::args::Args;
use crate::engine::Engine;
use crate::load::{number, rounded};
use crate::open::{OpenLoop, Schedule, Turns};
use crate::process::{Memory, memory};
use crate::{Outcome, say};

const CONNECTIONS: usize = 64;

pub(super) async fn measure(args: &Args, dir: &Path, engine: &Engine, line: &mut Value) -> Outcome<()> {
    let name = engine.name();
    let provider = stage::provider(args, dir, 0)?;
    let stage = Stage::open(args, dir, engine, [provider.addr, provider.addr]).await?;
    let requests = stage.requests(&stage::question(MODEL));
    let first = args.proxy.requests.div_ceil(4);
    let mut answered = 0;
    note(name, "start", 0, memory(stage.server.pid())?, line)?;
    for (when, more) in [("quarter", first), ("end", args.proxy.requests - first)] {
        let load = OpenLoop {
            addr: stage.server.addr,
            ask: Arc::new(Turns {
                requests: Arc::clone(&requests),
                check: stage::whole,
            }),
            schedule: Schedule::AtOnce,
            count: more,
            warm_up: 0,
            connections: CONNECTIONS,
        };
        let started = Instant::now();
        answered += load.run().await?.all_right()?.right;
        let rate = number(more) / started.elapsed().as_secs_f64();
        say(&format!("{name} memory: {more} more requests at {rate:.0}/s"));
        note(name, when, answered, memory(stage.server.pid())?, line)?;
    }
    line["memory_requests"] = json!(answered);
    stage.close(engine).await?.expect(answered)
}

fn note(name: &str, when: &str, answered: u64, memory: Memory, line: &mut Value) -> Outcome<()> {
    say(&format!(
        "{name} memory: {:.1} MiB after {answered} requests, at most {:.1} so far",
        memory.now, memory.peak
    ));
    line[format!("rss_mb_{when}_{name}")] = rounded(memory.now)?;
    line[format!("rss_mb_peak_{name}")] = rounded(memory.peak)?;
    Ok(())
}
