//! What a customer cannot do to a call that runs, and what the provider cannot do to a limit.

use model::event::OpsEventType;
use model::hold::HoldStatus;
use model::limit::{LimitCategory, LimitType};
use model::run::{Operation, RunStatus};
use serde_json::json;
use services::gateway::{OutputCap, OutputCaps};
use testkit::db::TestDb;
use testkit::upstream::{Fault, Reply};

use crate::books::draft;
use crate::gateway::*;
use crate::harness::*;

testkit::both_databases! {
    async fn a_customer_cannot_release_the_hold_of_a_running_call(db: TestDb) {
        let world = World::new(db).await;
        world.budget(USD).await;
        world.upstream.fault(Fault::DelayBetweenEvents { ms: 100 });
        let answer = world.serve(Operation::Chat, &chat(&json!({"stream": true}))).await.unwrap();
        let hold = answer.answer.hold.clone().unwrap();
        let released = services::limits::settle_by_client(&world.cx, (world.tenant, world.key.key.id), hold.id, None, None).await;
        let got = read(answer).await;
        world.run_ended(got.run).await;
        assert!(released.is_err(), "{released:?}");
        assert_eq!(world.holds().await[0].status, HoldStatus::Settled);
    }

    async fn a_threshold_bounds_what_is_made_and_not_only_what_was_asked(db: TestDb) {
        let world = World::new(db).await;
        world.limit(draft(LimitCategory::Threshold, LimitType::TokensPerRun, 6_000)).await;
        world.upstream.reply(Reply::of_tokens(12, 50_000));
        let got = world.call(Operation::Chat, &chat(&json!({}))).await;
        let run = world.run(got.run).await;
        assert!(run.usage.unwrap().output <= 6_000, "{}", world.upstream.only_request().body);
    }

    async fn what_a_provider_reads_by_itself_is_settled_and_what_was_not_held_is_told(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(10 * USD).await;
        let ask = |more: &serde_json::Value| {
            let mut body = json!({"model": "round-1", "input": "hello", "max_output_tokens": 10});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        let searching = ask(&json!({"tools": [{"type": "web_search"}]}));
        let going_on = ask(&json!({"previous_response_id": "resp_1"}));
        let mut settled = 0;
        for (body, allowed, input, fits) in [
            (&searching, 0, 1_000, true),
            (&searching, 0, 80_000, false),
            (&going_on, 50_000, 50_000, true),
            (&going_on, 50_000, 80_000, false),
        ] {
            world.upstream.fault(Fault::ReportedUsage { input_tokens: input, output_tokens: 5 });
            let got = world.call(Operation::Responses, body).await;
            let input = i64::try_from(input).unwrap();
            settled += input * 1_000 + 5 * 2_000;
            let run = assert_ended(&world, got.run, served(input * 1_000 + 5 * 2_000)).await;
            let bytes = i64::try_from(body.to_string().len()).unwrap();
            assert_eq!(run.estimated.input_tokens, bytes + 1_024 + allowed);
            assert_eq!(run.status, RunStatus::Succeeded);
            assert_eq!((world.usage(budget).await, world.breaches(budget).await), ((settled, 0), 0), "the budget has room");
            let (tenant, hold) = (world.tenant, run.hold.unwrap().to_string());
            let told = world.cx.db.read(move |tx| store::timeline::events_of(tx, tenant, &hold)).await.unwrap();
            assert_eq!(told.is_empty(), fits, "{told:?}");
        }
    }

    async fn the_requested_output_is_clamped_to_what_the_model_can_make(db: TestDb) {
        let cap = |model: &str, max_output_tokens| OutputCap {
            provider: "openai".to_owned(),
            model_glob: model.to_owned(),
            max_output_tokens,
        };
        let mut setup = Setup::default();
        setup.gateway.output_caps = OutputCaps::new(vec![cap("round-*", 300)]);
        let world = World::with(db, setup).await;
        world.budget(1_000 * USD).await;
        world.upstream.reply(Reply::of_tokens(12, 50_000));
        for (more, held, sent) in [
            (json!({"max_tokens": 1_000_000}), 300, json!({"max_tokens": 300})),
            // Whichever of the two is obeyed.
            (
                json!({"max_tokens": 1_000_000, "max_completion_tokens": 200}),
                300,
                json!({"max_tokens": 300, "max_completion_tokens": 200}),
            ),
            (json!({"max_tokens": 20, "n": 2}), 40, json!({"max_tokens": 20})),
            (json!({}), 300, json!({"max_completion_tokens": 300})),
            // 128,000 tokens are all that this one can have in view.
            (
                json!({"model": "gpt-4o-mini", "max_tokens": 90_000_000}),
                128_000,
                json!({"max_tokens": 128_000}),
            ),
            // Of this one nothing is known.
            (json!({"model": "davinci-002", "max_tokens": 500_000}), 500_000, json!({"max_tokens": 500_000})),
        ] {
            let got = world.call(Operation::Chat, &chat(&more)).await;
            let run = world.run(got.run).await;
            assert_eq!(run.estimated.output_tokens, held, "{more}");
            let request = world.upstream.requests().pop().unwrap();
            let request: serde_json::Value = serde_json::from_str(&request.body).unwrap();
            for field in ["max_tokens", "max_completion_tokens"] {
                assert_eq!(request[field], sent[field], "{more}");
            }
            assert!(run.usage.unwrap().output <= held, "{more}");
        }
    }

    async fn a_run_whose_process_is_gone_is_marked_when_its_hold_expires(db: TestDb) {
        let world = World::new(db).await;
        world.budget(USD).await;
        let command = world.orphan();
        let run = command.run.as_ref().unwrap().id;
        world.cx.ledger.hold(command).await.unwrap();
        assert_eq!(world.run(run).await.status, RunStatus::Running);
        world.clock.advance_seconds(3_600);
        assert_eq!(services::upkeep::expire_holds(&world.cx).await.unwrap(), 1);
        let run = world.run(run).await;
        assert_eq!((run.status, run.error_code.as_deref()), (RunStatus::Crashed, Some("hold_expired")));
        assert!(run.completed_at.is_some());
        assert_eq!(world.events(OpsEventType::LlmCallFailed).await, 1);
        // Neither the next turn of the loop nor another process tells it again.
        assert_eq!(services::upkeep::expire_holds(&world.cx).await.unwrap(), 0);
        let hold = world.holds().await[0].id;
        let again = services::ledger::EndCommand {
            tenant: world.tenant,
            hold,
            end: domain::settle::End::Expire,
            authority: domain::settle::Authority::Gateway,
            key: None,
            cost: None,
            run: None,
            events: Vec::new(),
            passed: Vec::new(),
            ruling: None,
            idempotency: None,
        };
        assert!(world.cx.ledger.end(again).await.is_err());
        assert_eq!(world.events(OpsEventType::LlmCallFailed).await, 1);
    }

    async fn a_hold_without_a_run_expires_without_a_word(db: TestDb) {
        let world = World::new(db).await;
        world.budget(USD).await;
        services::limits::check(&world.cx, world.check_request(5), String::new(), None).await.unwrap();
        world.clock.advance_seconds(3_600);
        assert_eq!(services::upkeep::expire_holds(&world.cx).await.unwrap(), 1);
        assert_eq!(world.events(OpsEventType::LlmCallFailed).await, 0);
    }
}

impl World {
    /// A hold for a run that nobody will carry to its end.
    fn orphan(&self) -> services::ledger::HoldCommand {
        use model::id::{DecisionId, HoldId, RunId};
        let ids = self.cx.ids.as_ref();
        services::ledger::HoldCommand {
            tenant: self.tenant,
            subject: std::sync::Arc::default(),
            amounts: model::amounts::Amounts {
                requests: 1,
                ..model::amounts::Amounts::ZERO
            },
            concurrency: 1,
            cost_known: true,
            ttl_ms: 60_000,
            hold: HoldId::generate(ids),
            decision: DecisionId::generate(ids),
            run: Some(services::ledger::NewRun {
                id: RunId::generate(ids),
                operation: Operation::Chat,
                stream: false,
                tools: Vec::new(),
                input_fingerprint: None,
                parent: None,
            }),
            correlation_id: "req_orphan".to_owned(),
            idempotency: None,
            judged: None,
            patience: None,
            instead: None,
        }
    }
}
