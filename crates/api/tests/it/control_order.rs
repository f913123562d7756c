//! Of several things that are wrong with a signed request, is always the same one said?
//!
//! Every row of a table is one thing that is wrong. A request has all of them from some row on, and is refused for the
//! first; each is then put right in turn.

use model::principal::PrincipalRole;
use serde_json::{Value, json};
use testkit::db::TestDb;

use crate::harness::{Answer, Call, World};
use crate::signers::{DONE, Somebody};

/// Everybody who signs in these tests.
struct Cast<'w> {
    reader: Somebody<'w>,
    operator: Somebody<'w>,
    sre: Somebody<'w>,
}

impl<'w> Cast<'w> {
    async fn new(world: &'w World) -> Self {
        Self {
            reader: Somebody::new(world, PrincipalRole::Reader, "HUMAN_OPERATOR").await,
            operator: Somebody::new(world, PrincipalRole::Operator, "HUMAN_OPERATOR").await,
            sre: Somebody::new(world, PrincipalRole::Sre, "ON_CALL_SRE").await,
        }
    }
}

const BIG: usize = 70_000;

/// The same with another signature.
fn spoiled(mut call: Call<'_>) -> Call<'_> {
    let (_, signature) = call
        .headers
        .iter_mut()
        .find(|(name, _)| name == "authorization")
        .unwrap();
    let last = signature.pop().unwrap();
    signature.push(if last == '0' { '1' } else { '0' });
    call
}

/// What is wrong with a change of state, in the order in which it is said.
const CHANGE: [(&str, u16, &str); 15] = [
    ("too large", 413, "PAYLOAD_TOO_LARGE"),
    ("signature", 401, "SIGNATURE_MISMATCH"),
    ("role", 403, "UNAUTHORIZED"),
    ("syntax", 400, "INVALID_REQUEST"),
    ("schema", 400, "VALIDATION_ERROR"),
    ("id", 400, "INVALID_INCIDENT_ID"),
    ("claim", 403, "UNAUTHORIZED"),
    ("justification", 400, "INVALID_JUSTIFICATION"),
    ("key", 409, "IDEMPOTENCY_CONFLICT"),
    ("unknown", 404, "INCIDENT_NOT_FOUND"),
    ("version", 409, "CONFLICT"),
    ("edge", 409, "ILLEGAL_TRANSITION"),
    ("authority", 403, "UNAUTHORIZED"),
    ("resolution", 400, "MISSING_RESOLUTION"),
    ("rate", 429, "RATE_LIMIT_EXCEEDED"),
];

/// The change of state with everything wrong from this row on.
async fn changes(cast: &Cast<'_>, id: &str, from: usize) -> Answer {
    let wrong = |what: &str| CHANGE.iter().position(|(name, ..)| *name == what).unwrap() >= from;
    let by = match () {
        () if wrong("role") => &cast.reader,
        () if wrong("authority") => &cast.operator,
        () => &cast.sre,
    };
    let mut body = json!({ "newState": "RESOLVED", "authority": { "authorityType": by.authority } });
    if wrong("claim") {
        body["authority"]["authorityType"] = json!("EMERGENCY_OVERRIDE");
    }
    if wrong("justification") {
        body["authority"]["justification"] = json!("too short");
    }
    if wrong("version") {
        body["expectedVersion"] = json!(99);
    }
    if wrong("edge") {
        body["newState"] = json!("ARCHIVED");
    }
    if !wrong("resolution") {
        body["resolutionSummary"] = json!(DONE);
        body["resolutionType"] = json!("FIXED");
    }
    if wrong("schema") {
        body["surprise"] = json!(1);
    }
    let mut text = body.to_string();
    if wrong("syntax") {
        text.push('}');
    }
    let id = match () {
        () if wrong("id") => "nonsense",
        () if wrong("unknown") => "inc_00000000000000000000000000000000",
        () => id,
    };
    let key = if wrong("key") { "used" } else { "free" };
    let uri = format!("/incidents/{id}/state");
    let mut call = by.call("PATCH", &uri, &[("idempotency-key", key)], &text);
    if wrong("signature") {
        call = spoiled(call);
    }
    if wrong("too large") {
        call.body = Some(vec![b' '; BIG]);
    }
    call.send().await
}

/// What is wrong with a report, in the order in which it is said.
const REPORT: [(&str, u16, &str); 10] = [
    ("too large", 413, "PAYLOAD_TOO_LARGE"),
    ("signature", 401, "SIGNATURE_MISMATCH"),
    ("role", 403, "UNAUTHORIZED"),
    ("syntax", 400, "INVALID_REQUEST"),
    ("schema", 400, "VALIDATION_ERROR"),
    ("claim", 403, "UNAUTHORIZED"),
    ("justification", 400, "INVALID_JUSTIFICATION"),
    ("key", 409, "IDEMPOTENCY_CONFLICT"),
    ("run", 400, "VALIDATION_ERROR"),
    ("rate", 429, "RATE_LIMIT_EXCEEDED"),
];

/// The report with everything wrong from this row on.
async fn reports(cast: &Cast<'_>, from: usize) -> Answer {
    let wrong = |what: &str| REPORT.iter().position(|(name, ..)| *name == what).unwrap() >= from;
    let by = if wrong("role") { &cast.reader } else { &cast.sre };
    let mut body = by.report("SEV3");
    if wrong("claim") {
        body["authority"]["authorityType"] = json!("EMERGENCY_OVERRIDE");
    }
    if wrong("justification") {
        body["authority"]["justification"] = json!("too short");
    }
    if wrong("run") {
        body["metadata"]["runId"] = json!("run_01M7YQ1WE0000000000000ZZZZ");
    }
    if wrong("schema") {
        body["surprise"] = json!(1);
    }
    let mut text = body.to_string();
    if wrong("syntax") {
        text.push('}');
    }
    let key = if wrong("key") { "used" } else { "free" };
    let mut call = by.call("POST", "/incidents", &[("idempotency-key", key)], &text);
    if wrong("signature") {
        call = spoiled(call);
    }
    if wrong("too large") {
        call.body = Some(vec![b' '; BIG]);
    }
    call.send().await
}

testkit::both_databases! {
    async fn of_everything_that_is_wrong_with_a_change_the_first_is_said(db: TestDb) {
        let world = World::new(db).await;
        let cast = Cast::new(&world).await;
        let id = cast.sre.reports("one", &cast.sre.report("SEV1")).await.text("/incidentId");
        let other = json!({ "newState": "MITIGATING", "authority": { "authorityType": "HUMAN_OPERATOR" } });
        let (uri, key) = (format!("/incidents/{id}/state"), [("idempotency-key", "used")]);
        cast.operator.sends("PATCH", &uri, &key, &other.to_string()).await.ok(200);
        cast.sre.exhausts(0).await;
        for (from, (name, status, code)) in CHANGE.iter().enumerate() {
            let answer = changes(&cast, &id, from).await;
            assert_eq!((answer.status, answer.code().as_str()), (*status, *code), "{name}: {}", answer.body);
            let required = answer.at("/error/details/requiredAuthority");
            assert_eq!(required == json!("ON_CALL_SRE"), *name == "authority", "{name}: {}", answer.body);
        }
        world.clock.advance_seconds(60);
        changes(&cast, &id, CHANGE.len()).await.ok(200);
    }

    async fn of_everything_that_is_wrong_with_a_report_the_first_is_said(db: TestDb) {
        let world = World::new(db).await;
        let cast = Cast::new(&world).await;
        cast.sre.reports("used", &cast.sre.report("SEV4")).await.ok(201);
        cast.sre.exhausts(0).await;
        for (from, (name, status, code)) in REPORT.iter().enumerate() {
            let answer = reports(&cast, from).await;
            assert_eq!((answer.status, answer.code().as_str()), (*status, *code), "{name}: {}", answer.body);
        }
        world.clock.advance_seconds(60);
        reports(&cast, REPORT.len()).await.ok(201);
    }

    async fn everything_that_is_wrong_with_a_body_is_said_at_once(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let body = json!({
            "service": "", "severity": 1, "description": "x".repeat(4097), "state": "OPEN",
            "authority": { "authorityType": "GOD", "sessionId": "" },
            "metadata": { "tags": ["", "eu", 3], "runId": "x", "colour": "red" },
        });
        let answer = sre.reports("key", &body).await;
        answer.is(400, "VALIDATION_ERROR");
        let mut fields: Vec<String> = answer
            .at("/error/details/issues")
            .as_array()
            .unwrap()
            .iter()
            .map(|issue| issue["field"].as_str().unwrap().to_owned())
            .collect();
        fields.sort();
        assert_eq!(
            fields,
            [
                "authority.authorityType", "authority.sessionId", "description", "metadata.colour", "metadata.runId",
                "metadata.tags[0]", "metadata.tags[2]", "service", "severity", "state", "title",
            ]
        );
        let issues = answer.at("/error/details/issues");
        let all = issues.as_array().unwrap();
        assert!(all.iter().all(|issue| issue["problem"].as_str().is_some_and(|text| !text.is_empty())), "{issues}");
        for advice in ["try", "consider", "suggest", "should use", "recommended"] {
            assert!(!answer.body.to_lowercase().contains(advice), "{advice}: {}", answer.body);
        }
    }

    async fn what_is_refused_or_was_answered_before_costs_nothing_of_the_rate(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let body = sre.report("SEV3");
        let id = sre.reports("one", &body).await.ok(201).text("/incidentId");
        sre.exhausts(2).await;
        // One change is left.
        sre.reports("one", &body).await.ok(200);
        sre.takes(&id, "CLOSED", json!({})).await.is(409, "ILLEGAL_TRANSITION");
        sre.takes(&id, "MITIGATING", json!({ "expectedVersion": 7 })).await.is(409, "CONFLICT");
        sre.takes(&id, "MITIGATING", json!({})).await.ok(200);
        let refused = sre.reports("two", &body).await;
        refused.is(429, "RATE_LIMIT_EXCEEDED");
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert_eq!(refused.at("/error/details/retryAfter"), json!(1));
        world.clock.advance_seconds(1);
        // Nothing of the report that was refused is left behind: the key is free.
        sre.reports("two", &body).await.ok(201);
        let listed = sre.reads("/incidents").await;
        assert_eq!(listed.at("/items").as_array().map(Vec::len), Some(2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_what_it_should_be_is_refused_and_its_values_are_not_repeated() {
    let world = World::new(TestDb::sqlite()).await;
    let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
    let whole = sre.report("SEV3").to_string();
    let inside = &whole[1..whole.len() - 1];
    let deep = format!("{{{inside},\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
    for (text, code) in [
        (String::new(), "INVALID_REQUEST"),
        (whole[..whole.len() - 1].to_owned(), "INVALID_REQUEST"),
        (format!("\u{feff}{whole}"), "INVALID_REQUEST"),
        (format!("{whole} x"), "INVALID_REQUEST"),
        (deep, "INVALID_REQUEST"),
        (format!("{{{inside},\"title\":\"secret\"}}"), "INVALID_REQUEST"),
        (
            format!("{{{inside},\"secret\":\"secret\"}}").replace("\"secret\":", "\"colour\":"),
            "VALIDATION_ERROR",
        ),
        ("[]".to_owned(), "VALIDATION_ERROR"),
        ("[\"a\",\"SEV1\",\"t\",null]".to_owned(), "VALIDATION_ERROR"),
        ("null".to_owned(), "VALIDATION_ERROR"),
        ("\"secret\"".to_owned(), "VALIDATION_ERROR"),
        (
            whole.replace("High error rate", "secret\\u0000"),
            "VALIDATION_ERROR",
        ),
        (
            whole.replace("High error rate", "secret\\u0007"),
            "VALIDATION_ERROR",
        ),
        (whole.replace("api-gateway", "secret\\u202e"), "VALIDATION_ERROR"),
        (whole.replace("High error rate", " \\u200b "), "VALIDATION_ERROR"),
        (
            whole.replace("High error rate", "secret\\ud800"),
            "INVALID_REQUEST",
        ),
        (whole.replace("\"SEV3\"", "\"sev3\""), "VALIDATION_ERROR"),
        (whole.replace("\"SEV3\"", "3"), "VALIDATION_ERROR"),
    ] {
        let answer = sre
            .sends("POST", "/incidents", &[("idempotency-key", "key")], &text)
            .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, code),
            "{text}: {}",
            answer.body
        );
        assert!(!answer.body.contains("secret"), "{text}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_read_is_kept_as_it_was_sent_as_long_as_it_may_be() {
    let world = World::new(TestDb::sqlite()).await;
    let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
    let titles = [
        "Robert'); DROP TABLE incidents;--",
        "\u{202e}abc",
        "a\u{200d}b",
        "<script>alert(1)</script>",
        "{{7*7}}",
        "a\tb\nc",
    ];
    for (number, title) in titles.into_iter().enumerate() {
        let mut body = sre.report("SEV3");
        body["title"] = json!(title);
        let made = sre.reports(&format!("key-{number}"), &body).await;
        assert_eq!(made.ok(201).text("/title"), title);
    }
    let mut longest = sre.report("SEV3");
    longest["service"] = json!("s".repeat(256));
    longest["title"] = json!("ü".repeat(512));
    longest["description"] = json!("d".repeat(4096));
    longest["metadata"]["tags"] = json!(vec!["t".repeat(64); 50]);
    let made = sre.reports(&"k".repeat(255), &longest).await;
    assert_eq!(
        (made.ok(201).text("/state"), made.text("/title")),
        ("OPEN".to_owned(), "ü".repeat(512))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_header_no_version_and_no_path_is_refused() {
    let world = World::new(TestDb::sqlite()).await;
    let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
    let whole = sre.report("SEV3").to_string();
    for (headers, status, code) in [
        (vec![("idempotency-key", "")], 400, "VALIDATION_ERROR"),
        (vec![("idempotency-key", "a b")], 400, "VALIDATION_ERROR"),
        (vec![("if-match", "x")], 201, ""),
    ] {
        let answer = sre.sends("POST", "/incidents", &headers, &whole).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{headers:?}: {}",
            answer.body
        );
    }
    for kind in ["text/plain", "application/json; charset=utf-16"] {
        let mut call = sre.call("POST", "/incidents", &[], &whole);
        // It is not signed.
        call.headers.retain(|(name, _)| name != "content-type");
        let answer = call.header("content-type", kind).send().await;
        assert_eq!(answer.status, 401, "{kind}: {}", answer.body);
    }
    let uri = "/incidents/inc_00000000000000000000000000000000/state";
    let body: Value = json!({ "newState": "MITIGATING", "authority": { "authorityType": "ON_CALL_SRE" } });
    for (name, value) in [("if-match", "x"), ("if-match", "\"-1\"")] {
        let answer = sre.sends("PATCH", uri, &[(name, value)], &body.to_string()).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "VALIDATION_ERROR"),
            "{value}: {}",
            answer.body
        );
    }
    for version in [json!(0), json!(-1), json!("1"), json!(1.5)] {
        let mut body = body.clone();
        body["expectedVersion"] = version.clone();
        let answer = sre.sends("PATCH", uri, &[], &body.to_string()).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "VALIDATION_ERROR"),
            "{version}"
        );
    }
    for (method, path, status) in [
        ("DELETE", "/incidents/x", 405),
        ("PUT", "/incidents", 405),
        ("GET", "/incidents/", 404),
        ("GET", "/incidents/%00", 400),
        ("GET", "/incidents/a%2Fb", 400),
    ] {
        assert_eq!(
            sre.sends(method, path, &[], "").await.status,
            status,
            "{method} {path}"
        );
    }
}
