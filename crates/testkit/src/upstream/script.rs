//! What was the upstream told to do, and what has it seen?

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;

use super::answer::Answer;
use super::fault::Fault;
use super::recording::Recordings;
use super::synthetic::{self, Reply};

/// What became of the answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is still being sent.
    Sending,
    /// It was sent to the end.
    Sent,
    /// A fault cut it.
    Cut,
    /// The client went away before its end.
    Abandoned,
}

/// A request that arrived.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    /// The HTTP method.
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// The query without its question mark; empty if there is none.
    pub query: String,
    /// The headers in the order of arrival, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
    /// What became of the answer.
    pub outcome: Outcome,
}

impl Seen {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(header, _)| header == name)?;
        Some(value)
    }

    /// The body as JSON; `null` if it is not.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Whether this text occurs anywhere in the headers or the body.
    pub fn contains(&self, text: &str) -> bool {
        self.body.contains(text) || self.headers.iter().any(|(_, value)| value.contains(text))
    }
}

/// Everything that the upstream and its test share.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) recordings: Option<Recordings>,
    pub(super) connections: Arc<AtomicUsize>,
    keep_requests: usize,
    total: AtomicUsize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    pin: Option<(String, Option<usize>)>,
    faults: VecDeque<(Fault, usize)>,
    replies: VecDeque<(Reply, usize)>,
    reply: Reply,
    seen: VecDeque<Seen>,
    /// The number of the first request in `seen`.
    first: usize,
}

impl Script {
    pub(super) fn new(recordings: Option<Recordings>, keep_requests: usize) -> Self {
        Self {
            recordings,
            connections: Arc::default(),
            keep_requests,
            total: AtomicUsize::new(0),
            inner: Mutex::default(),
        }
    }

    /// Chooses the exchange that answers the next requests; `None` goes back to finding it by its body.
    pub(super) fn pin(&self, id: Option<&str>, times: Option<usize>) -> Result<(), String> {
        if let Some(id) = id {
            let recordings = self
                .recordings
                .as_ref()
                .ok_or("this upstream has no recordings")?;
            recordings
                .by_id(id)
                .ok_or_else(|| format!("there is no exchange {id}"))?;
        }
        self.inner().pin = id.map(|id| (id.to_owned(), times));
        Ok(())
    }

    pub(super) fn fault(&self, fault: Fault, times: usize) {
        self.inner().faults.push_back((fault, times));
    }

    pub(super) fn reply(&self, reply: Reply, times: Option<usize>) {
        let mut inner = self.inner();
        match times {
            Some(times) => inner.replies.push_back((reply, times)),
            None => inner.reply = reply,
        }
    }

    pub(super) fn clear_faults(&self) {
        self.inner().faults.clear();
    }

    pub(super) fn reset(&self) {
        let mut inner = self.inner();
        let first = inner.first + inner.seen.len();
        *inner = Inner {
            first,
            ..Inner::default()
        };
        self.total.store(0, Ordering::SeqCst);
    }

    /// Writes a request down and returns its number.
    pub(super) fn record(&self, seen: Seen) -> usize {
        self.total.fetch_add(1, Ordering::SeqCst);
        let mut inner = self.inner();
        inner.seen.push_back(seen);
        while inner.seen.len() > self.keep_requests {
            inner.seen.pop_front();
            inner.first += 1;
        }
        inner.first + inner.seen.len() - 1
    }

    pub(super) fn conclude(&self, number: usize, outcome: Outcome) {
        let mut inner = self.inner();
        let place = number.checked_sub(inner.first);
        if let Some(seen) = place.and_then(|place| inner.seen.get_mut(place)) {
            seen.outcome = outcome;
        }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.inner().seen.iter().cloned().collect()
    }

    pub(super) fn total(&self) -> usize {
        self.total.load(Ordering::SeqCst)
    }

    /// The answer to a request, with the fault whose turn it is.
    pub(super) fn answer(&self, method: &str, path: &str, body: &str) -> Answer {
        let (pin, fault, reply) = self.turn();
        // Nobody recorded these two, and they cost nothing.
        let unrecorded = method == "GET" || path.ends_with("/count_tokens");
        let answer = match &self.recordings {
            Some(recordings) if !unrecorded => replay(recordings, pin.as_deref(), path, body),
            _ => synthetic::answer(method, path, body, &reply).ok_or_else(|| format!("no path {path}")),
        };
        let answer = answer.unwrap_or_else(|message| Answer::error(path, 404, &message));
        match fault {
            Some(fault) => fault.apply(path, answer),
            None => answer,
        }
    }

    fn turn(&self) -> (Option<String>, Option<Fault>, Reply) {
        let mut inner = self.inner();
        let pin = inner.pin.clone().map(|(id, _)| id);
        match &mut inner.pin {
            Some((_, Some(1))) => inner.pin = None,
            Some((_, Some(times))) => *times -= 1,
            _ => {}
        }
        let fault = next_of(&mut inner.faults);
        let reply = next_of(&mut inner.replies).unwrap_or_else(|| inner.reply.clone());
        (pin, fault, reply)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A test that panicked elsewhere must still be able to look.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn next_of<T: Clone>(queue: &mut VecDeque<(T, usize)>) -> Option<T> {
    let (item, times) = queue.front_mut()?;
    let item = item.clone();
    *times = times.saturating_sub(1);
    if *times == 0 {
        queue.pop_front();
    }
    Some(item)
}

fn replay(recordings: &Recordings, pin: Option<&str>, path: &str, body: &str) -> Result<Answer, String> {
    let request: Value = serde_json::from_str(body).unwrap_or_default();
    let exchange = match pin {
        Some(id) => recordings.by_id(id).filter(|exchange| exchange.path == path),
        None => recordings.matching(path, &request),
    };
    exchange
        .map(|exchange| exchange.answer(&request))
        .ok_or_else(|| match pin {
            Some(id) => format!("the pinned exchange {id} was recorded on another path than {path}"),
            None => format!("no exchange with this body was recorded on {path}"),
        })
}
