//! What does one event of a stream say, and in which of its voices?
//!
//! A stream says several texts at once: its choices, thoughts beside answers, what tools are given. Each is a voice, and
//! the pieces of a voice make one text.

use model::run::Operation;
use serde_json::Value;

use super::answers::of_choice;
use super::texts::each;

/// What one event says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Pieces of texts that go on: which voice, and what it says next.
    pub(super) pieces: Vec<(Voice, String)>,
    /// Texts that stand in this event alone.
    pub(super) texts: Vec<String>,
    /// The parts of the answer that are over; the end of the answer ends all of them.
    pub(super) over: Vec<u64>,
    /// Whether there is more in it, deeper than texts are looked for.
    pub(super) unread: bool,
    /// Whether a voice is over as soon as another one of its part speaks: such streams say no other end.
    pub(super) takes_turns: bool,
}

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Voice {
    /// The choice, or the part of the answer.
    pub(super) part: u64,
    /// Where it stands in there.
    pub(super) path: String,
}

impl Heard {
    /// What the data of an event says.
    pub(super) fn of(operation: Operation, data: &[u8]) -> Self {
        let mut heard = Self::default();
        match serde_json::from_slice::<Value>(data) {
            Ok(event) => heard.event(operation, &event),
            Err(_) if data.trim_ascii() == b"[DONE]" => {}
            Err(_) => heard.texts.push(String::from_utf8_lossy(data).into_owned()),
        }
        heard
    }

    fn event(&mut self, operation: Operation, event: &Value) {
        match operation {
            Operation::Messages | Operation::CountTokens => self.message_event(event),
            Operation::Responses => self.response_event(event),
            Operation::Chat | Operation::TextCompletion | Operation::Embeddings => self.chat_event(event),
        }
    }

    fn chat_event(&mut self, event: &Value) {
        let Some(Value::Array(choices)) = event.get("choices") else {
            return self.alone(event);
        };
        self.takes_turns = true;
        for choice in choices {
            let part = number(choice, "index");
            for said in of_choice(choice) {
                self.goes_on(part, "", said);
            }
            if choice.get("finish_reason").is_some_and(Value::is_string) {
                self.over.push(part);
            }
        }
        if let Some(error) = event.get("error") {
            self.alone(error);
        }
    }

    fn message_event(&mut self, event: &Value) {
        let part = number(event, "index");
        match kind(event) {
            "content_block_start" => self.block(part, event.get("content_block")),
            "content_block_delta" => self.block(part, event.get("delta")),
            "content_block_stop" => self.over.push(part),
            "message_start" => {
                if let Some(content) = event.pointer("/message/content") {
                    self.alone(content);
                }
            }
            "message_delta" | "message_stop" | "ping" => {}
            _ => self.alone(event),
        }
    }

    fn block(&mut self, part: u64, said: Option<&Value>) {
        if let Some(said) = said {
            self.goes_on(part, "", said);
        }
    }

    fn response_event(&mut self, event: &Value) {
        let (kind, part) = (kind(event), number(event, "output_index"));
        let last = kind.rsplit('.').next();
        if let Some(response) = event.get("response") {
            // What it repeats of the request is not said by the answer.
            let ends = ["response.completed", "response.incomplete", "response.failed"];
            if ends.contains(&kind) {
                self.over.push(u64::MAX);
            }
            for name in ["output", "error"] {
                if let Some(said) = response.get(name) {
                    self.alone(said);
                }
            }
        } else if last == Some("delta") {
            if let Some(delta) = event.get("delta").filter(|_| !kind.ends_with("audio.delta")) {
                let place = ["content_index", "summary_index"].map(|name| number(event, name));
                self.goes_on(part, &format!("{kind}{place:?}"), delta);
            }
        } else {
            if last == Some("done") {
                self.over.push(part);
            }
            self.alone(event);
        }
    }

    fn goes_on(&mut self, part: u64, place: &str, said: &Value) {
        self.unread |= !each(said, &mut |path, text| {
            if !text.is_empty() {
                let path = format!("{place}{path}");
                self.pieces.push((Voice { part, path }, text.to_owned()));
            }
        });
    }

