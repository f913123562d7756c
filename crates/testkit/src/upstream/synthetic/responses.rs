//! How does an OpenAI response (of the Responses API) look without a recording?

use bytes::Bytes;
use serde_json::{Value, json};

use super::Turn;
use crate::upstream::answer::Answer;
use crate::upstream::sse;

pub(super) fn response(turn: &Turn<'_>) -> Answer {
    if turn.is_streamed() {
        return Answer::stream(events(turn));
    }
    Answer::json(200, &finished(turn))
}

fn finished(turn: &Turn<'_>) -> Value {
    let usage = json!({
        "input_tokens": turn.input,
        "input_tokens_details": {"cached_tokens": turn.cached},
        "output_tokens": turn.output,
        "output_tokens_details": {"reasoning_tokens": turn.reasoning},
        "total_tokens": turn.input.saturating_add(turn.output),
    });
    let (status, why) = if turn.cut_short {
        ("incomplete", json!({"reason": "max_output_tokens"}))
    } else {
        ("completed", Value::Null)
    };
    envelope(turn, status, &why, &json!([item(turn, status)]), &usage)
}

fn envelope(turn: &Turn<'_>, status: &str, why: &Value, output: &Value, usage: &Value) -> Value {
    json!({"id": "resp_scripted", "object": "response", "created_at": 1_795_253_400, "status": status,
        "error": null, "incomplete_details": why, "instructions": null, "metadata": {},
        "model": turn.model, "output": output, "parallel_tool_calls": true, "temperature": 1.0,
        "tool_choice": "auto", "tools": [], "top_p": 1.0, "usage": usage})
}

fn item(turn: &Turn<'_>, status: &str) -> Value {
    json!({"id": "msg_scripted", "type": "message", "status": status, "role": "assistant",
        "content": [part(&turn.text)]})
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": []})
}

fn events(turn: &Turn<'_>) -> Vec<Bytes> {
    let begun = envelope(turn, "in_progress", &Value::Null, &json!([]), &Value::Null);
    let ended = finished(turn);
    let status = ended.get("status").and_then(Value::as_str).unwrap_or("completed");
    let place = json!({"item_id": "msg_scripted", "output_index": 0, "content_index": 0});
    let empty_item = json!({"id": "msg_scripted", "type": "message", "status": "in_progress",
        "role": "assistant", "content": []});
    let mut data = vec![
        json!({"type": "response.created", "response": begun}),
        json!({"type": "response.in_progress", "response": begun}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": empty_item}),
        with(
            &place,
            json!({"type": "response.content_part.added", "part": part("")}),
        ),
    ];
    data.extend(turn.parts().into_iter().map(|text| {
        with(
            &place,
            json!({"type": "response.output_text.delta", "delta": text, "logprobs": []}),
        )
    }));
    data.extend([
        with(
            &place,
            json!({"type": "response.output_text.done", "text": turn.text, "logprobs": []}),
        ),
        with(
            &place,
            json!({"type": "response.content_part.done", "part": part(&turn.text)}),
        ),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item(turn, status)}),
        json!({"type": format!("response.{status}"), "response": ended}),
    ]);
    data.into_iter()
        .enumerate()
        .map(|(number, data)| {
            let data = with(&json!({"sequence_number": number}), data);
            sse::event(data.get("type").and_then(Value::as_str), &data)
        })
        .collect()
}

fn with(more: &Value, data: Value) -> Value {
    let mut data = data;
    if let (Some(fields), Some(more)) = (data.as_object_mut(), more.as_object()) {
        fields.extend(more.clone());
    }
    data
}
