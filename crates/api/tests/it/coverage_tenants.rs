//! Is what belongs to another tenant answered like what nobody has?

use model::id::{PreventionId, RunId, TenantId};
use model::time::Clock as _;
use serde_json::{Value, json};
use testkit::db::TestDb;
use testkit::governance::prevent;

use crate::coverage::Who::{Operator, Signed};
use crate::coverage::table;
use crate::harness::{World, budget};
use crate::policy_proposals::failure;

/// A body that the route takes.
fn body(path: &str) -> Value {
    match path.rsplit('/').next().unwrap() {
        "settle" => json!({ "cost_usd": 1 }),
        "freeze" => json!({ "reason": "a test" }),
        "approve" | "reject" | "resolve" => json!({}),
        "false-positive" => json!({ "reason": "a test of tenants" }),
        "floor-price" => json!({ "floor_price_nano_usd": null }),
        "review" => json!({ "two_person_review": false }),
        "keys" => json!({ "name": "a key" }),
        "{limit_id}" | "{rule_id}" => json!({ "name": "another name" }),
        "{webhook_id}" => json!({ "description": "another name" }),
        other => panic!("no body for {other}"),
    }
}

testkit::both_databases! {
    async fn the_ids_of_another_tenant_are_answered_like_ids_that_nobody_has(db: TestDb) {
        let world = World::new(db).await;
        let (theirs, their_key) = world.other_tenant("rival").await;
        let limit = world.made(&their_key, "limits", budget(50)).await.text("/limit_id");
        let hold = world.made(&their_key, "limits/check", json!({ "estimated_cost_usd": 1 })).await.text("/hold_id");
        let prompt = json!({ "model": "gpt-4o-mini", "max_tokens": 5, "messages": [] });
        let run = world.post("/v1/chat/completions", &prompt).with(&their_key).send().await;
        let run = run.ok(200).header("x-plimsoll-run-id").unwrap().to_owned();
        let key = world.get("/api/v1/keys").with(&their_key).send().await.text("/items/0/api_key_id");
        let raise = json!({ "limit_id": limit, "override_value": 99, "duration_hours": 1, "reason": "a test of tenants" });
        let raise = world.made(&their_key, "limits/overrides", raise).await.text("/override_id");
        let webhook = world.made(&their_key, "webhooks", json!({ "url": "https://a.example" })).await.text("/webhook_id");
        let rule = json!({ "name": "a rule", "condition": "run.stream", "enforcement_mode": "LOG" });
        let their_rule = world.made(&their_key, "policies/rules", rule.clone()).await.text("/rule_id");
        let our_rule = world.post("/api/v1/policies/rules", &rule).send().await.text("/rule_id");
        failure(&world, &their_key).await;
        let proposal = world.get("/api/v1/policy-proposals").with(&their_key).send().await.text("/items/0/proposal_id");
        let incidents = world.get("/api/v1/runtime/incidents?topic=ACTIVE").with(&their_key).send().await;
        let incident = incidents.text("/items/0/incident_id");
        let prevention = PreventionId::from_bits(1).to_string();
        let born = (theirs, their_rule.parse().unwrap(), incident.parse().unwrap());
        prevent(&world.cx.db, born, (PreventionId::from_bits(1), RunId::from_bits(1)), 1, world.clock.now()).await;
        let platform = TenantId::PLATFORM.to_string();
        let (ours, mut checked) = (world.limit(&budget(50)).await, 0);
        for (method, path, who) in table().filter(|(_, path, who)| path.contains('{') && *who != Signed) {
            let (open, close) = (path.find('{').unwrap(), path.find('}').unwrap());
            let (foreign, unknown) = match &path[open..=close] {
                "{limit_id}" if who == Operator => (&ours, "LIM-01M7YQ1WE0000000000000ZZZZ"),
                "{limit_id}" => (&limit, "LIM-01M7YQ1WE0000000000000ZZZZ"),
                "{rule_id}" if who == Operator => (&our_rule, "PR-01M7YQ1WE0000000000000ZZZZ"),
                "{rule_id}" => (&their_rule, "PR-01M7YQ1WE0000000000000ZZZZ"),
                "{proposal_id}" => (&proposal, "prop_01M7YQ1WE0000000000000ZZZZ"),
                "{incident_id}" => (&incident, "inc_00000000000000000000000000000000"),
                "{prevention_id}" => (&prevention, "prev_01M7YQ1WE0000000000000ZZZZ"),
                "{webhook_id}" => (&webhook, "whk_01M7YQ1WE0000000000000ZZZZ"),
                "{override_id}" => (&raise, "ovr_01M7YQ1WE0000000000000ZZZZ"),
                "{hold_id}" => (&hold, "hold_01M7YQ1WE0000000000000ZZZZ"),
                "{run_id}" => (&run, "run_01M7YQ1WE0000000000000ZZZZ"),
                "{api_key_id}" => (&key, "key_01M7YQ1WE0000000000000ZZZZ"),
                "{tenant_id}" => (&platform, "tnt_01M7YQ1WE0000000000000ZZZZ"),
                other => panic!("no id for {other}"),
            };
            let mut answers = Vec::new();
            for id in [foreign, unknown, "nonsense"] {
                let concrete = format!("{}{id}{}", &path[..open], &path[close + 1..]);
                let mut call = world.call(method, &concrete).header("x-request-id", "the-same-request");
                if method != "GET" && !["release", "unfreeze", "acknowledge", "rotate-secret", "test", "redeliver"].iter().any(|end| path.ends_with(end)) && method != "DELETE" {
                    call = call.json(&body(path));
                }
                if who == Operator {
                    call = call.by_operator();
                }
                let answer = call.send().await;
                answer.is(404, "not-found");
                answers.push(answer.body);
            }
            assert!(answers.iter().all(|body| body == &answers[0]), "{method} {path}: {answers:?}");
            checked += 1;
        }
        assert_eq!(checked, 52);
        // Nothing of it was done, and no list shows it.
        let lists = ["/api/v1/limits", "/api/v1/limits/usage", "/api/v1/runs", "/api/v1/keys", "/api/v1/analytics/costs?group_by=api_key", "/api/v1/policies/rules"];
        for path in lists {
            let list = world.get(path).send().await.ok(200).body.clone();
            assert!([&limit, &hold, &run, &key, &their_rule].iter().all(|id| !list.contains(id.as_str())), "{path}: {list}");
        }
        let still = world.get(&format!("/api/v1/limits/{limit}")).with(&their_key).send().await;
        assert_eq!((still.text("/name").as_str(), still.text("/status").as_str()), ("daily budget", "ACTIVE"));
        assert_ne!(theirs, world.tenant);
    }
}
