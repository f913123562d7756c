//! What becomes of a failure while an Incident about the same is going on?

use std::collections::BTreeSet;

use model::authority::AuthorityContext;
use model::id::RunId;
use model::incident::{Attribution, Change, Incident, IncidentState, StepOf, Transition};
use model::money::NanoUsd;
use model::promotion::Verdict;
use model::run::Operation;
use serde_json::json;
use services::incidents::failures::explain_all;
use testkit::db::TestDb;

use crate::gateway::chat;
use crate::harness::World;
use crate::incidents::{audited, fails, incidents_of, timeline};

/// A run with this input that the provider answers with 500.
async fn failed_with(world: &World, input: &str) -> RunId {
    fails(world, 500);
    let body = chat(&json!({ "messages": [{ "role": "user", "content": input }] }));
    world.call(Operation::Chat, &body).await.run
}

/// How many Incidents were opened, and how many failures were added to one.
async fn explained(world: &World) -> (u64, u64) {
    let made = explain_all(&world.cx).await.unwrap();
    (made.incidents, made.again)
}

/// Asserts that an Incident is what its events say, and gives the words of these.
async fn replayed(world: &World, incident: &Incident) -> Vec<String> {
    let one = services::incidents::replay::one(&world.cx, world.tenant, incident.id)
        .await
        .unwrap();
    assert_eq!(
        (one.replay.violations.as_slice(), one.replay.incident.as_ref()),
        (&[][..], Some(incident))
    );
    let events = services::incidents::events(&world.cx, (world.tenant, incident.id), None, 100);
    let events = events.await.unwrap();
    events.into_iter().map(|event| event.event_type).collect()
}

async fn linked(world: &World, incident: &Incident) -> BTreeSet<RunId> {
    let (tenant, id) = (world.tenant, incident.id);
    let runs = world
        .cx
        .db
        .read(move |tx| store::incidents::runs_of(tx, tenant, id));
    runs.await.unwrap().into_iter().collect()
}

