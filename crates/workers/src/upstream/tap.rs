//! What did the provider say about usage, while its answer passed by?
//!
//! The answer passes unchanged. The one exception is what OpenAI adds to a stream when usage is asked for: an event
//! at its end, and `"usage":null` in all others. Where it was us who asked, the client does not get to see either.

mod answer;
mod reader;
mod strip;
#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};
use model::run::Operation;
use serde_json::Value;

use self::reader::{Reader, Verdict};
use super::sse::Boundaries;

/// An event larger than this passes unread.
const EVENT_CAP_BYTES: usize = 8 * 1024 * 1024;
/// A body larger than this, if it is not a stream, passes unread.
const BODY_CAP_BYTES: usize = 64 * 1024 * 1024;

/// Watches one answer.
#[derive(Debug)]
pub struct UsageTap {
    reader: Reader,
    mode: Mode,
    bytes: u64,
}

#[derive(Debug)]
enum Mode {
    Events(Events),
    Body(Body),
}

/// What an answer said about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct TapReport {
    /// `model`, `usage` and `service_tier` as the provider's answer would hold them if it were not streamed,
    /// which is what price tables read. `None` if the provider said nothing about usage.
    pub usage_body: Option<Value>,
    /// Whether that is the provider's last word on usage: counts in the middle of a stream grow.
    pub usage_is_final: bool,
    /// The model that answered, in the provider's words.
    pub served_model: Option<String>,
    /// Why it ended, in the provider's words.
    pub finish_reason: Option<String>,
    /// The tier it was served in, in the provider's words: what prices may depend on.
    pub service_tier: Option<String>,
    /// Whether the answer came to its proper end. A stream of choices is also complete when each of them is
    /// finished: not every provider ends with `[DONE]`.
    pub complete: bool,
    /// The code of the error that the provider reported in its answer.
    pub upstream_error: Option<String>,
    /// How many bytes came from the provider.
    pub bytes: u64,
}

impl UsageTap {
    /// A tap for one answer: `streaming` if it consists of server-sent events, `hide_usage_chunk` if usage
    /// was asked for by us and not by the client.
    pub fn new(operation: Operation, streaming: bool, hide_usage_chunk: bool) -> Self {
        let mode = if streaming {
            let asks = matches!(operation, Operation::Chat | Operation::TextCompletion);
            Mode::Events(Events::new(asks && hide_usage_chunk))
        } else {
            Mode::Body(Body::default())
        };
        Self {
            reader: Reader::new(operation),
            mode,
            bytes: 0,
        }
    }

    /// How many choices the answer is to have, if not one.
    #[must_use]
    pub fn expecting(mut self, choices: i64) -> Self {
        self.reader.expect(choices);
        self
    }

    /// Whether the event that ends a stream (`[DONE]`, `message_stop`) has passed: what follows says nothing.
    pub fn has_ended(&self) -> bool {
        matches!(self.mode, Mode::Events(_)) && self.reader.has_ended()
    }

    /// Takes what came from the provider and gives what goes to the client now. Where nothing may have to be
    /// hidden, that is the very same bytes; otherwise an event that is not complete yet is held back.
    pub fn feed(&mut self, chunk: Bytes) -> Bytes {
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(length);
        match &mut self.mode {
            Mode::Events(events) => events.feed(chunk, &mut self.reader),
            Mode::Body(body) => {
                body.feed(&chunk);
                chunk
            }
        }
    }

    /// Ends the answer: what was held back and still has to go to the client, and the report.
    pub fn finish(mut self) -> (Bytes, TapReport) {
        let rest = match self.mode {
            Mode::Events(events) => events.finish(&mut self.reader),
            Mode::Body(body) => {
                body.finish(&mut self.reader);
                Bytes::new()
            }
        };
        (rest, self.reader.report(self.bytes))
    }
}

/// A body that is not a stream: its chunks are kept (shared, not copied) and read at the end.
#[derive(Debug, Default)]
struct Body {
    chunks: Vec<Bytes>,
    length: usize,
}

impl Body {
    fn feed(&mut self, chunk: &Bytes) {
        self.length = self.length.saturating_add(chunk.len());
        if self.length > BODY_CAP_BYTES {
            self.chunks.clear();
        } else {
            self.chunks.push(chunk.clone());
        }
    }

