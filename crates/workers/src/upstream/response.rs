//! What came back from a provider?

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, timeout};

use super::error::UpstreamError;

/// The answer of a provider: its head, and a body that is still to be read.
#[derive(Debug)]
pub struct UpstreamResponse {
    /// The status as the provider gave it.
    pub status: StatusCode,
    /// The headers that may go back to the client.
    pub headers: HeaderMap,
    /// Attempts beyond the first.
    pub retries: u32,
    /// When the first attempt began, on the monotonic clock.
    pub sent_at: Instant,
    /// What follows.
    pub body: UpstreamBody,
}

impl UpstreamResponse {
    /// Whether the body is a stream of server-sent events.
    pub fn is_event_stream(&self) -> bool {
        self.headers
            .get(http::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.trim_start().starts_with("text/event-stream"))
    }
}

/// The bytes of an answer as they arrive. No silence in it lasts longer than the idle timeout.
pub struct UpstreamBody {
    stream: Pin<Box<dyn Stream<Item = Result<Bytes, UpstreamError>> + Send>>,
    idle: Duration,
}

impl UpstreamBody {
    /// A body made of this stream; `idle` is the longest silence that is allowed.
    pub fn new<S>(stream: S, idle: Duration) -> Self
    where
        S: Stream<Item = Result<Bytes, UpstreamError>> + Send + 'static,
    {
        Self {
            stream: Box::pin(stream),
            idle,
        }
    }

    /// The next bytes; `None` at the end. After an error there is nothing more.
    pub async fn next(&mut self) -> Option<Result<Bytes, UpstreamError>> {
        match timeout(self.idle, self.stream.next()).await {
            Ok(next) => next,
            Err(_elapsed) => Some(Err(UpstreamError::IdleTimeout { after: self.idle })),
        }
    }
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamBody")
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}