testkit::both_databases! {
    async fn the_same_failure_again_is_added_to_the_incident_that_is_going_on(db: TestDb) {
        let world = World::new(db).await;
        let first = failed_with(&world, "one").await;
        assert_eq!(explained(&world).await, (1, 0));
        let again = failed_with(&world, "another").await;
        assert_eq!(explained(&world).await, (0, 1));
        let all = incidents_of(&world, again).await;
        let [incident] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(incidents_of(&world, first).await, all, "it is found from both");
        assert_eq!((incident.occurrences, incident.version, incident.state), (2, 3, IncidentState::Open));
        let cost = |run| { let world = &world; async move { world.run(run).await.cost.unwrap_or_default().0 } };
        assert_eq!(incident.cost, NanoUsd(cost(first).await + cost(again).await));
        assert_eq!(replayed(&world, incident).await, ["INCIDENT_CREATED", "STATE_CHANGED", "SIGNAL_ADDED"]);
        assert_eq!(linked(&world, incident).await, BTreeSet::from([first, again]));
        let entity = incident.id.to_string();
        assert_eq!(timeline(&world, entity.clone()).await, ["incident_created", "incident_recurred"]);
        assert_eq!(audited(&world, entity).await, ["IncidentCreated"]);
        // Told once more, it has been told.
        let run = world.run(again).await;
        world.cx.db.write(move |tx| store::runs::finish(tx, std::slice::from_ref(&run))).await.unwrap();
        assert_eq!(explained(&world).await, (0, 0));
        assert_eq!(incidents_of(&world, again).await, all);
        // Both count as what a rule could have prevented, and each with its own input.
        let signature = incident.creation.signature.clone().unwrap();
        let until = (world.now().plus_seconds(-60), world.now().plus_seconds(60));
        let (tenant, one, family) = (world.tenant, signature.id(), signature.family());
        let counted = world.cx.db.read(move |tx| Ok::<_, store::StoreError>((
            store::incidents::of_failure(tx, tenant, one, until)?,
            store::incidents::of_failure(tx, tenant, family, until)?,
            store::incidents::of_signature(tx, tenant, one)?.0,
        )));
        assert_eq!(counted.await.unwrap(), (1, 2, 1));
    }

    async fn when_it_is_over_the_same_failure_opens_another(db: TestDb) {
        let world = World::new(db).await;
        let first = failed_with(&world, "one").await;
        explained(&world).await;
        let incident = incidents_of(&world, first).await.remove(0);
        crate::incidents::resolve_now(&world, incident.id).await;
        let next = failed_with(&world, "one").await;
        assert_eq!(explained(&world).await, (1, 0));
        let other = incidents_of(&world, next).await.remove(0);
        assert_ne!(other.id, incident.id);
        assert_eq!((other.occurrences, other.creation.fingerprint), (1, incident.creation.fingerprint));
    }

    async fn failures_that_are_looked_at_at_once_are_one_incident_that_counts_them_all(db: TestDb) {
        const RUNS: u32 = 6;
        let world = World::new(db).await;
        let mut runs = BTreeSet::new();
        for nth in 0..RUNS {
            runs.insert(failed_with(&world, &format!("input {nth}")).await);
        }
        let mut jobs = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let cx = world.cx.clone();
            jobs.spawn(async move { explain_all(&cx).await });
        }
        let (mut opened, mut again) = (0, 0);
        while let Some(done) = jobs.join_next().await {
            let done = done.unwrap().unwrap();
            (opened, again) = (opened + done.incidents, again + done.again);
        }
        // What could not be looked at because of the others is looked at now.
        let rest = explained(&world).await;
        assert_eq!((opened + rest.0, again + rest.1), (1, u64::from(RUNS) - 1));
        let run = *runs.first().unwrap();
        let all = incidents_of(&world, run).await;
        let [incident] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(incident.occurrences, i64::from(RUNS));
        assert_eq!(replayed(&world, incident).await.len(), usize::try_from(RUNS).unwrap() + 1);
        assert_eq!(linked(&world, incident).await, runs);
    }

    async fn an_incident_that_waits_for_a_decision_is_opened_by_the_next_fact(db: TestDb) {
        let world = World::new(db).await;
        let first = failed_with(&world, "one").await;
        explained(&world).await;
        let opened = incidents_of(&world, first).await.remove(0);
        crate::incidents::resolve_now(&world, opened.id).await;
        // One about the same that the gate has not let through.
        let now = world.now();
        let step = || StepOf {
            authority: AuthorityContext::engine("incidents", now),
            at: now,
            request_id: "req_1".to_owned(),
            idempotency_key: None,
        };
        let mut creation = opened.creation.clone();
        (creation.identity, creation.run) = ("waits".to_owned(), None);
        let created = Transition::create(world.tenant, creation, step()).unwrap();
        let mut promotion = opened.promotion.clone().unwrap();
        promotion.verdict = Verdict::Defer;
        let waits = Transition::of(&created.standing(), step().with(Change::NotPromoted(promotion))).unwrap();
        let (id, both) = (waits.after().id, [created, waits]);
        world.cx.db.write(move |tx| store::incidents::append(tx, &both)).await.unwrap();
        let next = failed_with(&world, "two").await;
        assert_eq!(explained(&world).await, (1, 1), "it is opened, and it has happened again");
        let incident = incidents_of(&world, next).await.remove(0);
        assert_eq!((incident.id, incident.state, incident.occurrences), (id, IncidentState::Open, 2));
        assert_eq!(
            replayed(&world, &incident).await,
            ["INCIDENT_CREATED", "PROMOTION_DECIDED", "SIGNAL_ADDED", "STATE_CHANGED"]
        );
    }

    async fn an_incident_says_what_it_is_put_down_to(db: TestDb) {
        let world = World::new(db).await;
        let run = failed_with(&world, "one").await;
        explained(&world).await;
        let incident = incidents_of(&world, run).await.remove(0);
        let said = &incident.creation.attribution;
        assert_eq!((said.to, said.rule.as_str()), (Attribution::InfraTimeout, "llm-timeout-or-5xx"));
        // It is part of the event that it came to be by, and comes back with it.
        replayed(&world, &incident).await;
    }
}
