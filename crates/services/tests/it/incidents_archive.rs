//! Are closed Incidents archived by the product, when they are due and not before?

use model::authority::{AuthorityContext, AuthorityType};
use model::id::IncidentId;
use model::incident::{Change, Closing, Incident, IncidentState, Links};
use services::audit::Author;
use services::incidents::archive::archive_due;
use services::incidents::change::{Asked, Wish, change};
use services::once::Done;
use store::automation::switch;
use testkit::db::TestDb;
use testkit::governance::{add_incidents, incident, resolved};

use crate::harness::World;
use crate::incidents::{audited, timeline};

const DAY: u32 = 86_400;

/// An Incident that was resolved now.
async fn over(world: &World, number: u128) -> IncidentId {
    let made = resolved(incident(world.tenant, number, world.now()), world.now());
    let id = made.id();
    add_incidents(&world.cx.db, vec![made]).await;
    id
}

pub(crate) async fn closes(world: &World, id: IncidentId) {
    let asked = Asked {
        tenant: world.tenant,
        id,
        author: Author::human("key_test".to_owned()),
        authority: AuthorityContext {
            authority_type: AuthorityType::OnCallSre,
            ..AuthorityContext::engine("key_test", world.now())
        },
        expected_versions: Vec::new(),
        once: None,
        signed: None,
    };
    let learned = Closing {
        reference: Some("pm-7".to_owned()),
        summary: None,
        links: Links::default(),
    };
    let wish = Wish::Step(Box::new(Change::Closed(learned)), None);
    let done = change(&world.cx, asked, wish, |_| String::new()).await.unwrap();
    assert!(matches!(done, Done::Now(..)));
}

async fn is(world: &World, id: IncidentId) -> Incident {
    services::incidents::get(&world.cx, world.tenant, id)
        .await
        .unwrap()
}

testkit::both_databases! {
    async fn what_was_closed_is_archived_after_ninety_days_and_not_before(db: TestDb) {
        let world = World::new(db).await;
        let (early, late, open) = (over(&world, 1).await, over(&world, 2).await, over(&world, 3).await);
        closes(&world, early).await;
        world.clock.advance_seconds(DAY);
        closes(&world, late).await;
        world.clock.advance_seconds(89 * DAY - 1);
        assert_eq!(archive_due(&world.cx).await.unwrap(), 0);
        world.clock.advance_seconds(1);
        assert_eq!(archive_due(&world.cx).await.unwrap(), 1);
        let archived = is(&world, early).await;
        assert_eq!((archived.state, archived.archived_at), (IncidentState::Archived, Some(world.now())));
        assert_eq!((is(&world, late).await.state, is(&world, open).await.state), (IncidentState::Closed, IncidentState::Resolved));
        let (tenant, events) = (world.tenant, world.cx.db.read({
            let tenant = world.tenant;
            move |tx| store::incidents::events(tx, (tenant, early), None, 100)
        }));
        let last = events.await.unwrap().pop().unwrap();
        assert_eq!((last.new_state.as_str(), last.actor.as_str()), ("ARCHIVED", "incidents"));
        assert_eq!(audited(&world, early.to_string()).await[0], "IncidentArchived");
        assert!(timeline(&world, early.to_string()).await.contains(&"incident_archived".to_owned()));
        services::outbox::place(&world.cx).await.unwrap();
        let told = world.cx.db.read(move |tx| store::outbox::after(tx, tenant, 0, 100)).await.unwrap();
        assert_eq!(told.last().map(|one| one.message.incident), Some(early));
        world.clock.advance_seconds(DAY);
        let both = tokio::join!(archive_due(&world.cx), archive_due(&world.cx));
        assert_eq!((both.0.unwrap() + both.1.unwrap(), is(&world, late).await.state), (1, IncidentState::Archived));
        assert_eq!(archive_due(&world.cx).await.unwrap(), 0);
        assert_eq!(services::incidents::replay::all(&world.cx).await.unwrap().broken, vec![]);
    }

    async fn nothing_is_archived_while_everything_automatic_is_switched_off_and_as_configured_after(db: TestDb) {
        let world = World::new(db).await;
        let mut ids = Vec::new();
        // More than are looked for at a time, all of them resolved at one instant.
        for number in 1..=103 {
            let id = over(&world, number).await;
            closes(&world, id).await;
            ids.push(id);
        }
        let cx = world.cx.clone().with_archive_after_days(7);
        world.clock.advance_seconds(7 * DAY);
        let paused = |is_paused| model::automation::AutomationSwitch {
            tenant: world.tenant,
            is_paused,
            reason: "a test".to_owned(),
            changed_by: "key_test".to_owned(),
            changed_at: world.now(),
        };
        let off = paused(true);
        cx.db.write(move |tx| switch(tx, &off)).await.unwrap();
        assert_eq!(archive_due(&cx).await.unwrap(), 0);
        let on = paused(false);
        cx.db.write(move |tx| switch(tx, &on)).await.unwrap();
        assert_eq!(archive_due(&world.cx).await.unwrap(), 0, "it is 90 days where nothing is configured");
        assert_eq!(archive_due(&cx).await.unwrap(), 103);
        assert_eq!(is(&world, ids[102]).await.state, IncidentState::Archived);
    }
}
