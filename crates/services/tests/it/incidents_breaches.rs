//! Does a Limit that was hit open an Incident, and which ones do not?

use model::id::LimitId;
use model::incident::{Attribution, CauseType, Incident, IncidentCategory, IncidentState};
use model::limit::{Consequence, Enforcement, Handling, LimitCategory, LimitType};
use model::run::{Operation, RunStatus};
use model::severity::Severity;
use serde_json::json;
use services::incidents::breaches::{self, Explained};
use services::words::Draft;
use testkit::db::TestDb;
use testkit::upstream::Fault;

use crate::books::draft;
use crate::gateway::chat;
use crate::harness::World;
use crate::incidents::{incidents_of, resolve_now, timeline};
use crate::incidents_pipeline::decisions;

/// A budget that is passed by the first LLM Run and only tells so.
async fn passed_budget(world: &World) -> LimitId {
    let told = Draft {
        enforcement: Enforcement::Warn,
        ..draft(LimitCategory::Budget, LimitType::CostUsd, 1)
    };
    world.limit(told).await
}

async fn explained(world: &World) -> Explained {
    breaches::explain_all(&world.cx).await.unwrap()
}

const fn made(breaches: u64, incidents: u64, again: u64) -> Explained {
    Explained {
        breaches,
        incidents,
        again,
    }
}

pub(crate) async fn all(world: &World) -> Vec<Incident> {
    let tenant = world.tenant;
    let filter = store::incidents::Listed::default();
    let page = model::page::PageRequest {
        limit: 50,
        after: None,
    };
    let found = world
        .cx
        .db
        .read(move |tx| store::incidents::list(tx, tenant, &filter, &page));
    found.await.unwrap().items
}

async fn linked(world: &World, incident: &Incident) -> usize {
    let found = breaches::of_incident(&world.cx, world.tenant, incident.id)
        .await
        .unwrap();
    for breach in &found {
        let (tenant, id) = (world.tenant, breach.id);
        let back = world
            .cx
            .db
            .read(move |tx| store::incidents::of_breach(tx, tenant, id));
        assert_eq!(back.await.unwrap(), Some(incident.id), "it is found from both");
    }
    found.len()
}

async fn is_sound(world: &World, incident: &Incident) {
    let one = services::incidents::replay::one(&world.cx, world.tenant, incident.id)
        .await
        .unwrap();
    assert_eq!(
        (one.replay.violations.as_slice(), one.replay.incident.as_ref()),
        (&[][..], Some(incident))
    );
}

