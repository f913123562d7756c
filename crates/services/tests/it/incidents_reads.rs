//! Is what an Incident cost added up from what is on record, and what is there to be learned?

use model::cost::CostGap;
use model::id::{IncidentId, RunId};
use model::incident::{Failure, FailureCode, RequestTraits, ResolutionMethod, Signature};
use model::money::NanoUsd;
use model::pattern::{PatternType, Similarity};
use model::policy::{EnforcementMode, ProposalStatus};
use model::run::{LogGap, Operation, RunStatus};
use model::time::Timestamp;
use serde_json::json;
use services::audit::Author;
use services::incidents::IncidentError;
use services::incidents::cost_impact::{CostImpact, cost_impact};
use services::incidents::learnings::{Insight, learnings};
use services::incidents::patterns::patterns;
use services::incidents::recurring::{Asked, recurring};
use services::proposals::{self, Approval, Review};
use services::runs::{RunError, logs};
use testkit::db::TestDb;
use testkit::governance::{TestIncident, add_incidents, incident, resolved};
use testkit::history::{add_runs, stand_in};
use testkit::upstream::Fault;

use crate::gateway::chat;
use crate::harness::{Got, World, read, tenant};
use crate::incidents::{failed, incidents_of, proposals as all_proposals};

/// A call that follows another one.
async fn follows(world: &World, run: RunId) -> Got {
    let mut request = world.request(Operation::Chat, &chat(&json!({})));
    request.attribution.parent_run = Some(run);
    read(services::gateway::serve(&world.cx, request).await.unwrap()).await
}

/// A stream that breaks off, which is paid for as far as it came.
async fn breaks_off(world: &World, model: &str) -> Got {
    world.upstream.fault(Fault::DropAfterEvents { events: 3 });
    let body = chat(&json!({ "stream": true, "model": model, "max_tokens": 100 }));
    world.call(Operation::Chat, &body).await
}

async fn explained(world: &World, run: RunId) -> IncidentId {
    services::incidents::failures::explain_all(&world.cx)
        .await
        .unwrap();
    incidents_of(world, run).await.remove(0).id
}

async fn impact(world: &World, id: IncidentId) -> CostImpact {
    cost_impact(&world.cx, world.tenant, id).await.unwrap()
}

/// An Incident of this failure.
pub(crate) fn of_failure(
    world: &World,
    number: u128,
    (error, input): (&str, &str),
    at: Timestamp,
) -> TestIncident {
    let mut made = incident(world.tenant, number, at);
    made.creation.cost = NanoUsd(7);
    made.creation.signature = Some(Signature {
        failure: Failure {
            code: FailureCode::ExecutionTimeout,
            error_class: error.to_owned(),
            upstream_status: None,
        },
        request: RequestTraits {
            model: Some("round-1".to_owned()),
            input_fingerprint: Some(input.to_owned()),
            ..RequestTraits::default()
        },
    });
    made
}

