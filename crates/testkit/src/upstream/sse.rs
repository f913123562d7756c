//! Which events does a recorded stream consist of, and what do they say about usage?

use bytes::Bytes;
use serde_json::{Value, json};

/// The events of a body, each with the empty line that ends it; together they are the body again.
pub(super) fn events(body: &str) -> Vec<Bytes> {
    let mut events = Vec::new();
    let mut event = String::new();
    for line in body.split_inclusive('\n') {
        event.push_str(line);
        if line.trim_end_matches(['\r', '\n']).is_empty() {
            events.push(Bytes::from(std::mem::take(&mut event)));
        }
    }
    if !event.is_empty() {
        events.push(event.into());
    }
    events
}

/// One event with this name (if any) and data.
pub(super) fn event(name: Option<&str>, data: &Value) -> Bytes {
    match name {
        Some(name) => format!("event: {name}\ndata: {data}\n\n").into(),
        None => format!("data: {data}\n\n").into(),
    }
}

/// The JSON of an event's data, if it is JSON.
pub(super) fn data(event: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(event).ok()?;
    text.lines()
        .find_map(|line| serde_json::from_str(line.strip_prefix("data:")?.trim()).ok())
}

/// The same event with its JSON data changed; an event without JSON stays as it is.
pub(super) fn map_data(event: &Bytes, change: impl FnOnce(&mut Value)) -> Bytes {
    let Some(mut value) = data(event) else {
        return event.clone();
    };
    change(&mut value);
    let text = String::from_utf8_lossy(event);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if let Some(line) = lines.iter_mut().find(|line| line.starts_with("data:")) {
        *line = format!("data: {value}");
    }
    (lines.join("\n") + "\n").into()
}

/// Sends the usage of a stream exactly when the request asks for it with `stream_options.include_usage`,
/// as the provider would, whatever was asked when the stream was recorded.
pub(super) fn with_usage_as_asked(events: Vec<Bytes>, request: &Value) -> Vec<Bytes> {
    let asked = request.pointer("/stream_options/include_usage") == Some(&Value::Bool(true));
    if !asked {
        return events.into_iter().filter(|event| !is_usage_only(event)).collect();
    }
    if events.iter().any(has_usage) {
        return events;
    }
    let chunk = computed_usage_chunk(&events, request);
    let mut events = events;
    let end = events
        .iter()
        .position(|event| event.starts_with(b"data: [DONE]"))
        .unwrap_or(events.len());
    events.insert(end, chunk);
    events
}

fn is_usage_only(event: &Bytes) -> bool {
    data(event).is_some_and(|value| {
        let no_choices = value
            .get("choices")
            .and_then(Value::as_array)
            .is_some_and(Vec::is_empty);
        no_choices && value.get("usage").is_some_and(Value::is_object)
    })
}

fn has_usage(event: &Bytes) -> bool {
    data(event).is_some_and(|value| value.get("usage").is_some_and(Value::is_object))
}

/// A chunk as `OpenAI` ends a stream with: four bytes of messages are one token of input, one chunk with a
/// choice in it is one token of output.
fn computed_usage_chunk(events: &[Bytes], request: &Value) -> Bytes {
    let input = ["messages", "prompt"]
        .iter()
        .find_map(|name| request.get(name))
        .map_or(1, |input| input.to_string().len().div_ceil(4));
    let output = events
        .iter()
        .filter_map(|event| data(event))
        .filter(|chunk| {
            chunk
                .pointer("/choices/0")
                .is_some_and(|choice| choice.get("finish_reason").is_none_or(Value::is_null))
        })
        .count()
        .max(1);
    let mut chunk = events
        .iter()
        .find_map(|event| data(event))
        .unwrap_or_else(|| json!({"object": "chat.completion.chunk"}));
    if let Some(chunk) = chunk.as_object_mut() {
        chunk.insert("choices".to_owned(), json!([]));
        let usage =
            json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output});
        chunk.insert("usage".to_owned(), usage);
    }
    event(None, &chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "data: {\"id\":\"c\",\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n\
        data: {\"id\":\"c\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
        data: [DONE]\n\n";

    #[test]
    fn the_events_of_a_body_are_the_body_again() {
        for body in [
            PLAIN,
            "event: a\r\ndata: 1\r\n\r\ndata: 2",
            ": comment\n\n",
            "",
            "\n\n",
        ] {
            let joined: Vec<u8> = events(body).concat();
            assert_eq!(joined, body.as_bytes());
        }
        assert_eq!(events(PLAIN).len(), 3);
        assert_eq!(events("event: a\r\ndata: 1\r\n\r\ndata: 2").len(), 2);
    }

    #[test]
    fn usage_is_added_before_the_end_when_asked_for_and_missing() {
        let request = json!({"messages": [{"role": "user", "content": "hello"}],
            "stream": true, "stream_options": {"include_usage": true}});
        let sent = with_usage_as_asked(events(PLAIN), &request);
        assert_eq!(sent.len(), 4);
        let usage = data(&sent[2]).unwrap();
        assert_eq!(
            usage["usage"],
            json!({"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10})
        );
        assert_eq!(usage["choices"], json!([]));
        assert_eq!(usage["id"], "c");
        assert_eq!(sent, with_usage_as_asked(events(PLAIN), &request));
    }

    #[test]
    fn usage_is_not_sent_to_who_did_not_ask_for_it() {
        let asked = json!({"stream_options": {"include_usage": true}});
        let with_usage = with_usage_as_asked(events(PLAIN), &asked);
        assert_eq!(with_usage_as_asked(with_usage.clone(), &asked), with_usage);
        let not_asked = json!({"stream_options": {"include_usage": false}});
        assert_eq!(with_usage_as_asked(with_usage.clone(), &not_asked), events(PLAIN));
        assert_eq!(with_usage_as_asked(with_usage, &json!({})), events(PLAIN));
    }

    #[test]
    fn changing_the_data_keeps_the_rest_of_the_event() {
        let changed = map_data(&"event: x\ndata: {\"a\":1}\n\n".into(), |value| {
            value["a"] = json!(2);
        });
        assert_eq!(&changed[..], b"event: x\ndata: {\"a\":2}\n\n");
        let done = Bytes::from("data: [DONE]\n\n");
        assert_eq!(map_data(&done, |_| unreachable!()), done);
    }
}
