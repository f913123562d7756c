//! How much longer does a caller wait?
//!
//! At a fixed rate, directly and through Plimsoll in turn, so that a machine that changes its pace changes both.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::stage::{self, MODEL, SLOW_MODEL, Stage};
use crate::args::Args;
use crate::engine::Engine;
use crate::load::{Check, median, rounded};
use crate::nginx::Nginx;
use crate::open::{Answers, OpenLoop, Schedule, Turns, ms};
use crate::{Outcome, machine, say};

const CONNECTIONS: usize = 128;
const WARM_UP: Duration = Duration::from_secs(1);

/// A kind of request, with the provider it is for.
struct Kind {
    /// In the table.
    name: &'static str,
    /// At the end of its figures' names.
    ending: &'static str,
    provider: SocketAddr,
    rate: u32,
    requests: Arc<Vec<Vec<u8>>>,
    check: Check,
    /// What is measured of an answer.
    pick: fn(&Answers) -> &Histogram<u64>,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy)]
struct Times {
    p50: f64,
    p99: f64,
    /// How late the generator was.
    late_p99: f64,
}

/// The same load on different ways, one after the other.
struct Round {
    direct: Times,
    nginx: Option<Times>,
    plimsoll: Times,
}

pub(super) async fn measure(args: &Args, dir: &Path, engine: &Engine, line: &mut Value) -> Outcome<()> {
    let name = engine.name();
    let fast = stage::provider(args, dir, 0)?;
    let slow = stage::provider(args, dir, args.proxy.delay_ms)?;
    let nginx = Nginx::start(dir, fast.addr)?;
    let stage = Stage::open(args, dir, engine, [fast.addr, slow.addr]).await?;
    let kinds = kinds(args, &stage, [fast.addr, slow.addr]);
    let mut answered = 0;
    for kind in &kinds {
        let beside = nginx.as_ref().filter(|_| kind.ending.is_empty());
        let mut rounds = Vec::new();
        for number in 1..=args.rounds {
            let round = round(args, kind, beside, &stage, &mut answered).await?;
            say(&format!(
                "{name} added, {}, {}/s, round {number}, load {}:",
                kind.name,
                kind.rate,
                machine::load_average()
            ));
            show("direct", round.direct, round.direct);
            if let Some(nginx) = round.nginx {
                show("nginx", nginx, round.direct);
            }
            show("plimsoll", round.plimsoll, round.direct);
            rounds.push(round);
        }
        report(&rounds, &format!("{name}{}", kind.ending), line)?;
    }
    line["rate"] = json!(args.proxy.rate);
    line["stream_rate"] = json!(args.proxy.stream_rate);
    line["delay_ms"] = json!(args.proxy.delay_ms);
    stage.close(engine).await?.expect(answered)
}

fn kinds(args: &Args, stage: &Stage, providers: [SocketAddr; 2]) -> [Kind; 3] {
    let [fast, slow] = providers;
    let mut stream = stage::question(MODEL);
    stream["stream"] = json!(true);
    stream["stream_options"] = json!({"include_usage": true});
    [
        Kind {
            name: "whole answers",
            ending: "",
            provider: fast,
            rate: args.proxy.rate,
            requests: stage.requests(&stage::question(MODEL)),
            check: stage::whole,
            pick: |answers| &answers.latency,
        },
        Kind {
            name: "whole answers of a slower provider",
            ending: "_delayed",
            provider: slow,
            rate: args.proxy.rate,
            requests: stage.requests(&stage::question(SLOW_MODEL)),
            check: stage::whole,
            pick: |answers| &answers.latency,
        },
        Kind {
            name: "first byte of streams",
            ending: "_first_byte",
            provider: fast,
            rate: args.proxy.stream_rate,
            requests: stage.requests(&stream),
            check: stage::streamed,
            pick: |answers| &answers.first_byte,
        },
    ]
}

async fn round(
    args: &Args,
    kind: &Kind,
    nginx: Option<&Nginx>,
    stage: &Stage,
    answered: &mut u64,
) -> Outcome<Round> {
    let direct = ask(args, kind, kind.provider).await?;
    let beside = match nginx {
        Some(nginx) => Some(times(kind, &ask(args, kind, nginx.addr).await?)),
        None => None,
    };
    let plimsoll = ask(args, kind, stage.server.addr).await?;
    *answered += plimsoll.right;
    Ok(Round {
        direct: times(kind, &direct),
        nginx: beside,
        plimsoll: times(kind, &plimsoll),
    })
}

async fn ask(args: &Args, kind: &Kind, addr: SocketAddr) -> Outcome<Answers> {
    let of = |duration: Duration| duration.as_secs() * u64::from(kind.rate);
    let load = OpenLoop {
        addr,
        ask: Arc::new(Turns {
            requests: Arc::clone(&kind.requests),
            check: kind.check,
        }),
        schedule: Schedule::per_second(kind.rate),
        count: of(WARM_UP + args.measured),
        warm_up: of(WARM_UP),
        connections: CONNECTIONS,
    };
    load.run().await?.all_right()
}

fn times(kind: &Kind, answers: &Answers) -> Times {
    let picked = (kind.pick)(answers);
    Times {
        p50: ms(picked, 50.0),
        p99: ms(picked, 99.0),
        late_p99: ms(&answers.lateness, 99.0),
    }
}

fn show(name: &str, times: Times, direct: Times) {
    say(&format!(
        "  {name:<10}p50 {:>8.3} ms   p99 {:>8.3} ms   added {:>8.3}, {:>8.3}   generator late p99 {:>6.3}",
        times.p50,
        times.p99,
        times.p50 - direct.p50,
        times.p99 - direct.p99,
        times.late_p99,
    ));
}

/// The medians of the rounds; what is added is the median of what each round says.
fn report(rounds: &[Round], name: &str, line: &mut Value) -> Outcome<()> {
    let of = |pick: fn(&Round) -> f64| rounded(median(rounds.iter().map(pick).collect()));
    for (key, value) in [
        ("direct_p50_ms", of(|r| r.direct.p50)?),
        ("direct_p99_ms", of(|r| r.direct.p99)?),
        ("through_p50_ms", of(|r| r.plimsoll.p50)?),
        ("through_p99_ms", of(|r| r.plimsoll.p99)?),
        ("added_p50_ms", of(|r| r.plimsoll.p50 - r.direct.p50)?),
        ("added_p99_ms", of(|r| r.plimsoll.p99 - r.direct.p99)?),
        ("late_p99_ms_direct", of(|r| r.direct.late_p99)?),
        ("late_p99_ms", of(|r| r.plimsoll.late_p99)?),
    ] {
        line[format!("{key}_{name}")] = value;
    }
    let beside = |pick: fn(Times) -> f64| -> Option<Vec<f64>> {
        let added = |round: &Round| Some(pick(round.nginx?) - pick(round.direct));
        rounds.iter().map(added).collect()
    };
    if let (Some(p50), Some(p99)) = (beside(|times| times.p50), beside(|times| times.p99)) {
        line[format!("added_p50_ms_nginx_beside_{name}")] = rounded(median(p50))?;
        line[format!("added_p99_ms_nginx_beside_{name}")] = rounded(median(p99))?;
    }
    Ok(())
}
