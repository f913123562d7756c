//! How many strict checks per second, how long do they take, and against what does one compare that?

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::answer::Reply;
use crate::args::Args;
use crate::engine::Engine;
use crate::http::request;
use crate::load::{Load, Measured, median, rounded};
use crate::server::Server;
use crate::setup::{self, Caller};
use crate::{Outcome, ledger, machine, say};

const CONNECTIONS: usize = 64;
const TENANTS: usize = 1_000;
const WARM_UP: Duration = Duration::from_secs(2);

/// One load, as a row of the table.
#[derive(Debug, Clone, Copy)]
struct Row {
    rate: f64,
    p50: f64,
    p99: f64,
}

impl From<&Measured> for Row {
    fn from(measured: &Measured) -> Self {
        Self {
            rate: measured.rate,
            p50: measured.ms(50.0),
            p99: measured.ms(99.0),
        }
    }
}

/// Everything that is measured beside each other on one engine.
#[derive(Debug, Clone, Copy)]
struct Round {
    /// Parse and answer only.
    ceiling: Row,
    /// All checks on one tenant.
    hot: Row,
    /// Checks of 1,000 tenants.
    many: Row,
    /// All checks on one tenant, each with a commit of its own.
    one_tx: Row,
}

/// Measures and says so; returns the figures.
pub(crate) async fn run(args: &Args) -> Outcome<Value> {
    let dir = std::path::absolute(&args.dir)?.join("limits");
    std::fs::create_dir_all(&dir)?;
    let (fsync_p50, fsync_p99) = machine::sync_micros(&dir)?;
    let load_before = machine::load_average();
    say(&format!(
        "{}, load {load_before}, fsync p50 {fsync_p50} µs, p99 {fsync_p99} µs; {} × {} s, {CONNECTIONS} connections",
        machine::processor(),
        args.rounds,
        args.measured.as_secs(),
    ));
    let mut line = json!({"load_average": load_before, "fsync_p50_us": fsync_p50, "fsync_p99_us": fsync_p99,
        "rounds": args.rounds, "seconds": args.measured.as_secs(), "processor": machine::processor()});
    for name in Engine::wanted(args)? {
        let engine = Engine::start(name, &dir)?;
        measure(args, &dir, &engine, &mut line).await?;
    }
    line["load_average_after"] = json!(machine::load_average());
    Ok(line)
}

async fn measure(args: &Args, dir: &Path, engine: &Engine, line: &mut Value) -> Outcome<()> {
    let name = engine.name();
    let mut rounds = Vec::new();
    for number in 1..=args.rounds {
        let round = round(args, dir, engine).await?;
        say(&format!(
            "{name} round {number}, load {}:",
            machine::load_average()
        ));
        for (what, row) in [
            ("ceiling", round.ceiling),
            ("hot", round.hot),
            ("1000 tenants", round.many),
            ("one tx each", round.one_tx),
        ] {
            say(&format!(
                "  {what:<14}{:>9.0}/s   p50 {:>7.2} ms   p99 {:>7.2} ms   {:>5.2} of the ceiling",
                row.rate,
                row.p50,
                row.p99,
                row.rate / round.ceiling.rate
            ));
        }
        rounds.push(round);
    }
    let of = |pick: fn(&Round) -> f64| median(rounds.iter().map(pick).collect());
    for (key, value) in [
        ("ratio_{}_hot", of(|r| r.hot.rate / r.ceiling.rate)),
        ("ratio_{}_1000", of(|r| r.many.rate / r.ceiling.rate)),
        ("x_one_tx_{}", of(|r| r.hot.rate / r.one_tx.rate)),
        ("p99_ms_{}_hot", of(|r| r.hot.p99)),
        ("p99_ms_{}_1000", of(|r| r.many.p99)),
        ("p99_ms_{}_one_tx", of(|r| r.one_tx.p99)),
        ("rate_{}_ceiling", of(|r| r.ceiling.rate)),
        ("rate_{}_hot", of(|r| r.hot.rate)),
        ("rate_{}_1000", of(|r| r.many.rate)),
        ("rate_{}_one_tx", of(|r| r.one_tx.rate)),
    ] {
        line[key.replace("{}", name)] = rounded(value)?;
    }
    Ok(())
}

