//! What can go wrong at a provider, and how does it change an answer?

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Answer, Ending};
use super::sse;

/// Something that goes wrong with one answer. As JSON: `{"kind": "delay", "ms": 200}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Another status, with this body or an error in the provider's shape.
    Status {
        /// The status.
        status: u16,
        /// The body, if not the provider's usual one.
        #[serde(default)]
        body: Option<String>,
        /// More headers, such as `retry-after`.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// Nothing is sent for this long.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// A wait between any two events.
    DelayBetweenEvents {
        /// Milliseconds.
        ms: u64,
    },
    /// The connection ends without any answer.
    DropBeforeHeaders,
    /// The connection ends after this many events.
    DropAfterEvents {
        /// How many are sent.
        events: usize,
    },
    /// The connection ends after this many events, with a wait between any two of them.
    DropAfterSlowEvents {
        /// How many are sent.
        events: usize,
        /// Milliseconds.
        ms: u64,
    },
    /// The body ends after this many events, as if that were all.
    EndAfterEvents {
        /// How many are sent.
        events: usize,
    },
    /// The connection ends after this many bytes of the body.
    DropAfterBytes {
        /// How many are sent.
        bytes: usize,
    },
    /// The JSON of the body, or of the event in the middle, breaks off halfway.
    MalformedJson,
    /// Nothing is said about usage.
    MissingUsage,
    /// Every number of the usage is so many times too large.
    OverReportedUsage {
        /// How many times.
        factor: u64,
    },
    /// Exactly this usage is reported, whatever was answered.
    ReportedUsage {
        /// Tokens of input.
        input_tokens: u64,
        /// Tokens of output.
        output_tokens: u64,
    },
    /// A line of this length comes first, one that clients skip.
    HugeLine {
        /// Its length.
        bytes: usize,
    },
    /// The body trickles in.
    SlowBytes {
        /// Bytes at a time.
        bytes: usize,
        /// Milliseconds between them.
        ms: u64,
    },
}

impl Fault {
    /// A status with an error in the provider's shape.
    pub fn status(status: u16) -> Self {
        Self::Status {
            status,
            body: None,
            headers: BTreeMap::new(),
        }
    }

    /// The answer with this fault.
    pub(super) fn apply(&self, path: &str, answer: Answer) -> Answer {
        let mut answer = answer;
        match self {
            Self::Status {
                status,
                body,
                headers,
            } => {
                answer = failure(path, *status, body.as_deref());
                answer.headers.extend(headers.clone());
            }
            Self::Delay { ms } => answer.pace.before = Duration::from_millis(*ms),
            Self::DelayBetweenEvents { ms } => answer.pace.between = Duration::from_millis(*ms),
            Self::DropBeforeHeaders => answer.pace.ending = Ending::CutBeforeHeaders,
            Self::DropAfterEvents { events } => {
                cut(&mut answer, |pieces| pieces.truncate(*events));
            }
            Self::DropAfterSlowEvents { events, ms } => {
                cut(&mut answer, |pieces| pieces.truncate(*events));
                answer.pace.between = Duration::from_millis(*ms);
            }
            Self::EndAfterEvents { events } => answer.pieces.truncate(*events),
            Self::DropAfterBytes { bytes } => cut(&mut answer, |pieces| truncate(pieces, *bytes)),
            Self::MalformedJson => malform(&mut answer),
            Self::MissingUsage => each_usage(&mut answer, &mut |_| None),
            Self::OverReportedUsage { factor } => {
                each_usage(&mut answer, &mut |usage| Some(multiplied(usage, *factor)));
            }
            Self::ReportedUsage {
                input_tokens,
                output_tokens,
            } => each_usage(&mut answer, &mut |usage| {
                Some(replaced(usage, *input_tokens, *output_tokens))
            }),
            Self::HugeLine { bytes } => {
                let line = if answer.streamed {
                    format!(": {}\n\n", "x".repeat(*bytes))
                } else {
                    " ".repeat(*bytes)
                };
                answer.pieces.insert(0, line.into());
            }
            Self::SlowBytes { bytes, ms } => {
                answer.pieces = answer
                    .pieces
                    .concat()
                    .chunks((*bytes).max(1))
                    .map(Bytes::copy_from_slice)
                    .collect();
                answer.pace.between = Duration::from_millis(*ms);
            }
        }
        answer
    }
}

fn failure(path: &str, status: u16, body: Option<&str>) -> Answer {
    match body {
        Some(body) => Answer::of_bytes(status, "application/json", body.to_owned().into()),
        None => Answer::error(path, status, "the script of this test wants it so"),
    }
}

fn cut(answer: &mut Answer, change: impl FnOnce(&mut Vec<Bytes>)) {
    answer.pace.promised = u64::try_from(answer.len()).ok();
    answer.pace.ending = Ending::CutAfterBody;
    change(&mut answer.pieces);
}

fn truncate(pieces: &mut Vec<Bytes>, bytes: usize) {
    let mut left = bytes;
    for piece in pieces.iter_mut() {
        piece.truncate(left);
        left -= piece.len();
    }
    pieces.retain(|piece| !piece.is_empty());
}

fn malform(answer: &mut Answer) {
    let middle = answer.pieces.len() / 2;
    if let Some(piece) = answer.pieces.get_mut(middle) {
        let half = piece.slice(..piece.len() / 2);
        *piece = if answer.streamed {
            [&half[..], b"\n\n"].concat().into()
        } else {
            half
        };
    }
}