testkit::both_databases! {
    async fn what_an_incident_cost_is_what_failed_and_what_tried_again(db: TestDb) {
        let world = World::new(db).await;
        let first = breaks_off(&world, "round-1").await;
        let id = explained(&world, first.run).await;
        let alone = impact(&world, id).await;
        let paid = world.run(first.run).await.cost.unwrap();
        assert!(paid.0 > 0, "what was streamed before the break is paid");
        assert_eq!((alone.failed.runs, alone.failed.cost, alone.recovery.runs), (1, paid, 0));
        assert_eq!((alone.is_recovered, alone.missing.len()), (false, 0));
        let again = follows(&world, first.run).await;
        let third = follows(&world, again.run).await;
        // Somebody else's attempt, and one at something else, are none.
        follows(&world, RunId::from_bits(1)).await;
        let all = impact(&world, id).await;
        let recovery = NanoUsd(world.run(again.run).await.cost.unwrap().0 + world.run(third.run).await.cost.unwrap().0);
        assert_eq!((all.recovery.runs, all.recovery.cost, all.is_recovered), (2, recovery, true));
        assert_eq!((all.total().runs, all.total().cost.0), (3, paid.0 + recovery.0));
        assert_eq!((all.failed, all.missing.len()), (alone.failed, 0));
        assert!(recovery.0 > 0);
        assert_eq!(world.run(third.run).await.parent, Some(again.run));
    }

    async fn from_an_incident_one_comes_to_what_it_cost_and_to_whose_key_that_was_and_back(db: TestDb) {
        let world = World::new(db).await;
        let run = breaks_off(&world, "round-1").await.run;
        let id = explained(&world, run).await;
        let tenant = world.tenant;
        let found = world.cx.db.read(move |tx| {
            let costs = store::costs::of_incident(tx, tenant, id)?;
            let key = costs[0].subject.api_key_id.unwrap();
            Ok::<_, store::StoreError>((store::incidents::runs_of(tx, tenant, id)?, costs, store::keys::find(tx, tenant, key)?))
        });
        let (runs, costs, key) = found.await.unwrap();
        assert_eq!((runs, costs.len(), costs[0].run), (vec![run], 1, Some(run)));
        assert_eq!(costs, world.costs(run).await);
        assert_eq!(key.unwrap().id, world.key.key.id);
        assert_eq!(incidents_of(&world, run).await[0].id, id);
    }

    async fn what_is_not_on_record_is_named_and_not_taken_for_nothing(db: TestDb) {
        let world = World::new(db).await;
        let unpriced = breaks_off(&world, "nobody-knows-1").await;
        let id = explained(&world, unpriced.run).await;
        let found = impact(&world, id).await;
        assert_eq!((found.failed.runs, found.failed.cost), (1, NanoUsd(0)));
        assert_eq!(found.missing.into_iter().collect::<Vec<_>>(), [(CostGap::Unpriced, vec![unpriced.run])]);
        // Nobody has a run of this Incident.
        let at = world.now();
        let (mut gone, manual) = (incident(world.tenant, 77, at), incident(world.tenant, 78, at));
        let run = RunId::from_bits(77);
        gone.creation.run = Some(run);
        add_runs(&world.cx.db, vec![stand_in(world.tenant, run, at)]).await;
        add_incidents(&world.cx.db, vec![gone.clone(), manual.clone()]).await;
        let past_the_guards = if world.db.url().starts_with("sqlite") { "" } else { "SET session_replication_role = replica; " };
        world.db.by_hand(&format!("{past_the_guards}DELETE FROM runs WHERE id = '{run}'"));
        let missing = |of: CostImpact| of.missing.into_iter().collect::<Vec<_>>();
        assert_eq!(missing(impact(&world, gone.id()).await), [(CostGap::Gone, vec![run])]);
        assert_eq!(missing(impact(&world, manual.id()).await), [(CostGap::NoRun, vec![])]);
        // What the provider refused cost nothing, and that is known.
        let refused = failed(&world, 500).await;
        let id = explained(&world, refused).await;
        let found = impact(&world, id).await;
        assert_eq!((found.failed.runs, found.total().cost, found.missing.len()), (1, NanoUsd(0), 0));
    }

    async fn of_what_nobody_has_approved_and_of_what_is_somebody_elses_nothing_is_said(db: TestDb) {
        let world = World::new(db).await;
        let made = incident(world.tenant, 1, world.now());
        let mut pending = made.history();
        pending.truncate(1);
        world.cx.db.write(move |tx| store::incidents::append(tx, &pending)).await.unwrap();
        let (other, _, _) = tenant(&world.cx, "other", None).await;
        let shown = incident(world.tenant, 2, world.now());
        add_incidents(&world.cx.db, vec![shown.clone()]).await;
        for (tenant, id) in [(world.tenant, made.id()), (other, shown.id())] {
            let cost = cost_impact(&world.cx, tenant, id).await;
            assert!(matches!(cost, Err(IncidentError::NotFound)), "{cost:?}");
            let learned = learnings(&world.cx, tenant, id).await;
            assert!(matches!(learned, Err(IncidentError::NotFound)), "{learned:?}");
        }
        assert_eq!(patterns(&world.cx, other, 24, 10).await.unwrap().looked_at, 0);
        assert_eq!(patterns(&world.cx, world.tenant, 24, 10).await.unwrap().looked_at, 1);
    }

    async fn what_incidents_have_in_common_is_found_and_which_rule_answers_it(db: TestDb) {
        let world = World::new(db).await;
        let run = failed(&world, 500).await;
        let id = explained(&world, run).await;
        let found = patterns(&world.cx, world.tenant, 24, 10).await.unwrap();
        let [only] = found.failures.as_slice() else { panic!("{found:?}") };
        assert_eq!((only.incidents, only.open, only.latest.id, only.rule), (1, 1, id, None));
        assert_eq!((found.patterns.len(), found.looked_at, found.is_cut), (0, 1, false));
        let waits = learnings(&world.cx, world.tenant, id).await.unwrap();
        let [proposal] = all_proposals(&world).await.try_into().unwrap();
        assert_eq!(waits.learned[0].insight, Insight::Proposed(proposal.id));
        let approval = Review::Approve(Approval { mode: Some(EnforcementMode::Block), notes: None });
        let author = Author::human("key_1".to_owned());
        let approved = proposals::conclude(&world.cx, author, (world.tenant, proposal.id), approval, None, |_| String::new()).await;
        assert!(approved.is_ok(), "{approved:?}");
        let rule = all_proposals(&world).await.first().map(|one| one.status);
        assert_eq!(rule, Some(ProposalStatus::Approved));
        let answered = patterns(&world.cx, world.tenant, 24, 10).await.unwrap();
        let rule = answered.failures[0].rule.unwrap();
        let learned = learnings(&world.cx, world.tenant, id).await.unwrap();
        assert_eq!(learned.learned[0].insight, Insight::Prevented(rule));
        world.clock.advance_seconds(25 * 3_600);
        assert_eq!(patterns(&world.cx, world.tenant, 24, 10).await.unwrap().failures, []);
    }

    async fn what_comes_back_and_what_is_alike_is_found(db: TestDb) {
        let world = World::new(db).await;
        let at = |second: i64| world.now().plus_seconds(second - 100);
        let over = |number: u128, second: i64| {
            resolved(of_failure(&world, number, ("timeout", "a"), at(second)), at(second + 5))
        };
        let all = [
            over(1, 1),
            over(2, 10),
            of_failure(&world, 3, ("timeout", "b"), at(20)),
            of_failure(&world, 4, ("refused", "a"), at(30)),
            of_failure(&world, 5, ("timeout", "a"), at(40)),
        ];
        add_incidents(&world.cx.db, all.to_vec()).await;
        let asked = Asked { days: 30, threshold: 2, most: 20 };
        let found = recurring(&world.cx, world.tenant, asked).await.unwrap();
        let [back] = found.failures.as_slice() else { panic!("{found:?}") };
        assert_eq!((back.total, back.times_over, back.times_back, back.cost), (3, 2, 2, NanoUsd(21)));
        assert_eq!(back.recent, [all[4].id(), all[1].id(), all[0].id()]);
        let shown: Vec<_> = found.groups.iter().map(|group| (group.method, group.total)).collect();
        assert_eq!(shown, [(None, 3), (Some(ResolutionMethod::Manual), 2)]);
        let none = recurring(&world.cx, world.tenant, Asked { threshold: 4, ..asked }).await.unwrap();
        assert_eq!((none.failures.len(), none.groups.len(), none.looked_at), (0, 0, 5));

        let learned = learnings(&world.cx, world.tenant, all[4].id()).await.unwrap();
        let alike: Vec<_> = learned.similar.iter().map(|one| (one.similarity, one.incident.id)).collect();
        assert_eq!(alike, [
            (Similarity::Failure, all[1].id()),
            (Similarity::Failure, all[0].id()),
            (Similarity::Family, all[2].id()),
            (Similarity::Category, all[3].id()),
        ]);
        let insights: Vec<_> = learned.learned.iter().map(|one| &one.insight).collect();
        assert_eq!(insights, [&Insight::SameMethod(ResolutionMethod::Manual, 2), &Insight::TimeToResolution(5_000)]);
        let patterns = patterns(&world.cx, world.tenant, 24, 10).await.unwrap();
        let kinds: Vec<_> = patterns.patterns.iter().map(|one| (one.pattern_type, one.incidents.len())).collect();
        assert_eq!(kinds, [(PatternType::SeveritySpike, 5), (PatternType::CategoryCluster, 5)]);
        assert_eq!(patterns.failures.iter().map(|one| one.incidents).collect::<Vec<_>>(), [3, 1, 1]);
    }

    async fn what_is_on_record_of_a_run_is_collected_without_what_was_said(db: TestDb) {
        let world = World::new(db).await;
        let run = failed(&world, 500).await;
        let id = explained(&world, run).await;
        let found = logs(&world.cx, world.tenant, run).await.unwrap();
        assert_eq!((found.run.status, found.attempts, found.costs.len()), (RunStatus::Failed, Some(1), 0));
        assert_eq!(found.decisions.iter().map(|one| one.id).collect::<Vec<_>>(), [found.run.decision]);
        assert_eq!(found.hold.as_ref().map(|hold| Some(hold.id)), Some(found.run.hold));
        assert_eq!(found.incidents.iter().map(|one| one.id).collect::<Vec<_>>(), [id]);
        let told: Vec<_> = found.timeline.iter().map(|one| one.event_type.as_str()).collect();
        assert_eq!(told, ["incident_created", "policy_proposed"]);
        assert_eq!(found.audit.iter().map(|one| one.entry.event.as_str()).collect::<Vec<_>>(), ["IncidentCreated"]);
        assert_eq!(found.missing.into_iter().collect::<Vec<_>>(), [LogGap::Content]);
        let good = follows(&world, run).await;
        let found = logs(&world.cx, world.tenant, good.run).await.unwrap();
        assert_eq!((found.run.status, found.costs.len(), found.incidents.len()), (RunStatus::Succeeded, 1, 0));
        let (other, _, _) = tenant(&world.cx, "other", None).await;
        let foreign = logs(&world.cx, other, run).await;
        assert!(matches!(foreign, Err(RunError::NotFound)), "{foreign:?}");
    }

    async fn of_more_incidents_of_a_run_than_are_shown_it_is_said_that_there_are_more(db: TestDb) {
        let world = World::new(db).await;
        let run = world.call(Operation::Chat, &chat(&json!({}))).await.run;
        let many = (0..201).map(|number| {
            let mut made = incident(world.tenant, number, world.now());
            made.creation.run = Some(run);
            made
        });
        let (last, all) = (incident(world.tenant, 200, world.now()).id(), many.collect::<Vec<_>>());
        add_incidents(&world.cx.db, all[..199].to_vec()).await;
        let found = logs(&world.cx, world.tenant, run).await.unwrap();
        assert_eq!((found.incidents.len(), found.missing.contains(&LogGap::TooMany)), (199, false));
        world.clock.advance_seconds(1);
        let late = all[199..].iter().cloned().map(|one| TestIncident { at: world.now(), ..one });
        add_incidents(&world.cx.db, late.collect()).await;
        let found = logs(&world.cx, world.tenant, run).await.unwrap();
        assert_eq!((found.incidents.len(), found.missing.contains(&LogGap::TooMany)), (200, true));
        assert!(found.incidents.iter().any(|one| one.id == last), "the newest are shown");
    }
}
