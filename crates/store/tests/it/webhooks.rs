//! Is it known who is sent what, and is everything sent by one process at a time?

use infra::secrets::MasterKey;
use model::id::{DeliveryId, WebhookId};
use model::outbox::Topic;
use model::webhook::{Attempt, Delivery, DeliveryError, DeliveryStatus, Health, Webhook, WebhookStatus};
use store::webhooks::{self, deliveries};
use testkit::db::TestDb;

use crate::support::samples::{ACME, add_acme, at};

const ONE: WebhookId = WebhookId::from_bits(1);

fn webhook() -> Webhook {
    Webhook {
        id: ONE,
        tenant: ACME,
        url: "https://example.com/hook".to_owned(),
        description: Some("pager".to_owned()),
        topics: Topic::TOLD.to_vec(),
        status: WebhookStatus::Enabled,
        status_reason: None,
        previous_until: None,
        health: Health::NEW,
        created_at: at(1),
        updated_at: at(1),
    }
}

fn delivery(place: i64) -> Delivery {
    Delivery {
        id: DeliveryId::from_bits(u128::try_from(place).unwrap()),
        tenant: ACME,
        webhook: ONE,
        place,
        topic: Topic::Created,
        status: DeliveryStatus::Pending,
        attempts: 0,
        step: 0,
        due_at: Some(at(10)),
        last: None,
        created_at: at(10),
        finished_at: None,
    }
}

fn failed(of: &Delivery) -> Delivery {
    Delivery {
        attempts: of.attempts + 1,
        step: of.step + 1,
        due_at: Some(at(20)),
        last: Some(Attempt {
            at: at(11),
            status: Some(500),
            error: Some(DeliveryError::Status),
        }),
        ..of.clone()
    }
}

async fn with_one(db: &TestDb) -> MasterKey {
    add_acme(db).await;
    let key = MasterKey::from_bytes([7; 32]);
    let sealed = key.seal(b"first", "here").unwrap();
    db.write(move |tx| webhooks::insert(tx, &webhook(), &sealed))
        .await
        .unwrap();
    key
}

