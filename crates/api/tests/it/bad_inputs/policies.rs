//! 7.7 Policies, with what 7.4 and 7.6 leave to Policy Rules, proposals and quotas.
//!
//! | Row | Where it is shown |
//! |---|---|
//! | 64 | `nothing_asks_for_a_key_and_what_has_none_is_done_each_time` here: no route needs a key |
//! | 65, 66, 73 | `idempotency::a_key_is_one_header_of_1_to_255_visible_characters` |
//! | 67, 72 | `idempotency::the_same_key_with_another_request_or_from_somebody_else_is_refused` |
//! | 68, 71 | `idempotency::the_same_key_with_the_same_request_gets_the_same_bytes` |
//! | 69 | `idempotency::a_key_whose_first_request_is_not_answered_yet_is_told_to_come_again` |
//! | 70 | `idempotency::a_refusal_is_not_remembered_and_the_request_is_done_afresh`, `…a_failure_of_ours_is_not_remembered` |
//! | 87, 93, 97–101, 103–105 | `bad_inputs::limits` |
//! | 88, 89 | `bad_inputs::limits` (check), `llm` (`a_budget_that_is_spent_…`, `a_rate_that_is_full_…`) |
//! | 90, 91 | services: `ledger`, `ledger_race::sixty_four_tasks_on_one_hot_limit_…` |
//! | 92 | `holds::more_than_is_held_cannot_be_settled_and_the_hold_stays` |
//! | 94 | `holds::a_hold_ends_once`, `idempotency` (the same key) |
//! | 95, 96, 102 | `what_has_ended_is_a_strangers_or_is_in_use_is_refused` here; `holds` |
//! | 106 | `a_thousand_limits_and_a_thousand_policy_rules_are_the_most` here |
//! | 107, 108 | `a_condition_that_is_none_or_too_much_is_refused_with_its_place` here; all codes: domain, `policy_condition` |
//! | 110 | `what_is_retired_stays_so` here; store: `policies::no_rule_is_active_without_the_row_of_its_integrity` |
//! | 111 | `nobody_approves_what_is_their_own_where_two_persons_are_needed`, `whoever_makes_another_key_…` here; twice: `policy_proposals` |
//! | 112 | `a_rule_that_would_lock_everybody_out_is_not_made` here |
//! | 113, 114 | `what_cannot_be_judged_and_what_is_at_odds_blocks` here; the attribution: domain, `attribution` (`several-policies`) |

use futures_util::future::join_all;
use model::time::Clock as _;
use serde_json::{Value, json};
use testkit::db::TestDb;
use testkit::governance::{add_rules, rule};

use super::{expect, still_works};
use crate::harness::{Answer, World, budget, settings};

const RULES: &str = "/api/v1/policies/rules";
const PROPOSALS: &str = "/api/v1/policy-proposals";
const CHAT: &str = "/v1/chat/completions";

fn written(condition: &str, mode: &str) -> Value {
    json!({ "name": "a rule", "condition": condition, "enforcement_mode": mode })
}

fn proposed(condition: &str) -> Value {
    json!({ "reason": "it would have kept us from this", "definition": written(condition, "BLOCK") })
}

/// A proposal of the key of the tenant, by its id.
async fn proposal(world: &World, body: &Value) -> String {
    let made = world.post(PROPOSALS, body).send().await;
    made.ok(201).text("/proposal_id")
}

async fn asked(world: &World) -> Answer {
    let prompt = json!({ "model": "gpt-4o-mini", "max_tokens": 5, "messages": [{ "role": "user", "content": "hello" }] });
    world.post(CHAT, &prompt).send().await
}

