//! How do chat completions, completions and embeddings look without a recording?

use bytes::Bytes;
use serde_json::{Value, json};

use super::Turn;
use crate::upstream::answer::Answer;
use crate::upstream::sse;

/// The same four numbers for every text: 0.5, -0.5, 0.25, 1.0.
const VECTOR: [f32; 4] = [0.5, -0.5, 0.25, 1.0];
/// The same as little-endian floats in base64, which OpenAI's own library asks for.
const VECTOR_BASE64: &str = "AAAAPwAAAL8AAIA+AACAPw==";

pub(super) fn chat(turn: &Turn<'_>) -> Answer {
    if turn.is_streamed() {
        return Answer::stream(chunks(turn, "chat.completion.chunk", |index, part| match part {
            Some(text) => json!({"index": index, "delta": {"role": "assistant", "content": text},
                "finish_reason": null}),
            None => json!({"index": index, "delta": {}, "finish_reason": finish(turn)}),
        }));
    }
    let choices: Vec<Value> = (0..choices(turn))
        .map(|index| {
            json!({"index": index, "finish_reason": finish(turn), "logprobs": null,
                "message": {"role": "assistant", "content": turn.text, "refusal": null}})
        })
        .collect();
    Answer::json(200, &envelope(turn, "chat.completion", &choices))
}

pub(super) fn completion(turn: &Turn<'_>) -> Answer {
    if turn.is_streamed() {
        return Answer::stream(chunks(turn, "text_completion", |index, part| {
            let end = if part.is_none() {
                json!(finish(turn))
            } else {
                Value::Null
            };
            json!({"index": index, "text": part.unwrap_or_default(), "logprobs": null, "finish_reason": end})
        }));
    }
    let choices: Vec<Value> = (0..choices(turn))
        .map(|index| {
            json!({"index": index, "text": turn.text, "logprobs": null, "finish_reason": finish(turn)})
        })
        .collect();
    Answer::json(200, &envelope(turn, "text_completion", &choices))
}

pub(super) fn embeddings(turn: &Turn<'_>) -> Answer {
    let texts = match turn.request.get("input") {
        // A list of numbers is one text in tokens.
        Some(Value::Array(texts)) if !texts.iter().all(Value::is_number) => texts.len(),
        _ => 1,
    };
    let in_base64 = turn.request.get("encoding_format") == Some(&json!("base64"));
    let vector = if in_base64 {
        json!(VECTOR_BASE64)
    } else {
        json!(VECTOR)
    };
    let data: Vec<Value> = (0..texts)
        .map(|index| json!({"object": "embedding", "index": index, "embedding": vector}))
        .collect();
    let usage = json!({"prompt_tokens": turn.input, "total_tokens": turn.input});
    Answer::json(
        200,
        &json!({"object": "list", "model": turn.model, "data": data, "usage": usage}),
    )
}

fn choices(turn: &Turn<'_>) -> u64 {
    turn.request.get("n").and_then(Value::as_u64).unwrap_or(1)
}

fn finish(turn: &Turn<'_>) -> &'static str {
    if turn.cut_short { "length" } else { "stop" }
}

fn usage(turn: &Turn<'_>) -> Value {
    let output = turn.output.saturating_mul(choices(turn));
    json!({
        "prompt_tokens": turn.input,
        "completion_tokens": output,
        "total_tokens": turn.input.saturating_add(output),
        "prompt_tokens_details": {"cached_tokens": turn.cached},
        "completion_tokens_details": {"reasoning_tokens": turn.reasoning},
    })
}

fn envelope(turn: &Turn<'_>, object: &str, choices: &[Value]) -> Value {
    json!({"id": "chatcmpl-scripted", "object": object, "created": 1_795_253_400,
        "model": turn.model, "choices": choices, "usage": usage(turn)})
}

/// The events of a stream: every part for every choice, the ends, the usage if it was asked for.
fn chunks(turn: &Turn<'_>, object: &str, choice: impl Fn(u64, Option<&str>) -> Value) -> Vec<Bytes> {
    let asked = turn.request.pointer("/stream_options/include_usage") == Some(&Value::Bool(true));
    let chunk = |choices: Value| {
        let mut chunk = json!({"id": "chatcmpl-scripted", "object": object, "created": 1_795_253_400,
            "model": turn.model, "choices": choices});
        if let Some(fields) = chunk.as_object_mut().filter(|_| asked) {
            fields.insert("usage".to_owned(), Value::Null);
        }
        chunk
    };
    let mut events = Vec::new();
    for index in 0..choices(turn) {
        let parts = turn.parts();
        let parts = parts.iter().map(|part| Some(part.as_str()));
        events.extend(
            parts
                .chain([None])
                .map(|part| sse::event(None, &chunk(json!([choice(index, part)])))),
        );
    }
    if asked {
        let mut last = chunk(json!([]));
        if let Some(fields) = last.as_object_mut() {
            fields.insert("usage".to_owned(), usage(turn));
        }
        events.push(sse::event(None, &last));
    }
    events.push("data: [DONE]\n\n".into());
    events
}
