//! Is it seen when too many LLM Runs fail, and does something follow?

use std::collections::BTreeMap;
use std::sync::Arc;

use model::decision::Outcome;
use model::hold::Subject;
use model::id::LimitId;
use model::limit::{Degrade, Enforcement, Handling, LimitCategory, LimitScope, LimitType};
use model::run::{Operation, Run, RunStatus};
use serde_json::json;
use services::limits::Owner;
use services::limits::failures::measure_all;
use services::words::Draft;
use testkit::db::TestDb;
use testkit::history::{Spent, add_runs, failed, refused, run};
use testkit::upstream::Fault;

use crate::books::draft;
use crate::gateway::chat;
use crate::harness::World;

fn error_rate(percent: i64, enforcement: Enforcement) -> Draft {
    Draft {
        enforcement,
        handling: Handling {
            measured_seconds: Some(60),
            ..Handling::default()
        },
        ..draft(LimitCategory::Threshold, LimitType::ErrorRatePct, percent)
    }
}

impl World {
    /// So many LLM Runs that fail, and so many that do not.
    async fn runs(&self, failing: usize, fine: usize) {
        for _ in 0..failing {
            self.upstream.fault(Fault::Status {
                status: 400,
                body: None,
                headers: BTreeMap::new(),
            });
            let got = self.call(Operation::Chat, &chat(&json!({}))).await;
            assert_eq!(self.run(got.run).await.status, RunStatus::Failed);
        }
        for _ in 0..fine {
            let got = self.call(Operation::Chat, &chat(&json!({}))).await;
            assert_eq!(self.run(got.run).await.status, RunStatus::Succeeded);
        }
    }

    async fn is_exceeded(&self, limit: LimitId) -> bool {
        let owner = Owner::Tenant(self.tenant);
        services::limits::get(&self.cx, owner, limit)
            .await
            .unwrap()
            .overrun
            .is_some()
    }
}

