//! Does the tap see what it should, and leave everything else alone?

use proptest::prelude::*;
use serde_json::json;

use super::*;

const CHAT: &str = concat!(
    ": OPENROUTER PROCESSING\n\n",
    "data: {\"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"choices\":[{\"delta\":{\"content\":\"\"},",
    "\"finish_reason\":null}],\"usage\":null}\r\n\r\n",
    "data: {\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\": {}\"}}],\"usage\":null}\n\n",
    "data: {\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n",
    "data: {\"model\":\"gpt-4o-2024-08-06\",\"choices\":[],\ndata: \"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\n",
    "data: [DONE]\n\n",
);
const HIDDEN: &str = "data: {\"model\":\"gpt-4o-2024-08-06\",\"choices\":[],\ndata: \"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\n";

/// Feeds the text cut at these places.
fn run(mut tap: UsageTap, text: &[u8], cuts: &[usize]) -> (Vec<u8>, TapReport) {
    let text = Bytes::copy_from_slice(text);
    let mut passed = Vec::new();
    let mut at = 0;
    for cut in cuts {
        passed.extend_from_slice(&tap.feed(text.slice(at..*cut)));
        at = *cut;
    }
    passed.extend_from_slice(&tap.feed(text.slice(at..)));
    let (rest, report) = tap.finish();
    passed.extend_from_slice(&rest);
    (passed, report)
}

fn stream(operation: Operation, text: &str) -> TapReport {
    let (passed, report) = run(UsageTap::new(operation, true, false), text.as_bytes(), &[]);
    assert_eq!(passed, text.as_bytes());
    report
}

fn body(operation: Operation, text: &str) -> TapReport {
    let (passed, report) = run(UsageTap::new(operation, false, false), text.as_bytes(), &[]);
    assert_eq!(passed, text.as_bytes());
    report
}

#[test]
fn a_chat_stream_reports_usage_model_tier_and_end() {
    let report = stream(Operation::Chat, CHAT);
    let expected = TapReport {
        usage_body: Some(json!({"model": "gpt-4o-2024-08-06", "service_tier": "default",
            "usage": {"prompt_tokens": 9, "completion_tokens": 4}})),
        usage_is_final: true,
        served_model: Some("gpt-4o-2024-08-06".to_owned()),
        finish_reason: Some("stop".to_owned()),
        service_tier: Some("default".to_owned()),
        complete: true,
        upstream_error: None,
        bytes: u64::try_from(CHAT.len()).unwrap(),
    };
    assert_eq!(report, expected);
}

#[test]
fn the_event_that_only_we_asked_for_is_removed_and_nothing_else() {
    let (passed, report) = run(UsageTap::new(Operation::Chat, true, true), CHAT.as_bytes(), &[]);
    let unasked = CHAT.replace(HIDDEN, "").replace(",\"usage\":null", "");
    assert_eq!(String::from_utf8(passed).unwrap(), unasked);
    assert_eq!(report, stream(Operation::Chat, CHAT));
    for kept in [
        // Usage together with text, no choices without usage, and no choices at all.
        "data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":9}}\n\n",
        "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n",
        "data: {\"usage\":{\"prompt_tokens\":9}}\n\n",
    ] {
        let (passed, _) = run(UsageTap::new(Operation::Chat, true, true), kept.as_bytes(), &[]);
        assert_eq!(passed, kept.as_bytes());
    }
}

#[test]
fn a_stream_without_its_mark_is_complete_when_each_choice_is_finished() {
    let part = |index: u64| {
        format!("data: {{\"choices\":[{{\"index\":{index},\"delta\":{{\"content\":\"a\"}}}}]}}\n\n")
    };
    let finish = |index: u64| {
        format!("data: {{\"choices\":[{{\"index\":{index},\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}\n\n")
    };
    let complete = |choices: i64, events: &[String]| {
        let tap = UsageTap::new(Operation::Chat, true, false).expecting(choices);
        run(tap, events.concat().as_bytes(), &[]).1.complete
    };
    assert!(!complete(1, &[part(0)]));
    assert!(complete(1, &[part(0), finish(0)]));
    assert!(!complete(2, &[part(0), part(1), finish(0), part(1)]));
    assert!(complete(2, &[part(0), part(1), finish(1), finish(0)]));
    // It has not ended, though: usage may come behind it.
    let mut tap = UsageTap::new(Operation::Chat, true, false);
    tap.feed(finish(0).into());
    assert!(!tap.has_ended());
    tap.feed("data: [DONE]\n\n".into());
    assert!(tap.has_ended());
}

