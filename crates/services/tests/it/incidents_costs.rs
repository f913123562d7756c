//! Is every LLM Run counted that an Incident is about, and as what it was?

use model::authority::AuthorityContext;
use model::cost::CostGap;
use model::id::{IncidentId, RunId, SignatureId};
use model::incident::{Change, Occurrence, StepOf, Transition};
use model::limit::{Enforcement, LimitCategory, LimitType};
use model::money::NanoUsd;
use model::run::{Operation, Run, RunStatus, UsageSource};
use serde_json::json;
use services::incidents::breaches;
use services::incidents::cost_impact::{CostImpact, RUNS_MAX, cost_impact};
use services::incidents::learnings::learnings;
use services::words::Draft;
use testkit::db::TestDb;
use testkit::governance::{add_incidents, incident};
use testkit::history::{add_runs, failed, stand_in};

use crate::books::draft;
use crate::gateway::chat;
use crate::harness::World;

async fn impact(world: &World, id: IncidentId) -> CostImpact {
    cost_impact(&world.cx, world.tenant, id).await.unwrap()
}

/// An LLM Run that failed, and was another attempt of this one.
fn tried(world: &World, number: u128, parent: Option<u128>) -> Run {
    let run = stand_in(world.tenant, RunId::from_bits(number), world.now());
    Run {
        parent: parent.map(RunId::from_bits),
        ..failed(run, "upstream_timeout")
    }
}

/// An Incident that comes from the first of these runs and in which all others happened.
async fn about(world: &World, runs: &[Run]) -> IncidentId {
    let at = world.now();
    let mut made = incident(world.tenant, 1, at);
    made.creation.run = Some(runs[0].id);
    let mut history = made.history();
    for run in &runs[1..] {
        let again = Occurrence {
            signal_id: run.id.to_string(),
            checksum: None,
            run: Some(run.id),
            signature: Some(SignatureId::of(model::digest::Digest::ZERO)),
            cost: NanoUsd::ZERO,
        };
        let step = StepOf {
            authority: AuthorityContext::engine("incidents", at),
            at,
            request_id: "req_test".to_owned(),
            idempotency_key: None,
        };
        let standing = history.last().unwrap().standing();
        history.push(Transition::of(&standing, step.with(Change::Occurred(again))).unwrap());
    }
    let added = world
        .cx
        .db
        .write(move |tx| store::incidents::append(tx, &history));
    added.await.unwrap();
    made.id()
}

