//! Does the simulated provider answer in the right shapes, with usage that adds up?

use actix_web::http::StatusCode;
use serde_json::{Value, json};

use super::delivery::Answer;
use super::request::Request;
use super::*;

fn ask(route: fn(&Request<'_>, u64) -> Answer, body: &Value) -> Answer {
    route(&Request::read(body.to_string().as_bytes()).unwrap(), 7)
}

fn whole(answer: Answer) -> Value {
    match answer {
        Answer::Whole(body, _) => serde_json::from_slice(&body).unwrap(),
        Answer::Events(_) => panic!("expected a whole answer"),
    }
}

fn events(answer: Answer) -> Vec<Value> {
    let Answer::Events(events) = answer else {
        panic!("expected events")
    };
    let texts = events
        .iter()
        .map(|event| std::str::from_utf8(event).unwrap().to_owned());
    let data = texts.map(|text| text.trim_end().rsplit_once("data: ").unwrap().1.to_owned());
    data.filter(|data| data != "[DONE]")
        .map(|data| serde_json::from_str(&data).unwrap())
        .collect()
}

fn joined(events: &[Value], pointer: &str) -> String {
    events
        .iter()
        .filter_map(|event| event.pointer(pointer)?.as_str())
        .collect()
}

#[test]
fn a_chat_streams_the_very_text_and_usage_that_it_gives_whole() {
    let mut body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "ahoy"}]});
    let answer = whole(ask(openai::chat, &body));
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(
        answer["usage"]["prompt_tokens"],
        body["messages"].to_string().len().div_ceil(4)
    );
    assert_eq!(answer["usage"]["completion_tokens"], text.split(' ').count());
    body["stream"] = json!(true);
    let plain = events(ask(openai::chat, &body));
    assert_eq!(joined(&plain, "/choices/0/delta/content"), text);
    assert!(plain.iter().all(|event| event.get("usage").is_none()));
    body["stream_options"] = json!({"include_usage": true});
    let counted = events(ask(openai::chat, &body));
    let (last, others) = counted.split_last().unwrap();
    assert_eq!((&last["usage"], &last["choices"]), (&answer["usage"], &json!([])));
    assert!(others.iter().all(|event| event["usage"].is_null()));
}

#[test]
fn every_cap_is_obeyed_and_said() {
    let messages = json!([{"role": "user", "content": "ahoy"}]);
    for cap in ["max_tokens", "max_completion_tokens"] {
        let answer = whole(ask(
            openai::chat,
            &json!({"model": "m", "messages": messages, cap: 3}),
        ));
        assert_eq!(answer["usage"]["completion_tokens"], 3, "{cap}");
        assert_eq!(answer["choices"][0]["finish_reason"], "length", "{cap}");
    }
    let answer = whole(ask(
        responses::response,
        &json!({"model": "m", "input": "ahoy", "max_output_tokens": 3}),
    ));
    assert_eq!(
        (&answer["status"], &answer["usage"]["output_tokens"]),
        (&json!("incomplete"), &json!(3))
    );
    let message = |request: &Request<'_>, number| messages::message(request, number).unwrap();
    let answer = whole(ask(
        message,
        &json!({"model": "m", "messages": messages, "max_tokens": 3}),
    ));
    assert_eq!(
        (&answer["stop_reason"], &answer["usage"]["output_tokens"]),
        (&json!("max_tokens"), &json!(3))
    );
    let two = whole(ask(
        openai::chat,
        &json!({"model": "m", "messages": messages, "n": 2, "max_tokens": 3}),
    ));
    assert_eq!(
        (
            two["choices"].as_array().unwrap().len(),
            &two["usage"]["completion_tokens"]
        ),
        (2, &json!(6))
    );
}

#[test]
fn responses_and_messages_stream_their_text_and_usage() {
    let body = json!({"model": "m", "input": "ahoy", "stream": true});
    let stream = events(ask(responses::response, &body));
    let last = stream.last().unwrap();
    let delta: Vec<Value> = stream
        .iter()
        .filter(|event| event["type"] == "response.output_text.delta")
        .cloned()
        .collect();
    assert_eq!(
        last["response"]["output"][0]["content"][0]["text"],
        json!(joined(&delta, "/delta"))
    );
    assert_eq!(last["type"], "response.completed");
    for (number, event) in stream.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    let body = json!({"model": "m", "messages": [], "max_tokens": 500, "stream": true});
    let message = |request: &Request<'_>, number| messages::message(request, number).unwrap();
    let stream = events(ask(message, &body));
    let words = joined(&stream, "/delta/text").split(' ').count();
    let delta = stream
        .iter()
        .find(|event| event["type"] == "message_delta")
        .unwrap();
    assert_eq!(delta["usage"]["output_tokens"], words);
}

#[test]
fn embeddings_are_one_per_text_and_the_same_in_base64() {
    let body = json!({"model": "m", "input": ["a", "b", "a"], "dimensions": 3});
    let answer = whole(ask(openai::embeddings, &body));
    let vectors: Vec<&Value> = answer["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["embedding"])
        .collect();
    assert!(vectors[0] == vectors[2] && vectors[0] != vectors[1]);
    assert_eq!(vectors[0].as_array().unwrap().len(), 3);
    let tokens = whole(ask(openai::embeddings, &json!({"model": "m", "input": [1, 2]})));
    assert_eq!(tokens["data"].as_array().unwrap().len(), 1);
    let coded = json!({"model": "m", "input": "a", "dimensions": 3, "encoding_format": "base64"});
    let coded = whole(ask(openai::embeddings, &coded));
    assert_eq!(coded["data"][0]["embedding"].as_str().unwrap().len(), 16);
}

#[test]
fn what_cannot_be_answered_is_refused_as_the_providers_do() {
    assert!(Request::read(b"{").is_err() && Request::read(b"{}").is_err());
    let no_cap = json!({"model": "m", "messages": []}).to_string();
    let request = Request::read(no_cap.as_bytes()).unwrap();
    assert_eq!(
        messages::message(&request, 1).unwrap_err(),
        "max_tokens: Field required"
    );
    assert_eq!(
        openai::error(StatusCode::NOT_FOUND, "x").status(),
        StatusCode::NOT_FOUND
    );
}

#[test]
fn streams_of_requests_with_the_tool_break_off_and_no_others_do() {
    let state = State {
        pace: Pace::new(Duration::ZERO, None),
        breaks_off: Some("berths".into()),
        numbers: Arc::default(),
    };
    let openai = json!([{"type": "function", "function": {"name": "berths"}}]);
    let anthropic = json!([{"name": "tides"}, {"name": "berths"}]);
    for (tools, is_streamed, breaks) in [
        (&openai, true, true),
        (&anthropic, true, true),
        (&openai, false, false),
        (&json!([{"name": "tides"}]), true, false),
        (&json!([]), true, false),
        (&json!("berths"), true, false),
    ] {
        let body = json!({"model": "gpt-4o", "stream": is_streamed, "tools": tools,
            "messages": [{"role": "user", "content": "ahoy"}]});
        let body = body.to_string();
        let request = Request::read(body.as_bytes()).unwrap();
        let whole = openai::chat(&request, 7);
        let length = |answer: &Answer| match answer {
            Answer::Events(events) => events.len(),
            Answer::Whole(body, _) => body.len(),
        };
        let all = length(&whole);
        let sent = length(&state.ended(&request, whole));
        assert!(sent > 0);
        assert_eq!(sent < all, breaks, "{body}");
    }
}