async fn round(args: &Args, dir: &Path, engine: &Engine) -> Outcome<Round> {
    let url = engine.fresh("bench")?;
    let server = Server::serve(&args.plimsoll, dir, "batched", &url, &[])?;
    let callers = setup::callers(server.addr, server.operator_token()?, TENANTS).await?;
    let ask = |callers: &[Caller], path: &str, measured, check| {
        let body = setup::check_body().to_string();
        let requests = callers
            .iter()
            .map(|caller| request("POST", path, Some(&caller.secret), &body))
            .collect();
        Load {
            addr: server.addr,
            requests: Arc::new(requests),
            connections: CONNECTIONS,
            warm_up: WARM_UP,
            measured,
            check,
        }
    };
    let one = callers.get(..1).unwrap_or_default();
    // Half before and half after, so that a machine that gets slower does not make us look better.
    let half = args.measured / 2;
    let ceiling = ask(one, "/bench/check", half, allowed);
    let before = ceiling.run().await?;
    say("  … one hot tenant");
    let hot = ask(one, "/api/v1/limits/check", args.measured, allowed)
        .run()
        .await?;
    say("  … 1,000 tenants");
    let many = ask(&callers, "/api/v1/limits/check", args.measured, allowed)
        .run()
        .await?;
    let mut after = ceiling.run().await?;
    server.stop()?;
    expect(&url, hot.answered + many.answered).await?;
    engine.remove("bench")?;
    after.rate = f64::midpoint(before.rate, after.rate);
    after.latency.add(&before.latency)?;
    Ok(Round {
        ceiling: Row::from(&after),
        hot: Row::from(&hot),
        many: Row::from(&many),
        one_tx: one_tx(args, dir, engine).await?,
    })
}

/// The same server when every command has a transaction and a commit of its own, with as many connections as help.
async fn one_tx(args: &Args, dir: &Path, engine: &Engine) -> Outcome<Row> {
    let url = engine.fresh("bench_one")?;
    let flags = [
        "--set",
        "database.batch_max=1",
        "--set",
        "database.ledger_lanes=16",
    ];
    let server = Server::serve(&args.plimsoll, dir, "one-tx", &url, &flags)?;
    let callers = setup::callers(server.addr, server.operator_token()?, 1).await?;
    let body = setup::check_body().to_string();
    let requests = callers
        .iter()
        .map(|caller| request("POST", "/api/v1/limits/check", Some(&caller.secret), &body))
        .collect();
    let load = Load {
        addr: server.addr,
        requests: Arc::new(requests),
        connections: CONNECTIONS,
        warm_up: WARM_UP,
        measured: args.measured,
        check: allowed,
    };
    let measured = load.run().await?;
    server.stop()?;
    expect(&url, measured.answered).await?;
    engine.remove("bench_one")?;
    Ok(Row::from(&measured))
}

/// The answer that says that the amounts are held.
fn allowed(reply: &Reply<'_>) -> Result<(), String> {
    const BEGINS: &[u8] = concat!(
        r#"{"decision":"ALLOW","allowed":true,"message":"Allowed.","message_code":null,"#,
        r#""blocking_limit_id":null,"blocking_limit_type":null,"checks_performed":3,"decision_id":"dec_"#,
    )
    .as_bytes();
    const HOLD: &[u8] = br#""hold_id":"hold_"#;
    const ENDS: &[u8] = br#","overrides_applied":[]}"#;
    let after_decision = reply.body.get(BEGINS.len()..).unwrap_or_default();
    if reply.status == 200
        && reply.body.starts_with(BEGINS)
        && after_decision
            .get(28..)
            .is_some_and(|rest| rest.starts_with(HOLD))
        && reply.body.ends_with(ENDS)
    {
        return Ok(());
    }
    Err(format!("wrong answer {}: {}", reply.status, reply.text()))
}

/// Every hold that was acknowledged is in the ledger, no other is, and the counters add up.
async fn expect(url: &str, acknowledged: u64) -> Outcome<()> {
    let books = ledger::verify(url).await?;
    if (books.holds, books.open) == (acknowledged, acknowledged) {
        return Ok(());
    }
    Err(format!("{acknowledged} holds were acknowledged, the ledger has {books:?}").into())
}
