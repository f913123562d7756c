//! 7.10 Lists and analytics.

use testkit::db::TestDb;

use super::{expect, still_works};
use crate::harness::World;

/// Paths with the status and code they get.
const QUERIES: &[(&str, &str, u16, &str)] = &[
    ("144", "/api/v1/limits?limit=0", 400, "invalid-parameter"),
    ("144", "/api/v1/limits?limit=-1", 400, "invalid-parameter"),
    ("144", "/api/v1/limits?limit=abc", 400, "invalid-parameter"),
    ("144", "/api/v1/limits?limit=1e9", 400, "invalid-parameter"),
    ("144", "/api/v1/limits?limit=201", 400, "invalid-parameter"),
    ("144", "/api/v1/limits?limit=", 400, "invalid-parameter"),
    (
        "144",
        "/api/v1/limits?limit=99999999999999999999",
        400,
        "invalid-parameter",
    ),
    ("144", "/api/v1/runs?limit=0", 400, "invalid-parameter"),
    ("145", "/api/v1/limits?stat=ACTIVE", 400, "invalid-parameter"),
    (
        "145",
        "/api/v1/limits?status=ACTIVE&status=ACTIVE",
        400,
        "invalid-parameter",
    ),
    (
        "145",
        "/api/v1/runs?status=failed&status=blocked",
        400,
        "invalid-parameter",
    ),
    ("145", "/api/v1/limits/usage?limit=1", 400, "invalid-parameter"),
    ("144", "/api/v1/keys?limit=0", 400, "invalid-parameter"),
    ("144", "/api/v1/projects?limit=201", 400, "invalid-parameter"),
    ("144", "/api/v1/agents?limit=", 400, "invalid-parameter"),
    ("148", "/api/v1/keys?cursor=nonsense", 400, "invalid-cursor"),
    ("148", "/api/v1/projects?cursor=", 400, "invalid-cursor"),
    ("145", "/api/v1/keys?status=ACTIVE", 400, "invalid-parameter"),
    ("145", "/api/v1/projects?x", 400, "invalid-parameter"),
    ("146", "/api/v1/runs?model=%zz", 400, "malformed-request"),
    ("146", "/api/v1/runs?model=%ff", 400, "malformed-request"),
    ("146", "/api/v1/runs?model=%00", 400, "malformed-request"),
    ("146", "/api/v1/runs?model=%c0%af", 400, "malformed-request"),
    ("146", "/api/v1/runs?model=a%0Ab", 400, "malformed-request"),
    ("147", "/api/v1/limits?status=DELETED", 400, "invalid-parameter"),
    ("147", "/api/v1/limits?type=budget", 400, "invalid-parameter"),
    ("147", "/api/v1/limits?type=", 400, "invalid-parameter"),
    ("147", "/api/v1/runs?status=ACKED", 400, "invalid-parameter"),
    ("147", "/api/v1/runs?api_key_id=key_1", 400, "invalid-parameter"),
    ("148", "/api/v1/limits?cursor=nonsense", 400, "invalid-cursor"),
    ("148", "/api/v1/limits?cursor=", 400, "invalid-cursor"),
    (
        "148",
        "/api/v1/limits?cursor=run_01M7YQ1WE00000000000000001",
        400,
        "invalid-cursor",
    ),
    (
        "148",
        "/api/v1/limits?cursor=LIM-01m7yq1we00000000000000001",
        400,
        "invalid-cursor",
    ),
    ("148", "/api/v1/runs?cursor=1", 400, "invalid-cursor"),
    (
        "148",
        "/api/v1/runs?cursor=x.run_01M7YQ1WE00000000000000001",
        400,
        "invalid-cursor",
    ),
    (
        "148",
        "/api/v1/runs?cursor=99999999999999999999.run_01M7YQ1WE00000000000000001",
        400,
        "invalid-cursor",
    ),
    (
        "150",
        "/api/v1/analytics/costs?from=2026-11-21T00:00:00Z&to=2026-11-20T00:00:00Z",
        400,
        "invalid-parameter",
    ),
    (
        "150",
        "/api/v1/analytics/costs?from=2026-11-21T00:00:00Z&to=2026-11-21T00:00:00Z",
        400,
        "invalid-parameter",
    ),
    (
        "150",
        "/api/v1/analytics/costs?from=2016-11-21T00:00:00Z&to=2026-11-20T00:00:00Z",
        400,
        "range-too-large",
    ),
    (
        "150",
        "/api/v1/analytics/costs?from=2016-11-21T00:00:00Z",
        400,
        "range-too-large",
    ),
    (
        "62",
        "/api/v1/analytics/costs?from=2026-02-30T00:00:00Z",
        400,
        "invalid-parameter",
    ),
    (
        "62",
        "/api/v1/analytics/costs?from=2026-11-01T25:00:00Z",
        400,
        "invalid-parameter",
    ),
    (
        "62",
        "/api/v1/analytics/costs?from=2026-11-01T00:00:00",
        400,
        "invalid-parameter",
    ),
    (
        "62",
        "/api/v1/analytics/costs?from=2026-11-01",
        400,
        "invalid-parameter",
    ),
    (
        "62",
        "/api/v1/analytics/costs?from=10000-01-01T00:00:00Z",
        400,
        "invalid-parameter",
    ),
    (
        "62",
        "/api/v1/analytics/costs?from=0000-01-01T00:00:00Z",
        400,
        "invalid-parameter",
    ),
    (
        "62",
        "/api/v1/analytics/costs?from=2026-06-30T23:59:60Z",
        400,
        "invalid-parameter",
    ),
    (
        "62",
        "/api/v1/analytics/costs?from=1795253400",
        400,
        "invalid-parameter",
    ),
    (
        "152",
        "/api/v1/analytics/costs?group_by=api_key;drop",
        400,
        "invalid-parameter",
    ),
    (
        "152",
        "/api/v1/analytics/costs?group_by=(select%201)",
        400,
        "invalid-parameter",
    ),
    (
        "152",
        "/api/v1/analytics/costs?group_by=DAY",
        400,
        "invalid-parameter",
    ),
];

