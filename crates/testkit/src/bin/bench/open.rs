//! How long does a caller wait when requests come at their times, whether or not the server keeps up?
//!
//! Each request is due at a fixed time, and its latency counts from then: a server that stalls is charged with
//! everybody who had to wait meanwhile. A request is late if it was sent after it was due, because the generator
//! was not scheduled or all of its connections were waiting; how late is reported beside every latency.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::Outcome;
use crate::answer::Reply;
use crate::http::Line;
use crate::load::{Check, histogram, millis};

/// Enough for a thread that reads and writes.
const STACK: usize = 256 * 1024;

/// Until all threads wait for their first request.
const LEAD: Duration = Duration::from_millis(100);

/// When requests are due, counted from the start.
#[derive(Debug, Clone)]
pub(crate) enum Schedule {
    /// One after the other at this distance.
    Every(Duration),
    /// At these times, which ascend.
    At(Arc<Vec<Duration>>),
    /// Whenever a connection is free: a closed loop.
    AtOnce,
}

impl Schedule {
    /// So many in a second.
    pub(crate) fn per_second(rate: u32) -> Self {
        Self::Every(Duration::from_secs(1) / rate.max(1))
    }

    fn due(&self, number: u64) -> Option<Duration> {
        match self {
            Self::Every(distance) => Some(distance.saturating_mul(u32::try_from(number).ok()?)),
            Self::At(times) => times.get(usize::try_from(number).ok()?).copied(),
            Self::AtOnce => Some(Duration::ZERO),
        }
    }
}

/// What is sent, and what has to come back.
pub(crate) trait Ask: Send + Sync {
    /// The request of this number, made when it is due.
    fn request(&self, number: u64) -> Outcome<Cow<'_, [u8]>>;

    /// Takes its answer, or says what is wrong with it.
    fn answered(&self, number: u64, reply: &Reply<'_>) -> Result<(), String>;
}

/// Requests that are written already, taken in turn.
pub(crate) struct Turns {
    pub(crate) requests: Arc<Vec<Vec<u8>>>,
    pub(crate) check: Check,
}

impl Ask for Turns {
    fn request(&self, number: u64) -> Outcome<Cow<'_, [u8]>> {
        let index = usize::try_from(number)? % self.requests.len().max(1);
        let request = self.requests.get(index).ok_or("no request to send")?;
        Ok(Cow::Borrowed(request))
    }

    fn answered(&self, _number: u64, reply: &Reply<'_>) -> Result<(), String> {
        (self.check)(reply)
    }
}

/// An open loop.
#[derive(Clone)]
pub(crate) struct OpenLoop {
    pub(crate) addr: SocketAddr,
    pub(crate) ask: Arc<dyn Ask>,
    pub(crate) schedule: Schedule,
    /// How many requests in all.
    pub(crate) count: u64,
    /// How many of them come before it is measured.
    pub(crate) warm_up: u64,
    /// How many may wait for their answers at the same time.
    pub(crate) connections: usize,
}

/// What came of it.
pub(crate) struct Answers {
    /// Right answers, those of the warm-up included.
    pub(crate) right: u64,
    /// Everything else: wrong answers and connections that broke.
    pub(crate) wrong: u64,
    /// What was wrong with one of them.
    pub(crate) complaint: Option<String>,
    /// Microseconds from when a request was due until its answer was whole.
    pub(crate) latency: Histogram<u64>,
    /// The same until the first byte of the answer's body.
    pub(crate) first_byte: Histogram<u64>,
    /// The same until it was sent.
    pub(crate) lateness: Histogram<u64>,
}

impl Answers {
    fn new() -> Outcome<Self> {
        Ok(Self {
            right: 0,
            wrong: 0,
            complaint: None,
            latency: histogram()?,
            first_byte: histogram()?,
            lateness: histogram()?,
        })
    }

    fn add(&mut self, other: Self) -> Outcome<()> {
        self.right += other.right;
        self.wrong += other.wrong;
        self.complaint = self.complaint.take().or(other.complaint);
        self.latency.add(other.latency)?;
        self.first_byte.add(other.first_byte)?;
        self.lateness.add(other.lateness)?;
        Ok(())
    }

    /// These answers, if all were right.
    pub(crate) fn all_right(self) -> Outcome<Self> {
        match &self.complaint {
            Some(complaint) => Err(format!("{} answers were wrong: {complaint}", self.wrong).into()),
            None => Ok(self),
        }
    }
}

/// A percentile in milliseconds.
pub(crate) fn ms(times: &Histogram<u64>, percentile: f64) -> f64 {
    millis(times.value_at_percentile(percentile))
}

impl OpenLoop {
    /// Runs to the end, with a thread for every connection.
    pub(crate) async fn run(&self) -> Outcome<Answers> {
        let load = self.clone();
        tokio::task::spawn_blocking(move || load.block()).await?
    }

    fn block(&self) -> Outcome<Answers> {
        let next = AtomicU64::new(0);
        let start = Instant::now() + LEAD;
        let mut all = Answers::new()?;
        thread::scope(|scope| {
            let threads: Vec<_> = (0..self.connections)
                .map(|_| {
                    let builder = thread::Builder::new().stack_size(STACK);
                    builder.spawn_scoped(scope, || self.connection(&next, start))
                })
                .collect::<Result<_, _>>()?;
            for thread in threads {
                let answers = thread.join().ok().ok_or("a thread of the generator panicked")?;
                all.add(answers?)?;
            }
            Ok(all)
        })
    }

    /// Takes the next request and waits for its time, until there is none.
    fn connection(&self, next: &AtomicU64, start: Instant) -> Outcome<Answers> {
        let mut answers = Answers::new()?;
        let mut line = None;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(due) = self.schedule.due(number).filter(|_| number < self.count) else {
                return Ok(answers);
            };
            let due = start + due;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            match self.exchange(&mut line, number) {
                Ok((sent, began, ended)) => {
                    answers.right += 1;
                    if number >= self.warm_up {
                        answers.lateness.record(micros(due, sent)?)?;
                        answers.first_byte.record(micros(due, began)?)?;
                        answers.latency.record(micros(due, ended)?)?;
                    }
                }
                Err(error) => {
                    line = None;
                    answers.wrong += 1;
                    answers
                        .complaint
                        .get_or_insert_with(|| format!("request {number}: {error}"));
                }
            }
        }
    }

    fn exchange(&self, line: &mut Option<Line>, number: u64) -> Outcome<(Instant, Instant, Instant)> {
        let request = self.ask.request(number)?;
        let sent = Instant::now();
        let line = match line {
            Some(line) => line,
            None => line.insert(Line::open(self.addr)?),
        };
        let (reply, began) = line.exchange(&request)?;
        let ended = Instant::now();
        self.ask.answered(number, &reply)?;
        Ok((sent, began, ended))
    }
}

fn micros(from: Instant, to: Instant) -> Outcome<u64> {
    Ok(u64::try_from(to.saturating_duration_since(from).as_micros())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_due_at_their_times() {
        let every = Schedule::per_second(1_000);
        assert_eq!(every.due(0), Some(Duration::ZERO));
        assert_eq!(every.due(2_500), Some(Duration::from_millis(2_500)));
        let at = Schedule::At(Arc::new(vec![Duration::ZERO, Duration::from_secs(3)]));
        assert_eq!(at.due(1), Some(Duration::from_secs(3)));
        assert_eq!(at.due(2), None);
    }
}