    fn finish(self, reader: &mut Reader) {
        match self.chunks.as_slice() {
            [] => {}
            [one] => reader.body(one),
            many => reader.body(&many.concat()),
        }
    }
}

/// A stream of events.
#[derive(Debug)]
struct Events {
    boundaries: Boundaries,
    hide: bool,
    /// The beginning of the current event; empty while `oversized`.
    pending: BytesMut,
    /// The current event is larger than the cap, and what came of it is gone.
    oversized: bool,
}

impl Events {
    fn new(hide: bool) -> Self {
        Self {
            boundaries: Boundaries::default(),
            hide,
            pending: BytesMut::new(),
            oversized: false,
        }
    }

    fn feed(&mut self, chunk: Bytes, reader: &mut Reader) -> Bytes {
        let mut passing = Passing::new(self.hide);
        let mut at = 0;
        while let Some(length) = self.boundaries.next_end(chunk.get(at..).unwrap_or_default()) {
            let end = at + length;
            let event = chunk.get(at..end).unwrap_or_default();
            if std::mem::take(&mut self.oversized) {
                // Its beginning has passed already.
            } else if self.pending.is_empty() {
                if let Some(instead) = self.reads(event, reader) {
                    passing.push(chunk.slice(passing.from..at));
                    passing.push(instead);
                    passing.from = end;
                }
            } else {
                self.pending.extend_from_slice(event);
                let whole = self.pending.split().freeze();
                passing.push(self.reads(&whole, reader).unwrap_or(whole));
                passing.from = end;
            }
            at = end;
        }
        self.hold_back(&chunk, at, &mut passing);
        if self.hide { passing.into_bytes() } else { chunk }
    }

    /// Reads one event, and says what goes to the client in its place; `None` if it goes as it came.
    fn reads(&self, event: &[u8], reader: &mut Reader) -> Option<Bytes> {
        if event.len() > EVENT_CAP_BYTES {
            return None;
        }
        match reader.event(event) {
            _ if !self.hide => None,
            Verdict::Hide => Some(Bytes::new()),
            Verdict::Pass => strip::without_null_usage(event),
        }
    }

    /// Keeps what lies behind the last complete event, unless the event is too large to be read.
    fn hold_back(&mut self, chunk: &Bytes, at: usize, passing: &mut Passing) {
        let tail = chunk.get(at..).unwrap_or_default();
        if self.pending.len() + tail.len() > EVENT_CAP_BYTES {
            self.oversized = true;
        }
        if self.oversized {
            passing.push(self.pending.split().freeze());
            passing.push(chunk.slice(passing.from..));
        } else {
            passing.push(chunk.slice(passing.from..at));
            self.pending.extend_from_slice(tail);
        }
    }

    /// What is held back at the end is read as an event even if its empty line never came.
    fn finish(self, reader: &mut Reader) -> Bytes {
        let instead = self.reads(&self.pending, reader);
        if self.hide {
            instead.unwrap_or_else(|| self.pending.freeze())
        } else {
            Bytes::new()
        }
    }
}

/// What goes on to the client where something may have to be hidden: runs of the chunk, and what was held
/// back before. Where nothing is hidden the chunk itself goes on, and nothing is put together here.
#[derive(Debug, Default)]
struct Passing {
    wanted: bool,
    /// Where in the chunk the run begins that has not been pushed yet.
    from: usize,
    first: Bytes,
    more: BytesMut,
}

impl Passing {
    fn new(wanted: bool) -> Self {
        Self {
            wanted,
            ..Self::default()
        }
    }

    fn push(&mut self, bytes: Bytes) {
        if !self.wanted || bytes.is_empty() {
            return;
        }
        if self.first.is_empty() {
            self.first = bytes;
        } else {
            self.more.extend_from_slice(&bytes);
        }
    }

    fn into_bytes(self) -> Bytes {
        if self.more.is_empty() {
            return self.first;
        }
        let mut all = BytesMut::with_capacity(self.first.len() + self.more.len());
        all.extend_from_slice(&self.first);
        all.extend_from_slice(&self.more);
        all.freeze()
    }
}
