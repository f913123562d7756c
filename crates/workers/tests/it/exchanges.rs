//! Is usage found in every recorded answer that has any?

use bytes::Bytes;
use model::run::Operation;
use serde_json::Value;
use workers::upstream::tap::{TapReport, UsageTap};

fn operation(path: &str) -> Operation {
    match path {
        "/v1/chat/completions" => Operation::Chat,
        "/v1/completions" => Operation::TextCompletion,
        "/v1/embeddings" => Operation::Embeddings,
        "/v1/responses" => Operation::Responses,
        "/v1/messages" => Operation::Messages,
        other => panic!("no operation for {other}"),
    }
}

fn tapped(tap: UsageTap, body: &str, size: usize) -> (Vec<u8>, TapReport) {
    let mut tap = tap;
    let mut passed = Vec::new();
    for chunk in body.as_bytes().chunks(size) {
        passed.extend_from_slice(&tap.feed(Bytes::copy_from_slice(chunk)));
    }
    let (rest, report) = tap.finish();
    passed.extend_from_slice(&rest);
    (passed, report)
}

#[test]
fn usage_is_found_in_every_recorded_answer_that_has_any() {
    let Some(path) = testkit::data::recordings() else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    let mut with_usage = 0;
    for line in text.lines() {
        let exchange: Value = serde_json::from_str(line).unwrap();
        let id = exchange["id"].as_str().unwrap();
        let body = exchange["response_body"].as_str().unwrap();
        let kind = exchange["response_headers"]["content-type"].as_str().unwrap();
        let streaming = kind.starts_with("text/event-stream");
        let operation = operation(exchange["path"].as_str().unwrap());

        let (passed, report) = tapped(
            UsageTap::new(operation, streaming, false),
            body,
            body.len().max(1),
        );
        assert_eq!(passed, body.as_bytes(), "{id}");
        let pieces = tapped(UsageTap::new(operation, streaming, false), body, 37);
        assert_eq!(pieces, (passed, report.clone()), "{id}");

        // A count with a number behind it: the model's own text would have its quotes escaped.
        let squeezed: String = body.chars().filter(|c| !c.is_whitespace()).collect();
        let counted = ["prompt_tokens", "input_tokens", "total_tokens"]
            .iter()
            .any(|key| {
                let key = format!("\"{key}\":");
                let mut behind = squeezed.split(key.as_str()).skip(1);
                behind.any(|text| text.starts_with(|c: char| c.is_ascii_digit()))
            });
        let ok = exchange["status"] == 200;
        assert_eq!(report.usage_body.is_some(), ok && counted, "{id}: {report:?}");
        assert_eq!(report.upstream_error.is_some(), !ok, "{id}: {report:?}");
        with_usage += usize::from(counted);
    }
    assert!(with_usage > 200, "{with_usage}");
}
