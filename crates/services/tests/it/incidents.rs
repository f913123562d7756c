//! Does a failed LLM Run open one Incident, with everything that belongs to it?

use std::sync::Arc;

use model::authority::{AuthorityContext, AuthorityType};
use model::event::OpsEventType;
use model::id::{IncidentId, PreventionId, RunId};
use model::incident::{
    FailureCode, Incident, IncidentCategory, IncidentLifecycle, ResolutionMethod, ResolutionType,
};
use model::money::NanoUsd;
use model::permille::Permille;
use model::policy::{Prevention, PreventionOutcome, Proposal, ProposalStatus, ProposedBy};
use model::run::{Operation, Run, RunStatus};
use model::severity::Severity;
use serde_json::json;
use services::audit::Author;
use services::incidents::IncidentError;
use services::incidents::change::{Asked, Wish, change};
use services::incidents::failures::{Explained, explain_all};
use services::once::Done;
use store::proposals::Filter;
use testkit::db::TestDb;
use testkit::governance::{add_incidents, add_rules, incident, rule};
use testkit::upstream::Fault;

use crate::gateway::chat;
use crate::harness::World;

/// The provider answers the next request with this status.
pub(crate) fn fails(world: &World, status: u16) {
    world.upstream.fault(Fault::Status {
        status,
        body: None,
        headers: [].into(),
    });
}

/// A run that the provider answers with this status.
pub(crate) async fn failed(world: &World, status: u16) -> RunId {
    fails(world, status);
    let got = world.call(Operation::Chat, &chat(&json!({}))).await;
    assert_eq!(got.status.as_u16(), status);
    got.run
}

async fn explained(world: &World) -> (u64, u64, u64) {
    let Explained {
        runs,
        incidents,
        again: _,
        proposals,
    } = explain_all(&world.cx).await.unwrap();
    (runs, incidents, proposals)
}

pub(crate) async fn incidents_of(world: &World, run: RunId) -> Vec<Incident> {
    let tenant = world.tenant;
    let found = world
        .cx
        .db
        .read(move |tx| store::incidents::of_run(tx, tenant, run, 200));
    found.await.unwrap()
}

pub(crate) async fn proposals(world: &World) -> Vec<Proposal> {
    let tenant = world.tenant;
    let found = world
        .cx
        .db
        .read(move |tx| store::proposals::list(tx, tenant, &Filter::default(), 100));
    found.await.unwrap()
}

pub(crate) async fn timeline(world: &World, entity: String) -> Vec<String> {
    let tenant = world.tenant;
    let found = world
        .cx
        .db
        .read(move |tx| store::timeline::events_of(tx, tenant, &entity));
    found.await.unwrap()
}

/// What the audit ledger says of a thing, newest first.
pub(crate) async fn audited(world: &World, entity: String) -> Vec<&'static str> {
    let tenant = world.tenant;
    let all = world
        .cx
        .db
        .read(move |tx| store::audit::list(tx, tenant, &store::audit::Filter::default(), 1_000));
    let of = all
        .await
        .unwrap()
        .into_iter()
        .filter(|placed| placed.entry.entity_id == entity);
    of.map(|placed| placed.entry.event.as_str()).collect()
}

async fn unexplained(world: &World) -> usize {
    let found = world.cx.db.read(|tx| store::runs::unexplained(tx, None, 100));
    found.await.unwrap().len()
}

/// Writes down anew how a run ended, as its process does when it comes back late.
async fn ends(world: &World, run: Run) {
    let ended = world
        .cx
        .db
        .write(move |tx| store::runs::finish(tx, std::slice::from_ref(&run)));
    ended.await.unwrap();
}

/// A generator of one id.
struct Always(u128);

impl model::id::IdGenerator for Always {
    fn next(&self) -> u128 {
        self.0
    }
}

/// A person who is on call asks for a change.
fn asked(world: &World, id: IncidentId) -> Asked {
    Asked {
        tenant: world.tenant,
        id,
        author: Author::human("key_1".to_owned()),
        authority: AuthorityContext {
            authority_type: AuthorityType::OnCallSre,
            ..AuthorityContext::engine("key_1", world.now())
        },
        expected_versions: Vec::new(),
        once: None,
        signed: None,
    }
}

fn resolve() -> Wish {
    Wish::Resolve {
        notes: None,
        resolution_type: ResolutionType::Fixed,
        method: ResolutionMethod::Manual,
    }
}