#[test]
fn complete_events_are_not_held_back_and_unhidden_bytes_are_not_copied() {
    let mut hiding = UsageTap::new(Operation::Chat, true, true);
    let chunk = Bytes::from_static(b"data: {}\n\ndata: {\"a\":1}\n\ndata: {");
    let passed = hiding.feed(chunk.clone());
    assert_eq!(passed, "data: {}\n\ndata: {\"a\":1}\n\n");
    assert_eq!(passed.as_ptr(), chunk.as_ptr());
    assert_eq!(hiding.feed(Bytes::from_static(b"}\n")), "");
    assert_eq!(hiding.feed(Bytes::from_static(b"\n")), "data: {}\n\n");

    let mut open = UsageTap::new(Operation::Chat, true, false);
    for part in [chunk, Bytes::from_static(b"}\n\ndata: x")] {
        let passed = open.feed(part.clone());
        assert_eq!((passed.as_ptr(), passed.len()), (part.as_ptr(), part.len()));
    }
}

#[test]
fn an_anthropic_stream_merges_the_usage_of_its_events() {
    let text = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude\",\"usage\":{\"input_tokens\":17,",
        "\"cache_read_input_tokens\":5,\"cache_creation\":{\"ephemeral_5m_input_tokens\":2},\"output_tokens\":1}}}\n\n",
        "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":87,\"input_tokens\":null}}\n\n",
        "data: {\"type\":\"message_stop\"}\n\n",
    );
    let report = stream(Operation::Messages, text);
    let usage = json!({"input_tokens": 17, "cache_read_input_tokens": 5, "output_tokens": 87,
        "cache_creation": {"ephemeral_5m_input_tokens": 2}});
    assert_eq!(
        report.usage_body,
        Some(json!({"model": "claude", "usage": usage}))
    );
    assert_eq!(report.finish_reason.as_deref(), Some("end_turn"));
    assert!(report.complete);
}

#[test]
fn a_responses_stream_reports_what_its_last_event_says() {
    let text = concat!(
        "data: {\"type\":\"response.created\",\"response\":{\"model\":\"gpt-5\",\"status\":\"in_progress\",\"usage\":null}}\n\n",
        "data: {\"type\":\"response.output_text.delta\",\"delta\":\"\\\"response.completed\\\"\"}\n\n",
        "data: {\"type\":\"response.incomplete\",\"response\":{\"model\":\"gpt-5\",\"status\":\"incomplete\",\"error\":null,",
        "\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}}\n\n",
    );
    let report = stream(Operation::Responses, text);
    assert_eq!(
        report.usage_body.unwrap()["usage"],
        json!({"input_tokens": 1, "output_tokens": 2})
    );
    assert_eq!(report.finish_reason.as_deref(), Some("max_output_tokens"));
    assert!(report.complete && report.upstream_error.is_none());
}

