//! Is what happens to Incidents told to those who want to know, whatever becomes of them or of us?

use std::time::Duration;

use infra::secrets::MasterKey;
use model::id::{TenantId, WebhookId};
use model::webhook::{Delivery, DeliveryError, DeliveryStatus, Webhook, WebhookStatus};
use serde_json::Value;
use services::Context;
use services::audit::Author;
use services::identity::IdentitySettings;
use services::once::Done;
use services::webhooks::change::{self, Change, Wish};
use services::webhooks::{Post, WebhookError, deliver_due, deliveries, test};
use testkit::db::TestDb;
use testkit::governance::{acknowledged, add_incidents, incident, resolved};
use testkit::receiver::{Act, Received, Receiver, sender};

use crate::harness::World;

pub(crate) const DAY: u32 = 86_400;

/// A world whose tenant may have webhooks.
pub(crate) struct Sending {
    pub(crate) world: World,
    pub(crate) cx: Context,
    next: std::cell::Cell<u128>,
}

impl Sending {
    pub(crate) async fn new(db: TestDb) -> Self {
        let world = World::new(db).await;
        let cx = world
            .cx
            .clone()
            .with_post(Post::new(Some(sender())))
            .with_identity(IdentitySettings {
                master_key: Some(MasterKey::from_bytes([7; 32])),
                ..IdentitySettings::default()
            });
        Self {
            world,
            cx,
            next: std::cell::Cell::new(1),
        }
    }

    pub(crate) async fn webhook(&self, receiver: &Receiver, topics: &[&str]) -> (TenantId, WebhookId) {
        let wish = Wish {
            url: receiver.url(),
            description: None,
            topics: (!topics.is_empty()).then(|| topics.iter().map(|&topic| topic.to_owned()).collect()),
        };
        let made = change::create(&self.cx, self.world.tenant, author(), wish, None, |_| {
            String::new()
        })
        .await;
        let Ok(Done::Now((made, _), _)) = made else {
            panic!("{made:?}")
        };
        (made.tenant, made.id)
    }

    /// Opens one more Incident.
    pub(crate) async fn opens(&self) {
        self.next.set(self.next.get() + 1);
        let opened = incident(self.world.tenant, self.next.get(), self.world.now());
        add_incidents(&self.cx.db, vec![opened]).await;
    }

    /// Places and sends all that is due.
    pub(crate) async fn goes_out(&self) {
        services::outbox::place(&self.cx).await.unwrap();
        while deliver_due(&self.cx).await.unwrap().receivers > 0 {
            self.idle().await;
        }
    }

    pub(crate) async fn idle(&self) {
        idle(&self.cx).await;
    }

    pub(crate) async fn deliveries(
        &self,
        of: (TenantId, WebhookId),
        status: Option<DeliveryStatus>,
    ) -> Vec<Delivery> {
        deliveries::list(&self.cx, of, (status, None), 100).await.unwrap()
    }

    async fn is(&self, (tenant, id): (TenantId, WebhookId)) -> Webhook {
        services::webhooks::get(&self.cx, tenant, id).await.unwrap()
    }

    async fn audited(&self) -> Vec<&'static str> {
        let (tenant, filter) = (self.world.tenant, store::audit::Filter::default());
        let found = self
            .cx
            .db
            .read(move |tx| store::audit::list(tx, tenant, &filter, 50))
            .await
            .unwrap();
        let words = found.iter().rev().map(|one| one.entry.event.as_str());
        words.filter(|word| word.starts_with("Webhook")).collect()
    }
}

