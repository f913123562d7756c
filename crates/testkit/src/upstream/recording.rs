//! Which exchanges with providers were recorded, and which one answers a request?

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::answer::Answer;
use super::sse;

/// One recorded exchange with a provider, a row of `exchanges.jsonl`.
#[derive(Debug, Clone, Deserialize)]
pub struct Exchange {
    /// A stable name to pin it by.
    pub id: String,
    /// `openai`, `anthropic`, or the host.
    pub provider: String,
    /// The host that answered.
    pub host: String,
    /// The path of the request.
    pub path: String,
    /// The JSON body of the request.
    pub request: Value,
    /// The status of the answer.
    pub status: u16,
    /// The headers of the answer that are not of its transport.
    pub response_headers: BTreeMap<String, String>,
    /// The body of the answer, a whole event stream for a streamed one.
    pub response_body: String,
    /// Where it was recorded.
    pub source: String,
}

impl Exchange {
    /// Whether the provider answered with an event stream.
    pub fn is_streamed(&self) -> bool {
        self.response_headers
            .get("content-type")
            .is_some_and(|kind| kind.starts_with("text/event-stream"))
    }

    /// The recorded answer as the provider would send it to this request.
    pub(super) fn answer(&self, request: &Value) -> Answer {
        let mut answer = if self.is_streamed() {
            let events = sse::events(&self.response_body);
            Answer::stream(if self.path.ends_with("completions") {
                sse::with_usage_as_asked(events, request)
            } else {
                events
            })
        } else {
            Answer::of_bytes(self.status, "application/json", self.response_body.clone().into())
        };
        answer.status = self.status;
        answer.headers = self
            .response_headers
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        answer
    }
}

/// All recorded exchanges.
#[derive(Debug)]
pub(super) struct Recordings {
    exchanges: Vec<Exchange>,
}

impl Recordings {
    /// The exchanges of a file with one JSON object per line. Panics when it is not such a file.
    pub(super) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        let exchanges = text
            .lines()
            .enumerate()
            .map(|(line, row)| {
                serde_json::from_str(row)
                    .unwrap_or_else(|error| panic!("{} line {}: {error}", path.display(), line + 1))
            })
            .collect();
        Self { exchanges }
    }

    pub(super) fn all(&self) -> &[Exchange] {
        &self.exchanges
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Exchange> {
        self.exchanges.iter().find(|exchange| exchange.id == id)
    }

    /// The first exchange with this path and request. `stream_options`, which a gateway adds, does not
    /// count; the cap on the output, which it lowers, counts only if that decides between two.
    pub(super) fn matching(&self, path: &str, request: &Value) -> Option<&Exchange> {
        let find = |ignored: &[&str]| {
            let wanted = without(request, ignored);
            self.exchanges
                .iter()
                .find(|exchange| exchange.path == path && without(&exchange.request, ignored) == wanted)
        };
        find(&["stream_options"]).or_else(|| {
            find(&[
                "stream_options",
                "max_tokens",
                "max_completion_tokens",
                "max_output_tokens",
            ])
        })
    }
}

fn without(request: &Value, names: &[&str]) -> Value {
    let mut request = request.clone();
    if let Some(fields) = request.as_object_mut() {
        fields.retain(|name, _| !names.contains(&name.as_str()));
    }
    request
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn recordings() -> Option<Recordings> {
        crate::data::recordings().map(|path| Recordings::read(&path))
    }

    #[test]
    fn every_recorded_request_finds_an_exchange_that_equals_it() {
        let Some(recordings) = recordings() else { return };
        assert_eq!(recordings.all().len(), 292);
        for exchange in recordings.all() {
            let found = recordings.matching(&exchange.path, &exchange.request).unwrap();
            assert_eq!(
                without(&found.request, &["stream_options"]),
                without(&exchange.request, &["stream_options"])
            );
        }
    }

    #[test]
    fn what_a_gateway_adds_to_a_request_does_not_hide_its_exchange() {
        let Some(recordings) = recordings() else { return };
        let streamed = recordings.all().iter().find(|e| e.is_streamed()).unwrap();
        let mut request = streamed.request.clone();
        request["stream_options"] = json!({"include_usage": true});
        request["max_completion_tokens"] = json!(4096);
        let found = recordings.matching(&streamed.path, &request).unwrap();
        assert_eq!(
            without(&found.request, &["stream_options"]),
            without(&streamed.request, &["stream_options"])
        );
        request["messages"] = json!([]);
        assert!(recordings.matching(&streamed.path, &request).is_none());
    }

    #[test]
    fn a_recorded_answer_is_sent_byte_for_byte() {
        let Some(recordings) = recordings() else { return };
        for exchange in recordings.all() {
            let answer = exchange.answer(&exchange.request);
            let asked = exchange.request.pointer("/stream_options/include_usage");
            if exchange.path.ends_with("completions") && exchange.is_streamed() && asked.is_none() {
                continue; // Usage depends on the request there; the tests of `sse` cover it.
            }
            assert_eq!(answer.pieces.concat(), exchange.response_body.as_bytes());
            assert_eq!(answer.status, exchange.status);
        }
    }
}