testkit::both_databases! {
    async fn a_limit_on_failures_refuses_when_it_is_passed_and_no_longer(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(error_rate(50, Enforcement::Block)).await;
        world.runs(10, 9).await;
        assert_eq!(measure_all(&world.cx).await.unwrap(), (0, 0), "too few to say");
        world.runs(0, 1).await;
        assert_eq!(measure_all(&world.cx).await.unwrap(), (0, 0), "equality passes");
        world.runs(1, 0).await;
        assert_eq!(measure_all(&world.cx).await.unwrap(), (1, 0));
        assert_eq!(measure_all(&world.cx).await.unwrap(), (0, 0), "once");
        assert_eq!((world.breaches(limit).await, world.is_exceeded(limit).await), (1, true));
        let before = world.upstream.request_count();
        let refused = world.refused(Operation::Chat, &chat(&json!({}))).await;
        let blocking: Vec<_> = refused.output.blocking.iter().map(|report| (report.limit, report.settled)).collect();
        assert_eq!(blocking, [(limit, 53)]);
        assert_eq!(refused.output.blocking[0].message_code, "THRESHOLD_LIMIT_EXCEEDED");
        assert_eq!((world.upstream.request_count(), world.breaches(limit).await), (before, 1));
        world.clock.advance_seconds(61);
        assert_eq!(measure_all(&world.cx).await.unwrap(), (0, 1), "what has failed is too long ago");
        world.runs(0, 1).await;
        let (tenant, id) = (world.tenant, limit.to_string());
        let told = world.cx.db.read(move |tx| store::timeline::events_of(tx, tenant, &id)).await.unwrap();
        assert_eq!(told, ["limit_created", "limit_exceeded", "limit_recovered"]);
        world.all_ended().await;
    }

    async fn what_only_tells_lets_pass_and_others_failures_are_not_counted(db: TestDb) {
        let world = World::new(db).await;
        let told = world.limit(error_rate(10, Enforcement::Alert)).await;
        let elsewhere = Draft { scope: LimitScope::Agent, scope_id: Some("somebody-else".to_owned()), ..error_rate(10, Enforcement::Block) };
        world.agent("somebody-else").await;
        let elsewhere = world.limit(elsewhere).await;
        world.runs(3, 17).await;
        assert_eq!(measure_all(&world.cx).await.unwrap(), (1, 0));
        assert_eq!((world.is_exceeded(told).await, world.is_exceeded(elsewhere).await), (true, false));
        assert_eq!(measure_all(&world.cx).await.unwrap(), (0, 0));
        let (tenant, id) = (world.tenant, told.to_string());
        let events = world.cx.db.read(move |tx| store::timeline::events_of(tx, tenant, &id)).await.unwrap();
        assert_eq!(events, ["limit_created", "limit_exceeded", "alert_fired"], "once, while it is passed");
        let served = world.serve(Operation::Chat, &chat(&json!({}))).await.unwrap();
        assert_eq!(served.answer.output.outcome, Outcome::Warn);
        crate::harness::read(served).await;
        world.all_ended().await;
    }

    async fn what_was_refused_since_does_not_hide_the_failures(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(error_rate(50, Enforcement::Block)).await;
        let one = |number: u128| run(world.tenant, number, Spent { at: world.now().plus_seconds(-30), lasted_ms: 1, asked: 0, cost: 0 });
        add_runs(&world.cx.db, (1..=30).map(|number| failed(one(number), "provider-error")).collect()).await;
        assert_eq!(measure_all(&world.cx).await.unwrap(), (1, 0));
        let later = |number| Run { started_at: world.now(), ..refused(one(number)) };
        add_runs(&world.cx.db, (100..2_200).map(later).collect()).await;
        assert_eq!(measure_all(&world.cx).await.unwrap(), (0, 0));
        assert!(world.is_exceeded(limit).await);
    }

    async fn an_agent_whose_llm_runs_are_few_among_many_is_judged(db: TestDb) {
        let world = World::new(db).await;
        let of_agent = Draft { scope: LimitScope::Agent, scope_id: Some("quiet".to_owned()), ..error_rate(50, Enforcement::Block) };
        world.agent("quiet").await;
        let limit = world.limit(of_agent).await;
        let ago = |seconds: i64| Spent { at: world.now().plus_seconds(-seconds), lasted_ms: 1, asked: 0, cost: 0 };
        let quiet = |number| {
            let subject = Subject { agent_id: Some("quiet".to_owned()), ..Subject::default() };
            failed(Run { subject: Arc::new(subject), ..run(world.tenant, number, ago(40)) }, "provider-error")
        };
        add_runs(&world.cx.db, (1..=21).map(quiet).collect()).await;
        add_runs(&world.cx.db, (100..4_300).map(|number| run(world.tenant, number, ago(5))).collect()).await;
        assert_eq!(measure_all(&world.cx).await.unwrap(), (1, 0));
        assert!(world.is_exceeded(limit).await);
    }

    async fn a_limit_that_degrades_serves_the_other_model_meanwhile(db: TestDb) {
        let world = World::new(db).await;
        let draft = error_rate(10, Enforcement::Degrade);
        let degrade = Degrade { model: Some("round-1".to_owned()), output_tokens: None };
        let limit = world.limit(Draft { handling: Handling { degrade: Some(degrade), ..draft.handling.clone() }, ..draft }).await;
        world.runs(3, 17).await;
        assert_eq!(measure_all(&world.cx).await.unwrap(), (1, 0));
        let served = world.serve(Operation::Chat, &chat(&json!({"model": "gpt-4", "max_tokens": 100}))).await.unwrap();
        let instead = served.answer.instead.clone().unwrap();
        assert_eq!((instead.served_model.as_str(), instead.because.as_slice()), ("round-1", &[limit][..]));
        crate::harness::read(served).await;
        world.all_ended().await;
    }
}
