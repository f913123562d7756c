//! Is every Incident made again from its events, however many it has and whatever is left of it?

use model::authority::{AuthorityContext, AuthorityType};
use model::incident::{Change, Comment, MismatchKind, Step, Transition};
use testkit::db::TestDb;
use testkit::governance::{add_incidents, incident};

use crate::harness::World;

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

testkit::both_databases! {
    async fn every_incident_is_made_again_in_turn(db: TestDb) {
        let world = World::new(db).await;
        let at = world.now();
        let made: Vec<_> = (1..=5).map(|number| incident(world.tenant, number, at)).collect();
        add_incidents(&world.cx.db, made).await;
        let (mut after, mut seen) = (None, 0);
        for turn in 1.. {
            let found = services::incidents::integrity::verify(&world.cx, after, 2).await.unwrap();
            assert_eq!(found.broken, []);
            (after, seen) = (found.last, seen + found.incidents);
            if after.is_none() {
                assert_eq!((turn, seen), (3, 5));
                break;
            }
        }
        let all = services::incidents::replay::all(&world.cx).await.unwrap();
        assert_eq!((all.incidents, all.events, all.broken), (5, 10, vec![]));
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
        let found = services::incidents::integrity::verify(&world.cx, None, 10).await.unwrap();
        assert_eq!(found.broken.len(), 1);
    }
}