/// Somebody who is on call resolves it.
pub(crate) async fn resolve_now(world: &World, id: IncidentId) {
    let done = change(&world.cx, asked(world, id), resolve(), |_| String::new()).await;
    assert!(matches!(done, Ok(Done::Now(..))), "{done:?}");
}

testkit::both_databases! {
    async fn an_audit_ledger_that_cannot_be_written_leaves_the_incident_as_it_is(db: TestDb) {
        let world = World::new(db).await;
        let run = failed(&world, 500).await;
        explained(&world).await;
        let before = incidents_of(&world, run).await.remove(0);
        let (tenant, id) = (world.tenant, before.id);
        let filter = store::audit::Filter::default();
        let last = world.cx.db.read(move |tx| store::audit::list(tx, tenant, &filter, 1)).await.unwrap().remove(0);
        // The next entry of the ledger would have the id of one that is there.
        let mut broken = world.cx.clone();
        broken.ids = Arc::new(Always(last.entry.id.bits()));
        for wish in [Wish::Acknowledge, resolve()] {
            let refused = change(&broken, asked(&world, id), wish.clone(), |_| String::new()).await;
            assert!(matches!(refused, Err(IncidentError::Store(_))), "{refused:?}");
            assert_eq!(incidents_of(&world, run).await, std::slice::from_ref(&before));
            let replayed = services::incidents::replay::one(&world.cx, tenant, id).await.unwrap();
            assert_eq!((replayed.replay.events, replayed.replay.violations), (2, vec![]));
        }
        let done = change(&world.cx, asked(&world, id), resolve(), |_| String::new()).await;
        assert!(matches!(done, Ok(Done::Now(ref incident, _)) if incident.version == 4), "{done:?}");
        let entity = id.to_string();
        assert_eq!(audited(&world, entity.clone()).await, ["IncidentResolved", "IncidentMitigating", "IncidentCreated"]);
        assert_eq!(timeline(&world, entity).await, ["incident_created", "incident_mitigating", "incident_resolved"]);
    }

    async fn an_audit_ledger_that_refuses_the_second_of_two_steps_leaves_the_first_undone_too(db: TestDb) {
        let world = World::new(db).await;
        let run = failed(&world, 500).await;
        explained(&world).await;
        let before = incidents_of(&world, run).await.remove(0);
        let (tenant, id) = (world.tenant, before.id);
        let (refuse, allow) = if world.db.url().starts_with("sqlite:") {
            ("CREATE TRIGGER ledger_is_down BEFORE INSERT ON audit_ledger WHEN NEW.event_type = 'IncidentResolved' \
              BEGIN SELECT RAISE(ABORT, 'the ledger is down'); END", "DROP TRIGGER ledger_is_down")
        } else {
            ("CREATE FUNCTION ledger_is_down() RETURNS trigger LANGUAGE plpgsql AS \
              $$ BEGIN RAISE EXCEPTION 'the ledger is down'; END $$; \
              CREATE TRIGGER ledger_is_down BEFORE INSERT ON audit_ledger FOR EACH ROW \
              WHEN (NEW.event_type = 'IncidentResolved') EXECUTE FUNCTION ledger_is_down()",
             "DROP TRIGGER ledger_is_down ON audit_ledger; DROP FUNCTION ledger_is_down()")
        };
        world.db.by_hand(refuse);
        let refused = change(&world.cx, asked(&world, id), resolve(), |_| String::new()).await;
        assert!(matches!(refused, Err(IncidentError::Store(_))), "{refused:?}");
        assert_eq!(incidents_of(&world, run).await, std::slice::from_ref(&before));
        let replayed = services::incidents::replay::one(&world.cx, tenant, id).await.unwrap();
        assert_eq!((replayed.replay.events, replayed.replay.violations), (2, vec![]));
        assert_eq!(audited(&world, id.to_string()).await, ["IncidentCreated"], "not the entry that was written either");
        assert_eq!(timeline(&world, id.to_string()).await, ["incident_created"]);
        world.db.by_hand(allow);
        let done = change(&world.cx, asked(&world, id), resolve(), |_| String::new()).await;
        assert!(matches!(done, Ok(Done::Now(ref incident, _)) if incident.version == 4), "{done:?}");
        assert_eq!(audited(&world, id.to_string()).await, ["IncidentResolved", "IncidentMitigating", "IncidentCreated"]);
    }

    async fn ten_who_change_at_once_leave_no_gap_and_one_resolution(db: TestDb) {
        let world = World::new(db).await;
        let run = failed(&world, 500).await;
        explained(&world).await;
        let id = incidents_of(&world, run).await[0].id;
        let mut all = tokio::task::JoinSet::new();
        for n in 0..10 {
            let (cx, asked) = (world.cx.clone(), asked(&world, id));
            let wish = if n % 2 == 0 { resolve() } else { Wish::Acknowledge };
            all.spawn(async move { change(&cx, asked, wish, |_| String::new()).await });
        }
        while let Some(done) = all.join_next().await {
            match done.unwrap() {
                Ok(_) | Err(IncidentError::Refused(_)) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        let replayed = services::incidents::replay::one(&world.cx, world.tenant, id).await.unwrap();
        assert_eq!(replayed.replay.violations, []);
        let events = services::incidents::events(&world.cx, (world.tenant, id), None, 100).await.unwrap();
        let resolutions = events.iter().filter(|event| event.new_state == "RESOLVED");
        assert_eq!(resolutions.filter(|event| event.event_type == "STATE_CHANGED").count(), 1);
    }

    async fn what_nobody_has_approved_is_not_there_for_a_customer_who_would_change_it(db: TestDb) {
        let world = World::new(db).await;
        let made = incident(world.tenant, 1, world.now());
        let mut pending = made.history();
        pending.truncate(1);
        world.cx.db.write(move |tx| store::incidents::append(tx, &pending)).await.unwrap();
        for wish in [Wish::Acknowledge, resolve()] {
            let outdated = Asked { expected_versions: vec![9], ..asked(&world, made.id()) };
            for asked in [asked(&world, made.id()), outdated] {
                let refused = change(&world.cx, asked, wish.clone(), |_| String::new()).await;
                assert!(matches!(refused, Err(IncidentError::NotFound)), "{refused:?}");
            }
        }
    }

    async fn a_failed_run_opens_one_incident_and_proposes_the_rule_that_would_have_prevented_it(db: TestDb) {
        let world = World::new(db).await;
        let run = failed(&world, 500).await;
        assert_eq!(unexplained(&world).await, 1);
        assert_eq!(explained(&world).await, (1, 1, 1));
        let all = incidents_of(&world, run).await;
        let [opened] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(opened.id, IncidentId::derive(world.tenant, &run.to_string()));
        assert_eq!(
            (opened.lifecycle(), opened.creation.severity, opened.creation.category),
            (Some(IncidentLifecycle::Active), Severity::Sev2, IncidentCategory::ExecutionFailure)
        );
        let signature = opened.creation.signature.as_ref().unwrap();
        assert_eq!(signature.failure.code, FailureCode::StepFailure);
        assert_eq!(signature.failure.upstream_status, Some(500));
        assert_eq!(signature.request.model.as_deref(), Some("round-1"));
        assert_eq!(opened.creation.correlation_id, world.run(run).await.correlation_id);
        let (tenant, id) = (world.tenant, opened.id);
        let events = world.cx.db.read(move |tx| store::incidents::events(tx, (tenant, id), None, 100)).await.unwrap();
        let words: Vec<_> = events.iter().map(|event| (event.event_type.as_str(), event.new_state.as_str())).collect();
        assert_eq!(words, [("INCIDENT_CREATED", "PENDING"), ("STATE_CHANGED", "OPEN")]);
        let promotion = opened.promotion.as_ref().unwrap();
        assert_eq!((promotion.policy_id.as_str(), promotion.detection_count), ("failed-runs", Some(1)));
        let replayed = services::incidents::replay::one(&world.cx, tenant, id).await.unwrap();
        assert_eq!((replayed.replay.violations.as_slice(), replayed.replay.incident.as_ref()), (&[][..], Some(opened)));
        assert_eq!(audited(&world, id.to_string()).await, ["IncidentCreated"]);
        assert_eq!(timeline(&world, id.to_string()).await, ["incident_created"]);
        assert_eq!(world.events(OpsEventType::IncidentCreated).await, 1);
        let proposed = proposals(&world).await;
        let [proposal] = proposed.as_slice() else { panic!("{proposed:?}") };
        assert_eq!((proposal.status, proposal.proposed_by), (ProposalStatus::Pending, ProposedBy::System));
        assert_eq!(proposal.provenance.triggering_incident, Some(id));
        assert_eq!(proposal.provenance.triggering_run, Some(run));
        assert_eq!(proposal.confidence, Permille::new(600));
        assert_eq!(timeline(&world, proposal.id.to_string()).await, ["policy_proposed"]);
        // It has been looked at.
        assert_eq!((unexplained(&world).await, explained(&world).await), (0, (0, 0, 0)));
    }

    async fn what_was_looked_at_when_the_process_died_is_looked_at_again_and_opens_nothing(db: TestDb) {
        let world = World::new(db).await;
        let run = failed(&world, 500).await;
        explained(&world).await;
        ends(&world, world.run(run).await).await;
        assert_eq!((unexplained(&world).await, explained(&world).await), (1, (1, 0, 0)));
        assert_eq!(incidents_of(&world, run).await.len(), 1);
        assert_eq!(audited(&world, incidents_of(&world, run).await[0].id.to_string()).await.len(), 1);
        assert_eq!(unexplained(&world).await, 0);
    }

    async fn two_processes_that_look_at_once_open_one(db: TestDb) {
        let world = World::new(db).await;
        let run = failed(&world, 503).await;
        let (one, other) = tokio::join!(explain_all(&world.cx), explain_all(&world.cx));
        let opened = one.unwrap().incidents + other.unwrap().incidents;
        assert_eq!((opened, incidents_of(&world, run).await.len(), proposals(&world).await.len()), (1, 1, 1));
        assert_eq!(world.events(OpsEventType::IncidentCreated).await, 1);
        assert_eq!(unexplained(&world).await, 0);
    }

    async fn a_failure_that_is_less_than_high_opens_nothing_and_is_proposed_when_it_recurs(db: TestDb) {
        let world = World::new(db).await;
        for nth in 1..=3 {
            let run = failed(&world, 429).await;
            let proposed = u64::from(nth == 3);
            assert_eq!(explained(&world).await, (1, 0, proposed), "{nth}");
            assert_eq!(incidents_of(&world, run).await, []);
        }
        let proposed = proposals(&world).await;
        assert_eq!(proposed.len(), 1);
        assert_eq!(proposed[0].provenance.triggering_incident, None);
        assert_eq!(proposed[0].confidence, Permille::new(800));
        failed(&world, 429).await;
        assert_eq!(explained(&world).await, (1, 0, 0), "it waits already");
    }

    async fn a_run_whose_process_is_gone_opens_one_too_unless_it_ends_well_after_all(db: TestDb) {
        let world = World::new(db).await;
        let lost = world.call(Operation::Chat, &chat(&json!({}))).await.run;
        let back = world.call(Operation::Chat, &chat(&json!({}))).await.run;
        let ended = world.run(back).await;
        for run in [lost, back] {
            ends(&world, Run { status: RunStatus::Running, completed_at: None, ..world.run(run).await }).await;
        }
        let (tenant, now) = (world.tenant, world.now());
        let both = world.cx.db.locked(move |tx| store::runs::crash(tx, &[(tenant, lost), (tenant, back)], now)).await;
        assert_eq!(both.unwrap().len(), 2);
        assert_eq!(unexplained(&world).await, 2);
        ends(&world, ended).await;
        assert_eq!(explained(&world).await, (1, 1, 1));
        let opened = &incidents_of(&world, lost).await[0];
        assert_eq!((opened.creation.severity, opened.creation.signature.as_ref().unwrap().failure.code), (Severity::Sev1, FailureCode::AgentCrash));
        assert_eq!(incidents_of(&world, back).await, []);
    }

    async fn where_a_prevention_was_written_no_incident_is_opened(db: TestDb) {
        let world = World::new(db).await;
        let run = failed(&world, 500).await;
        let (tenant, at) = (world.tenant, world.now());
        let made = rule(tenant, 1, at);
        add_rules(&world.cx.db, vec![made.clone()]).await;
        let from = incident(tenant, 1, at);
        add_incidents(&world.cx.db, vec![from.clone()]).await;
        let record = Prevention {
            id: PreventionId::from_bits(1),
            tenant,
            rule: made.id,
            rule_version: 1,
            signature: "sig_00000000000000000000000000000000".parse().unwrap(),
            original_incident: Some(from.id()),
            blocked_run: run,
            outcome: PreventionOutcome::Failed,
            confidence: Permille::new(700),
            estimated_saving: NanoUsd(0),
            at,
        };
        world.cx.db.write(move |tx| store::preventions::insert(tx, &record)).await.unwrap();
        assert_eq!(explained(&world).await, (1, 0, 0));
        assert_eq!(incidents_of(&world, run).await, []);
        assert_eq!(unexplained(&world).await, 0);
    }

    async fn a_run_that_was_refused_or_went_well_is_not_looked_at(db: TestDb) {
        let world = World::new(db).await;
        world.call(Operation::Chat, &chat(&json!({}))).await;
        world.budget(1).await;
        world.refused(Operation::Chat, &chat(&json!({}))).await;
        assert_eq!(explained(&world).await, (0, 0, 0));
    }
}
