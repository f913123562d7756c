//! What does a request say, as far as evaluators look at it?

use serde_json::Value;

use super::body::Body;
use super::traits::INPUT;

/// Members whose texts are names, ids or data, and nothing that a person or a model has said.
const SILENT: [&str; 20] = [
    "type",
    "role",
    "id",
    "call_id",
    "item_id",
    "response_id",
    "file_id",
    "container_id",
    "tool_call_id",
    "tool_use_id",
    "status",
    "media_type",
    "data",
    "file_data",
    "b64_json",
    "partial_image_b64",
    "encrypted_content",
    "encrypted_index",
    // What proves where a thought came from, and what hides how long an event is.
    "signature",
    "obfuscation",
];

/// Members that may hold a picture or a sound in place of an address.
const ADDRESSES: [&str; 2] = ["url", "image_url"];

/// Members whose own members are a tool's: what they are called says nothing about what they are.
const ARGUMENTS: [&str; 2] = ["input", "arguments"];

/// How deep texts are looked for: deeper than any dialect puts them.
const DEPTH_MAX: usize = 32;

/// Everything that is said in the input, with an empty line between two texts, so that no sentence goes on from one to
/// the next. Pictures and sounds are no texts.
pub(super) fn of(body: &Body) -> String {
    let mut text = String::new();
    for field in INPUT {
        if let Some(value) = body.get::<Value>(field) {
            each(&value, &mut |_, said| add(&mut text, said));
        }
    }
    text
}

/// Adds what is said next, behind an empty line.
pub(super) fn add(text: &mut String, said: &str) {
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(said);
}

/// Gives everything that is said in a value, with its path: `/tool_calls/0/function/arguments`. The entries of a list go
/// by their `index`, if they have one.
pub(super) fn each(value: &Value, take: &mut dyn FnMut(&str, &str)) {
    let mut walk = Walk {
        path: String::new(),
        everything: false,
        take,
    };
    walk.value(value, DEPTH_MAX);
}

struct Walk<'a> {
    path: String,
    /// Whether no member is silent here.
    everything: bool,
    take: &'a mut dyn FnMut(&str, &str),
}

impl Walk<'_> {
    fn value(&mut self, value: &Value, depth: usize) {
        let Some(deeper) = depth.checked_sub(1) else {
            return;
        };
        match value {
            Value::String(said) => (self.take)(&self.path, said),
            Value::Array(list) => {
                for (at, value) in list.iter().enumerate() {
                    let index = value.get("index").and_then(Value::as_u64);
                    let name = index.map_or_else(|| at.to_string(), |index| index.to_string());
                    self.step(&name, value, deeper);
                }
            }
            Value::Object(members) => {
                let draws = members.get("type").and_then(Value::as_str) == Some("image_generation_call");
                for (name, value) in members {
                    let silent = SILENT.contains(&name.as_str())
                        || (draws && name == "result")
                        || (ADDRESSES.contains(&name.as_str()) && holds_data(value));
                    if !self.everything && silent {
                        continue;
                    }
                    let before = self.everything;
                    self.everything |= ARGUMENTS.contains(&name.as_str());
                    self.step(name, value, deeper);
                    self.everything = before;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn step(&mut self, name: &str, value: &Value, depth: usize) {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(name);
        self.value(value, depth);
        self.path.truncate(length);
    }
}

fn holds_data(address: &Value) -> bool {
    address
        .as_str()
        .is_some_and(|address| address.starts_with("data:"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_text_of_every_dialect_is_said_and_nothing_else() {
        let said = |value: Value| of(&Body::parse(Bytes::from(value.to_string())).unwrap());
        let chat = json!({ "model": "m", "messages": [
            { "role": "system", "content": "be brief" },
            { "role": "user", "content": [
                { "type": "text", "text": "who is this?" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
            ] },
            { "role": "assistant", "tool_calls": [{ "id": "call_1", "function": { "name": "find", "arguments": "{\"a\":1}" } }] },
            { "role": "tool", "tool_call_id": "call_1", "content": "nobody" },
        ] });
        assert_eq!(
            said(chat),
            "be brief\n\nwho is this?\n\n{\"a\":1}\n\nfind\n\nnobody"
        );
        let messages = json!({ "system": [{ "type": "text", "text": "s" }], "messages": [{ "role": "user", "content": "u" }] });
        assert_eq!(said(messages), "s\n\nu");
        assert_eq!(
            said(json!({ "instructions": "i", "input": "q", "user": "ann" })),
            "i\n\nq"
        );
        assert_eq!(said(json!({ "prompt": ["a", "b", [1, 2]] })), "a\n\nb");
        assert_eq!(said(json!({ "model": "m" })), "");
        let data = json!({ "messages": [{ "role": "user", "content": "data: 4111" }] });
        assert_eq!(said(data), "data: 4111", "only an address can be data");
        let tool = json!({ "type": "tool_use", "id": "toolu_1", "name": "pay", "input": { "id": "4111", "data": ["5"] } });
        assert_eq!(
            said(
                json!({ "messages": [{ "role": "assistant", "content": [tool, { "type": "thinking", "thinking": "t", "signature": "c2ln" }] }] })
            ),
            "5\n\n4111\n\npay\n\nt",
            "what a tool is given is said, whatever its members are called"
        );
    }
}
