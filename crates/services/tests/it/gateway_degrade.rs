//! Is something cheaper served where a DEGRADE limit has no room for what was asked for?

use model::event::OpsEventType;
use model::limit::{Degrade, Enforcement, Handling, LimitCategory, LimitType};
use model::run::{Operation, RunStatus};
use serde_json::{Value, json};
use services::words::Draft;
use testkit::db::TestDb;
use testkit::upstream::Seen;

use crate::books::draft;
use crate::gateway::{PLAIN_COST, chat, worst_case};
use crate::harness::{USD, World, read};

/// A limit that serves this model or this cap instead.
fn degrading(draft: Draft, model: Option<&str>, output_tokens: Option<i64>) -> Draft {
    let degrade = Degrade {
        model: model.map(str::to_owned),
        output_tokens,
    };
    Draft {
        enforcement: Enforcement::Degrade,
        handling: Handling {
            degrade: Some(degrade),
            ..Handling::default()
        },
        ..draft
    }
}

fn money(nano: i64) -> Draft {
    draft(LimitCategory::Budget, LimitType::CostUsd, nano)
}

fn run_tokens(tokens: i64) -> Draft {
    draft(LimitCategory::Threshold, LimitType::TokensPerRun, tokens)
}

/// A chat with a model that costs much more than `round-1`.
fn dear() -> Value {
    chat(&json!({"model": "gpt-4", "max_tokens": 100}))
}

/// What the same would hold with the cheaper model.
fn cheap() -> i64 {
    worst_case(&dear(), 100)
}

fn sent(seen: &Seen) -> Value {
    serde_json::from_str(&seen.body).unwrap()
}

