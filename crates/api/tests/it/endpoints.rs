//! What does each route of ours answer when all is well?

use serde_json::json;
use testkit::db::TestDb;

use crate::harness::{World, budget};
use crate::log::Log;

testkit::both_databases! {
    async fn limits_are_made_listed_changed_used_and_disabled(db: TestDb) {
        let world = World::new(db).await;
        world.post("/api/v1/agents", &json!({ "agent_id": "support" })).send().await.ok(201);
        let mut log = Log::default();
        let made = log.send("a budget", world.post("/api/v1/limits", &budget(50))).await;
        let path = format!("/api/v1/limits/{}", made.text("/limit_id"));
        world.clock.advance_seconds(60);
        log.send("a rate of one agent and one model", world.post("/api/v1/limits", &json!({
            "name": "support tokens", "description": "Keeps the support agent from flooding.",
            "limit_category": "RATE", "limit_type": "TOKENS_PER_MINUTE", "scope": "AGENT", "scope_id": "support",
            "model": "gpt-*", "max_value": 60_000, "enforcement": "WARN",
        }))).await.ok(201);
        log.send("a threshold", world.post("/api/v1/limits", &json!({
            "name": "tokens of a run", "limit_category": "THRESHOLD", "limit_type": "TOKENS_PER_RUN",
            "max_value": "4000", "enforcement": "REJECT",
        }))).await.ok(201);
        log.send("a budget of a month in another zone", world.post("/api/v1/limits", &json!({
            "name": "Berlin", "limit_category": "BUDGET", "limit_type": "COST_USD", "max_value": 0.00045,
            "reset_period": "MONTHLY", "time_zone": "Europe/Berlin", "scope": "PROVIDER", "scope_id": "mistral",
        }))).await.ok(201);
        let page = log.send("the first page", world.get("/api/v1/limits?limit=2")).await;
        let next = format!("/api/v1/limits?limit=2&cursor={}", page.text("/next_cursor"));
        log.send("the second page", world.get(&next)).await.ok(200);
        log.send("only thresholds", world.get("/api/v1/limits?type=THRESHOLD&status=ACTIVE")).await.ok(200);
        let body = json!({ "estimated_cost_usd": 45, "estimated_tokens": 5000, "agent_id": "support", "model": "gpt-4o" });
        log.send("what a check would say", world.post("/api/v1/limits/simulate", &body)).await.ok(200);
        let hold = world.hold(45).await;
        log.send("what is used", world.get("/api/v1/limits/usage")).await.ok(200);
        world.call("POST", &format!("/api/v1/holds/{hold}/release")).send().await.ok(200);
        let change = json!({ "name": "weekly", "reset_period": "WEEKLY", "max_value": 60.5, "status": "DISABLED" });
        log.send("a change of everything", world.put(&path, &change)).await.ok(200);
        log.send("one limit", world.get(&path)).await.ok(200);
        let threshold = page.text("/items/1/limit_id");
        log.send("delete", world.delete(&format!("/api/v1/limits/{threshold}"))).await.ok(204);
        log.send("what is deleted stays", world.get("/api/v1/limits?status=DISABLED")).await.ok(200);
        log.assert("limits");
    }

    async fn a_week_starts_on_the_day_that_its_limit_says(db: TestDb) {
        let world = World::new(db).await;
        let weekly = |start: &str| json!({
            "name": start, "limit_category": "BUDGET", "limit_type": "COST_USD", "max_value": 50,
            "reset_period": "WEEKLY", "week_start": start,
        });
        // It is Saturday.
        for (start, resets_at) in [("SUNDAY", "2026-11-22T00:00:00.000Z"), ("MONDAY", "2026-11-23T00:00:00.000Z")] {
            let made = world.post("/api/v1/limits", &weekly(start)).send().await;
            assert_eq!(made.ok(201).text("/week_start"), start);
            let path = format!("/api/v1/limits/{}", made.text("/limit_id"));
            assert_eq!(world.get(&path).send().await.ok(200).text("/week_start"), start);
            let refused = world.post("/api/v1/limits/check", &json!({ "estimated_cost_usd": 60 })).send().await;
            assert_eq!(refused.ok(200).text("/blocking_limits/0/resets_at"), resets_at);
            assert_eq!(refused.text("/blocking_limits/0/limit_id"), made.text("/limit_id"));
            world.delete(&path).send().await.ok(204);
        }
        let mut daily = weekly("SUNDAY");
        daily["reset_period"] = json!("DAILY");
        let refused = world.post("/api/v1/limits", &daily).send().await;
        assert_eq!(refused.ok(422).text("/errors/0/pointer"), "/week_start");
        assert_eq!(world.post("/api/v1/limits", &weekly("SOMEDAY")).send().await.status, 422);
    }

    async fn a_limit_is_raised_for_a_time(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let made = log.send("a budget", world.post("/api/v1/limits", &budget(50))).await;
        let limit = made.text("/limit_id");
        world.hold(45).await;
        let body = json!({
            "limit_id": limit, "override_value": 100, "duration_hours": 24, "reason": "launch day of the new search",
        });
        let raised = log.send("raise it", world.post("/api/v1/limits/overrides", &body)).await;
        raised.ok(201);
        let cost = json!({ "estimated_cost_usd": 10 });
        log.send("what a check says now", world.post("/api/v1/limits/check", &cost)).await.ok(200);
        log.send("what is used", world.get("/api/v1/limits/usage")).await.ok(200);
        log.send("raise it twice", world.post("/api/v1/limits/overrides", &body)).await;
        let path = format!("/api/v1/limits/overrides/{}", raised.text("/override_id"));
        log.send("one override", world.get(&path)).await.ok(200);
        log.send("all of the limit", world.get(&format!("/api/v1/limits/overrides?limit_id={limit}"))).await.ok(200);
        log.send("take it back", world.delete(&path)).await.ok(204);
        log.send("take it back twice", world.delete(&path)).await;
        log.send("what a check says then", world.post("/api/v1/limits/check", &cost)).await.ok(200);
        let wrong = json!({
            "limit_id": limit, "override_value": "0.001", "duration_hours": 169, "reason": "why not",
            "start_immediately": false,
        });
        log.send("wrong fields", world.post("/api/v1/limits/overrides", &wrong)).await;
        let wrong = json!({
            "limit_id": limit, "override_value": 10, "duration_hours": 169, "reason": "why not",
            "scheduled_start": "2020-01-01T00:00:00Z",
        });
        log.send("more wrong fields", world.post("/api/v1/limits/overrides", &wrong)).await;
        log.assert("limits_overrides");
    }

    async fn policy_rules_are_made_changed_retired_and_shown_with_their_versions(db: TestDb) {
        let world = World::new(db).await;
        world.post("/api/v1/agents", &json!({ "agent_id": "support" })).send().await.ok(201);
        let mut log = Log::default();
        let rules = "/api/v1/policies/rules";
        log.send("nothing yet", world.get(rules)).await.ok(200);
        let body = json!({
            "name": "no shells at night", "condition": "tools.exists(tool, tool == 'shell') && time.hour < 6",
            "enforcement_mode": "DRY_RUN",
        });
        let made = log.send("a rule", world.post(rules, &body)).await;
        made.ok(201);
        log.send("the same again", world.post(rules, &body)).await.is(409, "already-exists");
        let path = format!("{rules}/{}", made.text("/rule_id"));
        world.clock.advance_seconds(60);
        log.send("an evaluator of one agent", world.post(rules, &json!({
            "name": "no personal data", "description": "Support must not hand out addresses.", "rule_type": "PII_FILTER",
            "stage": "OUTPUT", "min_confidence": 0.85, "scope": "AGENT", "scope_id": "support",
            "enforcement_mode": "BLOCK", "on_stream": "ANNOTATE",
        }))).await.ok(201);
        let change = json!({ "enforcement_mode": "BLOCK", "change_reason": "nothing else was met in a week", "expected_version": 1 });
        log.send("it blocks now", world.put(&path, &change)).await.ok(200);
        log.send("a change that comes late", world.put(&path, &change)).await.is(409, "version-conflict");
        log.send("the versions", world.get(&format!("{path}/versions"))).await.ok(200);
        let page = log.send("the first page", world.get(&format!("{rules}?limit=1"))).await;
        log.send("the second page", world.get(&format!("{rules}?limit=1&cursor={}", page.text("/next_cursor")))).await.ok(200);
        log.send("retire it without a reason", world.put(&path, &json!({ "status": "RETIRED" }))).await.is(422, "validation-failed");
        let retire = json!({ "status": "RETIRED", "retirement_reason": "the tool is gone", "superseded_by": page.text("/items/0/rule_id") });
        log.send("retire it", world.put(&path, &retire)).await.ok(200);
        log.send("retire it twice", world.put(&path, &retire)).await.is(409, "rule-retired");
        log.send("one rule", world.get(&path)).await.ok(200);
        log.send("what is active", world.get(&format!("{rules}?status=ACTIVE&rule_type=PII_FILTER"))).await.ok(200);
        log.send("a condition that is none", world.post(rules, &json!({
            "name": "wrong", "condition": "run.modle == \"gpt-4o\" &&\n  run.stream > 1", "enforcement_mode": "BLOCK",
        }))).await.is(422, "policy-invalid");
        log.send("a condition that is too much", world.post(rules, &json!({
            "name": "wrong", "condition": "tools.exists(a, tools.exists(b, tools.exists(c, a == c)))", "enforcement_mode": "BLOCK",
        }))).await.is(422, "policy-too-complex");
        log.send("a scope that only operators set", world.post(rules, &json!({
            "name": "all", "condition": "run.stream", "enforcement_mode": "LOG", "scope": "GLOBAL",
        }))).await.is(403, "insufficient-scope");
        let global = json!({ "name": "no streams", "condition": "run.stream", "enforcement_mode": "LOG" });
        let global = log.send("an operator's rule", world.post("/api/v1/ops/policies/rules", &global).by_operator()).await;
        let path = format!("/api/v1/ops/policies/rules/{}", global.text("/rule_id"));
        log.send("it warns now", world.put(&path, &json!({ "enforcement_mode": "WARN" })).by_operator()).await.ok(200);
        log.send("the operators' rules", world.get("/api/v1/ops/policies/rules").by_operator()).await.ok(200);
        log.assert("policy_rules");
    }

    async fn the_table_of_limits_shows_what_was_breached_last_first(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let table = "/api/v1/runtime/policies/limits?type=BUDGET";
        log.send("nothing yet", world.get(table)).await.ok(200);
        let breached = world.limit(&budget(5)).await;
        let mut made = Vec::new();
        for usd in 0..24 {
            world.clock.advance_seconds(1);
            let body = json!({
                "name": format!("budget {usd}"), "limit_category": "BUDGET", "limit_type": "COST_USD", "max_value": 1,
                "reset_period": "DAILY", "model": format!("m-{usd}"),
            });
            made.push(world.limit(&body).await);
        }
        world.post("/api/v1/limits/check", &json!({ "estimated_cost_usd": 9 })).send().await.ok(200);
        let first = log.send("the first three", world.get(&format!("{table}&limit=3"))).await;
        assert_eq!(first.text("/items/0/limit_id"), breached);
        assert_eq!(first.text("/items/1/limit_id"), made[23], "then the newest");
        let page = world.get(table).send().await;
        assert_eq!(page.json()["items"].as_array().unwrap().len(), 20);
        assert_eq!((page.at("/total"), page.at("/has_more")), (json!(25), json!(true)));
        let rest = world.get(&format!("{table}&offset=20")).send().await;
        assert_eq!(rest.json()["items"].as_array().unwrap().len(), 5);
        assert_eq!((rest.at("/total"), rest.at("/has_more")), (json!(25), json!(false)));
        let same = first.text("/items/1/created_at");
        let one = world.get(&format!("{table}&created_after={same}&created_before={same}")).send().await;
        assert_eq!(one.at("/total"), json!(1), "both ends are part of it");
        // What happened 30 days ago counts, and a second later no more.
        world.clock.advance_seconds(30 * 86_400);
        let edge = world.get(&format!("{table}&limit=1")).send().await;
        assert_eq!(edge.at("/items/0/breach_count_30d"), json!(1));
        world.clock.advance_seconds(1);
        let later = world.get(&format!("{table}&limit=1")).send().await;
        assert_eq!(later.at("/items/0/breach_count_30d"), json!(0));
        assert_eq!(later.text("/items/0/limit_id"), made[23]);
        let (_, rival) = world.other_tenant("rival").await;
        assert_eq!(world.get(table).with(&rival).send().await.json(), json!({ "items": [], "total": 0, "has_more": false }));
        for wrong in [
            "", "?type=MONEY", "?type=RATE&limit=0", "?type=RATE&limit=101", "?type=RATE&offset=-1", "?type=RATE&status=GONE",
            "?type=RATE&scope=ME", "?type=RATE&enforcement=NO", "?type=RATE&created_after=yesterday",
        ] {
            log.send(&format!("refused: {wrong}"), world.get(&format!("/api/v1/runtime/policies/limits{wrong}"))).await.is(422, "validation-failed");
        }
        log.assert("runtime_limits");
    }

    async fn projects_and_agents_are_made_and_listed(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        log.send("a project", world.post("/api/v1/projects", &json!({ "project_id": "search", "description": "The search box." }))).await.ok(201);
        log.send("an agent of it", world.post("/api/v1/agents", &json!({ "agent_id": "rewriter", "project_id": "search" }))).await.ok(201);
        log.send("an agent of no project", world.post("/api/v1/agents", &json!({ "agent_id": "ad.hoc_1" }))).await.ok(201);
        log.send("the projects", world.get("/api/v1/projects")).await.ok(200);
        log.send("the agents", world.get("/api/v1/agents")).await.ok(200);
        log.assert("scopes");
    }

    async fn runs_and_their_costs_can_be_looked_at(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let prompt = json!({ "model": "gpt-4o-mini", "max_tokens": 50, "messages": [{ "role": "user", "content": "[[in=1000 out=40]]" }] });
        let one = world.post("/v1/chat/completions", &prompt).header("x-plimsoll-agent", "support").send().await;
        let run = one.ok(200).header("x-plimsoll-run-id").unwrap().to_owned();
        world.clock.advance_seconds(86_400);
        let claude = json!({ "model": "claude-haiku-4-5", "max_tokens": 50, "messages": [{ "role": "user", "content": "[[in=10 out=4]]" }] });
        world.post("/v1/messages", &claude).header("x-plimsoll-feature", "summary").send().await.ok(200);
        let mut refused = budget(1);
        refused["max_value"] = json!(0.000_001);
        world.limit(&refused).await;
        world.post("/v1/chat/completions", &prompt).send().await.ok(429);
        let page = log.send("the newest run", world.get("/api/v1/runs?limit=1")).await;
        let next = format!("/api/v1/runs?limit=2&cursor={}", page.text("/next_cursor"));
        log.send("the older ones", world.get(&next)).await.ok(200);
        log.send("only the refused one", world.get("/api/v1/runs?status=blocked&model=gpt-4o-mini")).await.ok(200);
        log.send("one run", world.get(&format!("/api/v1/runs/{run}"))).await.ok(200);
        log.send("its cost", world.get(&format!("/api/v1/runs/{run}/cost"))).await.ok(200);
        for group in ["none", "day", "model", "api_key", "agent", "feature"] {
            let path = format!("/api/v1/analytics/costs?group_by={group}");
            log.send(&format!("costs by {group}"), world.get(&path)).await.ok(200);
        }
        let range = "/api/v1/analytics/costs?from=2026-11-22T00:00:00Z&to=2026-11-23T00:00:00%2B01:00";
        log.send("costs of a day", world.get(range)).await.ok(200);
        let later = "/api/v1/analytics/costs?from=2027-01-01T00:00:00Z&to=2027-02-01T00:00:00Z";
        log.send("costs of the future", world.get(later)).await.ok(200);
        log.assert("runs");
    }

    async fn operators_make_tenants_and_set_global_limits(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let made = world.post("/api/v1/ops/tenants", &json!({ "name": "Züri Müller AG" })).by_operator();
        let made = log.send("a tenant", made).await;
        let path = format!("/api/v1/ops/tenants/{}", made.text("/tenant_id"));
        let key = json!({ "name": "first", "scopes": ["MANAGE", "READ"], "rate_limit_rpm": 60, "expires_in_days": 30, "environment": "live" });
        log.send("its first key", world.post(&format!("{path}/keys"), &key).by_operator()).await.ok(201);
        let price = json!({ "floor_price_nano_usd": 500 });
        log.send("a floor price", world.put(&format!("{path}/floor-price"), &price).by_operator()).await.ok(200);
        let two = json!({ "two_person_review": true });
        log.send("two persons", world.put(&format!("{path}/review"), &two).by_operator()).await.ok(200);
        let reason = json!({ "reason": "unpaid" });
        log.send("freeze", world.post(&format!("{path}/freeze"), &reason).by_operator()).await.ok(200);
        log.send("the tenants", world.get("/api/v1/ops/tenants?limit=1").by_operator()).await.ok(200);
        log.send("unfreeze", world.call("POST", &format!("{path}/unfreeze")).by_operator()).await.ok(200);
        let mut global = budget(1000);
        global["scope"] = json!("GLOBAL");
        let limit = log.send("a GLOBAL limit", world.post("/api/v1/ops/limits", &global).by_operator()).await;
        let change = json!({ "max_value": 2000 });
        let change = world.put(&format!("/api/v1/ops/limits/{}", limit.text("/limit_id")), &change).by_operator();
        log.send("is changed", change).await.ok(200);
        log.send("the GLOBAL limits", world.get("/api/v1/ops/limits").by_operator()).await.ok(200);
        log.send("what is used of them", world.get("/api/v1/ops/limits/usage").by_operator()).await.ok(200);
        log.send("what a tenant sees of them", world.get("/api/v1/limits/usage")).await.ok(200);
        log.assert("operators");
    }

    async fn the_probes_say_that_traffic_may_come(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        log.send("alive", world.get("/livez").anonymous()).await.ok(200);
        log.send("ready", world.get("/readyz").anonymous()).await.ok(200);
        log.assert("health");
    }
}
