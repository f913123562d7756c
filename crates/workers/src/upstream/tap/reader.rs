//! What does one event, or one whole body, add to what is known about the answer?
//!
//! A stream has hundreds of events and two or three that matter. Which those may be is decided by looking
//! for a few keys in the raw bytes; only then is an event parsed. Inside of a JSON text a quote is escaped, so
//! `"usage"` in what the model says does not look like the key.

use std::collections::BTreeSet;

use memchr::memmem;
use model::run::Operation;
use serde_json::{Map, Value};

use super::super::sse;
use super::TapReport;
use super::answer::{Answer, reason, text};

/// Whether an event goes to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    /// It says nothing but what was used.
    Hide,
}

#[derive(Debug)]
pub(super) struct Reader {
    operation: Operation,
    model: Option<String>,
    tier: Option<String>,
    usage: Option<Map<String, Value>>,
    finish_reason: Option<String>,
    error: Option<String>,
    /// The event that ends a stream came, or a whole body.
    complete: bool,
    /// The choices that are finished, and how many there are to be.
    finished: BTreeSet<u64>,
    choices: usize,
    /// An event came that says nothing but what was used.
    summed_up: bool,
}

impl Reader {
    pub(super) fn new(operation: Operation) -> Self {
        Self {
            operation,
            model: None,
            tier: None,
            usage: None,
            finish_reason: None,
            error: None,
            complete: false,
            finished: BTreeSet::new(),
            choices: 1,
            summed_up: false,
        }
    }

    pub(super) fn expect(&mut self, choices: i64) {
        self.choices = usize::try_from(choices).unwrap_or(1).max(1);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.complete
    }

    /// Reads one event with its field names and line ends.
    pub(super) fn event(&mut self, event: &[u8]) -> Verdict {
        match self.operation {
            Operation::Messages | Operation::CountTokens => self.anthropic_event(event),
            Operation::Responses => self.responses_event(event),
            Operation::Chat | Operation::TextCompletion | Operation::Embeddings => {
                return self.chat_event(event);
            }
        }
        Verdict::Pass
    }

    /// Reads a whole body.
    pub(super) fn body(&mut self, body: &[u8]) {
        let Some(answer) = Answer::of(body) else {
            return;
        };
        self.complete = true;
        self.takes(&answer);
    }

    pub(super) fn report(self, bytes: u64) -> TapReport {
        let usage_body = self.usage.map(|usage| {
            let mut body = Map::new();
            if let Some(model) = &self.model {
                body.insert("model".to_owned(), Value::from(model.as_str()));
            }
            if let Some(tier) = &self.tier {
                body.insert("service_tier".to_owned(), Value::from(tier.as_str()));
            }
            body.insert("usage".to_owned(), Value::Object(usage));
            Value::Object(body)
        });
        TapReport {
            usage_is_final: usage_body.is_some()
                && (self.complete || self.summed_up || self.finish_reason.is_some()),
            usage_body,
            served_model: self.model,
            finish_reason: self.finish_reason,
            service_tier: self.tier,
            complete: self.complete || self.finished.len() >= self.choices,
            upstream_error: self.error,
            bytes,
        }
    }

    fn chat_event(&mut self, event: &[u8]) -> Verdict {
        let matters = (self.model.is_none() && has_value(event, b"\"model\""))
            || has_value(event, b"\"usage\"")
            || has_value(event, b"\"finish_reason\"")
            || has_value(event, b"\"error\"");
        if !matters {
            let done = memmem::find(event, b"[DONE]").and_then(|_| sse::data(event));
            self.complete |= done.is_some_and(|data| data.trim_ascii() == b"[DONE]");
            return Verdict::Pass;
        }
        let Some(data) = sse::data(event) else {
            return Verdict::Pass;
        };
        let Some(answer) = Answer::of(&data) else {
            return Verdict::Pass;
        };
        let usage_only = answer.has_no_choice() && answer.usage().is_some();
        self.takes(&answer);
        self.summed_up |= usage_only;
        if usage_only { Verdict::Hide } else { Verdict::Pass }
    }

