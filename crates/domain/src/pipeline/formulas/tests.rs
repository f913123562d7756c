//! Do the formulas give the hashes that were published?

use alloc::collections::BTreeMap;
use alloc::string::ToString as _;

use model::signal::IdentityWindow;
use model::time::Timestamp;

use super::*;

#[test]
fn the_published_hashes_come_out() {
    let repeated = |letter: &str| letter.repeat(64);
    let check = |found: Digest, expected: &str| assert_eq!(found.to_string(), expected);
    let empty = Json::Map(BTreeMap::new());
    check(
        signal(
            "CLOUDWATCH_ALARM",
            "ALARM_STATE_CHANGE",
            "lambda",
            "SEV2",
            "2026-01-17T10:23Z",
            &empty,
        ),
        "a95cfab59bf7709891b3792bf6ffc741756918ce740ac7e3989b2ba53d5095fd",
    );
    check(
        alarm_signal("opx-lambda-error-rate", "2026-01-15T10:00:00.000Z", "ALARM"),
        "563e4a2b2fd8b55c388d867464f47610dc4a3228ffc9e97d265ba43ae75848f2",
    );
    check(
        normalized_signal(&repeated("s"), "alarm-x", "2026-01-15T10:00:00.000Z"),
        "1b4a44914c30d233b531a4bd4e09c5652a7962531adbe481ed8a329a7903d419",
    );
    check(
        detection("lambda-error-rate", "1.0.0", &repeated("n")),
        "bd2dfcc5c9b77facdd8d650ccd33d87fa6d318bef7c540f730a495f61769f1ac",
    );
    check(
        evidence(
            &["det-456", "det-123"],
            "2026-01-21T10:00:00.000Z",
            "2026-01-21T10:05:00.000Z",
        ),
        "c5752c9cb1318db53bd5086acacc19d06d2288a40a49bb28c9f857d2cb7a1971",
    );
    let window = ("windowTruncated", "2026-01-16T10:00:00.000Z");
    let key = correlation_key(
        &["det-2", "det-1"],
        "service-cascade",
        "1.0.0",
        &[window, ("service", "lambda")],
    );
    check(
        key,
        "c8f8e34306af9c6a3e2340eac8c629060b181e81ecd845ade7d70b0ff5cdd88d",
    );
    check(
        candidate(&key.to_string()),
        "247a8402e7280d7e8780c08bda8dce863e422b97294a959bbabac862c8cade87",
    );
}

#[test]
fn the_published_hashes_of_decisions_come_out() {
    let repeated = |letter: &str| letter.repeat(64);
    let check = |found: Digest, expected: &str| assert_eq!(found.to_string(), expected);
    let context = request_context(&repeated("c"), "default", "1.0.0");
    check(
        context,
        "621c8a0e115abacef899a3078767595b1d5d3d827d053343139109d346586f7f",
    );
    check(
        decision(&repeated("c"), "default", "1.0.0", &context.to_string()),
        "9d62699100b229e3c17c9ad1912006b15946e9db60da14085047d2ceb06de693",
    );
    check(
        decision_hash(
            "PROMOTE",
            "All policy conditions satisfied",
            "1.0.0",
            &repeated("c"),
        ),
        "e43a6fa9348c87625f2f8bdfa78df98bce05dc4c93faae6738b2966574534d5d",
    );
    check(
        incident_of_evidence("payment-service", &repeated("a")),
        "6e1d1d66cbcff4e4fab856e7fbc9f94e59f6f09560adcaff7db31bdfa4205cd0",
    );
    check(
        incident_of_decision(&repeated("d")),
        "d91323a5298f3b9f814db29efaa271f24fbdccedfdd062491b8abc8e07b7fb69",
    );
    assert_eq!(
        evidence_replay_key(&["b", "a"]),
        "EVIDENCE:0eab8a0a3380abf4c7d1fb0b43b66aafbb64a4b953e4eb2dccca579461912d0c"
    );
    check(
        outcome(&repeated("i"), "2026-01-22T12:00:00.000Z"),
        "ac76259d999565b1fa2902401bf746d7bb06fcdbce018df2b41abb03c2a1f875",
    );
    check(
        audit("SNAPSHOT", "2026-01-22T00:00:00.000Z", "1.0.0"),
        "0c791ab311f901fc2f4c21e53f96f74a8e7ba5a39da8ddb566172d432e7ad39a",
    );
}

#[test]
fn the_published_hashes_of_documents_come_out() {
    let check = |found: Digest, expected: &str| assert_eq!(found.to_string(), expected);
    let state = Json::map([
        ("incidentId", Json::from("550e8400-e29b-41d4-a716-446655440000")),
        ("service", Json::from("payment-service")),
        ("severity", Json::from("SEV1")),
        ("state", Json::from("CREATED")),
        ("title", Json::from("Payment failures")),
        ("signals", Json::List(Vec::new())),
        ("createdAt", Json::from("2024-01-15T10:30:00.000Z")),
        ("createdBy", Json::from("user@example.com")),
    ]);
    check(
        state_hash(&state),
        "e7feda4d589bb7be51e93429818cb466502144adbac9d44afcdbaf4550ecbadb",
    );
    let body = Json::map([
        ("title", Json::from("t")),
        ("service", Json::from("s")),
        ("severity", Json::from("SEV3")),
    ]);
    check(
        request_hash(&body),
        "20e80d22fe2f10d2408a079975db0d655a975560d5f02c6093ec26df6d199f56",
    );
    check(
        auto_idempotency_key("arn:aws:iam::123456789012:user/alice", &body),
        "cbe23c3990e51ba040dbce655974c5fad1335d49f89027203232723da1ae664b",
    );
}

#[test]
fn the_published_document_is_the_same_however_its_lines_end() {
    for content in ["content", "content\n", "content \r\n\r\n"] {
        assert_eq!(
            document("Title", "1.0.0", content).to_string(),
            "04af263db7b5adee16417f18ac18f05af5fcf5c0966ab6cd5cca4f8e57346a8b",
            "{content:?}"
        );
    }
    assert_eq!(document("T", "1", "a \r\nb\t\n"), document("T", "1", "a\nb"));
    assert_ne!(document("T", "1", "a\n\nb"), document("T", "1", "a\nb"));
}

#[test]
fn the_published_window_is_the_minute() {
    let at: Timestamp = "2026-01-17T10:23:45.123Z".parse().unwrap();
    assert_eq!(IdentityWindow::of(at).to_string(), "2026-01-17T10:23Z");
}

#[test]
fn lists_are_sets_in_every_formula() {
    assert_eq!(
        detection_of_signals(&["b", "a"], "r", "1.0.0"),
        detection_of_signals(&["a", "b"], "r", "1.0.0")
    );
    assert_eq!(evidence_graph("c", &["b", "a"]), evidence_graph("c", &["a", "b"]));
    assert_ne!(evidence_graph("c", &["a"]), evidence_graph("d", &["a"]));
}
