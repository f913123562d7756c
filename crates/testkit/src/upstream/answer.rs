//! What is sent back for one request, and in which pieces?

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

/// One answer before it goes out.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    /// What is written and flushed one after the other: the events of a stream, else the whole body.
    pub(super) pieces: Vec<Bytes>,
    /// Sent in chunks without a length.
    pub(super) streamed: bool,
    pub(super) pace: Pace,
}

/// When and how far an answer is sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    /// The wait before the status line.
    pub(super) before: Duration,
    /// The wait before every piece but the first.
    pub(super) between: Duration,
    pub(super) ending: Ending,
    /// The length that the headers promise when fewer bytes are sent.
    pub(super) promised: Option<u64>,
}

/// How the connection ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Ending {
    /// As HTTP wants it.
    #[default]
    Proper,
    /// Cut after the last piece.
    CutAfterBody,
    /// Cut before the status line.
    CutBeforeHeaders,
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::of_bytes(status, "application/json", body.to_string().into())
    }

    pub(super) fn of_bytes(status: u16, content_type: &str, body: Bytes) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            pieces: vec![body],
            streamed: false,
            pace: Pace::default(),
        }
    }

    pub(super) fn stream(events: Vec<Bytes>) -> Self {
        let content_type = (
            "content-type".to_owned(),
            "text/event-stream; charset=utf-8".to_owned(),
        );
        Self {
            status: 200,
            headers: vec![content_type],
            pieces: events,
            streamed: true,
            pace: Pace::default(),
        }
    }

    /// An error in the shape of the provider that serves this path.
    pub(super) fn error(path: &str, status: u16, message: &str) -> Self {
        let kind = match status {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            529 => "overloaded_error",
            400..=499 => "invalid_request_error",
            _ => "api_error",
        };
        let body = if path.contains("/messages") {
            json!({"type": "error", "error": {"type": kind, "message": message}})
        } else {
            let kind = match status {
                400..=499 => "invalid_request_error",
                _ => "server_error",
            };
            json!({"error": {"message": message, "type": kind, "param": null, "code": null}})
        };
        Self::json(status, &body)
    }

    pub(super) fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    /// Whether it can be handed over as a whole.
    pub(super) fn is_plain(&self) -> bool {
        !self.streamed
            && self.pieces.len() == 1
            && self.pace.between.is_zero()
            && self.pace.ending == Ending::Proper
    }
}
