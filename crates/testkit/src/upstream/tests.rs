//! Does the upstream behave like a provider, good or bad, over a real connection?

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};

use super::*;

/// Everything that arrives until the server closes.
fn raw(upstream: &Scripted, path: &str, body: &str) -> String {
    let mut stream = send(upstream, path, body);
    let mut answer = Vec::new();
    // A connection that is cut hard ends in an error, and what came before it is kept.
    drop(stream.read_to_end(&mut answer));
    String::from_utf8(answer).unwrap()
}

fn send(upstream: &Scripted, path: &str, body: &str) -> TcpStream {
    let address = upstream.base_url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer sk-provider\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    stream
}

fn body_of(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn chat(more: &Value) -> String {
    let mut request = json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]});
    request
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    request.to_string()
}

const CHAT: &str = "/v1/chat/completions";

#[test]
fn a_recorded_request_is_answered_with_its_recorded_body() {
    let Some(upstream) = Scripted::recorded() else {
        return;
    };
    let plain = upstream.exchanges().iter().find(|e| !e.is_streamed()).unwrap();
    let answer = raw(&upstream, &plain.path, &plain.request.to_string());
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {}", plain.status)),
        "{answer}"
    );
    assert_eq!(body_of(&answer), plain.response_body);
    let seen = upstream.only_request();
    assert_eq!(seen.header("authorization"), Some("Bearer sk-provider"));
    assert_eq!(
        (seen.json(), seen.outcome),
        (plain.request.clone(), Outcome::Sent)
    );
}

#[test]
fn a_pinned_exchange_answers_whatever_is_asked_on_its_path_only() {
    let Some(upstream) = Scripted::recorded() else {
        return;
    };
    let exchange = upstream
        .exchanges()
        .iter()
        .find(|e| e.path == CHAT && !e.is_streamed())
        .unwrap();
    upstream.pin(&exchange.id);
    assert!(raw(&upstream, CHAT, "{}").ends_with(&exchange.response_body));
    assert!(raw(&upstream, "/v1/embeddings", "{}").starts_with("HTTP/1.1 404"));
    upstream.unpin();
    let unknown = raw(&upstream, CHAT, "{}");
    assert!(unknown.starts_with("HTTP/1.1 404"), "{unknown}");
    assert!(unknown.contains("\"param\":null"), "{unknown}");
}

#[test]
fn tokens_are_counted_although_nobody_recorded_it() {
    let Some(upstream) = Scripted::recorded() else {
        return;
    };
    upstream.pin(&upstream.exchanges()[0].id);
    let counted = raw(&upstream, "/v1/messages/count_tokens", "{}");
    assert!(counted.contains("{\"input_tokens\":12}"), "{counted}");
}

#[test]
fn the_events_of_a_stream_arrive_one_by_one() {
    let upstream = Scripted::synthetic();
    upstream.fault(Fault::DelayBetweenEvents { ms: 200 });
    let start = Instant::now();
    let mut stream = send(&upstream, CHAT, &chat(&json!({"stream": true})));
    let (mut buffer, mut reads) = ([0; 4096], 0);
    while stream.read(&mut buffer).unwrap() > 0 {
        reads += 1;
    }
    assert!(reads >= 6, "{reads} reads for six events");
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[test]
fn a_connection_dropped_before_the_headers_gives_nothing() {
    let upstream = Scripted::synthetic();
    upstream.fault(Fault::DropBeforeHeaders);
    assert_eq!(raw(&upstream, CHAT, &chat(&json!({}))), "");
    assert_eq!(upstream.only_request().outcome, Outcome::Cut);
    assert!(raw(&upstream, CHAT, &chat(&json!({}))).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_stream_dropped_midway_ends_without_its_end() {
    let upstream = Scripted::synthetic();
    upstream.fault(Fault::DropAfterEvents { events: 2 });
    let answer = raw(&upstream, CHAT, &chat(&json!({"stream": true})));
    assert_eq!(answer.matches("data: ").count(), 2, "{answer}");
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    upstream.fault(Fault::DropAfterBytes { bytes: 10 });
    let answer = raw(&upstream, CHAT, &chat(&json!({})));
    assert_eq!(body_of(&answer).len(), 10, "{answer}");
    assert!(
        upstream
            .requests()
            .iter()
            .all(|seen| seen.outcome == Outcome::Cut)
    );
}

#[test]
fn a_slow_or_huge_or_broken_answer_can_be_had() {
    let upstream = Scripted::synthetic();
    upstream.fault(Fault::SlowBytes { bytes: 100, ms: 5 });
    let slow = raw(&upstream, CHAT, &chat(&json!({})));
    assert!(serde_json::from_str::<Value>(body_of(&slow)).is_ok());
    upstream.fault(Fault::HugeLine { bytes: 3_000_000 });
    let huge = raw(&upstream, CHAT, &chat(&json!({"stream": true})));
    assert!(huge.len() > 3_000_000 && huge.contains("data: [DONE]"));
    upstream.fault(Fault::MalformedJson);
    let broken = raw(&upstream, CHAT, &chat(&json!({})));
    assert!(serde_json::from_str::<Value>(body_of(&broken)).is_err());
}

#[test]
fn faults_come_in_order_and_as_often_as_asked() {
    let upstream = Scripted::synthetic();
    upstream.fault_times(Fault::status(503), 2);
    upstream.fault(Fault::status(429));
    let status = || raw(&upstream, CHAT, &chat(&json!({})))[9..12].to_owned();
    assert_eq!(
        [status(), status(), status(), status()],
        ["503", "503", "429", "200"]
    );
    assert_eq!(upstream.request_count(), 4);
}

#[test]
fn a_client_that_goes_away_is_noticed() {
    let upstream = Scripted::synthetic();
    upstream.fault(Fault::DelayBetweenEvents { ms: 500 });
    let stream = send(&upstream, CHAT, &chat(&json!({"stream": true})));
    assert!(upstream.wait_until(|u| u.open_connections() == 1 && u.request_count() == 1));
    drop(stream);
    assert!(upstream.wait_until(|u| u.only_request().outcome == Outcome::Abandoned));
    assert!(upstream.wait_until(|u| u.open_connections() == 0));
}

#[test]
fn tests_in_other_languages_control_it_over_http() {
    let Some(upstream) = Scripted::recorded() else {
        return;
    };
    let id = &upstream.exchanges()[3].id;
    assert!(raw(&upstream, "/_control/pin", &json!({"id": id}).to_string()).contains("done"));
    assert!(raw(&upstream, "/_control/pin", r#"{"id": "nope"}"#).starts_with("HTTP/1.1 400"));
    let fault = r#"{"kind": "status", "status": 418, "times": 1}"#;
    assert!(raw(&upstream, "/_control/fault", fault).contains("done"));
    assert!(raw(&upstream, "/v1/x", "{}").starts_with("HTTP/1.1 418"));
    let requests = raw(&upstream, "/_control/requests", "");
    assert!(requests.contains("\"total\":1"), "{requests}");
    assert!(raw(&upstream, "/_control/reset", "").contains("done"));
    assert_eq!(upstream.request_count(), 0);
}

#[test]
fn a_stopped_upstream_is_gone_at_once() {
    let upstream = Scripted::synthetic();
    let address = upstream.base_url().trim_start_matches("http://").to_owned();
    let idle = TcpStream::connect(&address).unwrap();
    drop(upstream);
    assert!(TcpStream::connect(&address).is_err());
    drop(idle);
}
