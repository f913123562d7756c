//! Up to which rate of reports, each followed by its three changes, do 99 of 100 answers of every kind come within the
//! goal, while as much is read as ever?

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::lanes::{Lanes, Load};
use super::stage::{self, Stage};
use crate::args::Args;
use crate::engine::Engine;
use crate::open::ms;
use crate::{Outcome, say};

const WARM_UP: Duration = Duration::from_secs(3);
const LASTS: Duration = Duration::from_secs(15);

/// No more than this is tried.
const MOST: u32 = 1_000_000;

/// How often the distance between what holds and what does not is halved.
const HALVINGS: u32 = 4;

pub(super) async fn measure(args: &Args, dir: &Path, engine: &Engine, line: &mut Value) -> Outcome<()> {
    let (mut holds, mut breaks) = (0, args.incidents.rate);
    while breaks < MOST && held(args, dir, engine, breaks).await? {
        (holds, breaks) = (breaks, breaks.saturating_mul(2));
    }
    for _ in 0..HALVINGS {
        let middle = holds.midpoint(breaks);
        if held(args, dir, engine, middle).await? {
            holds = middle;
        } else {
            breaks = middle;
        }
    }
    let name = engine.name();
    say(&format!(
        "{name} highest: {holds} Incidents per minute, {} changes per second with them",
        holds / 15
    ));
    line[format!("highest_per_minute_{name}")] = json!(holds);
    Ok(())
}

/// Whether this rate holds at least once of two times: a machine that others use too stalls now and then.
async fn held(args: &Args, dir: &Path, engine: &Engine, per_minute: u32) -> Outcome<bool> {
    Ok(once(args, dir, engine, per_minute).await? || once(args, dir, engine, per_minute).await?)
}

async fn once(args: &Args, dir: &Path, engine: &Engine, per_minute: u32) -> Outcome<bool> {
    let stage = Stage::open(args, dir, engine).await?;
    let load = Load {
        per_minute,
        reads: args.incidents.read_rate,
        connections: args.incidents.connections,
        warm_up: WARM_UP,
        lasts: LASTS,
    };
    let lanes = load.run(&stage).await?;
    let stopped = stage.stop()?;
    // Whatever was refused or came late: nothing that was recorded may be broken.
    stopped.replayed()?;
    stage::clear(engine)?;
    say(&format!(
        "{} at {per_minute} a minute: {}{}",
        engine.name(),
        percentiles(&lanes),
        lanes
            .complaint()
            .map_or(String::new(), |text| format!("; {text}"))
    ));
    Ok(lanes.hold())
}

fn percentiles(lanes: &Lanes) -> String {
    let of = lanes
        .each()
        .map(|(what, answers)| format!("{what} p99 {:.1} ms", ms(&answers.latency, 99.0)));
    of.join(", ")
}