testkit::both_databases! {
    async fn a_list_is_not_given_for_a_question_that_is_not_understood(db: TestDb) {
        let world = World::new(db).await;
        for (row, path, status, code) in QUERIES {
            let answer = expect(row, world.get(path), *status, code).await;
            if *code == "invalid-parameter" {
                let name = path.split_once('?').unwrap().1.split(['=', '&']).next().unwrap();
                assert!(answer.text("/errors/0/pointer") == name, "{path}: {}", answer.body);
            }
        }
        for (path, listed) in [
            ("/api/v1/limits?status=x", "ACTIVE, DISABLED"),
            ("/api/v1/limits?type=x", "BUDGET, RATE, THRESHOLD"),
            ("/api/v1/runs?status=x", "queued, running, retry, succeeded, failed, aborted, halted, crashed, blocked"),
            ("/api/v1/analytics/costs?group_by=x", "none, day, model, api_key, agent, feature"),
        ] {
            let answer = expect("147", world.get(path), 400, "invalid-parameter").await;
            assert!(answer.text("/detail").contains(listed), "{}", answer.body);
        }
        let operator = world.get("/api/v1/ops/tenants?cursor=nonsense").by_operator();
        expect("148", operator, 400, "invalid-cursor").await;
        let operator = world.get("/api/v1/ops/tenants?limit=0").by_operator();
        expect("144", operator, 400, "invalid-parameter").await;
        // A misspelt parameter of a change must not be passed over either.
        let limit = world.limit(&crate::harness::budget(1)).await;
        let call = world.delete(&format!("/api/v1/limits/{limit}?dry_run=true"));
        expect("145", call, 400, "invalid-parameter").await;
        assert_eq!(world.get(&format!("/api/v1/limits/{limit}")).send().await.at("/status"), "ACTIVE");
        still_works(&world).await;
    }

    async fn a_cursor_is_one_of_its_own_list_and_of_no_other(db: TestDb) {
        let world = World::new(db).await;
        let (_, rival) = world.other_tenant("rival").await;
        world.other_tenant("third").await;
        for model in ["a", "b", "c"] {
            let mut limit = crate::harness::budget(1);
            limit["model"] = serde_json::json!(model);
            world.limit(&limit).await;
            world.post("/api/v1/limits", &limit).with(&rival).send().await.ok(201);
            limit["scope"] = serde_json::json!("GLOBAL");
            world.post("/api/v1/ops/limits", &limit).by_operator().send().await.ok(201);
            let prompt = serde_json::json!({ "model": "gpt-4o-mini", "max_tokens": 5, "messages": [{ "role": "user", "content": "hello" }] });
            world.post("/v1/chat/completions", &prompt).send().await.ok(200);
        }
        let cursor = async |path: &str, by: &str| world.get(path).with(by).send().await.ok(200).text("/next_cursor");
        let limits = cursor("/api/v1/limits?limit=1", &world.key).await;
        let budgets = cursor("/api/v1/limits?limit=1&type=BUDGET", &world.key).await;
        let runs = cursor("/api/v1/runs?limit=1", &world.key).await;
        let theirs = cursor("/api/v1/limits?limit=1", &rival).await;
        let tenants = cursor("/api/v1/ops/tenants?limit=1", &world.operator).await;
        let global = cursor("/api/v1/ops/limits?limit=1", &world.operator).await;
        let colleague = world.key_with(&crate::harness::ALL).await;
        let by = |path: String, secret: &str| world.get(&path).with(secret).send();
        // Of its own list, however long the page and whoever of the tenant asks.
        for (path, secret, left) in [
            (format!("/api/v1/limits?limit=2&cursor={limits}"), &colleague, 2),
            (format!("/api/v1/limits?cursor={budgets}&type=BUDGET"), &world.key, 2),
            (format!("/api/v1/runs?cursor={runs}"), &world.key, 2),
            (format!("/api/v1/ops/tenants?cursor={tenants}"), &world.operator, 2),
            (format!("/api/v1/ops/limits?cursor={global}"), &world.operator, 2),
        ] {
            let answer = by(path.clone(), secret).await;
            assert_eq!(answer.ok(200).at("/items").as_array().unwrap().len(), left, "{path}");
        }
        let altered = limits.replace("LIM-01", "LIM-02");
        assert_ne!(altered, limits);
        let (position, tag) = limits.rsplit_once('.').unwrap();
        for cursor in [
            altered.as_str(), position, tag, theirs.as_str(), budgets.as_str(), runs.as_str(), tenants.as_str(), global.as_str(),
            &format!("{position}."), &format!("{limits}0"), &format!("{position}.{}", "0".repeat(32)), &"x".repeat(5_000),
        ] {
            expect("148", world.get(&format!("/api/v1/limits?cursor={cursor}")), 400, "invalid-cursor").await;
        }
        for path in [
            format!("/api/v1/limits?cursor={limits}&status=ACTIVE"),
            format!("/api/v1/limits?cursor={limits}&type=BUDGET"),
            format!("/api/v1/runs?cursor={runs}&model=gpt-4o-mini"),
            format!("/api/v1/runs?cursor={limits}"),
        ] {
            expect("148", world.get(&path), 400, "invalid-cursor").await;
        }
        let foreign = world.get(&format!("/api/v1/limits?cursor={limits}")).with(&rival);
        expect("148", foreign, 400, "invalid-cursor").await;
        let operators = world.get(&format!("/api/v1/ops/limits?cursor={limits}")).by_operator();
        expect("148", operators, 400, "invalid-cursor").await;
    }

    async fn text_that_means_something_to_a_database_is_text(db: TestDb) {
        let world = World::new(db).await;
        for model in ["%25%25%25%25", "_", "%5C", "%27%20OR%201=1--", "gpt%2D4o%22"] {
            let answer = world.get(&format!("/api/v1/runs?model={model}")).send().await;
            assert_eq!(answer.ok(200).at("/items"), serde_json::json!([]), "row 151: {model}");
        }
        let future = "/api/v1/analytics/costs?from=2030-01-01T00:00:00Z&to=2030-02-01T00:00:00Z";
        assert_eq!(world.get(future).send().await.ok(200).at("/total_requests"), 0, "row 150");
        let long = format!("/api/v1/runs?model={}", "x".repeat(201));
        expect("151", world.get(&long), 400, "invalid-parameter").await;
        expect("151", world.get("/api/v1/runs?model="), 400, "invalid-parameter").await;
    }
}
