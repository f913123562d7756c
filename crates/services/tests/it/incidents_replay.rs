//! Is every Incident made again from its events, however many it has and whatever is left of it?

use model::authority::{AuthorityContext, AuthorityType};
use model::incident::{Change, Comment, Incident, IncidentState, MismatchKind, Step, Transition};
use services::incidents::failures::explain_all;
use services::incidents::integrity::verify;
use testkit::db::TestDb;
use testkit::governance::{add_incidents, incident, resolved};

use crate::harness::World;
use crate::incidents::{failed, incidents_of, resolve_now};

/// So many comments are made about an Incident.
async fn commented(world: &World, number: u128, comments: usize) {
    let at = world.now();
    let mut history = incident(world.tenant, number, at).history();
    for comment in 0..comments {
        let step = Step {
            change: Change::Commented(Comment {
                text: format!("comment {comment}"),
            }),
            authority: AuthorityContext {
                authority_type: AuthorityType::OnCallSre,
                ..AuthorityContext::engine("key_1", at)
            },
            reason: None,
            at,
            request_id: "req_test".to_owned(),
            idempotency_key: None,
        };
        let standing = history.last().unwrap().standing();
        history.push(Transition::of(&standing, step).unwrap());
    }
    let added = world
        .cx
        .db
        .write(move |tx| store::incidents::append(tx, &history));
    added.await.unwrap();
}