testkit::both_databases! {
    async fn however_many_failed_alike_the_attempt_after_the_last_of_them_is_found(db: TestDb) {
        const ALIKE: u128 = 600;
        let world = World::new(db).await;
        let alike: Vec<Run> = (1..=ALIKE)
            .map(|number| tried(&world, number, (number > 1).then(|| number - 1)))
            .collect();
        let good = Run {
            status: RunStatus::Succeeded,
            error_code: None,
            usage_source: UsageSource::None,
            ..tried(&world, ALIKE + 1, Some(ALIKE))
        };
        add_runs(&world.cx.db, [alike.clone(), vec![good]].concat()).await;
        let id = about(&world, &alike).await;
        let found = impact(&world, id).await;
        assert_eq!((found.failed.runs, found.other.runs, found.recovery.runs), (600, 0, 1));
        assert_eq!((found.is_recovered, found.missing.len()), (true, 0));
        assert!(learnings(&world.cx, world.tenant, id).await.unwrap().is_tried_again);
    }

    async fn that_there_are_more_than_are_added_up_is_said(db: TestDb) {
        let world = World::new(db).await;
        let most = u128::try_from(RUNS_MAX).unwrap();
        let first = tried(&world, 1, None);
        let attempts = (2..=most).map(|number| tried(&world, number, Some(1)));
        let runs: Vec<Run> = std::iter::once(first.clone()).chain(attempts).collect();
        add_runs(&world.cx.db, runs).await;
        let id = about(&world, &[first]).await;
        let whole = impact(&world, id).await;
        assert_eq!((whole.total().runs, whole.missing.len()), (RUNS_MAX, 0));
        add_runs(&world.cx.db, vec![tried(&world, most + 1, Some(7))]).await;
        let cut = impact(&world, id).await;
        assert_eq!((cut.total().runs, cut.missing.keys().copied().collect::<Vec<_>>()), (RUNS_MAX, vec![CostGap::TooMany]));
    }

    async fn what_hit_a_limit_is_affected_and_did_not_fail(db: TestDb) {
        let world = World::new(db).await;
        let told = Draft { enforcement: Enforcement::Warn, ..draft(LimitCategory::Budget, LimitType::CostUsd, 1) };
        world.limit(told).await;
        let run = world.call(Operation::Chat, &chat(&json!({}))).await.run;
        assert_eq!(breaches::explain_all(&world.cx).await.unwrap().incidents, 1);
        let id = crate::incidents::incidents_of(&world, run).await.remove(0).id;
        let paid = world.run(run).await.cost.unwrap();
        let found = impact(&world, id).await;
        assert_eq!((found.failed.runs, found.other.runs, found.recovery.runs), (0, 1, 0));
        assert_eq!((found.total().cost, found.savings.cost, found.missing.len()), (paid, NanoUsd(0), 0));
    }

    async fn what_a_limit_refused_is_affected_for_nothing(db: TestDb) {
        let world = World::new(db).await;
        world.budget(1).await;
        for _ in 0..3 {
            world.refused(Operation::Chat, &chat(&json!({}))).await;
        }
        assert_eq!(breaches::explain_all(&world.cx).await.unwrap().incidents, 1);
        let id = crate::incidents_breaches::all(&world).await.remove(0).id;
        let found = impact(&world, id).await;
        assert_eq!((found.total().runs, found.other.runs, found.total().cost), (3, 3, NanoUsd(0)));
        assert_eq!(found.missing.len(), 0);
    }

    async fn who_goes_on_after_a_limit_was_hit_has_not_paid_for_a_failure(db: TestDb) {
        let world = World::new(db).await;
        let told = Draft { enforcement: Enforcement::Warn, ..draft(LimitCategory::Budget, LimitType::CostUsd, 1) };
        world.limit(told).await;
        let run = world.call(Operation::Chat, &chat(&json!({}))).await.run;
        breaches::explain_all(&world.cx).await.unwrap();
        let id = crate::incidents::incidents_of(&world, run).await.remove(0).id;
        let mut request = world.request(Operation::Chat, &chat(&json!({})));
        request.attribution.parent_run = Some(run);
        crate::harness::read(services::gateway::serve(&world.cx, request).await.unwrap()).await;
        let found = impact(&world, id).await;
        assert_eq!((found.failed.runs, found.other.runs, found.recovery.runs), (0, 1, 1));
        assert!(found.recovery.cost.0 > 0 && found.is_recovered);
        assert_eq!(found.savings.cost, NanoUsd(0));
    }

    async fn a_run_that_somebody_has_reported_failed_only_if_it_did(db: TestDb) {
        let world = World::new(db).await;
        let good = world.call(Operation::Chat, &chat(&json!({}))).await.run;
        let bad = crate::incidents::failed(&world, 500).await;
        for (number, run, failed) in [(1, good, 0), (2, bad, 1)] {
            let mut reported = incident(world.tenant, number, world.now());
            reported.creation.run = Some(run);
            add_incidents(&world.cx.db, vec![reported.clone()]).await;
            let found = impact(&world, reported.id()).await;
            assert_eq!((found.total().runs, found.failed.runs, found.savings.runs), (1, failed, failed), "{run}");
            assert_eq!(found.total().cost, world.run(run).await.cost.unwrap_or_default());
        }
    }
}
