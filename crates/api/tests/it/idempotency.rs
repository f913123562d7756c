//! Is the same request done once, and answered alike for ever?

use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use testkit::db::TestDb;

use crate::harness::{Answer, Call, World, budget};

/// What a client can send twice: a name, and the request with a body that can be written in two ways.
async fn operations(world: &World) -> Vec<(&'static str, Call<'_>)> {
    let limit = world.limit(&budget(50)).await;
    let (settled, released) = (world.hold(1).await, world.hold(1).await);
    // Made last, so that no hold is on it.
    let doomed = world.limit(&rate()).await;
    let limit = format!("/api/v1/limits/{limit}");
    vec![
        (
            "limits.create",
            world.call("POST", "/api/v1/limits").bytes(
                r#"{"limit_category":"THRESHOLD","limit_type":"TOKENS_PER_RUN","name":"ä","max_value":9}"#,
            ),
        ),
        (
            "limits.update",
            world
                .call("PUT", &limit)
                .bytes(r#"{"name":"other","max_value":60}"#),
        ),
        ("limits.delete", world.delete(&format!("/api/v1/limits/{doomed}"))),
        (
            "limits.check",
            world
                .call("POST", "/api/v1/limits/check")
                .bytes(r#"{"estimated_cost_usd":2,"run_count":1}"#),
        ),
        (
            "limits.simulate",
            world
                .call("POST", "/api/v1/limits/simulate")
                .bytes(r#"{"estimated_cost_usd":3,"run_count":1}"#),
        ),
        (
            "holds.settle",
            world
                .call("POST", &format!("/api/v1/holds/{settled}/settle"))
                .bytes(r#"{"cost_usd":1,"requests":1}"#),
        ),
        (
            "holds.release",
            world.call("POST", &format!("/api/v1/holds/{released}/release")),
        ),
    ]
    .into_iter()
    .chain(of_policy_rules(world).await)
    .collect()
}

/// The same of Policy Rules and proposals.
async fn of_policy_rules(world: &World) -> [(&'static str, Call<'_>); 5] {
    const PROPOSALS: &str = "/api/v1/policy-proposals";
    let rule = |model: &str| json!({ "name": "a rule", "condition": format!("run.model == '{model}'"), "enforcement_mode": "LOG" });
    let proposed =
        |model: &str| json!({ "reason": "it would have kept us from this", "definition": rule(model) });
    let made = world.post("/api/v1/policies/rules", &rule("o1")).send().await;
    let (one, other) = (
        world.post(PROPOSALS, &proposed("o3")),
        world.post(PROPOSALS, &proposed("o4")),
    );
    let (one, other) = (
        one.send().await.text("/proposal_id"),
        other.send().await.text("/proposal_id"),
    );
    [
        (
            "policy_rules.create",
            world.call("POST", "/api/v1/policies/rules").bytes(
                r#"{"condition":"run.stream","enforcement_mode":"LOG","min_confidence":1,"name":"ä"}"#,
            ),
        ),
        (
            "policy_rules.update",
            world
                .call("PUT", &format!("/api/v1/policies/rules/{}", made.text("/rule_id")))
                .bytes(r#"{"min_confidence":1,"name":"other"}"#),
        ),
        (
            "policy_proposals.create",
            world.call("POST", PROPOSALS).bytes(
                r#"{"definition":{"condition":"run.stream","enforcement_mode":"WARN","min_confidence":1,"name":"a"},"reason":"streams are slow"}"#,
            ),
        ),
        ("policy_proposals.approve", world.call("POST", &format!("{PROPOSALS}/{one}/approve"))),
        ("policy_proposals.reject", world.call("POST", &format!("{PROPOSALS}/{other}/reject"))),
    ]
}

fn rate() -> Value {
    json!({ "name": "a rate", "limit_category": "RATE", "limit_type": "REQUESTS_PER_HOUR", "max_value": 9 })
}

/// The same JSON with its members in the other order and with spaces.
fn rewritten(body: &[u8]) -> Vec<u8> {
    let members: Value = serde_json::from_slice(body).unwrap();
    let members = members.as_object().unwrap().iter().rev();
    let members: Vec<_> = members
        .map(|(name, value)| format!("\"{name}\" :\t{value}"))
        .collect();
    format!("{{ {} }}\n", members.join(" ,\n")).into_bytes()
}

fn replayed(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

testkit::both_databases! {
    async fn the_same_key_with_the_same_request_gets_the_same_bytes(db: TestDb) {
        let world = World::new(db).await;
        let mut firsts = Vec::new();
        for (name, call) in operations(&world).await {
            let first = call.clone().once("k-1").send().await;
            assert!((200..300).contains(&first.status) && !replayed(&first), "{name}: {first:?}");
            firsts.push((name, call, first));
        }
        world.clock.advance_seconds(400 * 86_400);
        for (name, call, first) in firsts {
            let again = call.clone().once("k-1").send().await;
            assert!(replayed(&again), "{name}: {again:?}");
            assert_eq!((again.status, &again.body), (first.status, &first.body), "{name}");
            assert_eq!(again.header("content-type"), first.header("content-type"), "{name}");
            if let Some(body) = &call.body {
                let other = rewritten(body);
                assert_ne!(&other, body);
                let other = call.clone().bytes(other).once("\"k-1\"").send().await;
                assert!(replayed(&other), "{name}: {other:?}");
                assert_eq!(other.body, first.body, "{name}");
            }
        }
        // Nothing was done twice.
        let limits = world.get("/api/v1/limits?type=THRESHOLD").send().await;
        assert_eq!(limits.at("/items").as_array().unwrap().len(), 1);
        let costs = world.get("/api/v1/analytics/costs?from=2026-11-01T00:00:00Z&to=2027-10-01T00:00:00Z").send().await;
        assert_eq!(costs.at("/total_requests"), 1, "{}", costs.body);
    }

    async fn the_same_key_with_another_request_or_from_somebody_else_is_refused(db: TestDb) {
        let world = World::new(db).await;
        let colleague = world.key_with(&crate::harness::ALL).await;
        for (name, call) in operations(&world).await {
            let first = call.clone().once("k-2").send().await;
            assert!((200..300).contains(&first.status), "{name}: {first:?}");
            call.clone().once("k-2").with(&colleague).send().await.is(403, "idempotency-key-foreign");
            let Some(body) = &call.body else { continue };
            let text = String::from_utf8(body.clone()).unwrap();
            let other = text.replace(":1", ":0").replace(":9", ":8").replace(":60", ":61").replace("run_count\":0", "run_count\":2");
            assert_ne!(other, text, "{name}");
            let other = call.clone().bytes(other).once("k-2").send().await;
            other.is(422, "idempotency-key-reused");
            assert!(other.text("/detail").contains("2026-11-21T09:30:00.000Z"), "{}", other.body);
        }
        // The same key on another path of the same operation is another request.
        let (one, two) = (world.hold(1).await, world.hold(1).await);
        let settle = |hold: &str| world.post(&format!("/api/v1/holds/{hold}/settle"), &json!({ "cost_usd": 1 })).once("k-3").send();
        settle(&one).await.ok(200);
        settle(&two).await.is(422, "idempotency-key-reused");
        // Of another operation it is another key: the operation is part of its name.
        let path = format!("/api/v1/limits/{}", world.limit(&rate()).await);
        world.put(&path, &json!({ "name": "one" })).once("k-3").send().await.ok(200);
        assert!(!replayed(world.delete(&path).once("k-3").send().await.ok(204)), "row 67");
        // The same key of another tenant is another key.
        let (_, rival) = world.other_tenant("rival").await;
        let check = || world.post("/api/v1/limits/check", &json!({ "estimated_cost_usd": 1 })).once("k-4");
        let (ours, theirs) = (check().send().await, check().with(&rival).send().await);
        assert!(!replayed(&theirs) && theirs.ok(200).body != ours.body);
    }

    async fn a_refusal_is_not_remembered_and_the_request_is_done_afresh(db: TestDb) {
        let world = World::new(db).await;
        let mut body = budget(50);
        body["max_value"] = json!(0);
        let call = |body: &Value| world.post("/api/v1/limits", body).once("k-5").send();
        call(&body).await.is(422, "validation-failed");
        body["max_value"] = json!(50);
        let made = call(&body).await;
        assert!(!replayed(&made), "{made:?}");
        made.ok(201);
        let unknown = "/api/v1/holds/hold_01M7YQ1WE0000000000000ZZZZ/release";
        for _ in 0..2 {
            let answer = world.call("POST", unknown).once("k-6").send().await;
            assert!(!replayed(answer.is(404, "not-found")));
        }
    }

    async fn a_failure_of_ours_is_not_remembered(db: TestDb) {
        let world = World::new(db).await;
        // The writers wait, and what comes meanwhile fills their queues.
        let (open, blocked) = block_writers(&world).await;
        let write = || world.cx.db.write(|_| -> Result<(), services::StoreError> { Ok(()) });
        while write().now_or_never().is_none() {}
        let call = || world.post("/api/v1/limits", &budget(50)).once("k-7").send();
        let overloaded = tokio::time::timeout(Duration::from_secs(5), call()).await.expect("an answer, not a wait");
        overloaded.is(503, "overloaded");
        assert_eq!(overloaded.header("retry-after"), Some("1"));
        drop(open);
        for task in blocked {
            task.await.unwrap().ok();
        }
        while write().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let made = call().await;
        assert!(!replayed(made.ok(201)));
        assert!(replayed(&call().await));
    }

    async fn a_key_whose_first_request_is_not_answered_yet_is_told_to_come_again(db: TestDb) {
        let world = World::new(db).await;
        let (open, blocked) = block_writers(&world).await;
        let rule = json!({ "name": "a rule", "condition": "run.stream", "enforcement_mode": "LOG" });
        let call = || world.post("/api/v1/policies/rules", &rule).once("k-10");
        let meanwhile = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let second = call().once("\"k-10\"").send().await;
            second.is(409, "idempotency-in-progress");
            assert_eq!(second.header("retry-after"), Some("1"));
            // What only looks takes no key, and waits for nobody.
            world.get("/api/v1/policies/rules").once("k-10").send().await.ok(200);
            drop(open);
        };
        let (first, ()) = tokio::join!(call().send(), meanwhile);
        assert!(!replayed(first.ok(201)));
        for task in blocked {
            task.await.unwrap().unwrap();
        }
        let again = call().send().await;
        assert!(replayed(&again));
        assert_eq!(again.body, first.body);
    }

    async fn a_simulation_with_a_key_is_answered_as_before_and_one_without_as_things_are(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&budget(50)).await;
        let simulate = || world.post("/api/v1/limits/simulate", &json!({ "estimated_cost_usd": 40 }));
        let first = simulate().once("k-9").send().await;
        assert_eq!(first.ok(200).at("/allowed"), true);
        world.hold(20).await;
        let now = simulate().send().await;
        assert!(now.ok(200).at("/allowed") == false && !replayed(&now), "{now:?}");
        let again = simulate().once("k-9").send().await;
        assert!(replayed(&again) && again.body == first.body, "{again:?}");
        // Nothing was held by any of them.
        assert_eq!(world.get("/api/v1/limits/usage").send().await.at("/items/0/held"), 20);
    }

    async fn many_checks_at_once_with_one_key_hold_once(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&budget(50)).await;
        done_once(world.call("POST", "/api/v1/limits/check").bytes(r#"{"estimated_cost_usd":10}"#).once("k-8")).await;
        done_once(world.call("POST", "/api/v1/limits/simulate").bytes(r#"{"estimated_cost_usd":10}"#).once("k-8")).await;
        assert_eq!(world.get("/api/v1/limits/usage").send().await.at("/items/0/held"), 10);
    }
}

/// Tasks of the database.
type Tasks = Vec<tokio::task::JoinHandle<Result<(), services::StoreError>>>;

/// Occupies all that write, until what comes back first is dropped.
async fn block_writers(world: &World) -> (std::sync::mpsc::Sender<()>, Tasks) {
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Arc::new(std::sync::Mutex::new(gate));
    let mut blocked = Tasks::new();
    for _ in 0..4 {
        let (cx, gate) = (world.cx.clone(), gate.clone());
        let write = async move {
            cx.db
                .write(move |_| -> Result<(), services::StoreError> {
                    gate.lock().unwrap().recv_timeout(Duration::from_secs(20)).ok();
                    Ok(())
                })
                .await
        };
        blocked.push(tokio::spawn(write));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (open, blocked)
}

/// Sends the call until the first request with its key is answered.
pub(crate) async fn patient(call: Call<'_>) -> Answer {
    loop {
        let answer = call.clone().send().await;
        if answer.code() != "idempotency-in-progress" {
            return answer;
        }
        assert_eq!(answer.header("retry-after"), Some("1"));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Sends the call eight times at once: it is done once, and all get the same answer.
async fn done_once(call: Call<'_>) {
    let answers = futures_util::future::join_all((0..8).map(|_| patient(call.clone()))).await;
    let same = |answer: &Answer| answer.body == answers[0].body && answer.status < 300;
    assert!(answers.iter().all(same), "{answers:#?}");
    assert_eq!(
        answers.iter().filter(|answer| !replayed(answer)).count(),
        1,
        "{answers:#?}"
    );
}

async fn many_creations_at_once(db: TestDb) {
    let world = World::new(db).await;
    done_once(world.post("/api/v1/limits", &rate()).once("k-8")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_creations_at_once_with_one_key_make_one_limit_on_sqlite() {
    many_creations_at_once(TestDb::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_creations_at_once_with_one_key_make_one_limit_on_postgres() {
    for _ in 0..10 {
        many_creations_at_once(TestDb::postgres()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_one_header_of_1_to_255_visible_characters() {
    let world = World::new(TestDb::sqlite()).await;
    let long = "x".repeat(256);
    let bad = [
        "",
        "\"\"",
        "\"",
        "a b",
        "a\tb",
        "\"a",
        "a\"",
        "a\"b",
        "käse",
        long.as_str(),
    ];
    for (name, call) in operations(&world).await {
        for key in bad {
            let answer = call.clone().once(key).send().await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (400, "idempotency-key-invalid"),
                "{name} {key:?}: {}",
                answer.body
            );
        }
        call.clone()
            .once("a")
            .more("idempotency-key", "a")
            .send()
            .await
            .is(400, "idempotency-key-invalid");
    }
    let check = world.post("/api/v1/limits/check", &json!({ "estimated_cost_usd": 1 }));
    for key in [
        "x".repeat(255),
        "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"".to_owned(),
        "!#$%&'()*+,-./:;<=>?@[]^_`{|}~".to_owned(),
    ] {
        check.clone().once(&key).send().await.ok(200);
    }
    // What changes nothing and has no body needs no key, and does not look at one.
    world.get("/api/v1/limits").once("a b").send().await.ok(200);
}