/// Replaces every object that is called `usage`, wherever it stands; `None` removes it.
fn each_usage(answer: &mut Answer, change: &mut dyn FnMut(&Value) -> Option<Value>) {
    for piece in &mut answer.pieces {
        if answer.streamed {
            *piece = sse::map_data(piece, |value| change_usage(value, change));
        } else if let Ok(mut value) = serde_json::from_slice::<Value>(piece) {
            change_usage(&mut value, change);
            *piece = value.to_string().into();
        }
    }
    if answer.streamed {
        // What is left of a chunk that had nothing but usage in it says nothing any more.
        answer
            .pieces
            .retain(|event| !sse::data(event).is_some_and(|chunk| is_hollow(&chunk)));
    }
}

fn is_hollow(chunk: &Value) -> bool {
    let no_choices = chunk.get("choices") == Some(&json!([]));
    no_choices && chunk.get("usage").is_none() && chunk.get("prompt_filter_results").is_none()
}

fn change_usage(value: &mut Value, change: &mut dyn FnMut(&Value) -> Option<Value>) {
    match value {
        Value::Object(fields) => {
            if let Some(usage) = fields.get("usage").filter(|usage| usage.is_object()) {
                match change(usage) {
                    Some(usage) => fields.insert("usage".to_owned(), usage),
                    None => fields.remove("usage"),
                };
            }
            for (_, field) in fields.iter_mut().filter(|(name, _)| *name != "usage") {
                change_usage(field, change);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| change_usage(value, change)),
        _ => {}
    }
}

fn multiplied(usage: &Value, factor: u64) -> Value {
    match usage {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), multiplied(value, factor)))
            .collect(),
        value => value
            .as_u64()
            .map_or_else(|| value.clone(), |number| json!(number.saturating_mul(factor))),
    }
}

fn replaced(usage: &Value, input: u64, output: u64) -> Value {
    let mut usage = usage.clone();
    let numbers = [
        ("prompt_tokens", input),
        ("input_tokens", input),
        ("completion_tokens", output),
        ("output_tokens", output),
        ("total_tokens", input.saturating_add(output)),
    ];
    for (name, number) in numbers {
        if let Some(value) = usage.get_mut(name) {
            *value = json!(number);
        }
    }
    usage
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Answer {
        let usage = json!({"prompt_tokens": 3, "total_tokens": 5, "completion_tokens": 2,
            "completion_tokens_details": {"reasoning_tokens": 1}});
        Answer::stream(vec![
            sse::event(None, &json!({"choices": [{"delta": {"content": "a"}}]})),
            sse::event(None, &json!({"choices": [], "usage": usage})),
            "data: [DONE]\n\n".into(),
        ])
    }

    #[test]
    fn usage_can_be_missing_too_large_or_anything() {
        let missing = Fault::MissingUsage.apply("/v1/chat/completions", stream());
        assert_eq!(missing.pieces.len(), 2);
        let over = Fault::OverReportedUsage { factor: 10 }.apply("/v1/chat/completions", stream());
        let usage = &sse::data(&over.pieces[1]).unwrap()["usage"];
        assert_eq!(usage["total_tokens"], 50);
        assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 10);
        let set = Fault::ReportedUsage {
            input_tokens: 7,
            output_tokens: 8,
        };
        let message = json!({"type": "message_start", "message": {"usage": {"input_tokens": 1}}});
        let set = set.apply("/v1/messages", Answer::json(200, &message));
        assert!(String::from_utf8_lossy(&set.pieces[0]).contains("\"input_tokens\":7"));
    }

    #[test]
    fn a_cut_body_still_promises_its_whole_length() {
        let body = json!({"answer": 42});
        let whole = Answer::json(200, &body);
        let length = whole.len();
        let cut = Fault::DropAfterBytes { bytes: 5 }.apply("/v1/embeddings", whole);
        assert_eq!(cut.pieces.concat(), br#"{"ans"#);
        assert_eq!(cut.pace.promised, u64::try_from(length).ok());
        let events = Fault::DropAfterEvents { events: 2 }.apply("/v1/chat/completions", stream());
        assert_eq!(events.pieces, stream().pieces[..2]);
        let slow = Fault::DropAfterSlowEvents { events: 2, ms: 5 }.apply("/v1/chat/completions", stream());
        assert_eq!(
            (&slow.pieces, slow.pace.between),
            (&events.pieces, Duration::from_millis(5))
        );
        let ended = Fault::EndAfterEvents { events: 2 }.apply("/v1/chat/completions", stream());
        assert_eq!((ended.pieces, ended.pace.promised), (events.pieces, None));
    }

    #[test]
    fn a_status_comes_in_the_shape_of_the_provider() {
        let anthropic = Fault::status(529).apply("/v1/messages", stream());
        assert_eq!(anthropic.status, 529);
        assert!(String::from_utf8_lossy(&anthropic.pieces[0]).contains("overloaded_error"));
        let openai = Fault::status(500).apply("/v1/responses", stream());
        assert!(String::from_utf8_lossy(&openai.pieces[0]).contains("server_error"));
    }

    #[test]
    fn a_fault_is_read_from_json_and_a_misspelt_one_is_refused() {
        let fault: Fault = serde_json::from_value(json!({"kind": "delay", "ms": 5})).unwrap();
        assert_eq!(fault, Fault::Delay { ms: 5 });
        assert!(serde_json::from_value::<Fault>(json!({"kind": "delay", "seconds": 5})).is_err());
        assert!(serde_json::from_value::<Fault>(json!({"kind": "delays"})).is_err());
    }
}