testkit::both_databases! {
    async fn a_condition_that_is_none_or_too_much_is_refused_with_its_place(db: TestDb) {
        let mut roomy = settings();
        roomy.native_body_bytes = 1024 * 1024;
        let world = World::with(db, roomy).await;
        let (invalid, complex) = ("policy-invalid", "policy-too-complex");
        let long = format!("run.model == '{}'", "x".repeat(64 * 1024));
        let deep = format!("{}run.stream{}", "(".repeat(1_000), ")".repeat(1_000));
        let nested = format!("{}run.stream{}", "(".repeat(100), ")".repeat(100));
        let (mut places, mut expected) = (Vec::new(), Vec::new());
        for (row, condition, code, place) in [
            ("107", "run.stream &&", invalid, (1, 14)),
            ("107", "run.stream &&\n  run.modle == 'x'", invalid, (2, 3)),
            ("107", "run.stream > 1", invalid, (1, 1)),
            ("107", "run.model.matches('(')", invalid, (1, 19)),
            ("108", &long, complex, (1, 1)),
            ("108", &deep, complex, (1, 1)),
            ("108", &nested, complex, (1, 34)),
            ("108", "run.model.matches('((a{1,99}){1,99}){1,99}')", complex, (1, 19)),
            ("108", "tools.exists(a, tools.exists(b, tools.exists(c, a == c)))", complex, (1, 33)),
        ] {
            for (path, body, within) in [
                (RULES, written(condition, "BLOCK"), ""),
                (PROPOSALS, proposed(condition), "/definition"),
            ] {
                let answer = expect(row, world.post(path, &body), 422, code).await;
                assert_eq!(answer.text("/errors/0/pointer"), format!("{within}/condition"));
                let found = (answer.at("/errors/0/place/line"), answer.at("/errors/0/place/column"));
                places.push(found);
                expected.push((json!(place.0), json!(place.1)));
            }
        }
        assert_eq!(places, expected);
        // What makes other engines hang is looked for in one pass here.
        let hard = written("run.feature.matches('(a+)+$')", "BLOCK");
        world.post(RULES, &hard).send().await.ok(201);
        let started = std::time::Instant::now();
        asked(&world).await.ok(200);
        assert!(started.elapsed().as_secs() < 5, "row 108");
        still_works(&world).await;
    }

    async fn an_older_word_for_log_is_read_and_never_written(db: TestDb) {
        let world = World::new(db).await;
        let made = world.post(RULES, &written("run.stream", "AUDIT")).send().await;
        assert_eq!(made.ok(201).text("/enforcement_mode"), "LOG");
        let path = format!("{RULES}/{}", made.text("/rule_id"));
        world.put(&path, &json!({ "enforcement_mode": "WARN" })).send().await.ok(200);
        let back = world.put(&path, &json!({ "enforcement_mode": "AUDIT" })).send().await;
        assert_eq!(back.ok(200).text("/enforcement_mode"), "LOG");
        for list in [format!("{RULES}?enforcement_mode=AUDIT"), "/api/v1/runtime/policies/rules?status=ACTIVE&enforcement_mode=AUDIT".to_owned()] {
            let found = world.get(&list).send().await;
            assert_eq!(found.ok(200).text("/items/0/enforcement_mode"), "LOG");
        }
        let proposal = proposal(&world, &proposed("run.model == 'o1'")).await;
        let approved = world.post(&format!("{PROPOSALS}/{proposal}/approve"), &json!({ "enforcement_mode": "AUDIT" })).send().await;
        assert_eq!(approved.ok(200).text("/definition/enforcement_mode"), "LOG");
        for word in ["DISABLED", "audit", "AUDITED"] {
            expect("59", world.post(RULES, &written("run.stream", word)), 422, "validation-failed").await;
        }
    }

    async fn what_is_retired_stays_so(db: TestDb) {
        let world = World::new(db).await;
        let made = world.post(RULES, &written("run.stream", "BLOCK")).send().await;
        let path = format!("{RULES}/{}", made.ok(201).text("/rule_id"));
        let retire = json!({ "status": "RETIRED", "retirement_reason": "the tool is gone" });
        world.put(&path, &retire).send().await.ok(200);
        for change in [retire, json!({ "status": "ACTIVE" }), json!({ "name": "again" })] {
            expect("110", world.put(&path, &change), 409, "rule-retired").await;
        }
    }

    async fn nobody_approves_what_is_their_own_where_two_persons_are_needed(db: TestDb) {
        let world = World::new(db).await;
        let colleague = world.key_with(&crate::harness::ALL).await;
        let kept = world.post(RULES, &written("run.model == 'gpt-4'", "BLOCK")).send().await;
        let kept = format!("{RULES}/{}", kept.ok(201).text("/rule_id"));
        let review = format!("/api/v1/ops/tenants/{}/review", world.tenant);
        let two = world.put(&review, &json!({ "two_person_review": true })).by_operator();
        assert_eq!(two.send().await.ok(200).at("/two_person_review"), true);

        expect("111", world.post(RULES, &written("run.stream", "BLOCK")), 403, "self-approval").await;
        expect("111", world.put(&kept, &json!({ "enforcement_mode": "WARN" })), 403, "self-approval").await;
        let own = format!("{PROPOSALS}/{}", proposal(&world, &proposed("run.stream")).await);
        expect("111", world.call("POST", &format!("{own}/approve")), 403, "self-approval").await;
        assert_eq!(world.get(&own).send().await.text("/status"), "PENDING");
        let approved = world.call("POST", &format!("{own}/approve")).with(&colleague).send().await;
        assert_ne!(approved.ok(200).text("/reviewed_by"), approved.text("/created_by"));
        // To say the same again is answered with what was done; to say something else is refused.
        world.call("POST", &format!("{own}/approve")).send().await.ok(200);
        expect("111", world.call("POST", &format!("{own}/reject")), 409, "proposal-reviewed").await;
        // Whoever has proposed something may take it back.
        let other = proposal(&world, &proposed("run.model == 'o1'")).await;
        world.call("POST", &format!("{PROPOSALS}/{other}/reject")).send().await.ok(200);

        let one = world.put(&review, &json!({ "two_person_review": false })).by_operator();
        one.send().await.ok(200);
        let third = proposal(&world, &proposed("run.model == 'o3'")).await;
        world.call("POST", &format!("{PROPOSALS}/{third}/approve")).send().await.ok(200);
    }

    async fn whoever_makes_another_key_is_still_one_person(db: TestDb) {
        let world = World::new(db).await;
        let colleague = world.key_with(&crate::harness::ALL).await;
        let review = format!("/api/v1/ops/tenants/{}/review", world.tenant);
        world.put(&review, &json!({ "two_person_review": true })).by_operator().send().await.ok(200);
        let make = async |maker: &str| {
            let wanted = json!({ "name": "another", "scopes": ["LLM", "READ", "MANAGE"] });
            let made = world.post("/api/v1/keys", &wanted).with(maker).send().await;
            made.ok(201).text("/secret")
        };
        let (child, sibling) = (make(&world.key).await, make(&world.key).await);
        let (grandchild, colleagues) = (make(&child).await, make(&colleague).await);
        for (author, others) in [(&world.key, [&child, &grandchild]), (&child, [&world.key, &sibling]), (&grandchild, [&sibling, &child])] {
            let made = world.post(PROPOSALS, &proposed("run.stream")).with(author).send().await;
            let approve = format!("{PROPOSALS}/{}/approve", made.ok(201).text("/proposal_id"));
            for other in others {
                expect("111", world.call("POST", &approve).with(other), 403, "self-approval").await;
            }
            world.call("POST", &approve.replace("/approve", "/reject")).with(&colleagues).send().await.ok(200);
        }
        let made = world.post(PROPOSALS, &proposed("run.stream")).with(&grandchild).send().await;
        let approve = format!("{PROPOSALS}/{}/approve", made.text("/proposal_id"));
        world.call("POST", &approve).with(&colleagues).send().await.ok(200);
    }

    async fn a_rule_that_would_lock_everybody_out_is_not_made(db: TestDb) {
        let world = World::new(db).await;
        for condition in ["true", "1 < 2", "1 / 0 == 1"] {
            expect("112", world.post(RULES, &written(condition, "BLOCK")), 422, "policy-self-lockout").await;
            expect("112", world.post(PROPOSALS, &proposed(condition)), 422, "policy-self-lockout").await;
        }
        let global = world.post("/api/v1/ops/policies/rules", &written("true", "BLOCK")).by_operator();
        expect("112", global, 422, "policy-self-lockout").await;
        // Told to block later, in a change or by whoever approves it.
        let tried = world.post(RULES, &written("true", "DRY_RUN")).send().await.ok(201).text("/rule_id");
        let block = world.put(&format!("{RULES}/{tried}"), &json!({ "enforcement_mode": "BLOCK" }));
        expect("112", block, 422, "policy-self-lockout").await;
        let warns = json!({ "reason": "it would have told us before", "definition": written("2 > 1", "WARN") });
        let approve = format!("{PROPOSALS}/{}/approve", proposal(&world, &warns).await);
        let block = world.post(&approve, &json!({ "enforcement_mode": "BLOCK" }));
        expect("112", block, 422, "policy-self-lockout").await;
        // A rule for an agent alone locks nobody else out. None is ever asked about this API itself.
        world.post("/api/v1/agents", &json!({ "agent_id": "crawler" })).send().await.ok(201);
        let mut agent = written("true", "BLOCK");
        (agent["scope"], agent["scope_id"]) = (json!("AGENT"), json!("crawler"));
        world.post(RULES, &agent).send().await.ok(201);
        asked(&world).await.ok(200);
        still_works(&world).await;
    }

    async fn a_rule_for_what_nobody_has_made_is_neither_tried_nor_proposed(db: TestDb) {
        let world = World::new(db).await;
        for scope in ["PROJECT", "AGENT"] {
            let mut about = written("run.stream", "BLOCK");
            (about["scope"], about["scope_id"]) = (json!(scope), json!("crawlr"));
            let propose = json!({ "reason": "it would have kept us from this", "definition": about });
            for (path, body, within) in [
                (format!("{RULES}/backtest"), json!({ "rule": about }), "/rule"),
                (PROPOSALS.to_owned(), propose, "/definition"),
            ] {
                let answer = expect("109", world.post(&path, &body), 422, "validation-failed").await;
                assert_eq!(answer.text("/errors/0/pointer"), format!("{within}/scope_id"), "{path}");
            }
        }
        assert_eq!(world.get(PROPOSALS).send().await.at("/items"), json!([]));
    }

    async fn a_rule_for_everyone_is_made_beside_one_like_it_for_an_agent(db: TestDb) {
        let world = World::new(db).await;
        world.post("/api/v1/agents", &json!({ "agent_id": "crawler" })).send().await.ok(201);
        let mut agent = written("run.model == 'x'", "BLOCK");
        (agent["scope"], agent["scope_id"]) = (json!("AGENT"), json!("crawler"));
        let narrow = world.post(RULES, &agent).send().await.ok(201).text("/rule_id");
        let broad = world.post(RULES, &written("run.model == 'x'", "BLOCK")).send().await;
        assert_eq!(broad.ok(201).at("/conflicts"), json!([]));
        expect("105", world.post(RULES, &agent), 409, "already-exists").await;
        // What one that is narrower does otherwise is told, and keeps nobody from approving.
        let warns = json!({ "reason": "it would have told us before", "definition": written("run.model == 'y'", "WARN") });
        let warns = proposal(&world, &warns).await;
        world.call("POST", &format!("{PROPOSALS}/{warns}/approve")).send().await.ok(200);
        agent["condition"] = json!("run.model == 'y'");
        let blocks = proposal(&world, &json!({ "reason": "it does so every night", "definition": agent })).await;
        let shown = world.get(&format!("{PROPOSALS}/{blocks}")).send().await;
        let kind = (shown.text("/conflicts/0/kind"), shown.at("/conflicts/0/blocking"));
        assert_eq!(kind, ("CONTRADICTING_MODE".to_owned(), json!(false)));
        let made = world.call("POST", &format!("{PROPOSALS}/{blocks}/approve")).send().await;
        assert_ne!(made.ok(200).text("/rule_id"), narrow);
    }

    async fn what_cannot_be_judged_and_what_is_at_odds_blocks(db: TestDb) {
        let world = World::new(db).await;
        let make = async |condition: &str, mode: &str| {
            let made = world.post(RULES, &written(condition, mode)).send().await;
            made.ok(201).text("/rule_id")
        };
        // Nobody knows: the request names no tools, and there is no division by their number.
        let broken = make("1 / size(tools) > 5", "BLOCK").await;
        let refused = asked(&world).await;
        refused.is(403, "policy_violation");
        let said = format!("block, block;rule={broken};version=1;error");
        assert_eq!(refused.header("x-plimsoll-policy-outcome"), Some(said.as_str()), "row 113");
        assert!(refused.text("/error/message").contains("could not be judged"), "row 113: {}", refused.body);
        let retire = json!({ "status": "RETIRED", "retirement_reason": "it cannot be judged" });
        world.put(&format!("{RULES}/{broken}"), &retire).send().await.ok(200);

        let (passes, warns) = (make("!run.stream", "LOG").await, make("run.model != ''", "WARN").await);
        let blocks = make("run.model.startsWith('gpt')", "BLOCK").await;
        let refused = asked(&world).await;
        refused.is(403, "policy_violation");
        let said = format!("block, block;rule={blocks};version=1, warn;rule={warns};version=1, log;rule={passes};version=1");
        assert_eq!(refused.header("x-plimsoll-policy-outcome"), Some(said.as_str()), "row 114");
        assert_eq!(refused.header("x-plimsoll-rule-id"), Some(blocks.as_str()), "row 114");
        assert_eq!(world.upstream.request_count(), 0);
    }

    async fn what_has_ended_is_a_strangers_or_is_in_use_is_refused(db: TestDb) {
        let world = World::new(db).await;
        let limit = format!("/api/v1/limits/{}", world.limit(&budget(50)).await);
        let check = json!({ "estimated_cost_usd": 1, "ttl_seconds": 60 });
        let hold = world.post("/api/v1/limits/check", &check).send().await.text("/hold_id");
        let settle = || world.post(&format!("/api/v1/holds/{hold}/settle"), &json!({ "cost_usd": 1 }));
        expect("102", world.delete(&limit), 409, "limit-in-use").await;
        let (_, rival) = world.other_tenant("rival").await;
        let colleague = world.key_with(&crate::harness::ALL).await;
        for stranger in [&rival, &colleague] {
            expect("96", settle().with(stranger), 404, "not-found").await;
        }
        world.clock.advance_seconds(61);
        expect("95", settle(), 409, "reservation-expired").await;
        assert_eq!(services::upkeep::expire_holds(&world.cx).await.unwrap(), 1);
        expect("95", settle(), 409, "reservation-expired").await;
        world.delete(&limit).send().await.ok(204);
    }

    async fn nothing_asks_for_a_key_and_what_has_none_is_done_each_time(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&budget(50)).await;
        let (one, other) = (world.hold(5).await, world.hold(5).await);
        assert_ne!(one, other, "row 64");
        let (one, other) = (proposal(&world, &proposed("run.stream")).await, proposal(&world, &proposed("run.stream")).await);
        assert_ne!(one, other, "row 64");
        world.call("POST", &format!("{PROPOSALS}/{one}/approve")).send().await.ok(200);
        let second = world.call("POST", &format!("{PROPOSALS}/{other}/approve"));
        expect("64", second, 409, "policy-conflict").await;
    }

    async fn a_thousand_limits_and_a_thousand_policy_rules_are_the_most(db: TestDb) {
        let world = World::new(db).await;
        let of_feature = |number: usize| {
            let mut limit = budget(10);
            limit["feature"] = json!(format!("f{number}"));
            limit
        };
        for hundred in 0..10 {
            let some = (0..100).map(|number| world.post("/api/v1/limits", &of_feature(hundred * 100 + number)).send());
            for made in join_all(some).await {
                made.ok(201);
            }
        }
        let last = expect("106", world.post("/api/v1/limits", &budget(10)), 403, "quota-exceeded").await;
        assert!(last.text("/detail").contains("1000"), "{}", last.body);
        let rules = (1..=1_000).map(|number| rule(world.tenant, number, world.clock.now()));
        add_rules(&world.cx.db, rules.collect()).await;
        expect("106", world.post(RULES, &written("run.stream", "BLOCK")), 403, "quota-exceeded").await;
        let proposal = proposal(&world, &proposed("run.stream")).await;
        let approve = world.call("POST", &format!("{PROPOSALS}/{proposal}/approve"));
        expect("106", approve, 403, "quota-exceeded").await;
        assert_eq!(world.get(&format!("{PROPOSALS}/{proposal}")).send().await.text("/status"), "PENDING");
    }
}
