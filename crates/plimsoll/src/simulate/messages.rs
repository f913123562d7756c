//! How does a message of Anthropic's look?

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use bytes::Bytes;
use serde_json::{Value, json};

use super::delivery::{Answer, event};
use super::request::Request;
use super::template::{HOLE, Template};
use super::text::Text;

/// An error in Anthropic's shape.
pub(super) fn error(status: StatusCode, message: &str) -> HttpResponse {
    let kind = if status.is_client_error() {
        "invalid_request_error"
    } else {
        "api_error"
    };
    let body = json!({"type": "error", "error": {"type": kind, "message": message}});
    HttpResponse::build(status).json(body)
}

/// How many tokens the request would have.
pub(super) fn count(request: &Request<'_>) -> Answer {
    Answer::Whole(
        json!({"input_tokens": request.input_tokens()})
            .to_string()
            .into_bytes(),
        0,
    )
}

/// The answer to a conversation.
pub(super) fn message(request: &Request<'_>, number: u64) -> Result<Answer, String> {
    if request.max_tokens.is_none() {
        return Err("max_tokens: Field required".to_owned());
    }
    if request.messages.is_none() {
        return Err("messages: Field required".to_owned());
    }
    let (text, id) = (request.text(), format!("msg_sim{number:016x}"));
    if request.is_streamed() {
        return Ok(Answer::Events(events(request, &id, text)));
    }
    let content = json!([{"type": "text", "text": text.words}]);
    let document = envelope(request, &id, &content, &stop(text), text.tokens);
    Ok(Answer::Whole(document.to_string().into_bytes(), text.tokens))
}

fn stop(text: Text) -> Value {
    json!(if text.cut_short { "max_tokens" } else { "end_turn" })
}

fn usage(request: &Request<'_>, output: usize) -> Value {
    json!({"input_tokens": request.input_tokens(), "output_tokens": output, "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0, "service_tier": "standard"})
}

fn envelope(request: &Request<'_>, id: &str, content: &Value, stop: &Value, output: usize) -> Value {
    json!({"id": id, "type": "message", "role": "assistant", "model": request.model(), "content": content,
        "stop_reason": stop, "stop_sequence": null, "usage": usage(request, output)})
}

fn events(request: &Request<'_>, id: &str, text: Text) -> Vec<Bytes> {
    let start = envelope(request, id, &json!([]), &Value::Null, 1);
    let block = json!({"type": "text", "text": ""});
    let delta =
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": HOLE}});
    let template = Template::new(&delta);
    let end = json!({"type": "message_delta", "delta": {"stop_reason": stop(text), "stop_sequence": null},
        "usage": usage(request, text.tokens)});
    let mut events = vec![
        event(
            "message_start",
            &json!({"type": "message_start", "message": start}).to_string(),
        ),
        event(
            "content_block_start",
            &json!({"type": "content_block_start", "index": 0, "content_block": block}).to_string(),
        ),
        event("ping", r#"{"type":"ping"}"#),
    ];
    events.extend(
        text.pieces()
            .map(|piece| event("content_block_delta", &template.with(piece))),
    );
    events.push(event(
        "content_block_stop",
        r#"{"type":"content_block_stop","index":0}"#,
    ));
    events.push(event("message_delta", &end.to_string()));
    events.push(event("message_stop", r#"{"type":"message_stop"}"#));
    events
}