/// Waits until nothing of this process is on its way.
pub(crate) async fn idle(cx: &Context) {
    for _ in 0..6_000 {
        if cx.post.is_idle() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it is still on its way");
}

pub(crate) fn author() -> Author {
    Author::human("key_test".to_owned())
}

fn types(received: &[Received]) -> Vec<Value> {
    received.iter().map(|one| one.json()["type"].clone()).collect()
}

fn ids(received: &[Received]) -> Vec<&str> {
    received.iter().map(|one| one.header("webhook-id")).collect()
}

testkit::both_databases! {
    async fn what_happens_to_an_incident_arrives_once_in_its_order(db: TestDb) {
        let sending = Sending::new(db).await;
        let (all, some) = (Receiver::start().await, Receiver::start().await);
        let of = sending.webhook(&all, &[]).await;
        sending.webhook(&some, &["incident.state_changed", "incident.created"]).await;
        let now = sending.world.now();
        let whole = resolved(acknowledged(incident(sending.world.tenant, 1, now), now), now);
        add_incidents(&sending.cx.db, vec![whole.clone()]).await;
        sending.goes_out().await;
        let received = all.received();
        assert_eq!(types(&received), ["incident.created", "incident.acknowledged", "incident.state_changed", "incident.state_changed"]);
        assert_eq!(types(&some.received()), ["incident.created", "incident.state_changed", "incident.state_changed"]);
        let data = received[0].json()["data"].clone();
        assert_eq!((&data["incident_id"], &data["state"], &data["lifecycle_state"]), (&whole.id().to_string().into(), &"OPEN".into(), &"ACTIVE".into()));
        let event = whole.history()[1].event().event_id.clone();
        assert_eq!(received[0].header("webhook-id"), format!("msg_{event}"));
        let sent = sending.deliveries(of, None).await;
        assert!(sent.iter().all(|one| one.status == DeliveryStatus::Delivered && one.attempts == 1), "{sent:?}");
        sending.goes_out().await;
        assert_eq!((all.received().len(), some.received().len()), (4, 3));
    }

    async fn nobody_is_told_of_what_nobody_has_approved(db: TestDb) {
        let sending = Sending::new(db).await;
        let receiver = Receiver::start().await;
        sending.webhook(&receiver, &[]).await;
        let mut pending = incident(sending.world.tenant, 1, sending.world.now()).history();
        pending.truncate(1);
        sending.cx.db.write(move |tx| store::incidents::append(tx, &pending)).await.unwrap();
        sending.goes_out().await;
        assert_eq!(receiver.connections(), 0);
        let read = services::outbox::read(&sending.cx, sending.world.tenant, 0, 10).await.unwrap();
        assert_eq!((read.head.placed, read.told.len(), read.up_to), (1, 0, 1));
    }

    async fn what_fails_is_sent_again_under_its_id_and_what_follows_does_not_wait_for_it(db: TestDb) {
        let sending = Sending::new(db).await;
        let receiver = Receiver::start().await;
        let of = sending.webhook(&receiver, &["incident.created"]).await;
        sending.opens().await;
        sending.opens().await;
        receiver.play(&[Act::status(500), Act::status(200)]);
        sending.goes_out().await;
        let first = receiver.received();
        let failed = sending.deliveries(of, Some(DeliveryStatus::Pending)).await;
        let [failed] = &failed[..] else { panic!("{failed:?}") };
        assert_eq!((failed.place, failed.attempts, failed.last.unwrap().status), (2, 1, Some(500)));
        sending.world.clock.advance_seconds(4);
        sending.goes_out().await;
        assert_eq!(receiver.received().len(), 2, "it is not due");
        sending.world.clock.advance_seconds(2);
        sending.goes_out().await;
        let all = receiver.received();
        assert_eq!(ids(&all), [ids(&first)[0], ids(&first)[1], ids(&first)[0]]);
        assert_eq!(all[0].body, all[2].body);
        assert_ne!(all[0].header("webhook-timestamp"), all[2].header("webhook-timestamp"));
    }

    async fn what_fails_ten_times_is_a_dead_letter_that_can_be_sent_again(db: TestDb) {
        let sending = Sending::new(db).await;
        let receiver = Receiver::start().await;
        let of = sending.webhook(&receiver, &["incident.created"]).await;
        sending.opens().await;
        for attempt in 1..=10_i64 {
            receiver.play(&[Act::status(503)]);
            sending.goes_out().await;
            // Others arrive, so that the receiver as a whole is well.
            receiver.play(&[Act::status(200)]);
            sending.opens().await;
            sending.goes_out().await;
            let first = sending.deliveries(of, None).await.pop().unwrap();
            assert_eq!((first.place, first.attempts), (2, attempt));
            sending.world.clock.advance_seconds(DAY + DAY / 5);
        }
        let dead = sending.deliveries(of, Some(DeliveryStatus::Dead)).await;
        let [dead] = &dead[..] else { panic!("{dead:?}") };
        assert_eq!(dead.last.unwrap().error, Some(DeliveryError::Status));
        assert_eq!(sending.is(of).await.status, WebhookStatus::Enabled);
        let before = receiver.received();
        let again = deliveries::redeliver(&sending.cx, of, dead.id).await.unwrap();
        assert_eq!((again.status, again.attempts), (DeliveryStatus::Pending, 10));
        let waits = deliveries::redeliver(&sending.cx, of, dead.id).await;
        assert!(matches!(waits, Err(WebhookError::Waits)), "{waits:?}");
        sending.goes_out().await;
        let after = receiver.received();
        assert_eq!((after.len(), after.last().unwrap().header("webhook-id")), (before.len() + 1, before[0].header("webhook-id")));
        assert_eq!(sending.deliveries(of, Some(DeliveryStatus::Dead)).await, []);
    }

    async fn a_receiver_that_is_gone_is_sent_nothing_more_and_that_is_said(db: TestDb) {
        let sending = Sending::new(db).await;
        let receiver = Receiver::start().await;
        let of = sending.webhook(&receiver, &["incident.created"]).await;
        sending.opens().await;
        sending.opens().await;
        receiver.play(&[Act::status(410)]);
        sending.goes_out().await;
        let is = sending.is(of).await;
        assert_eq!((is.status, is.status_reason.as_deref()), (WebhookStatus::Disabled, Some("the receiver answered 410 Gone")));
        sending.opens().await;
        sending.goes_out().await;
        assert_eq!(receiver.received().len(), 1);
        let sent = sending.deliveries(of, None).await;
        let ends: Vec<_> = sent.iter().map(|one| (one.status, one.last.unwrap().error.unwrap())).collect();
        assert_eq!(ends, [(DeliveryStatus::Dead, DeliveryError::Stopped), (DeliveryStatus::Dead, DeliveryError::Status)]);
        let off = deliveries::redeliver(&sending.cx, of, sent[0].id).await;
        assert!(matches!(off, Err(WebhookError::Off(WebhookStatus::Disabled))), "{off:?}");
        assert_eq!(sending.audited().await, ["WebhookCreated", "WebhookStopped"]);
    }

    async fn a_receiver_that_fails_for_three_days_is_paused_until_somebody_turns_it_on(db: TestDb) {
        let sending = Sending::new(db).await;
        let receiver = Receiver::start().await;
        let of = sending.webhook(&receiver, &["incident.created"]).await;
        receiver.play(&[Act::status(500)]);
        for _ in 0..4 {
            sending.opens().await;
            sending.goes_out().await;
            sending.world.clock.advance_seconds(DAY);
        }
        sending.goes_out().await;
        let is = sending.is(of).await;
        assert_eq!(is.status, WebhookStatus::Paused);
        assert_eq!(is.status_reason.as_deref(), Some("every attempt has failed for three days"));
        assert_eq!(sending.deliveries(of, Some(DeliveryStatus::Pending)).await, []);
        let on = Change { enabled: Some(true), ..Change::default() };
        let is = change::update(&sending.cx, of, author(), on).await.unwrap();
        assert_eq!((is.status, is.health.failures, is.health.failing_since), (WebhookStatus::Enabled, 0, None));
        receiver.play(&[Act::status(200)]);
        sending.opens().await;
        sending.goes_out().await;
        assert_eq!(sending.deliveries(of, Some(DeliveryStatus::Delivered)).await.len(), 1);
        assert_eq!(sending.audited().await, ["WebhookCreated", "WebhookStopped", "WebhookUpdated"]);
    }

    async fn what_a_process_that_died_did_not_write_down_is_sent_by_another(db: TestDb) {
        let sending = Sending::new(db).await;
        let receiver = Receiver::start().await;
        let of = sending.webhook(&receiver, &["incident.created"]).await;
        sending.opens().await;
        services::outbox::place(&sending.cx).await.unwrap();
        let (now, until) = (sending.world.now(), sending.world.now().plus_seconds(60));
        assert!(sending.cx.db.write(move |tx| store::webhooks::lease(tx, of, now, until)).await.unwrap());
        // It may have sent it or not, and is gone.
        sending.goes_out().await;
        assert_eq!(receiver.received().len(), 0);
        sending.world.clock.advance_seconds(60);
        sending.goes_out().await;
        assert_eq!(types(&receiver.received()), ["incident.created"]);
    }

    async fn two_secrets_sign_for_a_day_after_a_rotation(db: TestDb) {
        let sending = Sending::new(db).await;
        let receiver = Receiver::start().await;
        let of = sending.webhook(&receiver, &["incident.created"]).await;
        let signatures = async || {
            sending.opens().await;
            sending.goes_out().await;
            let last = receiver.received().pop().unwrap();
            last.header("webhook-signature").split(' ').count()
        };
        assert_eq!(signatures().await, 1);
        let (changed, secret) = change::rotate(&sending.cx, of, author()).await.unwrap();
        assert!(secret.expose().starts_with("whsec_") && secret.expose().len() == 50, "{}", secret.expose().len());
        assert_eq!(changed.previous_until, Some(sending.world.now().plus_seconds(86_400)));
        assert_eq!(signatures().await, 2);
        sending.world.clock.advance_seconds(DAY);
        assert_eq!(signatures().await, 1);
        assert_eq!(sending.audited().await, ["WebhookCreated", "WebhookSecretRotated"]);
    }

    async fn a_deleted_receiver_is_gone_with_its_secrets(db: TestDb) {
        let sending = Sending::new(db).await;
        let receiver = Receiver::start().await;
        let of = sending.webhook(&receiver, &[]).await;
        sending.opens().await;
        services::outbox::place(&sending.cx).await.unwrap();
        change::delete(&sending.cx, of, author()).await.unwrap();
        sending.goes_out().await;
        assert_eq!(receiver.connections(), 0);
        let again = change::delete(&sending.cx, of, author()).await;
        assert!(matches!(again, Err(WebhookError::NotFound)), "{again:?}");
        assert!(sending.cx.db.read(move |tx| store::webhooks::secrets(tx, of.0, of.1)).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_says_nothing_keeps_nobody_else_waiting() {
    let sending = Sending::new(TestDb::sqlite()).await;
    let (silent, well) = (Receiver::start().await, Receiver::start().await);
    let slow = sending.webhook(&silent, &["incident.created"]).await;
    sending.webhook(&well, &["incident.created"]).await;
    silent.play(&[Act::Silence]);
    for number in 1..=3 {
        sending.opens().await;
        services::outbox::place(&sending.cx).await.unwrap();
        deliver_due(&sending.cx).await.unwrap();
        for _ in 0..200 {
            if well.received().len() == number {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            deliver_due(&sending.cx).await.unwrap();
        }
        assert_eq!(well.received().len(), number);
    }
    sending.idle().await;
    let waits = sending.deliveries(slow, None).await;
    assert!(
        waits.iter().any(|one| one
            .last
            .is_some_and(|last| last.error == Some(DeliveryError::Timeout))),
        "{waits:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leads_inside_is_refused_and_a_test_says_how_it_fared() {
    let sending = Sending::new(TestDb::sqlite()).await;
    let receiver = Receiver::start().await;
    let of = sending.webhook(&receiver, &[]).await;
    let fared = test(&sending.cx, of).await.unwrap();
    assert_eq!((fared.status, fared.error), (Some(200), None));
    let message = receiver.received().pop().unwrap();
    assert_eq!(message.json()["type"], "webhook.test");
    assert_eq!(message.header("webhook-signature").split(' ').count(), 1);
    receiver.play(&[Act::status(404)]);
    let fared = test(&sending.cx, of).await.unwrap();
    assert_eq!(
        (fared.status, fared.error),
        (Some(404), Some(DeliveryError::Status))
    );
    assert_eq!(sending.deliveries(of, None).await, []);
    // The guard of an installation that is not for development.
    let guarded = sending.world.cx.clone();
    let wish = Wish {
        url: receiver.url(),
        description: None,
        topics: None,
    };
    let refused = change::create(&guarded, sending.world.tenant, author(), wish, None, |_| {
        String::new()
    })
    .await;
    assert!(matches!(refused, Err(WebhookError::UnsafeUrl(_))), "{refused:?}");
    let wish = Wish {
        url: "https://example.com".to_owned(),
        description: None,
        topics: None,
    };
    let refused = change::create(&guarded, sending.world.tenant, author(), wish, None, |_| {
        String::new()
    })
    .await;
    assert!(matches!(refused, Err(WebhookError::NoMasterKey)), "{refused:?}");
}
