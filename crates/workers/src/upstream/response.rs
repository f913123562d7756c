//! What came back from a provider?

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, Peekable};
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, timeout, timeout_at};

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

    /// Whether the body is text as it came. Nobody asks for an encoding, but a provider may use one all the same.
    pub fn is_readable(&self) -> bool {
        let encodings = self.headers.get_all(http::header::CONTENT_ENCODING);
        encodings.iter().all(|encoding| encoding == "identity")
    }
}

/// The bytes of an answer as they arrive. No silence in it lasts longer than the idle timeout.
pub struct UpstreamBody {
    stream: Peekable<BoxStream<'static, Result<Bytes, UpstreamError>>>,
    idle: Duration,
}

impl UpstreamBody {
    /// A body made of this stream; `idle` is the longest silence that is allowed.
    pub fn new<S>(stream: S, idle: Duration) -> Self
    where
        S: Stream<Item = Result<Bytes, UpstreamError>> + Send + 'static,
    {
        Self {
            stream: stream.boxed().peekable(),
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

    /// The same, but [`UpstreamError::CutOff`] once this time has come, however much the provider has to say.
    pub async fn next_until(&mut self, until: Option<Instant>) -> Option<Result<Bytes, UpstreamError>> {
        match until {
            None => self.next().await,
            Some(until) if until <= Instant::now() => Some(Err(UpstreamError::CutOff)),
            Some(until) => timeout_at(until, self.next())
                .await
                .unwrap_or(Some(Err(UpstreamError::CutOff))),
        }
    }

    /// Waits for the first bytes, or for the end; they are still the next.
    ///
    /// # Errors
    /// [`UpstreamError::IdleTimeout`].
    pub async fn begin(&mut self) -> Result<(), UpstreamError> {
        let begun = timeout(self.idle, Pin::new(&mut self.stream).peek()).await;
        begun.map_or(Err(UpstreamError::IdleTimeout { after: self.idle }), |_| Ok(()))
    }
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamBody")
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}