#[test]
fn the_code_of_an_error_is_reported_and_its_text_is_not() {
    let code = |report: TapReport| report.upstream_error.unwrap();
    let chat = "data: {\"error\":{\"message\":\"secret\",\"type\":\"server_error\",\"code\":null}}\n\n";
    assert_eq!(code(stream(Operation::Chat, chat)), "server_error");
    let failed = "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"rate_limit_exceeded\"}}}\n\n";
    assert_eq!(code(stream(Operation::Responses, failed)), "rate_limit_exceeded");
    let flat = "data: {\"type\":\"error\",\"code\":\"ERR_X\",\"message\":\"m\",\"error\":null}\n\n";
    assert_eq!(code(stream(Operation::Responses, flat)), "ERR_X");
    let overloaded = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}\n\n";
    assert_eq!(code(stream(Operation::Messages, overloaded)), "overloaded_error");
    let whole = r#"{"error":{"message":"no","type":"invalid_request_error","code":"model_not_found"}}"#;
    assert_eq!(code(body(Operation::Chat, whole)), "model_not_found");
    assert_eq!(
        code(body(Operation::Chat, r#"{"error":{"code":"a b\nc"}}"#)),
        "error"
    );
    assert_eq!(
        code(body(
            Operation::Chat,
            r#"{"object":"error","type":"BadRequest","code":400}"#
        )),
        "BadRequest"
    );
}

#[test]
fn whole_bodies_of_all_operations_are_read() {
    let embeddings =
        r#"{"object":"list","data":[{"embedding":[0.1,-2e-3]}],"model":"m","usage":{"prompt_tokens":8}}"#;
    let report = body(Operation::Embeddings, embeddings);
    assert_eq!(
        report.usage_body,
        Some(json!({"model": "m", "usage": {"prompt_tokens": 8}}))
    );
    let counted = body(Operation::CountTokens, r#"{"input_tokens":14}"#);
    assert!(counted.complete && counted.usage_body.is_none());
    let message = body(
        Operation::Messages,
        r#"{"model":"c","stop_reason":"end_turn","usage":{"input_tokens":1}}"#,
    );
    assert_eq!(message.finish_reason.as_deref(), Some("end_turn"));
    let response = body(
        Operation::Responses,
        r#"{"model":"g","status":"completed","usage":{"input_tokens":1}}"#,
    );
    assert_eq!(response.finish_reason.as_deref(), Some("completed"));
}

#[test]
fn what_is_malformed_passes_and_says_nothing() {
    for bad in [
        "",
        "{",
        "[]",
        "null",
        "{\"usage\":7,\"model\":[]}",
        "{\"usage\":{}}",
    ] {
        assert_eq!(body(Operation::Chat, bad).usage_body, None, "{bad}");
        let event = format!("data: {bad}\n\n");
        assert_eq!(stream(Operation::Chat, &event).usage_body, None, "{bad}");
    }
    let bytes = b"data: {\"usage\":{\"a\":\"\xff\xfe\"}}\n\ndata: \xff\n\n";
    let (passed, report) = run(UsageTap::new(Operation::Chat, true, true), bytes, &[9, 20]);
    assert_eq!((passed.as_slice(), report.usage_body), (bytes.as_slice(), None));
}

#[test]
fn an_event_that_is_too_large_passes_unread_and_the_next_one_is_read() {
    let huge = format!(
        "data: {{\"a\":\"{}\"}}\n\n",
        "x".repeat(EVENT_CAP_BYTES + 2_000_000)
    );
    let text = format!("{huge}{CHAT}");
    let tap = || UsageTap::new(Operation::Chat, true, true);
    let whole = run(tap(), text.as_bytes(), &[]);
    let hidden = HIDDEN.len() + 3 * ",\"usage\":null".len();
    assert_eq!(whole.0.len(), text.len() - hidden);
    assert!(whole.1.usage_body.is_some());
    let cuts: Vec<usize> = (1..11).map(|n| n * 1_000_003).chain([huge.len() + 5]).collect();
    assert!(run(tap(), text.as_bytes(), &cuts) == whole);
}

#[test]
fn an_event_without_its_empty_line_is_read_at_the_end() {
    let text = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9}}";
    let (passed, report) = run(UsageTap::new(Operation::Chat, true, true), text.as_bytes(), &[7]);
    assert_eq!((passed.len(), report.usage_body.is_some()), (0, true));
    let (passed, _) = run(UsageTap::new(Operation::Chat, true, true), b"data: {", &[3]);
    assert_eq!(passed, b"data: {");
}

/// Pieces of streams, well-formed and not.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(CHAT.as_bytes().to_vec()),
        Just(HIDDEN.as_bytes().to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"data: ".to_vec()),
        Just(b"data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":3}}\n\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_cut_of_a_stream_gives_the_same_bytes_and_the_same_report(
        text in pieces(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        hide in any::<bool>(),
        anthropic in any::<bool>(),
        streaming in any::<bool>(),
    ) {
        let operation = if anthropic { Operation::Messages } else { Operation::Chat };
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.sort_unstable();
        let tap = || UsageTap::new(operation, streaming, hide);
        let whole = run(tap(), &text, &[]);
        if !hide || anthropic || !streaming {
            prop_assert_eq!(&whole.0, &text);
        }
        prop_assert_eq!(run(tap(), &text, &cuts), whole);
    }
}

#[test]
fn counts_in_the_middle_of_a_stream_are_not_the_last_word() {
    let begun = "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":17,\"output_tokens\":1}}}\n\n";
    let delta = "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":8}}\n\n";
    let counting =
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"completion_tokens\":1}}\n\n";
    let sum = "data: {\"choices\":[],\"usage\":{\"completion_tokens\":9}}\n\n";
    for (operation, text, last_word) in [
        (Operation::Messages, begun.to_owned(), false),
        (Operation::Messages, [begun, delta].concat(), true),
        (Operation::Chat, counting.to_owned(), false),
        (Operation::Chat, [counting, sum].concat(), true),
        (Operation::Chat, [counting, "data: [DONE]\n\n"].concat(), true),
        (Operation::Chat, "data: [DONE]\n\n".to_owned(), false),
    ] {
        assert_eq!(stream(operation, &text).usage_is_final, last_word, "{text}");
    }
}
