//! How does an Anthropic message look without a recording?

use bytes::Bytes;
use serde_json::{Value, json};

use super::Turn;
use crate::upstream::answer::Answer;
use crate::upstream::sse;

pub(super) fn message(turn: &Turn<'_>) -> Answer {
    if turn.is_streamed() {
        return Answer::stream(events(turn));
    }
    let content = json!([{"type": "text", "text": turn.text}]);
    Answer::json(
        200,
        &envelope(turn, &content, &stop(turn), &usage(turn, turn.output)),
    )
}

fn stop(turn: &Turn<'_>) -> Value {
    json!(if turn.cut_short { "max_tokens" } else { "end_turn" })
}

/// Anthropic counts what came from the cache apart from the rest of the input.
fn usage(turn: &Turn<'_>, output: u64) -> Value {
    json!({"input_tokens": turn.input.saturating_sub(turn.cached), "cache_read_input_tokens": turn.cached,
        "cache_creation_input_tokens": 0, "output_tokens": output})
}

fn envelope(turn: &Turn<'_>, content: &Value, stop: &Value, usage: &Value) -> Value {
    json!({"id": "msg_scripted", "type": "message", "role": "assistant", "model": turn.model,
        "content": content, "stop_reason": stop, "stop_sequence": null, "usage": usage})
}

fn events(turn: &Turn<'_>) -> Vec<Bytes> {
    let start = envelope(turn, &json!([]), &Value::Null, &usage(turn, 1));
    let mut events = vec![
        json!({"type": "message_start", "message": start}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "ping"}),
    ];
    events.extend(turn.parts().into_iter().map(|part| {
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": part}})
    }));
    events.extend([
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": stop(turn), "stop_sequence": null},
            "usage": {"output_tokens": turn.output}}),
        json!({"type": "message_stop"}),
    ]);
    events
        .iter()
        .map(|data| sse::event(data.get("type").and_then(Value::as_str), data))
        .collect()
}
