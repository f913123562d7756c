//! Is everything that limits need read from a body, and everything else refused by its name?

use super::*;

fn read(operation: Operation, body: &Value) -> Result<Parsed, GatewayError> {
    let mut body = body.clone();
    body.as_object_mut().unwrap().entry("model").or_insert(json!("m"));
    parse(operation, Bytes::from(body.to_string()))
}

/// What the body says about output: the cap and how many times it counts.
fn output(operation: Operation, body: &Value) -> (Option<i64>, i64) {
    let facts = read(operation, body).unwrap().facts(9);
    (facts.requested_output, facts.choices)
}

fn refused(operation: Operation, body: &Value) -> String {
    match read(operation, body).and_then(|parsed| parsed.fits(UpstreamKind::Openai)) {
        Err(GatewayError::Invalid { field, .. }) => field,
        other => panic!("{body}: expected a refusal, got {other:?}"),
    }
}

#[test]
fn output_is_bounded_by_the_field_of_each_operation_times_the_choices() {
    use Operation::{Chat, CountTokens, Embeddings, Messages, Responses, TextCompletion};
    for (operation, body, expected) in [
        (Chat, json!({}), (None, 1)),
        (Chat, json!({"max_tokens": null, "n": null}), (None, 1)),
        (Chat, json!({"max_tokens": 5, "n": 3}), (Some(5), 3)),
        (Chat, json!({"max_completion_tokens": 6}), (Some(6), 1)),
        (Chat, json!({"max_tokens": 1000.0}), (Some(1_000), 1)),
        (Chat, json!({"max_tokens": -1}), (None, 1)),
        (
            Chat,
            json!({"max_tokens": -1.0, "max_completion_tokens": 5}),
            (None, 1),
        ),
        (
            Chat,
            json!({"max_completion_tokens": 6, "max_tokens": 7}),
            (Some(7), 1),
        ),
        (
            Chat,
            json!({"max_completion_tokens": 7, "max_tokens": 6}),
            (Some(7), 1),
        ),
        (Chat, json!({"max_output_tokens": 5, "best_of": 9}), (None, 1)),
        (
            Responses,
            json!({"max_output_tokens": 8, "max_tokens": 9, "n": 2}),
            (Some(8), 1),
        ),
        (Messages, json!({"max_tokens": 4, "n": 2}), (Some(4), 1)),
        (Embeddings, json!({"max_tokens": 4}), (None, 1)),
        (CountTokens, json!({"max_tokens": 4}), (None, 1)),
        (TextCompletion, json!({"prompt": "a"}), (None, 1)),
        (
            TextCompletion,
            json!({"prompt": ["a", "b"], "max_tokens": 2}),
            (Some(2), 2),
        ),
        (
            TextCompletion,
            json!({"prompt": ["a", "b"], "n": 2, "best_of": 5}),
            (None, 10),
        ),
        (
            TextCompletion,
            json!({"prompt": ["a"], "n": 4, "best_of": 2}),
            (None, 4),
        ),
        // One prompt in tokens, two prompts in tokens, no prompt.
        (TextCompletion, json!({"prompt": [1, 2, 3]}), (None, 1)),
        (TextCompletion, json!({"prompt": [[1, 2], [3]]}), (None, 2)),
        (TextCompletion, json!({"prompt": []}), (None, 1)),
        (
            TextCompletion,
            json!({"prompt": [[1, 2], [3]], "n": 3, "best_of": 2, "max_tokens": 7}),
            (Some(7), 6),
        ),
        (
            TextCompletion,
            json!({"prompt": ["a", "b"], "n": 128, "max_tokens": 100_000_000}),
            (Some(100_000_000), 256),
        ),
        (Embeddings, json!({"input": [[1, 2], [3]], "n": 5}), (None, 1)),
    ] {
        assert_eq!(output(operation, &body), expected, "{operation:?} {body}");
    }
}

#[test]
fn what_makes_no_output_says_so() {
    for (operation, makes) in [
        (Operation::Chat, true),
        (Operation::Embeddings, false),
        (Operation::CountTokens, false),
    ] {
        assert_eq!(read(operation, &json!({})).unwrap().facts(9).makes_output, makes);
    }
}