/// The Incidents about others that are not what their events say, newest first.
async fn about(world: &World) -> Vec<Incident> {
    let tenant = world.tenant;
    let filter = store::incidents::Listed {
        service: Some("incident-store".to_owned()),
        ..store::incidents::Listed::default()
    };
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

testkit::both_databases! {
    async fn every_incident_is_made_again_in_turn(db: TestDb) {
        let world = World::new(db).await;
        let at = world.now();
        let made: Vec<_> = (1..=5).map(|number| incident(world.tenant, number, at)).collect();
        add_incidents(&world.cx.db, made).await;
        let mut seen = 0;
        for turn in 1.. {
            // Nothing is remembered between turns but what the database knows.
            let found = verify(&world.cx, 2).await.unwrap();
            assert_eq!((found.broken, found.failed.len()), (vec![], 0));
            seen += found.incidents;
            if found.is_last {
                assert_eq!((turn, seen), (3, 5));
                break;
            }
        }
        assert_eq!(verify(&world.cx, 2).await.unwrap().incidents, 2, "the first are next again");
        let all = services::incidents::replay::all(&world.cx).await.unwrap();
        assert_eq!((all.incidents, all.events, all.broken), (5, 10, vec![]));
    }

    async fn what_cannot_be_told_of_one_incident_holds_up_none_of_the_others(db: TestDb) {
        let world = World::new(db).await;
        let at = world.now();
        let made: Vec<_> = (1..=5).map(|number| incident(world.tenant, number, at)).collect();
        let mut ids: Vec<_> = made.iter().map(testkit::governance::TestIncident::id).collect();
        ids.sort_unstable();
        let (broken, whole): (Vec<_>, Vec<_>) = made.into_iter().partition(|one| one.id() == ids[1]);
        add_incidents(&world.cx.db, whole).await;
        // The event in the middle is missing.
        let mut history = resolved(broken[0].clone(), at).history();
        history.remove(1);
        world.cx.db.write(move |tx| store::incidents::append(tx, &history)).await.unwrap();
        let tenant = world.tenant;
        let taken = world.cx.db.read(move |tx| store::audit::list(tx, tenant, &store::audit::Filter::default(), 1)).await.unwrap();
        world.repeat_ids(Some(taken[0].entry.id.bits()));
        let first = verify(&world.cx, 2).await.unwrap();
        let failed: Vec<_> = first.failed.iter().map(|(named, _)| named.ids().unwrap().1).collect();
        assert_eq!((first.incidents, first.broken.len(), failed), (2, 1, vec![ids[1]]));
        world.repeat_ids(None);
        let next = verify(&world.cx, 4).await.unwrap();
        assert_eq!((next.incidents, next.failed.len(), next.is_last), (3, 0, true));
        let again = verify(&world.cx, 2).await.unwrap();
        assert_eq!((again.broken.len(), again.broken[0].1, again.failed.len()), (1, ids[1], 0));
    }

    async fn one_with_more_events_than_are_read_at_a_time_is_made_again_from_all_of_them(db: TestDb) {
        let world = World::new(db).await;
        commented(&world, 1, 1_000).await;
        let all = services::incidents::replay::all(&world.cx).await.unwrap();
        assert_eq!((all.incidents, all.events, all.broken), (1, 1_002, vec![]));
    }

    async fn an_incident_of_which_events_alone_are_left_is_found(db: TestDb) {
        let world = World::new(db).await;
        let made: Vec<_> = (1..=3).map(|number| incident(world.tenant, number, world.now())).collect();
        let (tenant, gone) = (world.tenant, made[1].id());
        add_incidents(&world.cx.db, made).await;
        let past_the_guards = if world.db.url().starts_with("sqlite") { "" } else { "SET session_replication_role = replica; " };
        world.db.by_hand(&format!("{past_the_guards}DELETE FROM incidents WHERE id = '{gone}'"));
        let all = services::incidents::replay::all(&world.cx).await.unwrap();
        let [(of, id, violations)] = &*all.broken else { panic!("one of three: {all:?}") };
        assert_eq!((all.incidents, *of, *id, violations[0].kind), (3, tenant, gone, MismatchKind::ProjectionMissing));
        let one = services::incidents::replay::anybodys(&world.cx, gone).await.unwrap().unwrap();
        assert_eq!(one.replay.violations, *violations);
        let found = verify(&world.cx, 10).await.unwrap();
        assert_eq!(found.broken.len(), 1);
    }

    async fn a_row_whose_id_is_none_is_told_and_holds_up_none_of_the_others(db: TestDb) {
        let world = World::new(db).await;
        let made = (1..=3).map(|number| incident(world.tenant, number, world.now())).collect();
        add_incidents(&world.cx.db, made).await;
        // Before all of them and behind all of them.
        let wrong = ["INC_nobody", "inc_z z"];
        for id in wrong {
            world.db.by_hand(&format!(
                "INSERT INTO incidents (tenant_id, id, state, topic, severity, category, cause_type, service, cost, created_at, \
                 updated_at, version, head_hash, body) VALUES ('{}', '{id}', 'CLOSED', 'over', 'SEV2', 'MANUAL', 'HUMAN', \
                 's', 0, 0, 0, 1, 'h', '{{}}')", world.tenant
            ));
        }
        let mut found = (0, Vec::new());
        for turn in 1.. {
            let next = verify(&world.cx, 2).await.unwrap();
            assert_eq!((next.broken, next.failed.len()), (vec![], 0));
            found.0 += next.incidents;
            found.1.extend(next.unreadable.into_iter().map(|named| named.incident));
            if next.is_last {
                break;
            }
            assert!(turn < 9, "the job goes on");
        }
        assert!(found.0 >= 3, "{found:?}");
        found.1.sort();
        assert_eq!(found.1, wrong, "each once");
        let tenant = world.tenant;
        let told = || world.cx.db.read(move |tx| store::incidents::of_service(tx, tenant, "incident-store"));
        let last = told().await.unwrap();
        assert_ne!(last.active, model::incident::GoingOn::Nothing, "somebody learns of it");
        world.clock.advance_seconds(90);
        assert_eq!(verify(&world.cx, 50).await.unwrap().unreadable.len(), 2);
        assert_eq!(told().await.unwrap(), last, "and once");
        let all = services::incidents::replay::all(&world.cx).await.unwrap();
        let kinds: Vec<_> = all.unreadable.iter().map(|(_, violation)| violation.kind).collect();
        assert_eq!((kinds, all.broken), (vec![MismatchKind::IncidentIdMismatch; 2], vec![]));
    }

    async fn what_was_put_right_and_is_damaged_again_is_told_again_and_unchanged_damage_is_not(db: TestDb) {
        let world = World::new(db).await;
        let made = incident(world.tenant, 1, world.now());
        let id = made.id();
        add_incidents(&world.cx.db, vec![made]).await;
        let by_hand = |change: &str| world.db.by_hand(&format!("UPDATE incidents SET {change} WHERE id = '{id}'"));
        let turn = async || {
            world.clock.advance_seconds(90);
            let turn = verify(&world.cx, 50).await.unwrap();
            assert_eq!(turn.failed.len(), 0, "{:?}", turn.failed);
            turn.broken.len()
        };
        by_hand("version = version + 1");
        assert_eq!((turn().await, turn().await), (1, 1));
        let [first] = <[_; 1]>::try_from(about(&world).await).unwrap();
        resolve_now(&world, first.id).await;
        assert_eq!((turn().await, about(&world).await.len()), (1, 1), "it was told, and is as it was");
        by_hand("version = version - 1");
        assert_eq!(turn().await, 0);
        world.clock.advance_seconds(30 * 86_400);
        by_hand("version = version + 1");
        assert_eq!((turn().await, turn().await), (1, 1));
        let [second, before] = <[_; 2]>::try_from(about(&world).await).unwrap();
        assert_eq!((second.state, before.id), (IncidentState::Open, first.id));
        assert_eq!(second.occurrences, 1, "and once");
        // Something else of the same kind: what is going on is about it too.
        by_hand("version = version + 1");
        assert_eq!((turn().await, turn().await), (1, 1));
        let again = about(&world).await;
        assert_eq!((again.len(), again[0].occurrences), (2, 2));
        resolve_now(&world, second.id).await;
        by_hand("version = version + 1");
        assert_eq!((turn().await, about(&world).await.len()), (1, 3), "and of what is over it is none");
    }

    async fn events_that_were_cut_off_with_their_incident_are_missed_by_the_audit_ledger(db: TestDb) {
        let world = World::new(db).await;
        let run = failed(&world, 500).await;
        explain_all(&world.cx).await.unwrap();
        let id = incidents_of(&world, run).await[0].id;
        let by_hand = |statement: &str| {
            let is_sqlite = world.db.url().starts_with("sqlite");
            let past_the_guards = if is_sqlite { "" } else { "SET session_replication_role = replica; " };
            world.db.by_hand(&format!("{past_the_guards}{statement}"));
        };
        by_hand(&format!("CREATE TABLE kept AS SELECT * FROM incidents WHERE id = '{id}'"));
        resolve_now(&world, id).await;
        let whole = services::incidents::replay::one(&world.cx, world.tenant, id).await.unwrap();
        assert_eq!((whole.replay.events, whole.replay.violations), (4, vec![]));
        if world.db.url().starts_with("sqlite") {
            by_hand("DROP TRIGGER incident_events_no_delete");
        }
        // The last events are gone, and it stands as it stood before them.
        by_hand(&format!("DELETE FROM incident_events WHERE incident_id = '{id}' AND seq > 2"));
        by_hand(&format!("DELETE FROM incidents WHERE id = '{id}'"));
        by_hand("INSERT INTO incidents SELECT * FROM kept");
        let cut = services::incidents::replay::one(&world.cx, world.tenant, id).await.unwrap();
        let [violation] = &*cut.replay.violations else { panic!("{cut:?}") };
        assert_eq!((violation.kind, violation.event_seq, violation.actual.as_ref()), (MismatchKind::HeadMismatch, Some(4), None));
        assert_eq!(verify(&world.cx, 50).await.unwrap().broken.len(), 1);
    }
}