    fn alone(&mut self, said: &Value) {
        self.unread |= !each(said, &mut |_, text| {
            if !text.is_empty() {
                self.texts.push(text.to_owned());
            }
        });
    }
}

fn kind(event: &Value) -> &str {
    event.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Which part says what, what stands alone, and which parts are over.
    type Parts = (Vec<(u64, String, String)>, Vec<String>, Vec<u64>);

    fn heard(operation: Operation, event: &Value) -> Parts {
        let heard = Heard::of(operation, event.to_string().as_bytes());
        let pieces = heard
            .pieces
            .into_iter()
            .map(|(voice, text)| (voice.part, voice.path, text));
        (pieces.collect(), heard.texts, heard.over)
    }

    fn says(part: u64, path: &str, text: &str) -> (u64, String, String) {
        (part, path.to_owned(), text.to_owned())
    }

    #[test]
    fn a_chat_speaks_in_one_voice_per_choice_and_place() {
        let event = json!({ "id": "x", "model": "m", "choices": [
            { "index": 1, "delta": { "role": "assistant", "content": "one" }, "finish_reason": null },
            { "index": 0, "delta": { "tool_calls": [{ "index": 2, "id": "c", "function": { "arguments": "{" } }] }, "finish_reason": "stop" },
        ] });
        let (pieces, texts, over) = heard(Operation::Chat, &event);
        let call = "/tool_calls/2/function/arguments";
        assert_eq!(pieces, [says(1, "/content", "one"), says(0, call, "{")]);
        assert_eq!((texts, over), (Vec::new(), vec![0]));
        let (pieces, ..) = heard(
            Operation::TextCompletion,
            &json!({ "choices": [{ "text": "a" }] }),
        );
        assert_eq!(pieces, [says(0, "", "a")]);
        let error = json!({ "error": { "message": "bad" } });
        assert_eq!(heard(Operation::Chat, &error).1, ["bad"]);
        assert_eq!(Heard::of(Operation::Chat, b" [DONE]"), Heard::default());
        assert_eq!(Heard::of(Operation::Chat, b"what").texts, ["what"]);
    }

    #[test]
    fn a_message_speaks_in_one_voice_per_block() {
        let of = |event| heard(Operation::Messages, &event);
        let start = json!({ "type": "content_block_start", "index": 1, "content_block": { "type": "text", "text": "a" } });
        let delta = json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "text_delta", "text": "b" } });
        assert_eq!(
            (of(start).0, of(delta).0),
            (vec![says(1, "/text", "a")], vec![says(1, "/text", "b")])
        );
        let json_delta = json!({ "type": "content_block_delta", "index": 2, "delta": { "type": "input_json_delta", "partial_json": "{" } });
        assert_eq!(of(json_delta).0, [says(2, "/partial_json", "{")]);
        assert_eq!(of(json!({ "type": "content_block_stop", "index": 2 })).2, [2]);
        let silent = json!({ "type": "content_block_delta", "index": 2, "delta": { "type": "signature_delta", "signature": "c2ln" } });
        assert_eq!(of(silent), (Vec::new(), Vec::new(), Vec::new()));
        assert_eq!(
            of(json!({ "type": "error", "error": { "message": "bad" } })).1,
            ["bad"]
        );
    }

    #[test]
    fn a_response_speaks_in_deltas_and_repeats_itself() {
        let of = |event| heard(Operation::Responses, &event);
        let delta = json!({ "type": "response.output_text.delta", "item_id": "i", "output_index": 3, "content_index": 1, "delta": "a", "obfuscation": "x" });
        let (pieces, texts, over) = of(delta);
        assert_eq!(pieces, [says(3, "response.output_text.delta[1, 0]", "a")]);
        assert_eq!((texts, over), (Vec::new(), Vec::new()));
        let done =
            json!({ "type": "response.output_text.done", "item_id": "i", "output_index": 3, "text": "ab" });
        assert_eq!(of(done), (Vec::new(), vec!["ab".to_owned()], vec![3]));
        let end = json!({ "type": "response.completed", "response": { "instructions": "i", "output": [{ "content": [{ "text": "ab" }] }] } });
        assert_eq!(of(end), (Vec::new(), vec!["ab".to_owned()], vec![u64::MAX]));
    }
}
