//! Does anything get lost when requests come as they came in production?
//!
//! The trace says when and how large; the provider reports exactly those sizes, so that the bill is known before.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::upstream::{Options, Reply, Scripted};

use super::stage::{self, MODEL, Stage};
use crate::answer::Reply as Answer;
use crate::args::Args;
use crate::engine::Engine;
use crate::load::rounded;
use crate::open::{Answers, OpenLoop, Schedule, Turns, ms};
use crate::recorded::{PRICES, Recorded};
use crate::trace::{self, Arrival};
use crate::{Outcome, say};

const CONNECTIONS: usize = 256;
const TRACE: &str = "azure-llm-2023-conv.csv";

/// Words that are one token each in today's tokenizers, with the space behind them.
const WORDS: [&str; 8] = ["the ", "ship ", "has ", "room ", "for ", "one ", "more ", "load "];

pub(super) async fn measure(args: &Args, dir: &Path, engine: &Engine, line: &mut Value) -> Outcome<()> {
    let name = engine.name();
    // Says itself that it did not run if the file is missing.
    let Some(file) = testkit::data::find(TRACE) else {
        line[format!("replay_requests_{name}")] = json!(null);
        return Ok(());
    };
    let mut arrivals = trace::read(&file)?;
    arrivals.truncate(usize::try_from(args.proxy.requests)?);
    let provider = provider(&arrivals)?;
    let addr: SocketAddr = provider.base_url().trim_start_matches("http://").parse()?;
    let stage = Stage::open(args, dir, engine, [addr, addr]).await?;
    let bodies = arrivals.iter().enumerate().map(|(index, one)| body(index, *one));
    let due = arrivals
        .iter()
        .map(|arrival| arrival.at / args.proxy.speed)
        .collect();
    let count = u64::try_from(arrivals.len())?;
    say(&format!(
        "{name} replay: {count} requests of {TRACE}, {} times as fast",
        args.proxy.speed
    ));
    let load = OpenLoop {
        addr: stage.server.addr,
        ask: Arc::new(Turns {
            requests: stage.each(bodies),
            check: answered,
        }),
        schedule: Schedule::At(Arc::new(due)),
        count,
        warm_up: 0,
        connections: CONNECTIONS,
    };
    let answers = load.run().await?;
    let recorded = stage.close(engine).await?;
    drop(provider);
    report(name, &arrivals, &answers, &recorded, line)?;
    line["replay_speed"] = json!(args.proxy.speed);
    verdict(&arrivals, &answers, &recorded)
}

/// A provider of our own with an answer as long as the longest of the trace; each request caps it at its own length.
fn provider(arrivals: &[Arrival]) -> Outcome<Scripted> {
    let provider = Scripted::with(&Options {
        recordings: false,
        keep_requests: 0,
        ..Options::default()
    })?;
    let longest = arrivals.iter().map(|arrival| arrival.generated).max();
    let longest = longest.unwrap_or_default();
    provider.reply(Reply {
        output_tokens: longest.into(),
        text: text(longest),
        stream_chunks: 20,
        ..Reply::default()
    });
    Ok(provider)
}

/// A request with a prompt of this many tokens. Every second one is streamed.
fn body(index: usize, arrival: Arrival) -> Value {
    let Arrival {
        context, generated, ..
    } = arrival;
    // The directive is for the provider: report that many tokens.
    let prompt = format!("[[in={context}]] {}", text(context));
    json!({"model": MODEL, "max_tokens": generated.max(1), "stream": index % 2 == 1,
        "messages": [{"role": "user", "content": prompt}]})
}

fn text(tokens: u32) -> String {
    let words = WORDS.iter().copied().cycle();
    words.take(usize::try_from(tokens).unwrap_or_default()).collect()
}

fn answered(reply: &Answer<'_>) -> Result<(), String> {
    if reply.body.starts_with(b"data: ") {
        stage::streamed(reply)
    } else {
        stage::whole(reply)
    }
}

/// Nano-USD that the trace must cost, without a look at what was recorded.
fn bill(arrivals: &[Arrival]) -> i64 {
    arrivals
        .iter()
        .map(|one| i64::from(one.context) * PRICES.0 + i64::from(one.generated) * PRICES.1)
        .sum()
}

fn lost(arrivals: &[Arrival], answers: &Answers, recorded: &Recorded) -> Outcome<u64> {
    let sent = u64::try_from(arrivals.len())?;
    Ok(sent.saturating_sub(answers.right.min(recorded.runs)))
}

fn report(
    name: &str,
    arrivals: &[Arrival],
    answers: &Answers,
    recorded: &Recorded,
    line: &mut Value,
) -> Outcome<()> {
    let lost = lost(arrivals, answers, recorded)?;
    let unsettled = recorded.unsettled + recorded.open_holds;
    let span = arrivals.last().map_or(Duration::ZERO, |arrival| arrival.at);
    let (p50, p99) = (ms(&answers.latency, 50.0), ms(&answers.latency, 99.0));
    let late = ms(&answers.lateness, 99.0);
    say(&format!(
        "{name} replay: {:.0} s of traffic, {} answered, {} recorded, {lost} lost, {unsettled} unsettled; \
         p50 {p50:.2} ms, p99 {p99:.2} ms, generator late p99 {late:.2} ms; \
         {} nano-USD recorded, {} expected",
        span.as_secs_f64(),
        answers.right,
        recorded.runs,
        recorded.cost,
        bill(arrivals),
    ));
    for (key, value) in [
        ("replay_requests", json!(arrivals.len())),
        ("replay_lost", json!(lost)),
        ("replay_unsettled", json!(unsettled)),
        ("replay_p50_ms", rounded(p50)?),
        ("replay_p99_ms", rounded(p99)?),
        ("replay_late_p99_ms", rounded(late)?),
        ("replay_cost_nano_usd", json!(recorded.cost)),
        ("replay_expected_nano_usd", json!(bill(arrivals))),
    ] {
        line[format!("{key}_{name}")] = value;
    }
    for (key, count) in [("replay_lost", lost), ("replay_unsettled", unsettled)] {
        line[key] = json!(line[key].as_u64().unwrap_or_default() + count);
    }
    Ok(())
}

fn verdict(arrivals: &[Arrival], answers: &Answers, recorded: &Recorded) -> Outcome<()> {
    if let Some(complaint) = &answers.complaint {
        return Err(format!("{} requests of the trace failed: {complaint}", answers.wrong).into());
    }
    if recorded.cost != bill(arrivals) {
        return Err(format!("the trace costs {}, recorded is {recorded:?}", bill(arrivals)).into());
    }
    recorded.expect(answers.right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_as_large_as_the_trace_says() {
        let arrival = Arrival {
            at: Duration::ZERO,
            context: 9,
            generated: 44,
        };
        let body = body(1, arrival);
        let prompt = "[[in=9]] the ship has room for one more load the ";
        assert_eq!(body["messages"][0]["content"], prompt);
        assert_eq!((&body["max_tokens"], &body["stream"]), (&json!(44), &json!(true)));
        assert_eq!(bill(&[arrival, arrival]), 2 * (9 * 150 + 44 * 600));
    }
}
