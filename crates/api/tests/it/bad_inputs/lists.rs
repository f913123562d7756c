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
        "range-too-large",
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

    async fn text_that_means_something_to_a_database_is_text(db: TestDb) {
        let world = World::new(db).await;
        for model in ["%25%25%25%25", "_", "%5C", "%27%20OR%201=1--", "gpt%2D4o%22"] {
            let answer = world.get(&format!("/api/v1/runs?model={model}")).send().await;
            assert_eq!(answer.ok(200).at("/items"), serde_json::json!([]), "row 151: {model}");
        }
        let future = "/api/v1/analytics/costs?from=2030-01-01T00:00:00Z&to=2030-02-01T00:00:00Z";
        assert_eq!(world.get(future).send().await.ok(200).at("/total_requests"), 0, "row 150");
        // A cursor behind the end is the end.
        let end = world.get("/api/v1/limits?cursor=LIM-00000000000000000000000000").send().await;
        assert_eq!(end.ok(200).at("/items"), serde_json::json!([]));
    }
}
