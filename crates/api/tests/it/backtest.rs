//! What would a Policy Rule have done, over what is on record?

use model::id::RunId;
use model::run::Run;
use serde_json::{Value, json};
use testkit::db::TestDb;
use testkit::history::{a_spreadsheet, add_runs, failed, refused};

use crate::harness::{Answer, World};
use crate::log::Log;
use crate::policy_proposals::failure;

const USD: i64 = 1_000_000_000;

const BACKTEST: &str = "/api/v1/policies/rules/backtest";

fn rule(mode: &str, condition: &str) -> Value {
    json!({ "name": "a draft", "condition": condition, "enforcement_mode": mode })
}

fn over(rule: &Value, days: i64) -> Value {
    json!({ "rule": rule, "days": days })
}

async fn wrong(world: &World, body: &Value, (code, pointer): (&str, &str)) -> Answer {
    let answer = world.post(BACKTEST, body).send().await;
    answer.is(422, code);
    assert_eq!(answer.text("/errors/0/pointer"), pointer, "{}", answer.body);
    answer
}

testkit::both_databases! {
    async fn a_rule_is_tried_over_what_is_on_record(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let draft = rule("BLOCK", "estimate.cost_usd > 50 && !failure.known");
        log.send("nothing is on record", world.post(BACKTEST, &over(&draft, 1))).await.ok(200);
        let mut runs = a_spreadsheet(world.tenant, USD);
        runs[1] = failed(runs[1].clone(), "upstream_timeout");
        runs.insert(0, refused(Run { id: RunId::from_bits(90), ..runs[0].clone() }));
        add_runs(&world.cx.db, runs).await;
        // 1 and the refused one asked for 60 and nothing had failed; so did 2, before it failed; 5 asked for 70 after that.
        let found = log.send("what costs more than 50", world.post(BACKTEST, &over(&draft, 3))).await;
        assert_eq!((found.ok(200).at("/would_match"), found.at("/would_block")), (json!(3), json!(2)));
        assert_eq!((found.at("/blocked/succeeded"), found.at("/blocked/failed")), (json!(1), json!(1)));
        assert_eq!(found.at("/blocked/cost_nano_usd"), "40000000000");
        let trial = rule("DRY_RUN", "run.model.startsWith('gpt-4o')");
        let trial = log.send("a trial", world.post(BACKTEST, &json!({ "rule": trial }))).await;
        assert_eq!((trial.ok(200).at("/would_match"), trial.at("/would_block")), (json!(8), json!(0)));
        let personal = rule("BLOCK", "findings.pii.count > 0");
        let personal = log.send("contents are not on record", world.post(BACKTEST, &over(&personal, 7))).await;
        personal.is(422, "not-on-record");
        let mut answers = rule("BLOCK", "run.stream");
        answers["stage"] = json!("OUTPUT");
        log.send("nor are answers", world.post(BACKTEST, &over(&answers, 7))).await.is(422, "not-on-record");
        log.assert("backtest");
        // Nothing was made by trying.
        assert_eq!(world.get("/api/v1/policies/rules").send().await.at("/items"), json!([]));
    }

    async fn what_a_proposal_wants_is_tried_before_it_is_approved(db: TestDb) {
        let world = World::new(db).await;
        let run = failure(&world, &world.key).await;
        let prompt = json!({ "model": "gpt-4o-mini", "max_tokens": 50, "messages": [{ "role": "user", "content": "hello" }] });
        world.post("/v1/chat/completions", &prompt).send().await.ok(200);
        let other = json!({ "model": "gpt-4o-mini", "max_tokens": 50, "messages": [{ "role": "user", "content": "bye" }] });
        world.post("/v1/chat/completions", &other).send().await.ok(200);
        let list = "/api/v1/policy-proposals";
        let id = world.get(list).send().await.text("/items/0/proposal_id");
        let path = format!("{list}/{id}/backtest");
        let found = world.get(&path).send().await;
        // The same request failed and succeeded; another one is not met.
        assert_eq!((found.ok(200).at("/runs_looked_at"), found.at("/would_match")), (json!(3), json!(2)), "{}", found.body);
        assert_eq!((found.at("/matched/failed"), found.at("/matched/succeeded")), (json!(1), json!(1)));
        assert_eq!((found.text("/first/run_id"), found.at("/days")), (run, json!(7)));
        assert_eq!(world.get(&format!("{path}?days=30")).send().await.at("/days"), 30);
        for days in ["0", "31", "-1", "seven", "1.5", ""] {
            let refused = world.get(&format!("{path}?days={days}")).send().await;
            refused.is(400, "invalid-parameter");
        }
        world.get(&format!("{path}?window_days=7")).send().await.is(400, "invalid-parameter");
        let made = world.post("/api/v1/policies/rules", &rule("LOG", "run.stream")).send().await;
        let retire = json!({ "proposal_type": "RETIRE", "target_rule_id": made.ok(201).text("/rule_id"), "reason": "it matches nothing" });
        let retire = world.post(list, &retire).send().await.ok(201).text("/proposal_id");
        world.get(&format!("{list}/{retire}/backtest")).send().await.is(422, "not-on-record");
    }

    async fn a_draft_that_is_wrong_is_refused_as_it_would_be_when_it_is_made(db: TestDb) {
        let world = World::new(db).await;
        let draft = rule("BLOCK", "run.stream");
        for days in [0, 31, -1] {
            wrong(&world, &over(&draft, days), ("validation-failed", "/days")).await;
        }
        let text = json!({ "rule": draft, "days": "7" });
        wrong(&world, &text, ("validation-failed", "/days")).await;
        wrong(&world, &json!({ "days": 7 }), ("validation-failed", "/rule")).await;
        let misspelt = rule("BLOCK", "run.modle == 'a'");
        let here = wrong(&world, &over(&misspelt, 7), ("policy-invalid", "/rule/condition")).await;
        let there = world.post("/api/v1/policies/rules", &misspelt).send().await;
        assert_eq!(here.at("/errors/0/place"), there.at("/errors/0/place"), "{}", here.body);
        assert!(here.at("/errors/0/place/column").is_number(), "{}", here.body);
        let deep = rule("BLOCK", &format!("{}run.stream{}", "(".repeat(40), ")".repeat(40)));
        wrong(&world, &over(&deep, 7), ("policy-too-complex", "/rule/condition")).await;
        let mut unknown = draft.clone();
        unknown["colour"] = json!("red");
        wrong(&world, &over(&unknown, 7), ("unknown-field", "/rule/colour")).await;
        let mut global = draft;
        global["scope"] = json!("GLOBAL");
        world.post(BACKTEST, &over(&global, 7)).send().await.is(403, "insufficient-scope");
    }
}
