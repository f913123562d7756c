//! Do the answers without a recording report what the script says, within what the request allows?

use super::*;
use crate::upstream::sse;

fn body(path: &str, request: &Value, reply: &Reply) -> Value {
    let answer = answer("POST", path, &request.to_string(), reply).unwrap();
    serde_json::from_slice(&answer.pieces[0]).unwrap()
}

fn events(path: &str, request: &Value, reply: &Reply) -> Vec<Value> {
    let answer = answer("POST", path, &request.to_string(), reply).unwrap();
    assert!(answer.streamed);
    answer
        .pieces
        .iter()
        .filter_map(|event| sse::data(event))
        .collect()
}

#[test]
fn the_usage_is_what_the_script_says() {
    let reply = Reply::of_tokens(100, 20);
    let request = json!({"model": "m"});
    assert_eq!(
        body("/v1/chat/completions", &request, &reply)["usage"]["total_tokens"],
        120
    );
    assert_eq!(
        body("/v1/completions", &request, &reply)["usage"]["completion_tokens"],
        20
    );
    assert_eq!(
        body("/v1/embeddings", &request, &reply)["usage"]["prompt_tokens"],
        100
    );
    assert_eq!(
        body("/v1/responses", &request, &reply)["usage"]["output_tokens"],
        20
    );
    assert_eq!(
        body("/v1/messages", &request, &reply)["usage"]["input_tokens"],
        100
    );
    assert_eq!(
        body("/v1/messages/count_tokens", &request, &reply)["input_tokens"],
        100
    );
}

#[test]
fn the_cap_of_the_request_is_obeyed() {
    let reply = Reply::of_tokens(100, 20);
    let capped = |name: &str| json!({"model": "m", name: 5});
    let chat = body("/v1/chat/completions", &capped("max_completion_tokens"), &reply);
    assert_eq!(chat["usage"]["completion_tokens"], 5);
    assert_eq!(chat["choices"][0]["finish_reason"], "length");
    let response = body("/v1/responses", &capped("max_output_tokens"), &reply);
    assert_eq!(response["usage"]["output_tokens"], 5);
    assert_eq!(response["status"], "incomplete");
    let message = body("/v1/messages", &capped("max_tokens"), &reply);
    assert_eq!(message["usage"]["output_tokens"], 5);
    assert_eq!(message["stop_reason"], "max_tokens");
}

#[test]
fn several_choices_are_several_outputs() {
    let chat = body(
        "/v1/chat/completions",
        &json!({"model": "m", "n": 3}),
        &Reply::of_tokens(10, 4),
    );
    assert_eq!(chat["choices"].as_array().unwrap().len(), 3);
    assert_eq!(chat["usage"]["completion_tokens"], 12);
}

#[test]
fn a_stream_has_the_asked_number_of_chunks_and_usage_only_on_request() {
    let reply = Reply {
        stream_chunks: 6,
        ..Reply::of_tokens(10, 4)
    };
    let plain = events("/v1/chat/completions", &json!({"stream": true}), &reply);
    assert_eq!(plain.len(), 7);
    assert!(plain.iter().all(|chunk| chunk.get("usage").is_none()));
    let text: String = plain
        .iter()
        .filter_map(|chunk| chunk.pointer("/choices/0/delta/content")?.as_str())
        .collect();
    assert_eq!(text, reply.text);
    let asking = json!({"stream": true, "stream_options": {"include_usage": true}});
    let asked = events("/v1/chat/completions", &asking, &reply);
    assert_eq!(asked.last().unwrap()["usage"]["total_tokens"], 14);
}

#[test]
fn streams_of_the_other_endpoints_end_with_their_usage() {
    let reply = Reply::of_tokens(10, 4);
    let response = events("/v1/responses", &json!({"stream": true}), &reply);
    assert_eq!(response.last().unwrap()["response"]["usage"]["output_tokens"], 4);
    let message = events("/v1/messages", &json!({"stream": true, "max_tokens": 3}), &reply);
    assert_eq!(message[0]["message"]["usage"]["input_tokens"], 10);
    assert_eq!(message[message.len() - 2]["usage"]["output_tokens"], 3);
}

#[test]
fn a_request_can_choose_its_own_usage() {
    let request = json!({"model": "m", "messages": [{"content": "[[in=800 out=200]] go"}]});
    let usage = &body("/v1/chat/completions", &request, &Reply::default())["usage"];
    assert_eq!(
        (&usage["prompt_tokens"], &usage["completion_tokens"]),
        (&json!(800), &json!(200))
    );
}

#[test]
fn other_paths_and_broken_bodies_are_not_answered_as_if_they_were_fine() {
    assert!(answer("POST", "/v1/files", "{}", &Reply::default()).is_none());
    assert!(answer("GET", "/v1/chat/completions", "", &Reply::default()).is_none());
    let broken = answer("POST", "/v1/chat/completions", "{", &Reply::default()).unwrap();
    assert_eq!(broken.status, 400);
}
