//! What is sent to whom now, and what follows from how that went?
//!
//! One process at a time sends to a receiver, under a lease that ends by itself: one message after the other, so that
//! first attempts go out in the order of what happened. What was sent and not written down, because the process died, is
//! sent again under the same id.

use infra::secrets::WebhookSecret;
use model::audit::AuditEvent;
use model::id::{IdGenerator, TenantId, WebhookId};
use model::outbox::body;
use model::time::Timestamp;
use model::webhook::{Delivery, DeliveryError, Webhook, WebhookStatus};
use serde_json::json;
use store::webhooks::Secrets;
use store::{LockTx, StoreError, StoreResult};
use workers::webhooks::{Parcel, SendError, Sender, Target};

use domain::webhooks::{Judged, Stop, Tried, Went, judge};

use super::{WebhookError, changed, opened};
use crate::audit::{self, Author};
use crate::context::Context;
use crate::measure;

/// Receivers that are looked for in one turn.
const RECEIVERS: i64 = 256;
/// First attempts, and others, that are looked for at a time.
const PIECE: i64 = 16;
/// How long a lease lasts, in seconds: a turn, and one attempt more than fits into it.
const LEASE_SECONDS: i64 = 60;
const TURN_SECONDS: i64 = 30;

/// What a turn has begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Receivers to whom something is being sent now.
    pub receivers: u64,
}

/// Begins to send what is due, each receiver on its own, and does not wait for any of them.
///
/// # Errors
/// What the database says.
pub async fn deliver_due(cx: &Context) -> Result<Sent, StoreError> {
    let post = &cx.post;
    let Some(sender) = post.sender.as_ref().filter(|_| !post.ends.is_cancelled()) else {
        return Ok(Sent::default());
    };
    let now = cx.clock.now();
    // They would only stand in the way of those who have room.
    let busy = post.shares.full();
    let due = cx
        .db
        .read(move |tx| store::webhooks::due(tx, now, &busy, RECEIVERS))
        .await?;
    let mut sent = Sent::default();
    for of in due {
        let Ok(share) = post.shares.take(of.0) else {
            continue;
        };
        let Ok(slot) = post.slots.clone().try_acquire_owned() else {
            break;
        };
        let until = now.plus_seconds(LEASE_SECONDS);
        let leased = cx.db.write(move |tx| store::webhooks::lease(tx, of, now, until));
        if !leased.await? {
            continue;
        }
        sent.receivers = sent.receivers.saturating_add(1);
        let (cx, sender) = (cx.clone(), sender.clone());
        post.tasks.spawn(async move {
            let turn = Turn {
                cx,
                sender,
                of,
                until,
            };
            if let Err(error) = turn.serve().await {
                tracing::warn!(%error, webhook_id = %of.1, "messages could not be sent; they are sent later");
            }
            drop((slot, share));
        });
    }
    Ok(sent)
}

/// Begins nothing more, and waits for the attempts that are on their way.
pub async fn finish(cx: &Context) {
    cx.post.stop();
    cx.post.tasks.close();
    cx.post.tasks.wait().await;
}

/// One receiver, to whom nobody else sends.
struct Turn {
    cx: Context,
    sender: Sender,
    of: (TenantId, WebhookId),
    until: Timestamp,
}

/// What is sent next.
struct Next {
    webhook: Webhook,
    secrets: Option<Secrets>,
    deliveries: Vec<Delivery>,
}

impl Turn {
    async fn serve(&self) -> StoreResult<()> {
        let ends = self.until.plus_seconds(TURN_SECONDS - LEASE_SECONDS);
        loop {
            let Some(next) = self.next().await? else { break };
            if !self.send_all(next, ends).await? {
                break;
            }
        }
        let (of, until, now) = (self.of, self.until, self.cx.clock.now());
        let release = self
            .cx
            .db
            .write(move |tx| store::webhooks::release(tx, of, until, now));
        release.await
    }

    /// What is due, first attempts and others in turn; none if nothing is.
    async fn next(&self) -> StoreResult<Option<Next>> {
        let (of, now) = (self.of, self.cx.clock.now());
        let read = self.cx.db.read(move |tx| -> StoreResult<Option<Next>> {
            let found = store::webhooks::find(tx, of.0, of.1)?;
            let Some(webhook) = found.filter(|webhook| webhook.status == WebhookStatus::Enabled) else {
                return Ok(None);
            };
            let unsent = store::webhooks::deliveries::unsent(tx, of, PIECE)?;
            let again = store::webhooks::deliveries::again(tx, of, now, PIECE)?;
            Ok(Some(Next {
                secrets: store::webhooks::secrets(tx, of.0, of.1)?,
                webhook,
                deliveries: in_turn(unsent, again),
            }))
        });
        Ok(read.await?.filter(|next| !next.deliveries.is_empty()))
    }

