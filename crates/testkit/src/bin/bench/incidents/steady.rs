//! How long do reports, changes and reads take at the rate that is promised, for as long as that is promised?

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::lanes::{Lanes, Load};
use super::replay;
use super::stage::{self, Found, Stage};
use crate::args::Args;
use crate::engine::Engine;
use crate::load::rounded;
use crate::open::ms;
use crate::process::{memory, processor_time};
use crate::{Outcome, machine, say};

const WARM_UP: Duration = Duration::from_secs(5);

pub(super) async fn measure(args: &Args, dir: &Path, engine: &Engine, line: &mut Value) -> Outcome<()> {
    let name = engine.name();
    let stage = Stage::open(args, dir, engine).await?;
    let load = Load {
        per_minute: args.incidents.rate,
        reads: args.incidents.read_rate,
        connections: args.incidents.connections,
        warm_up: WARM_UP,
        lasts: args.measured,
    };
    say(&format!("{name} steady: {load:?}"));
    let worked_before = processor_time(stage.server.pid())?;
    let lanes = load.run(&stage).await?;
    let worked = processor_time(stage.server.pid())?.saturating_sub(worked_before);
    line[format!("steady_cpu_seconds_{name}")] = rounded(worked.as_secs_f64())?;
    line[format!("steady_rss_mb_{name}")] = rounded(memory(stage.server.pid())?.now)?;
    say(&format!(
        "{name} steady, load {}, {:.0} s of processor:",
        machine::load_average(),
        worked.as_secs_f64()
    ));
    report(name, &lanes, line)?;
    let stopped = stage.stop()?;
    if let Some(complaint) = lanes.complaint() {
        return Err(complaint.into());
    }
    let expected = Found {
        incidents: lanes.reports.right,
        // That it was reported, that the gate let it through, and every change.
        events: 2 * lanes.reports.right + lanes.changes.right,
    };
    let found = stopped.replayed()?;
    if found != expected {
        return Err(format!("{expected:?} were acknowledged, {found:?} are on record").into());
    }
    replay::measure(name, &stopped, line).await?;
    stage::clear(engine)
}

fn report(name: &str, lanes: &Lanes, line: &mut Value) -> Outcome<()> {
    for (what, answers) in lanes.each() {
        let (p50, p99) = (ms(&answers.latency, 50.0), ms(&answers.latency, 99.0));
        let (p999, most) = (ms(&answers.latency, 99.9), ms(&answers.latency, 100.0));
        let late = ms(&answers.lateness, 99.0);
        say(&format!(
            "  {what:<9}{:>9} right {:>4} wrong   p50 {p50:>8.3}   p99 {p99:>8.3}   p99.9 {p999:>8.3}   \
             most {most:>8.3} ms   generator late p99 {late:>6.3}",
            answers.right, answers.wrong
        ));
        for (key, value) in [
            ("right", json!(answers.right)),
            ("wrong", json!(answers.wrong)),
            ("p50_ms", rounded(p50)?),
            ("p99_ms", rounded(p99)?),
            ("p999_ms", rounded(p999)?),
            ("late_p99_ms", rounded(late)?),
        ] {
            line[format!("steady_{what}_{key}_{name}")] = value;
        }
    }
    Ok(())
}
