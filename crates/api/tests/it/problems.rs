//! What does each problem document say?

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use model::key::KeyScope;
use serde_json::json;
use testkit::db::TestDb;

use crate::harness::{World, budget, settings};
use crate::log::Log;

const LIMITS: &str = "/api/v1/limits";

testkit::both_databases! {
    async fn a_refusal_that_depends_on_what_is_stored_is_said_in_these_words(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let limit = world.limit(&budget(50)).await;
        log.send("a limit like this", world.post(LIMITS, &budget(50))).await.is(409, "already-exists");
        log.send("no such limit", world.get(&format!("{LIMITS}/LIM-01M7YQ1WE0000000000000ZZZZ"))).await.is(404, "not-found");
        let hold = world.hold(5).await;
        log.send("open holds are on it", world.delete(&format!("{LIMITS}/{limit}"))).await.is(409, "limit-in-use");
        let settle = world.post(&format!("/api/v1/holds/{hold}/settle"), &json!({ "cost_usd": 6 }));
        log.send("more than was held", settle).await.is(409, "settlement-exceeds-reservation");
        let release = || world.call("POST", &format!("/api/v1/holds/{hold}/release"));
        release().once("k").send().await.ok(200);
        log.send("released before", release()).await.is(409, "reservation-closed");
        let check = |usd: u32| world.post("/api/v1/limits/check", &json!({ "estimated_cost_usd": usd, "ttl_seconds": 5 })).once("k");
        let second = check(1).send().await.text("/hold_id");
        log.send("a key for another request", check(2)).await.is(422, "idempotency-key-reused");
        let colleague = world.key_with(&[KeyScope::Llm]).await;
        log.send("a key of somebody else", check(1).with(&colleague)).await.is(403, "idempotency-key-foreign");
        world.clock.advance_seconds(5);
        let late = world.call("POST", &format!("/api/v1/holds/{second}/release"));
        log.send("too late", late).await.is(409, "reservation-expired");
        let everything = json!({ "name": "all", "condition": "true", "enforcement_mode": "BLOCK" });
        log.send("a rule against everything", world.post("/api/v1/policies/rules", &everything)).await.is(422, "policy-self-lockout");
        let review = format!("/api/v1/ops/tenants/{}/review", world.tenant);
        world.put(&review, &json!({ "two_person_review": true })).by_operator().send().await.ok(200);
        let rule = json!({ "name": "streams", "condition": "run.stream", "enforcement_mode": "BLOCK" });
        log.send("one person for a rule", world.post("/api/v1/policies/rules", &rule)).await.is(403, "self-approval");
        log.send("the key lacks the scope", world.get(LIMITS).with(&colleague)).await.is(403, "insufficient-scope");
        let path = format!("/api/v1/ops/tenants/{}/freeze", world.tenant);
        world.post(&path, &json!({ "reason": "a reason" })).by_operator().send().await.ok(200);
        log.send("the tenant is frozen", world.get(LIMITS)).await.is(403, "tenant-suspended");
        log.assert("problems_of_the_store");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_depends_on_the_request_alone_is_said_in_these_words() {
    let mut hosts = settings();
    hosts.allowed_hosts = vec!["127.0.0.1".to_owned()];
    let world = World::with(TestDb::sqlite(), hosts).await;
    let mut log = Log::default();
    let get = |query: &str| world.get(&format!("{LIMITS}{query}"));
    let post = |body: &str| world.call("POST", LIMITS).bytes(body);
    for (title, call, status, code) in [
        ("no credential", get("").anonymous(), 401, "authentication-required"),
        ("no such credential", get("").with("plim_live_x"), 401, "invalid-credential"),
        ("an operator's token", get("").by_operator(), 401, "wrong-credential-kind"),
        ("two credentials", get("").more("authorization", "Bearer a"), 400, "invalid-header"),
        ("a credential in the URL", get("?api_key=x"), 400, "credential-in-url"),
        ("an unknown path", world.get("/api/v1/limit"), 404, "not-found"),
        ("another method", world.call("PATCH", LIMITS), 405, "method-not-allowed"),
        ("another kind of answer", get("").header("accept", "text/html"), 406, "not-acceptable"),
        ("another host", get("").header("host", "evil.example"), 421, "misdirected-request"),
        ("an escape that is cut", get("?cursor=%f"), 400, "malformed-request"),
        ("an unknown parameter", get("?stat=ACTIVE"), 400, "invalid-parameter"),
        ("a page of no size", get("?limit=0"), 400, "invalid-parameter"),
        ("a cursor of something else", get("?cursor=x"), 400, "invalid-cursor"),
        ("a range of ten years", world.get("/api/v1/analytics/costs?from=2016-01-01T00:00:00Z"), 400, "range-too-large"),
        ("no JSON", post("{\"name\": "), 400, "malformed-json"),
        ("a member twice", post("{\"name\": \"a\", \"name\": \"b\"}"), 400, "duplicate-member"),
        ("an unknown member", post("{\"nam\": \"a\"}"), 422, "unknown-field"),
        ("a member that only the server sets", post("{\"limit_id\": \"a\"}"), 422, "read-only-field"),
        ("a list", post("[]"), 422, "validation-failed"),
        ("nothing that is needed", post("{}"), 422, "validation-failed"),
        ("another type", post("{\"name\": 5}"), 422, "validation-failed"),
        ("a word that is none of them", post("{\"limit_category\": \"QUOTA\"}"), 422, "validation-failed"),
        ("another media type", post("{}").header("content-type", "text/plain"), 415, "unsupported-media-type"),
        ("compressed", post("{}").header("content-encoding", "gzip"), 415, "unsupported-encoding"),
        ("a key with a space", post("{}").once("a b"), 422, "validation-failed"),
        ("a key with a space, and a body", world.post(LIMITS, &budget(1)).once("a b"), 400, "idempotency-key-invalid"),
        ("a GLOBAL limit", world.post(LIMITS, &json!({
            "name": "a", "limit_category": "BUDGET", "limit_type": "COST_USD", "max_value": 1, "reset_period": "NONE", "scope": "GLOBAL",
        })), 403, "insufficient-scope"),
    ] {
        log.send(title, call).await.is(status, code);
    }
    log.assert("problems_of_the_request");
}

/// Codes that no request of these tests can provoke, and why.
const UNSEEN: [(&str, &str); 15] = [
    (
        "headers-too-large",
        "asserted with the bad inputs: the request is too long to be written down",
    ),
    (
        "idempotency-in-progress",
        "asserted with idempotency: the first request has to wait",
    ),
    ("internal-error", "a bug of ours"),
    (
        "outcome-unknown",
        "the database connection breaks during a commit",
    ),
    (
        "overloaded",
        "asserted with idempotency: the queue has to be full",
    ),
    (
        "payload-too-large",
        "asserted with the bad inputs: the request is too long to be written down",
    ),
    ("quota-exceeded", "needs a thousand limits or five hundred keys"),
    (
        "request-timeout",
        "asserted with the bad inputs: it takes ten seconds",
    ),
    ("reservation-not-due", "only upkeep expires holds"),
    ("shutting-down", "the process ends"),
    ("storage-full", "the disk is full"),
    ("storage-unavailable", "the database is away"),
    ("timed-out", "the database hangs"),
    (
        "too-many-streams",
        "asserted with the stream: all places have to be taken",
    ),
    (
        "uri-too-long",
        "asserted with the bad inputs: the request is too long to be written down",
    ),
];

#[test]
fn every_code_is_in_a_snapshot_or_there_is_a_reason_why_not() {
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots");
    let read = |name: &str| fs::read_to_string(snapshots.join(name)).unwrap();
    let codes = read("codes.snap");
    let (problems, _) = codes.split_once("# Errors of the SDK routes").unwrap();
    let codes: BTreeSet<&str> = problems
        .lines()
        .filter_map(|line| Some(line.split_once(' ')?.1.split_once(": ")?.0))
        .filter(|code| !code.contains(' '))
        .collect();
    assert!(codes.len() > 40, "{codes:?}");
    let names = fs::read_dir(&snapshots)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let texts: Vec<String> = names
        .filter(|name| name.strip_suffix(".snap").is_some_and(|name| name != "codes"))
        .map(|name| read(&name))
        .collect();
    let seen = |code: &str| {
        texts
            .iter()
            .any(|text| text.contains(&format!("\"code\": \"{code}\"")))
    };
    let unseen: BTreeSet<&str> = codes.into_iter().filter(|code| !seen(code)).collect();
    assert_eq!(unseen, UNSEEN.iter().map(|(code, _)| *code).collect());
}
