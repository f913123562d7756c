//! What becomes of a request that may not run, or that nobody knows the price of?

use model::decision::{DecisionSnapshot, Outcome};
use model::event::OpsEventType;
use model::limit::{Enforcement, LimitCategory, LimitType};
use model::money::NanoUsd;
use model::run::{Operation, Run, RunStatus, UsageSource};
use serde_json::{Value, json};
use services::ledger::{Answer, HoldAnswer};
use services::limits::CheckRequest;
use services::prices::FloorPrice;
use services::words::Draft;
use store::StoreError;
use testkit::db::TestDb;
use testkit::upstream::Fault;

use crate::books::draft;
use crate::gateway::{Ended, PLAIN_COST, assert_ended, chat, served, worst_case};
use crate::harness::{Setup, USD, World};

/// A chat with a model that no table knows.
fn unpriced() -> Value {
    chat(&json!({"model": "nobody-knows-1", "max_tokens": 100}))
}

const CONFIGURED: FloorPrice = FloorPrice {
    input_per_mtok: NanoUsd(5 * USD),
    output_per_mtok: NanoUsd(15 * USD),
};

/// Refused: the run is written down as blocked with its decision, and nothing is held, sent or paid.
async fn assert_blocked(world: &World, answer: HoldAnswer, code: &str) -> Run {
    assert!(!answer.allowed() && answer.hold.is_none());
    let run = world.run(answer.run.unwrap().id).await;
    assert_eq!((run.status, run.hold), (RunStatus::Blocked, None));
    assert_eq!(run.error_code.as_deref(), Some(code));
    assert_eq!(
        (run.usage_source, run.cost, run.http_status),
        (UsageSource::None, None, None)
    );
    assert_eq!(run.completed_at, Some(world.now()));
    assert_eq!(run.decision, answer.decision);
    // There is no way to read a snapshot, but a second one of the same id is refused.
    let again = DecisionSnapshot {
        id: run.decision,
        tenant: world.tenant,
        engine: "limits",
        engine_version: "1",
        outcome: Outcome::Block,
        run: None,
        hold: None,
        input_hash: String::new(),
        input: "{}".to_owned(),
        output: "{}".to_owned(),
        correlation_id: String::new(),
        created_at: world.now(),
    };
    let written = world
        .cx
        .db
        .locked(move |tx| store::decisions::insert(tx, std::slice::from_ref(&again)))
        .await;
    assert!(matches!(written, Err(StoreError::Duplicate(_))), "{written:?}");
    world.all_ended().await;
    run
}

