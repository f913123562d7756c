//! What is said in requests of every dialect, and what is not?

use bytes::Bytes;
use serde_json::json;

use super::*;

#[test]
fn every_text_of_every_dialect_is_said_and_nothing_else() {
    let said = |value: Value| of(&Body::parse(Bytes::from(value.to_string())).unwrap()).text;
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
        "data\n\n5\n\nid\n\n4111\n\npay\n\nt",
        "what a tool is given is said, whatever its members are called"
    );
}
