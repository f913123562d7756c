//! 7.3 JSON bodies.

use serde_json::{Value, json};
use testkit::db::TestDb;

use super::{expect, still_works};
use crate::harness::{World, budget};

const CHECK: &str = "/api/v1/limits/check";

/// Bodies of a check with the status and code they get.
const BODIES: &[(&str, &[u8], u16, &str)] = &[
    ("42", b"", 400, "malformed-json"),
    ("42", b"   ", 400, "malformed-json"),
    ("42", b"{\"estimated_cost_usd\":1", 400, "malformed-json"),
    ("42", b"{\"estimated_cost_usd\":1}}", 400, "malformed-json"),
    ("42", b"{\"estimated_cost_usd\":1} {}", 400, "malformed-json"),
    (
        "42",
        b"\xef\xbb\xbf{\"estimated_cost_usd\":1}",
        400,
        "malformed-json",
    ),
    ("42", b"{\"estimated_cost_usd\":1,}", 400, "malformed-json"),
    ("42", b"{'estimated_cost_usd':1}", 400, "malformed-json"),
    ("42", b"nonsense", 400, "malformed-json"),
    ("42", b"[1,", 400, "malformed-json"),
    ("45", b"{\"session_id\":\"\xff\"}", 400, "malformed-json"),
    ("45", b"{\"session_id\":\"\\ud800\"}", 400, "malformed-json"),
    ("47", b"{\"session_id\":\"a\\u0000b\"}", 422, "validation-failed"),
    ("47", b"{\"\\u0000\":1}", 422, "validation-failed"),
    ("47", b"{\"session_id\":\"a\0b\"}", 400, "malformed-json"),
    (
        "48",
        b"{\"session_id\":\"a\\u001b[31mb\"}",
        422,
        "validation-failed",
    ),
    ("48", b"{\"end_user\":\"a\\u202eb\"}", 422, "validation-failed"),
    ("48", b"{\"model\":\"gpt\\u200b-4o\"}", 422, "validation-failed"),
    ("48", b"{\"agent_id\":\"a\\u200bb\"}", 422, "validation-failed"),
    ("49", b"[]", 422, "validation-failed"),
    ("49", b"\"text\"", 422, "validation-failed"),
    ("49", b"17", 422, "validation-failed"),
    ("49", b"-1", 422, "validation-failed"),
    ("49", b"null", 422, "validation-failed"),
    ("49", b"true", 422, "validation-failed"),
    ("50", b"[1,null,null]", 422, "validation-failed"),
    (
        "51",
        b"{\"run_count\":1,\"run_count\":1}",
        400,
        "duplicate-member",
    ),
    (
        "51",
        b"{\"run_count\":1,\"run\\u005fcount\":2}",
        400,
        "duplicate-member",
    ),
    ("52", b"{\"estimated_costs\":1}", 422, "unknown-field"),
    ("52", b"{\"__proto__\":{}}", 422, "unknown-field"),
    ("53", b"{\"decision\":\"ALLOW\"}", 422, "read-only-field"),
    ("55", b"{\"run_count\":\"1\"}", 422, "validation-failed"),
    ("55", b"{\"run_count\":1.0}", 422, "validation-failed"),
    ("55", b"{\"run_count\":true}", 422, "validation-failed"),
    ("55", b"{\"session_id\":1}", 422, "validation-failed"),
    ("55", b"{\"estimated_cost_usd\":true}", 422, "validation-failed"),
    ("55", b"{\"estimated_cost_usd\":{}}", 422, "validation-failed"),
    ("55", b"{\"session_id\":[\"a\"]}", 422, "validation-failed"),
    (
        "56",
        b"{\"estimated_tokens\":9223372036854775808}",
        422,
        "validation-failed",
    ),
    ("56", b"{\"estimated_tokens\":-1}", 422, "validation-failed"),
    ("56", b"{\"estimated_tokens\":-0}", 422, "validation-failed"),
    ("56", b"{\"estimated_tokens\":1e3}", 422, "validation-failed"),
    ("56", b"{\"estimated_cost_usd\":1e400}", 422, "validation-failed"),
    ("56", b"{\"estimated_cost_usd\":-0}", 422, "validation-failed"),
    (
        "56",
        b"{\"estimated_cost_usd\":12345678901234567890123}",
        422,
        "validation-failed",
    ),
    // Not JSON at all, so it is said like every other syntax error.
    ("56", b"{\"estimated_cost_usd\":NaN}", 400, "malformed-json"),
    ("56", b"{\"estimated_cost_usd\":Infinity}", 400, "malformed-json"),
    ("56", b"{\"estimated_cost_usd\":01}", 400, "malformed-json"),
    (
        "56",
        b"{\"estimated_cost_usd\":\"NaN\"}",
        422,
        "validation-failed",
    ),
    ("60", b"{\"session_id\":\"\"}", 422, "validation-failed"),
    ("60", b"{\"session_id\":\" \"}", 422, "validation-failed"),
    ("60", b"{\"agent_id\":\" \"}", 422, "validation-failed"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_one_known_object_is_refused() {
    let world = World::new(TestDb::sqlite()).await;
    for (row, body, status, code) in BODIES {
        expect(row, world.call("POST", CHECK).bytes(*body), *status, code).await;
    }
    let nested = format!("{{\"session_id\":{}{}}}", "[".repeat(200), "]".repeat(200));
    expect(
        "57",
        world.call("POST", CHECK).bytes(nested),
        422,
        "validation-failed",
    )
    .await;
    let nested = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let answer = world.call("POST", CHECK).bytes(nested).send().await;
    assert!([400, 422].contains(&answer.status), "row 57: {}", answer.body);
    still_works(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_body_says_where_and_repeats_nothing_but_names() {
    let world = World::new(TestDb::sqlite()).await;
    let post = |body: &str| world.call("POST", CHECK).bytes(body);
    let cut = expect("42", post("{\n \"session_id\": \"hunter2"), 400, "malformed-json").await;
    assert!(cut.text("/detail").contains("line 2, column"), "{}", cut.body);
    assert!(!cut.body.contains("hunter2"));
    let typed = expect(
        "55",
        post("{\"run_count\": \"hunter2\"}"),
        422,
        "validation-failed",
    )
    .await;
    assert!(!typed.body.contains("hunter2"), "{}", typed.body);
    assert_eq!(typed.text("/errors/0/pointer"), "/run_count");
    let whole = "is not what it should be: expected a whole number";
    assert_eq!(typed.text("/errors/0/detail"), whole);
    let unknown = expect(
        "52",
        post("{\"estimated_costs\":\"hunter2\"}"),
        422,
        "unknown-field",
    )
    .await;
    assert_eq!(unknown.text("/errors/0/pointer"), "/estimated_costs");
    assert!(
        unknown.text("/errors/0/detail").contains("`estimated_cost_usd`")
            && !unknown.body.contains("hunter2")
    );
    let limits = |body: &Value| world.post("/api/v1/limits", body);
    let missing = expect("54", limits(&json!({ "name": "a" })), 422, "validation-failed").await;
    assert_eq!(missing.text("/errors/0/pointer"), "/limit_category");
    for value in ["cost_usd", "COST_USD ", "GOLD"] {
        let mut body = budget(1);
        body["limit_type"] = json!(value);
        let answer = expect("59", limits(&body), 422, "validation-failed").await;
        assert!(
            answer.text("/detail").contains("`COST_USD`, `TOKENS_TOTAL`") && !answer.body.contains("GOLD"),
            "{}",
            answer.body
        );
    }
    let all = expect("60", limits(&json!({
        "name": " ", "limit_category": "BUDGET", "limit_type": "LATENCY_MS", "max_value": 0, "scope": "PROJECT", "window_seconds": 1,
    })), 422, "validation-failed").await;
    let pointers: Vec<_> = all
        .at("/errors")
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].clone())
        .collect();
    assert_eq!(
        pointers,
        [
            "/name",
            "/limit_type",
            "/max_value",
            "/scope_id",
            "/window_seconds",
            "/reset_period"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_utf_8_json_is_taken() {
    let world = World::new(TestDb::sqlite()).await;
    let call = || world.post(CHECK, &json!({}));
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "application/json;charset=latin1",
        "application/jsonp",
        "caf\u{e9}",
        "",
    ] {
        expect(
            "43",
            call().header("content-type", kind),
            415,
            "unsupported-media-type",
        )
        .await;
    }
    let mut untyped = call();
    untyped.headers.retain(|(name, _)| name != "content-type");
    expect("43", untyped, 415, "unsupported-media-type").await;
    for kind in [
        "application/json",
        "Application/JSON; Charset=\"UTF-8\"",
        "application/json;profile=x",
    ] {
        call().header("content-type", kind).send().await.ok(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backslash_before_u0000_is_a_backslash() {
    let world = World::new(TestDb::sqlite()).await;
    let body = r#"{"project_id":"p","description":"C:\\u0000 \\\\u0000 \" \\"}"#;
    let made = world.call("POST", "/api/v1/projects").bytes(body).send().await;
    assert_eq!(made.ok(201).text("/description"), "C:\\u0000 \\\\u0000 \" \\");
    let bad = r#"{"project_id":"q","description":"\\\u0000"}"#;
    expect(
        "47",
        world.call("POST", "/api/v1/projects").bytes(bad),
        422,
        "validation-failed",
    )
    .await;
}

/// What people and attackers call things.
const NAUGHTY: [&str; 16] = [
    "x'); DROP TABLE limits;--",
    "\" OR \"\"=\"",
    "%s%n${jndi:ldap://a}",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "Ω≈ç√∫˜µ≤≥÷",
    "田中さんにあげて下さい",
    "🏳️‍🌈",
    "null",
    "NaN",
    "__proto__",
    "1e400",
    "' || pg_sleep(9) --",
    "\\x41",
    "{{7*7}}",
    "مرحبا",
];

testkit::both_databases! {
    async fn text_is_stored_and_returned_as_it_was_sent(db: TestDb) {
        let world = World::new(db).await;
        for (number, text) in NAUGHTY.iter().enumerate() {
            let body = json!({ "project_id": format!("p{number}"), "description": text });
            assert_eq!(world.post("/api/v1/projects", &body).send().await.ok(201).text("/description"), *text, "row 46");
        }
        let list = world.get("/api/v1/projects").send().await;
        let mut found: Vec<_> = list.at("/items").as_array().unwrap().iter().map(|item| item["description"].clone()).collect();
        found.sort_by_key(ToString::to_string);
        let mut sent: Vec<_> = NAUGHTY.iter().map(|text| json!(text)).collect();
        sent.sort_by_key(ToString::to_string);
        assert_eq!(found, sent);
    }

    async fn names_are_bounded_in_characters_and_have_no_hidden_ones(db: TestDb) {
        let world = World::new(db).await;
        let named = |name: &str| { let mut body = budget(1); body["name"] = json!(name); body };
        for name in ["", "   ", "a\u{7}b", "a\u{202e}b", "a\u{200b}b", "\u{feff}a", "a\u{85}b", &"é".repeat(257)] {
            expect("48/60", world.post("/api/v1/limits", &named(name)), 422, "validation-failed").await;
            expect("48/60", world.post("/api/v1/keys", &json!({ "name": name })), 422, "validation-failed").await;
            expect("48/60", world.post("/api/v1/ops/tenants", &json!({ "name": name })).by_operator(), 422, "validation-failed").await;
        }
        let limit = world.limit(&named(&"é".repeat(256))).await;
        expect("48", world.put(&format!("/api/v1/limits/{limit}"), &json!({ "name": "a\u{2066}b" })), 422, "validation-failed").await;
        expect("60", world.post("/api/v1/agents", &json!({ "agent_id": "a", "description": "é".repeat(1025) })), 422, "validation-failed").await;
        let key = world.get("/api/v1/keys").send().await.text("/items/0/api_key_id");
        let reason = json!({ "reason": "é".repeat(501) });
        expect("60", world.post(&format!("/api/v1/keys/{key}/freeze"), &reason), 422, "validation-failed").await;
        for slug in ["", "a b", "a/b", "ä", &"a".repeat(65)] {
            expect("48", world.post("/api/v1/projects", &json!({ "project_id": slug })), 422, "validation-failed").await;
        }
    }
}
