//! Does what is sent to some keep nothing from others, nor from being swept?

use model::id::{DeliveryId, TenantId, WebhookId};
use model::outbox::Topic;
use model::time::Timestamp;
use model::webhook::{Delivery, DeliveryStatus};
use services::audit::Author;
use services::webhooks::change::{self, Change, Wish};
use services::webhooks::{Post, deliver_due};
use testkit::db::TestDb;
use testkit::governance::{add_incidents, incident};
use testkit::receiver::{Act, Receiver, sender};

use crate::webhooks::{DAY, Sending, author, idle};

/// A delivery of the message at the second place.
fn late((tenant, webhook): (TenantId, WebhookId), number: u128, at: Timestamp) -> Delivery {
    Delivery {
        id: DeliveryId::from_bits(number),
        tenant,
        webhook,
        place: 2,
        topic: Topic::Created,
        status: DeliveryStatus::Pending,
        attempts: 0,
        step: 0,
        due_at: Some(at),
        last: None,
        created_at: at,
        finished_at: None,
    }
}

testkit::both_databases! {
    async fn what_was_written_down_for_a_receiver_while_it_was_turned_off_holds_up_no_sweep(db: TestDb) {
        let sending = Sending::new(db).await;
        let receiver = Receiver::start().await;
        let (off, gone) = (sending.webhook(&receiver, &[]).await, sending.webhook(&receiver, &[]).await);
        let again = sending.webhook(&receiver, &[]).await;
        for of in [off, again] {
            let turned_off = Change { enabled: Some(false), ..Change::default() };
            change::update(&sending.cx, of, author(), turned_off).await.unwrap();
        }
        change::delete(&sending.cx, gone, author()).await.unwrap();
        sending.opens().await;
        services::outbox::place(&sending.cx).await.unwrap();
        // As by a process that read the receivers before they were turned off, and commits now.
        for (number, of) in (1..).zip([off, gone, again]) {
            let late = late(of, number, sending.world.now());
            sending.cx.db.write(move |tx| store::webhooks::deliveries::insert(tx, std::slice::from_ref(&late))).await.unwrap();
        }
        let turned_on = Change { enabled: Some(true), ..Change::default() };
        change::update(&sending.cx, again, author(), turned_on).await.unwrap();
        assert_eq!(sending.deliveries(again, Some(DeliveryStatus::Pending)).await, []);
        sending.goes_out().await;
        assert_eq!(receiver.received().len(), 0, "nothing of what happened while it was off");
        sending.world.clock.advance_seconds(8 * DAY);
        assert_eq!(services::outbox::sweep(&sending.cx).await.unwrap(), 2);
        assert_eq!(sending.deliveries(off, None).await, []);
    }

    async fn what_is_old_is_swept_and_what_is_still_to_be_sent_is_not(db: TestDb) {
        let sending = Sending::new(db).await;
        let receiver = Receiver::start().await;
        let of = sending.webhook(&receiver, &["incident.created"]).await;
        sending.opens().await;
        sending.goes_out().await;
        receiver.play(&[Act::status(500)]);
        sending.opens().await;
        sending.goes_out().await;
        sending.world.clock.advance_seconds(8 * DAY);
        let swept = services::outbox::sweep(&sending.cx).await.unwrap();
        assert_eq!(swept, 3, "two of the first Incident, and of the second what nobody is told");
        let left = sending.deliveries(of, None).await;
        assert_eq!(left.iter().map(|one| (one.place, one.status)).collect::<Vec<_>>(), [(4, DeliveryStatus::Pending)]);
        receiver.play(&[Act::status(200)]);
        sending.goes_out().await;
        assert_eq!(services::outbox::sweep(&sending.cx).await.unwrap(), 1);
        assert_eq!(sending.deliveries(of, None).await, []);
    }

    async fn two_processes_send_each_message_once(db: TestDb) {
        let sending = Sending::new(db).await;
        let other = sending.cx.clone().with_post(Post::new(Some(sender())));
        let receiver = Receiver::start().await;
        for _ in 0..8 {
            sending.webhook(&receiver, &["incident.created"]).await;
        }
        for round in 1..=5 {
            sending.opens().await;
            services::outbox::place(&sending.cx).await.unwrap();
            // Both have seen who is due before either has begun.
            let (one, two) = tokio::join!(deliver_due(&sending.cx), deliver_due(&other));
            // Whoever comes to a receiver when it was just served finds nothing to send.
            assert!(one.unwrap().receivers + two.unwrap().receivers >= 8);
            idle(&other).await;
            sending.idle().await;
            assert_eq!(receiver.received().len(), 8 * round);
        }
    }

    async fn a_tenant_whose_receivers_hang_leaves_room_for_the_others(db: TestDb) {
        let sending = Sending::new(db).await;
        let (silent, well) = (Receiver::start().await, Receiver::start().await);
        silent.play(&[Act::Silence]);
        for _ in 0..20 {
            sending.webhook(&silent, &["incident.created"]).await;
        }
        sending.opens().await;
        services::outbox::place(&sending.cx).await.unwrap();
        assert_eq!(deliver_due(&sending.cx).await.unwrap().receivers, 16);
        assert_eq!(deliver_due(&sending.cx).await.unwrap().receivers, 0);
        let theirs = services::tenants::create(&sending.cx, Author::system(), "rival").await.unwrap().id;
        let wish = Wish { url: well.url(), description: None, topics: None };
        change::create(&sending.cx, theirs, author(), wish, None, |_| String::new()).await.unwrap();
        add_incidents(&sending.cx.db, vec![incident(theirs, 7, sending.world.now())]).await;
        services::outbox::place(&sending.cx).await.unwrap();
        assert_eq!(deliver_due(&sending.cx).await.unwrap().receivers, 1);
        sending.idle().await;
        assert_eq!(well.received().len(), 1);
    }
}
