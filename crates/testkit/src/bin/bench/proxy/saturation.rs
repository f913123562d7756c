//! How many requests does it pass on in a second, beside a plain proxy and beside none?

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::stage::{self, MODEL, Stage};
use crate::args::Args;
use crate::engine::Engine;
use crate::load::{Load, Measured, median, number, rounded};
use crate::nginx::Nginx;
use crate::{Outcome, machine, process, say};

const CONNECTIONS: usize = 64;
const WARM_UP: Duration = Duration::from_secs(1);

/// Requests per second on each way.
struct Round {
    direct: f64,
    nginx: Option<f64>,
    plimsoll: f64,
    /// Milliseconds at saturation.
    p99: f64,
    /// Processor time of the server.
    micros_each: f64,
}

pub(super) async fn measure(args: &Args, dir: &Path, engine: &Engine, line: &mut Value) -> Outcome<()> {
    let name = engine.name();
    let provider = stage::provider(args, dir, 0)?;
    let nginx = Nginx::start(dir, provider.addr)?;
    let stage = Stage::open(args, dir, engine, [provider.addr, provider.addr]).await?;
    let requests = stage.requests(&stage::question(MODEL));
    let (mut rounds, mut answered) = (Vec::new(), 0);
    for number in 1..=args.rounds {
        let ask = |addr| ask(args, addr, &requests);
        let direct = ask(provider.addr).await?.rate;
        let beside = match &nginx {
            Some(nginx) => Some(ask(nginx.addr).await?.rate),
            None => None,
        };
        let (plimsoll, micros_each) = through(&stage, ask(stage.server.addr)).await?;
        answered += plimsoll.answered;
        say(&format!(
            "{name} saturation, {CONNECTIONS} connections, round {number}, load {}:",
            machine::load_average()
        ));
        show("direct", direct, direct);
        if let Some(nginx) = beside {
            show("nginx", nginx, direct);
        }
        show("plimsoll", plimsoll.rate, direct);
        say(&format!(
            "            p99 {:.1} ms, {micros_each:.0} µs of processor time each",
            plimsoll.ms(99.0)
        ));
        rounds.push(Round {
            direct,
            nginx: beside,
            plimsoll: plimsoll.rate,
            p99: plimsoll.ms(99.0),
            micros_each,
        });
    }
    report(&rounds, name, line)?;
    stage.close(engine).await?.expect(answered)
}

async fn ask(args: &Args, addr: SocketAddr, requests: &Arc<Vec<Vec<u8>>>) -> Outcome<Measured> {
    let load = Load {
        addr,
        requests: Arc::clone(requests),
        connections: CONNECTIONS,
        warm_up: WARM_UP,
        measured: args.measured,
        check: stage::whole,
    };
    load.run().await
}

/// What the load says, and how much processor time of the server each answer took.
async fn through(stage: &Stage, load: impl Future<Output = Outcome<Measured>>) -> Outcome<(Measured, f64)> {
    let before = process::processor_time(stage.server.pid())?;
    let measured = load.await?;
    let used = process::processor_time(stage.server.pid())?.saturating_sub(before);
    let each = used.as_secs_f64() * 1e6 / number(measured.answered).max(1.0);
    Ok((measured, each))
}

fn show(name: &str, rate: f64, direct: f64) {
    say(&format!(
        "  {name:<10}{rate:>9.0}/s   {:>5.3} of direct",
        rate / direct
    ));
}

fn report(rounds: &[Round], name: &str, line: &mut Value) -> Outcome<()> {
    let of = |pick: fn(&Round) -> f64| rounded(median(rounds.iter().map(pick).collect()));
    for (key, value) in [
        ("saturation", of(|r| r.plimsoll)?),
        ("saturation_p99_ms", of(|r| r.p99)?),
        ("saturation_direct_beside", of(|r| r.direct)?),
        ("ratio_direct", of(|r| r.plimsoll / r.direct)?),
        ("cpu_us_per_request", of(|r| r.micros_each)?),
    ] {
        line[format!("{key}_{name}")] = value;
    }
    let nginx: Option<Vec<f64>> = rounds.iter().map(|r| r.nginx).collect();
    let ratio: Option<Vec<f64>> = rounds.iter().map(|r| Some(r.plimsoll / r.nginx?)).collect();
    for (key, values) in [("saturation_nginx_beside", nginx), ("ratio_nginx", ratio)] {
        line[format!("{key}_{name}")] = match values {
            Some(values) => rounded(median(values))?,
            None => json!(null),
        };
    }
    Ok(())
}