testkit::both_databases! {
    async fn a_receiver_comes_back_as_it_was_and_its_old_secret_stays_with_the_new_one(db: TestDb) {
        let key = with_one(&db).await;
        assert_eq!(db.read(|tx| webhooks::find(tx, ACME, ONE)).await.unwrap(), Some(webhook()));
        let changed = Webhook {
            status: WebhookStatus::Paused,
            status_reason: Some("it fails".to_owned()),
            previous_until: Some(at(99)),
            health: Health { failures: 3, failing_since: Some(at(2)), rests_until: at(4) },
            updated_at: at(3),
            ..webhook()
        };
        let (other, sealed) = (changed.clone(), key.seal(b"second", "here").unwrap());
        db.write(move |tx| {
            webhooks::rotate(tx, &other, &sealed)?;
            webhooks::set_health(tx, (ACME, ONE), other.health)
        }).await.unwrap();
        assert_eq!(db.read(|tx| webhooks::list(tx, ACME)).await.unwrap(), [changed]);
        let secrets = db.read(|tx| webhooks::secrets(tx, ACME, ONE)).await.unwrap().unwrap();
        let (previous, until) = secrets.previous.unwrap();
        assert_eq!(key.open(&secrets.current, "here").unwrap().as_slice(), b"second");
        assert_eq!((key.open(&previous, "here").unwrap().as_slice(), until), (&b"first"[..], at(99)));
        let deleted = Webhook { status: WebhookStatus::Deleted, ..webhook() };
        db.write(move |tx| webhooks::update(tx, &deleted)).await.unwrap();
        db.write(|tx| webhooks::forget_secrets(tx, ACME, ONE)).await.unwrap();
        assert_eq!(db.read(|tx| webhooks::find(tx, ACME, ONE)).await.unwrap(), None);
        assert_eq!(db.read(|tx| webhooks::list(tx, ACME)).await.unwrap(), []);
        assert!(db.read(|tx| webhooks::secrets(tx, ACME, ONE)).await.is_err());
    }

    async fn first_attempts_stand_in_the_order_of_the_messages_and_others_when_they_are_due(db: TestDb) {
        with_one(&db).await;
        let mut backwards = delivery(3);
        backwards.due_at = Some(at(9));
        let all = [delivery(1), delivery(2), backwards.clone()];
        db.write(move |tx| deliveries::insert(tx, &all)).await.unwrap();
        let unsent = || db.read(|tx| deliveries::unsent(tx, (ACME, ONE), 9));
        assert_eq!(unsent().await.unwrap(), [delivery(1), delivery(2), backwards.clone()]);
        let tried = failed(&delivery(1));
        let (seen, now) = (delivery(1), tried.clone());
        assert!(db.write(move |tx| deliveries::replace(tx, &seen, &now)).await.unwrap());
        let (seen, now) = (delivery(1), tried.clone());
        assert!(!db.write(move |tx| deliveries::replace(tx, &seen, &now)).await.unwrap(), "somebody was faster");
        assert_eq!(unsent().await.unwrap(), [delivery(2), backwards.clone()]);
        let again = |now| db.read(move |tx| deliveries::again(tx, (ACME, ONE), at(now), 9));
        assert_eq!((again(19).await.unwrap(), again(20).await.unwrap()), (vec![], vec![tried.clone()]));
        let listed = db.read(|tx| deliveries::list(tx, (ACME, ONE), deliveries::Filter::default(), 2)).await.unwrap();
        assert_eq!(listed, [backwards, delivery(2)]);
        let older = deliveries::Filter { before: Some(DeliveryId::from_bits(2)), status: Some(DeliveryStatus::Pending) };
        assert_eq!(db.read(move |tx| deliveries::list(tx, (ACME, ONE), older, 2)).await.unwrap(), [tried]);
        assert_eq!(db.write(|tx| deliveries::give_up(tx, (ACME, ONE), at(30))).await.unwrap(), 3);
        assert_eq!((unsent().await.unwrap(), again(99).await.unwrap()), (vec![], vec![]));
        let dead = db.read(|tx| deliveries::find(tx, (ACME, ONE), DeliveryId::from_bits(2))).await.unwrap().unwrap();
        assert_eq!((dead.status, dead.finished_at), (DeliveryStatus::Dead, Some(at(30))));
    }

    async fn one_process_at_a_time_sends_to_a_receiver_that_wants_something(db: TestDb) {
        with_one(&db).await;
        let due = |now| db.read(move |tx| webhooks::due(tx, at(now), &[], 9));
        assert_eq!(due(50).await.unwrap(), [], "there is nothing to send");
        db.write(|tx| deliveries::insert(tx, &[delivery(1)])).await.unwrap();
        assert_eq!((due(9).await.unwrap(), due(10).await.unwrap()), (vec![], vec![(ACME, ONE)]));
        assert_eq!(db.read(|tx| webhooks::due(tx, at(10), &[ACME], 9)).await.unwrap(), [], "there is no room for it");
        let lease = |now, until| db.write(move |tx| webhooks::lease(tx, (ACME, ONE), at(now), at(until)));
        assert!(lease(10, 60).await.unwrap());
        assert!(!lease(11, 61).await.unwrap());
        assert_eq!(due(59).await.unwrap(), []);
        // Who held it is gone.
        assert_eq!(due(60).await.unwrap(), [(ACME, ONE)]);
        assert!(lease(60, 110).await.unwrap());
        db.write(|tx| webhooks::release(tx, (ACME, ONE), at(60), at(61))).await.unwrap();
        assert_eq!(due(62).await.unwrap(), [], "a lease that is over gives nothing back");
        db.write(|tx| webhooks::release(tx, (ACME, ONE), at(110), at(61))).await.unwrap();
        assert_eq!(due(62).await.unwrap(), [(ACME, ONE)]);
        let resting = Health { rests_until: at(70), ..Health::NEW };
        db.write(move |tx| webhooks::set_health(tx, (ACME, ONE), resting)).await.unwrap();
        assert_eq!((due(69).await.unwrap(), due(70).await.unwrap()), (vec![], vec![(ACME, ONE)]));
        let off = Webhook { status: WebhookStatus::Paused, ..webhook() };
        db.write(move |tx| webhooks::update(tx, &off)).await.unwrap();
        assert_eq!(due(99).await.unwrap(), []);
    }
}