#[test]
fn fields_that_are_not_what_they_should_be_are_named() {
    for (operation, body, field) in [
        (Operation::Chat, json!({"model": null}), "model"),
        (Operation::Chat, json!({"model": "x".repeat(201)}), "model"),
        (Operation::Chat, json!({"stream": 1}), "stream"),
        (Operation::Chat, json!({"stream": "true"}), "stream"),
        (Operation::Chat, json!({"n": 129}), "n"),
        (Operation::Chat, json!({"n": -1}), "n"),
        (Operation::Chat, json!({"n": "2"}), "n"),
        (Operation::TextCompletion, json!({"best_of": 0}), "best_of"),
        (Operation::Messages, json!({"max_tokens": -5}), "max_tokens"),
        (
            Operation::Responses,
            json!({"max_output_tokens": "9"}),
            "max_output_tokens",
        ),
        (
            Operation::Chat,
            json!({"max_tokens": 5, "max_completion_tokens": 0}),
            "max_completion_tokens",
        ),
        (Operation::Chat, json!({"max_tokens": 100_000_001}), "max_tokens"),
        (Operation::TextCompletion, json!({"max_tokens": 0}), "max_tokens"),
        (Operation::Chat, json!({"max_tokens": 1.5}), "max_tokens"),
        (Operation::Chat, json!({"max_tokens": 1e30}), "max_tokens"),
        (Operation::Chat, json!({"max_tokens": -1e30}), "max_tokens"),
        (Operation::Chat, json!({"max_tokens": -0.0}), "max_tokens"),
    ] {
        assert_eq!(refused(operation, &body), field, "{body}");
    }
    for field in FORBIDDEN {
        assert_eq!(refused(Operation::Embeddings, &json!({field: "x"})), field);
    }
}

#[test]
fn the_customers_user_stands_where_each_api_puts_it() {
    let user = |operation, body: Value| read(operation, &body).unwrap().end_user;
    for operation in [Operation::Chat, Operation::Embeddings, Operation::Responses] {
        assert_eq!(user(operation, json!({"user": "u"})).as_deref(), Some("u"));
        let both = json!({"user": "u", "safety_identifier": "s", "metadata": {"user_id": "m"}});
        assert_eq!(user(operation, both).as_deref(), Some("s"));
    }
    let metadata = json!({"user": "u", "metadata": {"user_id": "m"}});
    assert_eq!(user(Operation::Messages, metadata).as_deref(), Some("m"));
    for nobody in [
        json!({"user": 7}),
        json!({"user": "u".repeat(201)}),
        json!({"user": null}),
    ] {
        assert_eq!(user(Operation::Chat, nobody), None);
    }
}

#[test]
fn what_is_not_in_the_body_itself_is_counted() {
    let references = |body: Value| read(Operation::Chat, &body).unwrap().facts(9).references;
    assert_eq!(
        references(json!({"messages": [{"content": "a url in a text"}]})),
        0
    );
    let image = json!({"type": "image_url", "image_url": {"url": "https://x"}});
    assert_eq!(references(json!({"messages": [{"content": [image]}]})), 1);
    assert_eq!(
        references(json!({"previous_response_id": "r", "input": [{"file_id": "f"}]})),
        2
    );
}

#[test]
fn what_makes_a_request_dearer_is_seen() {
    let anthropic = |body: Value| read(Operation::Messages, &body).unwrap();
    assert!(!anthropic(json!({})).cache_write);
    assert!(anthropic(json!({"system": [{"cache_control": {}}]})).cache_write);
    let chat = |body: Value| read(Operation::Chat, &body).unwrap();
    assert!(chat(json!({})).cache_write && !chat(json!({})).audio);
    assert!(chat(json!({"modalities": ["text", "audio"]})).audio);
    assert_eq!(
        chat(json!({"tools": [{"type": "web_search_preview"}]})).searches,
        10
    );
    let tier = |parsed: Parsed| parsed.tier;
    assert_eq!(
        tier(chat(json!({"service_tier": "flex"}))).as_deref(),
        Some("flex")
    );
    assert_eq!(tier(chat(json!({"speed": "fast"}))), None);
    let both = json!({"speed": "fast", "service_tier": "auto"});
    assert_eq!(tier(anthropic(both)).as_deref(), Some("fast"));
    assert_eq!(tier(anthropic(json!({"speed": "standard"}))), None);
}