testkit::both_databases! {
    async fn the_cheaper_model_is_sent_held_and_paid_and_the_run_names_both(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(degrading(money(cheap()), Some("round-1"), None)).await;
        let served_now = world.serve(Operation::Chat, &dear()).await.unwrap();
        let instead = served_now.answer.instead.clone().unwrap();
        assert_eq!((instead.asked_model.as_str(), instead.served_model.as_str()), ("gpt-4", "round-1"));
        assert_eq!(instead.because, [limit]);
        let got = read(served_now).await;
        let run = world.run(got.run).await;
        assert_eq!((run.status, run.cost.map(|cost| cost.0)), (RunStatus::Succeeded, Some(PLAIN_COST)));
        world.all_ended().await;
        assert_eq!(world.holds().await[0].subject.model.as_deref(), Some("round-1"));
        assert_eq!(run.subject.model.as_deref(), Some("gpt-4"));
        assert_eq!(run.served_model.as_deref(), Some("round-1"));
        assert_eq!(run.estimated.cost.0, cheap());
        assert_eq!(sent(&world.upstream.only_request())["model"], "round-1");
        // Once, and as one who passed: nobody was refused.
        assert_eq!(world.breaches(limit).await, 1);
        assert_eq!(world.events(OpsEventType::PolicyBlocked).await, 0);
        let costs = world.costs(got.run).await;
        assert_eq!(costs[0].model.as_deref(), Some("round-1"));
    }

    async fn with_room_for_what_was_asked_for_nothing_is_changed(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(degrading(money(USD), Some("round-1"), Some(1))).await;
        let served_now = world.serve(Operation::Chat, &dear()).await.unwrap();
        assert_eq!(served_now.answer.instead, None);
        read(served_now).await;
        assert_eq!(sent(&world.upstream.only_request()), dear());
        assert_eq!(world.breaches(limit).await, 0);
    }

    async fn the_lower_cap_is_held_and_sent_whether_a_cap_was_asked_for_or_not(db: TestDb) {
        let world = World::new(db).await;
        world.limit(degrading(run_tokens(1_200), None, Some(20))).await;
        for asked in [json!({"max_tokens": 900}), json!({})] {
            let served_now = world.serve(Operation::Chat, &chat(&asked)).await.unwrap();
            assert_eq!(served_now.answer.instead.as_ref().unwrap().output_tokens, Some(20));
            let got = read(served_now).await;
            assert_eq!(world.run(got.run).await.estimated.output_tokens, 20);
            let seen = world.upstream.requests();
            let body = sent(seen.last().unwrap());
            let cap = body.get("max_tokens").or(body.get("max_completion_tokens"));
            assert_eq!(cap, Some(&json!(20)), "{body}");
        }
    }

    async fn what_has_no_price_is_served_as_what_has_one_and_passes_no_maximum(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(degrading(money(USD), Some("round-1"), None)).await;
        let unpriced = chat(&json!({"model": "nobody-knows-1", "max_tokens": 100}));
        let served_now = world.serve(Operation::Chat, &unpriced).await.unwrap();
        let instead = served_now.answer.instead.clone().unwrap();
        assert_eq!((instead.served_model.as_str(), &instead.because[..]), ("round-1", &[limit][..]));
        let run = world.run(read(served_now).await.run).await;
        assert_eq!((run.status, run.cost.map(|cost| cost.0)), (RunStatus::Succeeded, Some(PLAIN_COST)));
        assert_eq!(world.breaches(limit).await, 0);
    }

    async fn without_another_model_what_has_no_price_is_refused_for_that(db: TestDb) {
        let world = World::new(db).await;
        world.limit(degrading(money(USD), None, Some(20))).await;
        let unpriced = chat(&json!({"model": "nobody-knows-1", "max_tokens": 100}));
        let answer = world.refused(Operation::Chat, &unpriced).await;
        assert_eq!((answer.output.blocking.len(), answer.output.unpriced.len()), (0, 1));
        assert_eq!(world.upstream.request_count(), 0);
    }

    async fn what_still_does_not_fit_is_refused_and_recorded_once(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(degrading(money(cheap() - 1), Some("round-1"), None)).await;
        let answer = world.refused(Operation::Chat, &dear()).await;
        let run = world.run(answer.run.unwrap().id).await;
        assert_eq!((run.status, run.subject.model.as_deref()), (RunStatus::Blocked, Some("gpt-4")));
        assert_eq!((world.breaches(limit).await, world.upstream.request_count()), (1, 0));
        assert_eq!(world.events(OpsEventType::PolicyBlocked).await, 1);
        world.all_ended().await;
    }

    async fn a_model_that_is_served_in_another_dialect_only_is_a_refusal(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(degrading(money(1), Some("llama-3.1-8b-instant"), None)).await;
        let answer = world.refused(Operation::Chat, &dear()).await;
        assert_eq!(answer.instead, None);
        assert_eq!((world.breaches(limit).await, world.upstream.request_count()), (1, 0));
    }

    async fn under_a_limit_that_refuses_outright_nothing_cheaper_is_tried(db: TestDb) {
        let world = World::new(db).await;
        world.limit(degrading(money(cheap()), Some("round-1"), None)).await;
        world.budget(cheap()).await;
        let answer = world.refused(Operation::Chat, &dear()).await;
        assert_eq!((answer.instead, answer.output.blocking.len()), (None, 2));
    }

    async fn of_several_the_smallest_cap_and_the_first_model_are_served(db: TestDb) {
        let world = World::new(db).await;
        let first = world.limit(degrading(money(cheap()), Some("round-1"), Some(50))).await;
        let second = degrading(run_tokens(1_199), Some("round-2"), Some(30));
        let second = world.limit(second).await;
        let served_now = world.serve(Operation::Chat, &dear()).await.unwrap();
        let instead = served_now.answer.instead.clone().unwrap();
        assert_eq!((instead.served_model.as_str(), instead.output_tokens), ("round-1", Some(30)));
        assert_eq!(instead.because, [first, second]);
        let body = sent(&world.upstream.only_request());
        assert_eq!((&body["model"], &body["max_tokens"]), (&json!("round-1"), &json!(30)));
    }

    async fn two_limits_that_name_each_others_models_end_in_a_refusal(db: TestDb) {
        let world = World::new(db).await;
        let there = Draft { model: Some("gpt-4".to_owned()), ..degrading(money(1), Some("round-1"), None) };
        let back = Draft { model: Some("round-1".to_owned()), ..degrading(money(1), Some("gpt-4"), None) };
        world.limit(there).await;
        world.limit(Draft { name: "back".to_owned(), ..back }).await;
        world.refused(Operation::Chat, &dear()).await;
        assert_eq!(world.upstream.request_count(), 0);
    }
}
