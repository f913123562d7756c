//! How does an answer of OpenAI's Responses API look?

use bytes::Bytes;
use serde_json::{Value, json};

use super::CREATED;
use super::delivery::{Answer, event};
use super::request::Request;
use super::template::{HOLE, Template};
use super::text::Text;

/// The answer.
pub(super) fn response(request: &Request<'_>, number: u64) -> Answer {
    let (text, id) = (request.text(), format!("sim{number:016x}"));
    let turn = Turn {
        request,
        text,
        id: &id,
    };
    if request.is_streamed() {
        return Answer::Events(turn.events());
    }
    Answer::Whole(turn.finished().to_string().into_bytes(), text.tokens)
}

struct Turn<'a> {
    request: &'a Request<'a>,
    text: Text,
    id: &'a str,
}

impl Turn<'_> {
    fn status(&self) -> &'static str {
        if self.text.cut_short {
            "incomplete"
        } else {
            "completed"
        }
    }

    fn envelope(&self, status: &str, output: &Value, usage: &Value) -> Value {
        let why = if status == "incomplete" {
            json!({"reason": "max_output_tokens"})
        } else {
            Value::Null
        };
        json!({"id": format!("resp_{}", self.id), "object": "response", "created_at": CREATED, "status": status,
            "error": null, "incomplete_details": why, "instructions": null, "metadata": {},
            "model": self.request.model(), "output": output, "parallel_tool_calls": true,
            "previous_response_id": null, "reasoning": {"effort": null, "summary": null}, "store": false,
            "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [],
            "top_p": 1.0, "truncation": "disabled", "usage": usage})
    }

    fn finished(&self) -> Value {
        let (input, output) = (self.request.input_tokens(), self.text.tokens);
        let usage = json!({"input_tokens": input, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": output, "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input + output});
        self.envelope(self.status(), &json!([self.item()]), &usage)
    }

    fn item(&self) -> Value {
        json!({"id": format!("msg_{}", self.id), "type": "message", "status": self.status(), "role": "assistant",
            "content": [part(self.text.words)]})
    }

    fn events(&self) -> Vec<Bytes> {
        let begun = self.envelope("in_progress", &json!([]), &Value::Null);
        let item_id = format!("msg_{}", self.id);
        let empty = json!({"id": item_id, "type": "message", "status": "in_progress", "role": "assistant",
            "content": []});
        let mut events = Events::default();
        events.push(&json!({"type": "response.created", "response": begun}));
        events.push(&json!({"type": "response.in_progress", "response": begun}));
        events.push(&json!({"type": "response.output_item.added", "output_index": 0, "item": empty}));
        let place = |event: Value| placed(event, &item_id);
        events.push(&place(
            json!({"type": "response.content_part.added", "part": part("")}),
        ));
        events.push_each(
            &place(json!({"type": "response.output_text.delta", "delta": HOLE, "logprobs": []})),
            self.text.pieces(),
        );
        events.push(&place(
            json!({"type": "response.output_text.done", "text": self.text.words, "logprobs": []}),
        ));
        events.push(&place(
            json!({"type": "response.content_part.done", "part": part(self.text.words)}),
        ));
        events.push(&json!({"type": "response.output_item.done", "output_index": 0, "item": self.item()}));
        events.push(&json!({"type": format!("response.{}", self.status()), "response": self.finished()}));
        events.list
    }
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn placed(event: Value, item_id: &str) -> Value {
    let mut event = event;
    if let Some(fields) = event.as_object_mut() {
        fields.insert("item_id".to_owned(), json!(item_id));
        fields.insert("output_index".to_owned(), json!(0));
        fields.insert("content_index".to_owned(), json!(0));
    }
    event
}

/// Events, each with its type as its name and with its number in the stream.
#[derive(Default)]
struct Events {
    list: Vec<Bytes>,
}

impl Events {
    fn push(&mut self, event: &Value) {
        self.add(&kind(event), &event.to_string());
    }

    /// The same event for each of these texts.
    fn push_each<'a>(&mut self, event: &Value, texts: impl Iterator<Item = &'a str>) {
        let (kind, template) = (kind(event), Template::new(event));
        for text in texts {
            self.add(&kind, &template.with(text));
        }
    }

    fn add(&mut self, kind: &str, json: &str) {
        let rest = json.strip_prefix('{').unwrap_or(json);
        self.list.push(event(
            kind,
            &format!("{{\"sequence_number\":{},{rest}", self.list.len()),
        ));
    }
}

fn kind(event: &Value) -> String {
    event
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