    fn responses_event(&mut self, event: &[u8]) {
        let ends = [
            "\"response.completed\"",
            "\"response.incomplete\"",
            "\"response.failed\"",
        ];
        let matters = (self.model.is_none() && has_value(event, b"\"model\""))
            || ends
                .iter()
                .any(|end| memmem::find(event, end.as_bytes()).is_some())
            || has_value(event, b"\"error\"");
        if !matters {
            return;
        }
        let Some(data) = sse::data(event) else {
            return;
        };
        let Some(answer) = Answer::of(&data) else {
            return;
        };
        let kind = text(answer.kind);
        match kind.as_deref() {
            Some("response.completed" | "response.incomplete" | "response.failed") => self.complete = true,
            Some("error") => self.error = answer.error_code(),
            _ => {}
        }
        if let Some(response) = Answer::within(answer.response) {
            self.takes(&response);
        }
    }

    fn anthropic_event(&mut self, event: &[u8]) {
        let kinds = ["\"message_start\"", "\"message_delta\"", "\"message_stop\""];
        let matters = kinds
            .iter()
            .any(|kind| memmem::find(event, kind.as_bytes()).is_some())
            || has_value(event, b"\"error\"");
        if !matters {
            return;
        }
        let Some(data) = sse::data(event) else {
            return;
        };
        let Some(answer) = Answer::of(&data) else {
            return;
        };
        match text(answer.kind).as_deref() {
            Some("message_start") => {
                if let Some(message) = Answer::within(answer.message) {
                    self.takes(&message);
                }
            }
            Some("message_delta") => {
                self.takes(&answer);
                let delta = Answer::within(answer.delta).unwrap_or_default();
                self.finish_reason = text(delta.stop_reason).or(self.finish_reason.take());
            }
            Some("message_stop") => self.complete = true,
            Some("error") => self.error = answer.error_code(),
            _ => {}
        }
    }

    fn takes(&mut self, answer: &Answer<'_>) {
        self.model = text(answer.model).or(self.model.take());
        self.tier = text(answer.service_tier).or(self.tier.take());
        self.error = answer.error_code().or(self.error.take());
        let finished = match self.operation {
            Operation::Messages | Operation::CountTokens => text(answer.stop_reason),
            Operation::Responses => {
                let status = text(answer.status).filter(|s| s != "in_progress" && s != "queued");
                reason(answer.incomplete_details).or(status)
            }
            Operation::Chat | Operation::TextCompletion | Operation::Embeddings => answer.finish_reason(),
        };
        self.finish_reason = finished.or(self.finish_reason.take());
        if matches!(self.operation, Operation::Chat | Operation::TextCompletion) {
            self.finished.extend(answer.finished_choices());
        }
        let Some(usage) = answer.usage() else {
            return;
        };
        match (&mut self.usage, self.operation) {
            (Some(known), Operation::Messages) => merge(known, usage),
            (known, _) => *known = Some(usage),
        }
    }
}

/// Anthropic's counts grow from event to event, and a later event leaves out what did not change.
fn merge(known: &mut Map<String, Value>, later: Map<String, Value>) {
    for (key, value) in later {
        match (known.get_mut(&key), value) {
            (_, Value::Null) => {}
            (Some(Value::Object(inner)), Value::Object(value)) => merge(inner, value),
            (Some(Value::Number(before)), Value::Number(now)) => {
                if now.as_u64() > before.as_u64() {
                    *before = now;
                }
            }
            (_, value) => {
                known.insert(key, value);
            }
        }
    }
}

/// Whether the key (with its quotes) is there with anything but `null`.
fn has_value(event: &[u8], key: &[u8]) -> bool {
    memmem::find_iter(event, key).any(|at| {
        let behind = event.get(at + key.len()..).unwrap_or_default().trim_ascii_start();
        let value = behind.strip_prefix(b":").unwrap_or(behind).trim_ascii_start();
        !value.starts_with(b"null")
    })
}
