//! How do chat completions, completions and embeddings look?

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::CREATED;
use super::delivery::{Answer, data};
use super::request::Request;
use super::template::{HOLE, Template};
use super::text::{Text, fingerprint, tokens_of};

/// Numbers in a vector when the request does not say how many.
const DIMENSIONS: u32 = 8;

/// The most numbers in a vector.
const DIMENSIONS_MAX: u32 = 4096;

/// An error in OpenAI's shape.
pub(super) fn error(status: StatusCode, message: &str) -> HttpResponse {
    let kind = if status.is_client_error() {
        "invalid_request_error"
    } else {
        "server_error"
    };
    let body = json!({"error": {"message": message, "type": kind, "param": null, "code": null}});
    HttpResponse::build(status).json(body)
}

/// The answer to a chat.
pub(super) fn chat(request: &Request<'_>, number: u64) -> Answer {
    let (text, id) = (request.text(), format!("chatcmpl-sim{number:016x}"));
    if request.is_streamed() {
        let chunk = |delta: &Value, finish: &Value| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        let first = chunk(
            &json!({"role": "assistant", "content": "", "refusal": null}),
            &Value::Null,
        );
        let middle = chunk(&json!({"content": HOLE}), &Value::Null);
        let last = chunk(&json!({}), &json!(finish(text)));
        let envelope = Envelope {
            id: &id,
            object: "chat.completion.chunk",
            request,
        };
        return envelope.stream(text, Some(&first), &middle, &last);
    }
    let choice = |index| {
        json!({"index": index, "logprobs": null, "finish_reason": finish(text),
            "message": {"role": "assistant", "content": text.words, "refusal": null, "annotations": []}})
    };
    let choices = (0..request.choices()).map(choice).collect();
    Envelope {
        id: &id,
        object: "chat.completion",
        request,
    }
    .whole(text, choices)
}

/// The answer to a prompt, in the older API.
pub(super) fn completion(request: &Request<'_>, number: u64) -> Answer {
    let (text, id) = (request.text(), format!("cmpl-sim{number:016x}"));
    let envelope = Envelope {
        id: &id,
        object: "text_completion",
        request,
    };
    let choice = |index: u32, text: &str, finish: Value| json!({"index": index, "text": text, "logprobs": null, "finish_reason": finish});
    if request.is_streamed() {
        let middle = json!([choice(0, HOLE, Value::Null)]);
        let last = json!([choice(0, "", json!(finish(text)))]);
        return envelope.stream(text, None, &middle, &last);
    }
    let choices = (0..request.choices())
        .map(|index| choice(index, text.words, json!(finish(text))))
        .collect();
    envelope.whole(text, choices)
}

/// What every document and every event of an answer has around its choices.
struct Envelope<'a> {
    id: &'a str,
    object: &'static str,
    request: &'a Request<'a>,
}

impl Envelope<'_> {
    fn around(&self, choices: &Value) -> Value {
        json!({"id": self.id, "object": self.object, "created": CREATED, "model": self.request.model(),
            "service_tier": "default", "system_fingerprint": "fp_simulated", "choices": choices})
    }

    fn whole(&self, text: Text, choices: Vec<Value>) -> Answer {
        let count = choices.len().max(1);
        let document = with(
            self.around(&Value::Array(choices)),
            "usage",
            usage(self.request, text, count),
        );
        Answer::Whole(document.to_string().into_bytes(), text.tokens)
    }

    /// The events of a stream. Whoever wants several choices gets them from whole answers.
    fn stream(&self, text: Text, first: Option<&Value>, middle: &Value, last: &Value) -> Answer {
        let wants_usage = self.request.wants_usage();
        let around = |choices: &Value| {
            let document = self.around(choices);
            if wants_usage {
                with(document, "usage", Value::Null)
            } else {
                document
            }
        };
        let mut events: Vec<Bytes> = Vec::with_capacity(text.tokens + 4);
        events.extend(first.map(|first| data(&around(first).to_string())));
        let template = Template::new(&around(middle));
        events.extend(text.pieces().map(|piece| data(&template.with(piece))));
        events.push(data(&around(last).to_string()));
        if wants_usage {
            let document = with(self.around(&json!([])), "usage", usage(self.request, text, 1));
            events.push(data(&document.to_string()));
        }
        events.push(data("[DONE]"));
        Answer::Events(events)
    }
}

fn with(document: Value, field: &str, value: Value) -> Value {
    let mut document = document;
    if let Some(fields) = document.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
    document
}

fn finish(text: Text) -> &'static str {
    if text.cut_short { "length" } else { "stop" }
}

fn usage(request: &Request<'_>, text: Text, choices: usize) -> Value {
    let (input, output) = (request.input_tokens(), text.tokens * choices);
    json!({
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input + output,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
    })
}

/// One vector per text.
pub(super) fn embeddings(request: &Request<'_>, _number: u64) -> Answer {
    let texts = texts(request);
    let dimensions = request.dimensions.unwrap_or(DIMENSIONS).clamp(1, DIMENSIONS_MAX);
    let vector = |text: &Value| {
        let numbers = vector(fingerprint(text.to_string().as_bytes()), dimensions);
        if !request.wants_base64() {
            return json!(numbers);
        }
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        json!(BASE64_STANDARD.encode(bytes))
    };
    let item = |(index, text)| json!({"object": "embedding", "index": index, "embedding": vector(text)});
    let data: Vec<Value> = texts.iter().enumerate().map(item).collect();
    let input = tokens_of(request.input.map_or(0, |input| input.get().len()));
    let usage = json!({"prompt_tokens": input, "total_tokens": input});
    let document = json!({"object": "list", "model": request.model(), "data": data, "usage": usage});
    Answer::Whole(document.to_string().into_bytes(), 0)
}

fn texts(request: &Request<'_>) -> Vec<Value> {
    let input = request
        .input
        .and_then(|input| serde_json::from_str(input.get()).ok());
    match input {
        // A list of numbers is one text in tokens.
        Some(Value::Array(texts)) if !texts.iter().all(Value::is_number) => texts,
        Some(text) => vec![text],
        None => Vec::new(),
    }
}

/// Numbers between -1 and 1 in steps of 1/128, which every float holds exactly.
fn vector(seed: u64, dimensions: u32) -> Vec<f32> {
    let mut state = seed | 1;
    let mut next = || {
        // Xorshift: cheap, and the same everywhere.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f32::from(i8::from_le_bytes([state.to_le_bytes()[5]])) / 128.0
    };
    (0..dimensions).map(|_| next()).collect()
}
