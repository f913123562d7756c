//! What does a request say, as far as evaluators look at it?

use serde_json::Value;

use super::body::Body;
use super::traits::INPUT;

/// Members whose texts are names, ids or data, and nothing that a person or a model has said.
const SILENT: [&str; 11] = [
    "type",
    "role",
    "id",
    "call_id",
    "tool_call_id",
    "tool_use_id",
    "status",
    "media_type",
    "data",
    "file_data",
    "encrypted_content",
];

/// How deep texts are looked for: deeper than any dialect puts them.
const DEPTH_MAX: usize = 32;

/// Everything that is said in the input, with an empty line between two texts, so that no sentence goes on from one to
/// the next. Pictures and sounds are no texts.
pub(super) fn of(body: &Body) -> String {
    let mut text = String::new();
    for field in INPUT {
        if let Some(value) = body.get::<Value>(field) {
            collect(&value, DEPTH_MAX, &mut text);
        }
    }
    text
}

fn collect(value: &Value, depth: usize, text: &mut String) {
    let Some(deeper) = depth.checked_sub(1) else {
        return;
    };
    match value {
        Value::String(said) if !said.starts_with("data:") => {
            if !text.is_empty() {
                text.push_str("\n\n");
            }
            text.push_str(said);
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, deeper, text)),
        Value::Object(members) => {
            let said = members
                .iter()
                .filter(|(name, _)| !SILENT.contains(&name.as_str()));
            said.for_each(|(_, value)| collect(value, deeper, text));
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
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
    }
}
