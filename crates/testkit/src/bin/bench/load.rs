//! How many requests does a server answer when each connection asks again as soon as it has its answer?
//!
//! A closed loop measures capacity. Its percentiles are those of a server at its limit; they say nothing about
//! how long a caller waits at a lower rate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::Outcome;
use crate::answer::Reply;
use crate::http::Connection;

/// Says what is wrong with an answer.
pub(crate) type Check = fn(&Reply<'_>) -> Result<(), String>;

/// A closed loop.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) addr: SocketAddr,
    /// Taken in turn.
    pub(crate) requests: Arc<Vec<Vec<u8>>>,
    pub(crate) connections: usize,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    pub(crate) check: Check,
}

/// What came of it.
pub(crate) struct Measured {
    /// Right answers in all, those of the warm-up included.
    pub(crate) answered: u64,
    /// Right answers per second while it was measured.
    pub(crate) rate: f64,
    /// Microseconds while it was measured.
    pub(crate) latency: Histogram<u64>,
}

impl Measured {
    /// A percentile in milliseconds.
    pub(crate) fn ms(&self, percentile: f64) -> f64 {
        millis(self.latency.value_at_percentile(percentile))
    }
}

/// A number of things as a number to calculate with.
pub(crate) fn number(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// Microseconds in milliseconds.
pub(crate) fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1000.0
}

/// An empty histogram of microseconds.
pub(crate) fn histogram() -> Outcome<Histogram<u64>> {
    Ok(Histogram::new(3)?)
}

/// The median, which one bad round does not move.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// A figure as it is reported, with three digits after the point.
pub(crate) fn rounded(value: f64) -> Outcome<Value> {
    let rounded: f64 = format!("{value:.3}").parse()?;
    Ok(json!(rounded))
}

impl Load {
    pub(crate) async fn run(&self) -> Outcome<Measured> {
        let begins = Instant::now() + self.warm_up;
        let ends = begins + self.measured;
        let mut connections = JoinSet::new();
        for index in 0..self.connections {
            connections.spawn(connection(self.clone(), index, begins, ends));
        }
        let (mut answered, mut latency) = (0, histogram()?);
        while let Some(one) = connections.join_next().await {
            let (count, times) = one??;
            answered += count;
            latency.add(times)?;
        }
        Ok(Measured {
            answered,
            rate: number(latency.len()) / self.measured.as_secs_f64(),
            latency,
        })
    }
}

async fn connection(
    load: Load,
    index: usize,
    begins: Instant,
    ends: Instant,
) -> Outcome<(u64, Histogram<u64>)> {
    let mut connection = Connection::open(load.addr).await?;
    let requests = load.requests.iter().cycle().skip(index).step_by(load.connections);
    let (mut answered, mut latency) = (0, histogram()?);
    for request in requests {
        let sent = Instant::now();
        if sent >= ends {
            break;
        }
        (load.check)(&connection.exchange(request).await?)?;
        answered += 1;
        let now = Instant::now();
        if now >= begins && now < ends {
            let micros = now.duration_since(sent).as_micros();
            latency.record(u64::try_from(micros)?)?;
        }
    }
    Ok((answered, latency))
}