    /// Whether to go on.
    async fn send_all(&self, next: Next, ends: Timestamp) -> StoreResult<bool> {
        let mut webhook = next.webhook;
        for delivery in next.deliveries {
            let now = self.cx.clock.now();
            if self.cx.post.ends.is_cancelled() || now >= ends || webhook.health.rests_until > now {
                return Ok(false);
            }
            let secrets = next.secrets.as_ref();
            let went = self.send_one(&webhook, secrets, &delivery, now).await?;
            let judged = judge(&Tried {
                delivery: &delivery,
                health: webhook.health,
                went,
                now: self.cx.clock.now(),
                salt: salt(&delivery),
            });
            webhook.health = judged.health;
            let stopped = judged.stop.is_some();
            let is_written = self.write_down(delivery, judged).await?;
            if stopped || !is_written {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn send_one(
        &self,
        webhook: &Webhook,
        secrets: Option<&Secrets>,
        delivery: &Delivery,
        now: Timestamp,
    ) -> StoreResult<Went> {
        let (tenant, place) = (delivery.tenant, delivery.place);
        let found = self
            .cx
            .db
            .read(move |tx| store::outbox::find(tx, tenant, place))
            .await?;
        let Some(message) = found else {
            return Ok(Went::Failed(DeliveryError::Stopped));
        };
        let signing = signing(&self.cx, webhook, secrets, now);
        let content = Content {
            id: message.id,
            body: message.body,
        };
        Ok(attempt(&self.sender, webhook, &signing, content, now).await)
    }

    /// Writes down what came of an attempt; false if somebody has changed the delivery meanwhile.
    async fn write_down(&self, seen: Delivery, judged: Judged) -> StoreResult<bool> {
        measure::delivery(judged.delivery.status);
        let of = self.of;
        let Some(stop) = judged.stop else {
            let write = self.cx.db.write(move |tx| {
                if !store::webhooks::deliveries::replace(tx, &seen, &judged.delivery)? {
                    return Ok(false);
                }
                store::webhooks::set_health(tx, of, judged.health)?;
                Ok::<_, StoreError>(true)
            });
            return write.await;
        };
        let (ids, now) = (self.cx.ids.clone(), self.cx.clock.now());
        let write = self.cx.db.locked(move |tx| {
            let is_seen = store::webhooks::deliveries::replace(tx, &seen, &judged.delivery)?;
            store::webhooks::set_health(tx, of, judged.health)?;
            give_up(tx, ids.as_ref(), of, stop, now)?;
            Ok::<_, StoreError>(is_seen)
        });
        write.await
    }
}

/// First attempts and others by turns, so that neither waits for all of the other.
fn in_turn(unsent: Vec<Delivery>, again: Vec<Delivery>) -> Vec<Delivery> {
    let (mut unsent, mut again) = (unsent.into_iter(), again.into_iter());
    let mut both = Vec::new();
    loop {
        let pair = (unsent.next(), again.next());
        if pair == (None, None) {
            return both;
        }
        both.extend(pair.0);
        both.extend(pair.1);
    }
}

/// What makes pauses differ from message to message and from attempt to attempt.
fn salt(of: &Delivery) -> u64 {
    let mixed = of
        .id
        .bits()
        .wrapping_add(u128::from(of.step.unsigned_abs()).wrapping_mul(7_919));
    u64::try_from(mixed % u128::from(u64::MAX)).unwrap_or_default()
}

/// The secrets that sign now, the newest first; none if they cannot be opened.
fn signing(cx: &Context, of: &Webhook, secrets: Option<&Secrets>, now: Timestamp) -> Vec<WebhookSecret> {
    let Some((key, secrets)) = cx.identity.master_key().zip(secrets) else {
        return Vec::new();
    };
    let previous = secrets.previous.as_ref().filter(|(_, until)| *until > now);
    let Some(current) = opened(key, of, &secrets.current) else {
        return Vec::new();
    };
    let previous = previous.and_then(|(sealed, _)| opened(key, of, sealed));
    [Some(current), previous].into_iter().flatten().collect()
}

/// What is sent.
struct Content {
    id: String,
    body: String,
}

/// Sends a message once. Nothing goes out unsigned.
async fn attempt(
    sender: &Sender,
    webhook: &Webhook,
    signing: &[WebhookSecret],
    content: Content,
    now: Timestamp,
) -> Went {
    if signing.is_empty() {
        return Went::Failed(DeliveryError::Secret);
    }
    let Ok(target) = Target::parse(&webhook.url, sender.reach()) else {
        return Went::Failed(DeliveryError::UnsafeAddress);
    };
    let timestamp = now.as_micros() / Timestamp::MICROS_PER_SECOND;
    let signatures: Vec<String> = signing
        .iter()
        .map(|secret| secret.sign(&content.id, timestamp, &content.body))
        .collect();
    let sent = sender.send(Parcel {
        target,
        id: content.id,
        timestamp,
        signature: signatures.join(" "),
        body: content.body,
    });
    match sent.await {
        Ok(answer) => Went::Answered {
            status: answer.status,
            retry_after: answer.retry_after,
        },
        Err(error) => Went::Failed(match error {
            SendError::UnsafeAddress => DeliveryError::UnsafeAddress,
            SendError::Unreachable => DeliveryError::Unreachable,
            SendError::Timeout => DeliveryError::Timeout,
            SendError::Malformed => DeliveryError::Malformed,
        }),
    }
}

/// Sends nothing more to a receiver until somebody turns it on, and says why.
fn give_up(
    tx: &mut LockTx<'_>,
    ids: &dyn IdGenerator,
    of: (TenantId, WebhookId),
    stop: Stop,
    now: Timestamp,
) -> StoreResult<()> {
    store::tenants::lock(tx, of.0)?;
    let found = store::webhooks::find(tx, of.0, of.1)?;
    let Some(known) = found.filter(|known| known.status == WebhookStatus::Enabled) else {
        return Ok(());
    };
    let (status, reason) = match stop {
        Stop::Gone => (WebhookStatus::Disabled, "the receiver answered 410 Gone"),
        Stop::Failing => (WebhookStatus::Paused, "every attempt has failed for three days"),
    };
    let next = Webhook {
        status,
        status_reason: Some(reason.to_owned()),
        updated_at: now,
        ..known.clone()
    };
    store::webhooks::update(tx, &next)?;
    store::webhooks::deliveries::give_up(tx, of, now)?;
    tracing::warn!(webhook_id = %of.1, status = status.as_str(), reason, "a receiver is sent nothing more");
    let told = changed(
        (Some(&known), &next),
        (AuditEvent::WebhookStopped, "webhook_stopped"),
        "A receiver of messages is sent nothing more.",
    );
    audit::record(tx, ids, &Author::system(), told, now)
}

/// How a message that tests a receiver fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tested {
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// Why it was no success; none if it was one.
    pub error: Option<DeliveryError>,
    /// How long it took, in milliseconds.
    pub millis: i64,
}

/// Sends a receiver a message of the topic `webhook.test`, at once and once, also if it is turned off.
///
/// # Errors
/// [`WebhookError::NotFound`], [`WebhookError::NoMasterKey`].
pub async fn test(cx: &Context, (tenant, id): (TenantId, WebhookId)) -> Result<Tested, WebhookError> {
    let read = cx.db.read(move |tx| -> Result<_, WebhookError> {
        let found = store::webhooks::find(tx, tenant, id)?.ok_or(WebhookError::NotFound)?;
        Ok((found, store::webhooks::secrets(tx, tenant, id)?))
    });
    let (webhook, secrets) = read.await?;
    let sender = cx.post.sender.as_ref().ok_or(WebhookError::NoMasterKey)?;
    let now = cx.clock.now();
    let signing = signing(cx, &webhook, secrets.as_ref(), now);
    let content = Content {
        id: format!("msg_{:032x}", cx.ids.next()),
        body: body("webhook.test", now, &json!({ "webhook_id": webhook.id })),
    };
    let went = attempt(sender, &webhook, &signing, content, now).await;
    let millis = cx.clock.now().millis_since(now);
    let (status, error) = match went {
        Went::Answered { status, .. } if (200..300).contains(&status) => (Some(status), None),
        Went::Answered { status, .. } => (Some(status), Some(DeliveryError::Status)),
        Went::Failed(error) => (None, Some(error)),
    };
    Ok(Tested {
        status,
        error,
        millis,
    })
}