testkit::both_databases! {
    async fn over_its_budget_nothing_is_sent_and_the_refusal_is_recorded(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(1_000).await;
        let answer = world.refused(Operation::Chat, &chat(&json!({}))).await;
        assert_eq!(answer.output.blocking[0].limit, budget);
        assert!(answer.output.unpriced.is_empty());
        let code = answer.output.blocking[0].message_code;
        assert_blocked(&world, answer, code).await;
        assert_eq!(world.upstream.request_count(), 0);
        assert_eq!(world.holds().await, []);
        assert_eq!(world.usage(budget).await, (0, 0));
        assert_eq!(world.breaches(budget).await, 1);
        assert_eq!(world.events(OpsEventType::PolicyBlocked).await, 1);
        assert_eq!(world.events(OpsEventType::LlmCallMade).await, 0);
    }

    async fn what_a_check_has_held_is_not_there_for_a_call(db: TestDb) {
        let world = World::new(db).await;
        let request = chat(&json!({"max_tokens": 10}));
        let budget = world.budget(worst_case(&request, 10) + 500).await;
        let check = |nano| {
            services::limits::check(&world.cx, world.check_request(nano), String::new(), None)
        };
        let held = match check(501).await.unwrap() {
            Answer::Decided(answer) => answer.hold.unwrap().id,
            other => panic!("expected a decision, got {other:?}"),
        };
        let answer = world.refused(Operation::Chat, &request).await;
        assert_eq!((answer.output.blocking[0].settled, answer.output.blocking[0].held), (0, 501));
        services::limits::settle_by_client(&world.cx, (world.tenant, world.key.key.id), held, None, None).await.unwrap();
        check(500).await.unwrap();
        let got = world.call(Operation::Chat, &request).await;
        assert_eq!(world.run(got.run).await.status, RunStatus::Succeeded);
        assert_eq!(world.usage(budget).await, (PLAIN_COST, 500));
        world.balanced().await;
    }

    async fn over_its_rate_the_second_request_is_refused_until_the_window_moves(db: TestDb) {
        let world = World::new(db).await;
        let rate = world.limit(draft(LimitCategory::Rate, LimitType::RequestsPerMinute, 1)).await;
        let first = world.call(Operation::Chat, &chat(&json!({}))).await;
        assert_ended(&world, first.run, served(PLAIN_COST)).await;
        let answer = world.refused(Operation::Chat, &chat(&json!({}))).await;
        let code = answer.output.blocking[0].message_code;
        assert!(answer.output.blocking[0].resets_at.is_some_and(|at| at > world.now()));
        assert_blocked(&world, answer, code).await;
        assert_eq!(world.upstream.request_count(), 1);
        assert_eq!(world.breaches(rate).await, 1);
        world.clock.advance_seconds(62);
        world.call(Operation::Chat, &chat(&json!({}))).await;
        world.all_ended().await;
    }

    async fn a_request_that_failed_before_it_ran_leaves_its_place_in_the_rate(db: TestDb) {
        let world = World::new(db).await;
        let rate = world.limit(draft(LimitCategory::Rate, LimitType::RequestsPerMinute, 1)).await;
        world.upstream.fault(Fault::status(400));
        world.call(Operation::Chat, &chat(&json!({}))).await;
        assert_eq!(world.usage(rate).await, (0, 0));
        world.call(Operation::Chat, &chat(&json!({}))).await;
        assert_eq!(world.usage(rate).await, (1, 0));
    }

    async fn a_single_run_may_not_pass_its_threshold(db: TestDb) {
        let world = World::new(db).await;
        let tokens = world.limit(draft(LimitCategory::Threshold, LimitType::TokensPerRun, 1_500)).await;
        let answer = world.refused(Operation::Chat, &chat(&json!({"max_tokens": 1_000}))).await;
        let code = answer.output.blocking[0].message_code;
        assert_blocked(&world, answer, code).await;
        assert_eq!((world.upstream.request_count(), world.breaches(tokens).await), (0, 1));
        assert_eq!(world.events(OpsEventType::PolicyBlocked).await, 1);
        let got = world.call(Operation::Chat, &chat(&json!({"max_tokens": 10}))).await;
        assert_ended(&world, got.run, served(PLAIN_COST)).await;
    }

    async fn a_warning_is_not_a_refusal(db: TestDb) {
        let world = World::new(db).await;
        let warn = draft(LimitCategory::Budget, LimitType::CostUsd, 1_000);
        let warn = world.limit(Draft { enforcement: Enforcement::Warn, ..warn }).await;
        let served_now = world.serve(Operation::Chat, &chat(&json!({}))).await.unwrap();
        assert_eq!(served_now.answer.output.outcome, Outcome::Warn);
        assert_ended(&world, served_now.run, served(PLAIN_COST)).await;
        assert_eq!(world.usage(warn).await, (PLAIN_COST, 0));
        assert!(world.breaches(warn).await >= 1);
    }

    async fn an_unknown_price_under_a_money_limit_is_a_refusal_of_its_own(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(1_000 * USD).await;
        let answer = world.refused(Operation::Chat, &unpriced()).await;
        assert!(answer.output.blocking.is_empty());
        assert_eq!(answer.output.unpriced[0].limit, budget);
        assert_blocked(&world, answer, "unpriced_model").await;
        assert_eq!((world.upstream.request_count(), world.usage(budget).await), (0, (0, 0)));
    }

    async fn a_stated_floor_is_held_and_settled_where_no_price_is_known(db: TestDb) {
        let setup = Setup {
            floor_price: Some(NanoUsd(500)),
            ..Setup::default()
        };
        let world = World::with(db, setup).await;
        let budget = world.budget(USD).await;
        for stream in [false, true] {
            let mut body = unpriced();
            body["stream"] = json!(stream);
            let before = world.usage(budget).await.0;
            let got = world.call(Operation::Chat, &body).await;
            let want = Ended {
                floor: Some("floor/tenant:500"),
                ..served(19 * 500)
            };
            let run = assert_ended(&world, got.run, want).await;
            let tokens = i64::try_from(body.to_string().len()).unwrap() + 1_024 + 100;
            assert_eq!(run.estimated.cost.0, tokens * 500);
            assert_eq!(world.usage(budget).await, (before + 19 * 500, 0));
        }
    }

    async fn the_configured_floor_is_held_and_settled_where_neither_table_nor_tenant_has_a_price(db: TestDb) {
        let setup = Setup {
            configured_floor: Some(CONFIGURED),
            ..Setup::default()
        };
        let world = World::with(db, setup).await;
        let budget = world.budget(USD).await;
        let body = unpriced();
        let cost = 12 * 5_000 + 7 * 15_000;
        let want = Ended {
            floor: Some("floor/configured:5/15"),
            ..served(cost)
        };
        let got = world.call(Operation::Chat, &body).await;
        let run = assert_ended(&world, got.run, want).await;
        let input = i64::try_from(body.to_string().len()).unwrap() + 1_024;
        let held = input * 5_000 + 100 * 15_000;
        assert_eq!(run.estimated.cost.0, held);
        assert_eq!(world.usage(budget).await, (cost, 0));
        // What nobody reports is settled as held, and names the same floor.
        world.upstream.fault(Fault::MissingUsage);
        let got = world.call(Operation::Chat, &body).await;
        let want = Ended {
            source: UsageSource::Estimated,
            cost: Some(held),
            ..want
        };
        assert_ended(&world, got.run, want).await;
        // What has a price of its own does not look at the floor.
        let got = world.call(Operation::Chat, &chat(&json!({}))).await;
        assert_ended(&world, got.run, served(PLAIN_COST)).await;
    }

    async fn the_tenants_floor_wins_over_the_configured_one_for_calls_and_for_checks(db: TestDb) {
        let setup = Setup {
            floor_price: Some(NanoUsd(500)),
            configured_floor: Some(CONFIGURED),
            ..Setup::default()
        };
        let world = World::with(db, setup).await;
        let budget = world.budget(USD).await;
        let got = world.call(Operation::Chat, &unpriced()).await;
        let want = Ended {
            floor: Some("floor/tenant:500"),
            ..served(19 * 500)
        };
        assert_ended(&world, got.run, want).await;
        for (floor_price, cost) in [(Some(NanoUsd(500)), 2 * 500), (None, 5_000 + 15_000)] {
            let before = world.usage(budget).await.1;
            let request = CheckRequest { cost: None, floor_price, ..world.check_request(0) };
            services::limits::check(&world.cx, request, String::new(), None).await.unwrap();
            assert_eq!(world.usage(budget).await.1 - before, cost);
        }
    }

    async fn a_dearer_tier_is_held_at_its_price_and_refused_if_nobody_knows_it(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(1_000 * USD).await;
        let ask = |model: &str, tier: &str| chat(&json!({"model": model, "max_tokens": 100, "service_tier": tier}));
        let mut held = Vec::new();
        for tier in ["default", "priority"] {
            let got = world.call(Operation::Chat, &ask("gpt-4o-mini", tier)).await;
            held.push(world.run(got.run).await.estimated.cost.0);
        }
        assert!(held[1] > held[0] * 3 / 2, "{held:?}");
        // A stated price holds for every tier.
        world.call(Operation::Chat, &ask("round-1", "priority")).await;
        let before = world.usage(budget).await;
        for model in ["gpt-4-turbo", "gpt-4o-mini"] {
            let tier = if model == "gpt-4-turbo" { "priority" } else { "warp" };
            let answer = world.refused(Operation::Chat, &ask(model, tier)).await;
            assert_blocked(&world, answer, "unpriced_model").await;
        }
        assert_eq!(world.usage(budget).await, before);
    }

    async fn at_a_floor_a_tier_without_a_price_is_held_at_no_less_than_the_standard_one(db: TestDb) {
        let setup = Setup {
            floor_price: Some(NanoUsd(1)),
            ..Setup::default()
        };
        let world = World::with(db, setup).await;
        world.budget(1_000 * USD).await;
        let mut held = Vec::new();
        for tier in ["default", "warp!!!"] {
            let body = chat(&json!({"model": "gpt-4o-mini", "max_tokens": 100, "service_tier": tier}));
            let got = world.call(Operation::Chat, &body).await;
            held.push(world.run(got.run).await.estimated.cost.0);
        }
        assert_eq!(held[0], held[1]);
    }

    async fn without_a_money_limit_an_unknown_price_is_no_cost_at_all_and_not_zero(db: TestDb) {
        let world = World::new(db).await;
        let tokens = world.limit(draft(LimitCategory::Budget, LimitType::TokensTotal, 100_000)).await;
        let unknown = Ended {
            cost: None,
            ..served(0)
        };
        let got = world.call(Operation::Chat, &unpriced()).await;
        let run = assert_ended(&world, got.run, unknown).await;
        assert_eq!((got.cost, run.usage.unwrap().output), (None, 7));
        assert_eq!(world.usage(tokens).await, (19, 0));
        // Not even if nobody says what was used.
        world.upstream.fault(Fault::MissingUsage);
        let got = world.call(Operation::Chat, &unpriced()).await;
        let estimated = Ended {
            source: UsageSource::Estimated,
            ..unknown
        };
        let run = assert_ended(&world, got.run, estimated).await;
        assert_eq!(world.usage(tokens).await, (19 + run.estimated.total_tokens(), 0));
    }
}
