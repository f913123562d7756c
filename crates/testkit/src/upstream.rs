//! What does a test put in the place of an LLM provider?
//!
//! An HTTP server on a free loopback port that replays recorded exchanges, or answers by itself in the
//! shapes of OpenAI and Anthropic with the usage that the test chose. Faults can be queued for the next
//! requests, and every request is written down. `POST /_control/{pin,fault,reply,reset,requests}` offers
//! the same to tests in other languages.

mod answer;
mod delivery;
mod fault;
mod recording;
mod script;
mod server;
mod sse;
mod synthetic;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

pub use fault::Fault;
pub use recording::Exchange;
pub use script::{Outcome, Seen};
pub use synthetic::Reply;

use crate::data::EXCHANGES;
use recording::Recordings;
use script::Script;
use server::Server;

/// How an upstream is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port; 0 takes a free one.
    pub port: u16,
    /// Answers with recordings; without, by itself.
    pub recordings: bool,
    /// Threads that serve.
    pub workers: usize,
    /// How many of the latest requests are kept for assertions.
    pub keep_requests: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            recordings: true,
            workers: 1,
            keep_requests: 10_000,
        }
    }
}

/// A running upstream; stops when it is dropped.
#[derive(Debug)]
pub struct Scripted {
    base_url: String,
    script: Arc<Script>,
    _server: Server,
}

impl Scripted {
    /// An upstream that replays the recorded exchanges. `None`, said loudly, where they are missing: then the
    /// test that needs them has nothing to do.
    pub fn recorded() -> Option<Self> {
        crate::data::recordings()?;
        let started = Self::with(&Options::default());
        Some(started.unwrap_or_else(|error| panic!("no scripted upstream: {error}")))
    }

    /// An upstream that answers by itself, without any recording.
    pub fn synthetic() -> Self {
        let options = Options {
            recordings: false,
            ..Options::default()
        };
        Self::with(&options).unwrap_or_else(|error| panic!("no scripted upstream: {error}"))
    }

    /// An upstream with these options.
    pub fn with(options: &Options) -> io::Result<Self> {
        let recordings = if options.recordings {
            let missing = || io::Error::new(io::ErrorKind::NotFound, format!("{EXCHANGES} is missing"));
            Some(Recordings::read(
                &crate::data::find(EXCHANGES).ok_or_else(missing)?,
            ))
        } else {
            None
        };
        let script = Arc::new(Script::new(recordings, options.keep_requests));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let server = Server::start(listener, options.workers, Arc::clone(&script))?;
        Ok(Self {
            base_url,
            script,
            _server: server,
        })
    }

    /// `http://127.0.0.1:PORT`, without a path.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The recorded exchanges; none in an upstream that answers by itself.
    pub fn exchanges(&self) -> &[Exchange] {
        self.script.recordings.as_ref().map_or(&[], Recordings::all)
    }

    /// Answers all further requests with this exchange, whatever they say. Panics if there is none.
    pub fn pin(&self, id: &str) {
        self.script
            .pin(Some(id), None)
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// Finds exchanges by their requests again.
    pub fn unpin(&self) {
        drop(self.script.pin(None, None));
    }

    /// Lets this go wrong with the next request, behind the faults that wait already.
    pub fn fault(&self, fault: Fault) {
        self.script.fault(fault, 1);
    }

    /// Lets this go wrong with so many requests.
    pub fn fault_times(&self, fault: Fault, times: usize) {
        self.script.fault(fault, times);
    }

    /// Forgets the faults that were not used yet.
    pub fn clear_faults(&self) {
        self.script.clear_faults();
    }

    /// What to answer from now on without a recording.
    pub fn reply(&self, reply: Reply) {
        self.script.reply(reply, None);
    }

    /// What to answer to the next request only.
    pub fn reply_once(&self, reply: Reply) {
        self.script.reply(reply, Some(1));
    }

    /// Forgets everything: pins, faults, replies and requests.
    pub fn reset(&self) {
        self.script.reset();
    }

    /// The requests that arrived, in order, up to the number that is kept.
    pub fn requests(&self) -> Vec<Seen> {
        self.script.seen()
    }

    /// How many requests arrived.
    pub fn request_count(&self) -> usize {
        self.script.total()
    }

    /// The only request that arrived. Panics if there were none or several.
    pub fn only_request(&self) -> Seen {
        let mut seen = self.requests();
        assert_eq!(seen.len(), 1, "expected exactly one request: {seen:#?}");
        seen.remove(0)
    }

    /// How many clients are connected.
    pub fn open_connections(&self) -> usize {
        self.script.connections.load(Ordering::SeqCst)
    }

    /// Waits (blocking, at most half a minute) until this holds of the upstream, and says whether it does.
    pub fn wait_until(&self, holds: impl Fn(&Self) -> bool) -> bool {
        let start = Instant::now();
        while !holds(self) {
            if start.elapsed() > Duration::from_secs(30) {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

#[cfg(test)]
mod tests;