testkit::both_databases! {
    async fn an_llm_run_that_passes_a_budget_opens_one_incident_with_the_breach(db: TestDb) {
        let world = World::new(db).await;
        let limit = passed_budget(&world).await;
        let run = world.call(Operation::Chat, &chat(&json!({}))).await.run;
        assert_eq!(world.run(run).await.status, RunStatus::Succeeded);
        assert_eq!(explained(&world).await, made(1, 1, 0));
        let found = all(&world).await;
        let [incident] = found.as_slice() else { panic!("{found:?}") };
        let of = &incident.creation;
        assert_eq!((incident.state, of.severity), (IncidentState::Open, Severity::Sev2));
        assert_eq!((of.category, of.cause_type), (IncidentCategory::BudgetExceeded, CauseType::System));
        assert_eq!((of.attribution.to, of.attribution.rule.as_str()), (Attribution::BudgetExceeded, "budget"));
        assert_eq!(of.title, format!("Budget Passed: Limit {limit}"));
        assert_eq!(incidents_of(&world, run).await, found, "the LLM Run names it, too");
        assert_eq!(linked(&world, incident).await, 1);
        assert_eq!(incident.promotion.as_ref().unwrap().policy_id, "budget-breaches");
        assert_eq!(decisions(&world, incident).await.len(), 1);
        assert_eq!(timeline(&world, incident.id.to_string()).await, ["incident_created"]);
        is_sound(&world, incident).await;
        assert_eq!(explained(&world).await, made(0, 0, 0), "it has been looked at");
    }

    async fn what_one_budget_refuses_is_one_incident_that_counts_by_the_minute(db: TestDb) {
        let world = World::new(db).await;
        world.budget(1).await;
        for _ in 0..3 {
            world.refused(Operation::Chat, &chat(&json!({}))).await;
        }
        assert_eq!(explained(&world).await, made(3, 1, 0));
        let incident = all(&world).await.remove(0);
        assert_eq!((incident.occurrences, linked(&world, &incident).await), (1, 3));
        // Of the same minute: the signal is known.
        world.refused(Operation::Chat, &chat(&json!({}))).await;
        assert_eq!(explained(&world).await, made(1, 0, 0));
        let incident = all(&world).await.remove(0);
        assert_eq!((incident.occurrences, linked(&world, &incident).await), (1, 4));
        world.clock.advance_seconds(60);
        world.refused(Operation::Chat, &chat(&json!({}))).await;
        assert_eq!(explained(&world).await, made(1, 0, 1));
        let found = all(&world).await;
        let [incident] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((incident.occurrences, linked(&world, incident).await), (2, 5));
        is_sound(&world, incident).await;
        // When it is over, what is refused later opens another.
        resolve_now(&world, incident.id).await;
        world.clock.advance_seconds(60);
        world.refused(Operation::Chat, &chat(&json!({}))).await;
        assert_eq!(explained(&world).await, made(1, 1, 0));
        assert_eq!(all(&world).await.len(), 2);
    }

    async fn breaches_that_are_looked_at_at_once_are_one_incident(db: TestDb) {
        let world = World::new(db).await;
        world.budget(1).await;
        for _ in 0..4 {
            world.refused(Operation::Chat, &chat(&json!({}))).await;
            world.clock.advance_seconds(60);
        }
        let mut jobs = tokio::task::JoinSet::new();
        for _ in 0..3 {
            let cx = world.cx.clone();
            jobs.spawn(async move { breaches::explain_all(&cx).await });
        }
        while let Some(done) = jobs.join_next().await {
            done.unwrap().unwrap();
        }
        explained(&world).await;
        let found = all(&world).await;
        let [incident] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((incident.occurrences, linked(&world, incident).await), (4, 4));
        is_sound(&world, incident).await;
    }

    async fn a_threshold_opens_an_incident_if_its_limit_says_so(db: TestDb) {
        let world = World::new(db).await;
        let threshold = |enforcement, consequence| Draft {
            enforcement,
            handling: Handling { consequence: Some(consequence), ..Handling::default() },
            ..draft(LimitCategory::Threshold, LimitType::LatencyMs, 50)
        };
        let says_so = world.limit(threshold(Enforcement::Alert, Consequence::Incident)).await;
        world.limit(threshold(Enforcement::Warn, Consequence::Alert)).await;
        world.upstream.fault(Fault::Delay { ms: 200 });
        let run = world.call(Operation::Chat, &chat(&json!({}))).await.run;
        assert_eq!(explained(&world).await, made(2, 1, 0));
        let found = all(&world).await;
        let [incident] = found.as_slice() else { panic!("{found:?}") };
        let of = &incident.creation;
        assert_eq!((of.severity, of.category), (Severity::Sev3, IncidentCategory::ResourceExhaustion));
        assert_eq!(of.title, format!("Threshold Passed: Limit {says_so}"));
        assert_eq!(incident.promotion.as_ref().unwrap().policy_id, "threshold-incidents");
        assert_eq!((incidents_of(&world, run).await, linked(&world, incident).await), (found.clone(), 1));
        is_sound(&world, incident).await;
    }

    async fn a_rate_that_is_full_is_no_incident(db: TestDb) {
        let world = World::new(db).await;
        world.limit(draft(LimitCategory::Rate, LimitType::RequestsPerMinute, 1)).await;
        world.call(Operation::Chat, &chat(&json!({}))).await;
        world.refused(Operation::Chat, &chat(&json!({}))).await;
        assert_eq!((explained(&world).await, all(&world).await), (made(0, 0, 0), vec![]));
    }
}
