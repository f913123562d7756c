//! How is a receiver of messages made, changed, given another secret and deleted?

use infra::secrets::{Secret, WebhookSecret, random_bytes};
use model::audit::AuditEvent;
use model::id::{TenantId, WebhookId};
use model::time::Timestamp;
use model::webhook::{Health, Webhook, WebhookStatus};

use super::{
    OVERLAP_SECONDS, WEBHOOKS_MAX, WebhookError, changed, checked_description, checked_topics, checked_url,
    lock, sealed,
};
use crate::audit::{self, Author};
use crate::context::Context;
use crate::ledger::Replay;
use crate::once::{Done, Once, Render};

/// What somebody wants of a receiver.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Where it lives.
    pub url: String,
    /// What people call it.
    pub description: Option<String>,
    /// What it is told; all if it is left out.
    pub topics: Option<Vec<String>>,
}

/// What somebody wants otherwise.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Where it lives.
    pub url: Option<String>,
    /// What people call it; empty to take it away.
    pub description: Option<String>,
    /// What it is told.
    pub topics: Option<Vec<String>>,
    /// Whether it is told anything.
    pub enabled: Option<bool>,
}

/// Makes a receiver. Its secret is returned here and nowhere else, ever: a request that comes twice is answered without it.
///
/// # Errors
/// [`WebhookError`].
pub async fn create(
    cx: &Context,
    tenant: TenantId,
    author: Author,
    wish: Wish,
    once: Option<Once>,
    render: Render<Webhook>,
) -> Result<Done<(Webhook, Secret)>, WebhookError> {
    let now = cx.clock.now();
    let made = Webhook {
        id: WebhookId::generate(cx.ids.as_ref()),
        tenant,
        url: checked_url(&wish.url, cx.post.reach())?,
        description: wish.description.as_deref().map(checked_description).transpose()?,
        topics: checked_topics(wish.topics.as_deref())?,
        status: WebhookStatus::Enabled,
        status_reason: None,
        previous_until: None,
        health: Health::NEW,
        created_at: now,
        updated_at: now,
    };
    let secret = WebhookSecret::from_bytes(random_bytes());
    let sealed = sealed(cx, &made, &secret)?;
    let (stored, ids) = (made.clone(), cx.ids.clone());
    let body = render(&made);
    let answer = body.clone();
    let write = cx.db.locked(move |tx| -> Result<Option<Replay>, WebhookError> {
        lock(tx, tenant)?;
        if let Some(once) = &once {
            if let Some(before) = once.before(tx)? {
                return Ok(Some(before));
            }
            once.record(tx, 201, &body, now)?;
        }
        if store::webhooks::list(tx, tenant)?.len() >= WEBHOOKS_MAX {
            return Err(WebhookError::Quota);
        }
        store::webhooks::insert(tx, &stored, &sealed)?;
        let told = changed(
            (None, &stored),
            (AuditEvent::WebhookCreated, "webhook_created"),
            "A receiver of messages was made.",
        );
        audit::record(tx, ids.as_ref(), &author, told, now)?;
        Ok(None)
    });
    Ok(match write.await? {
        Some(before) => Done::Before(before),
        None => Done::Now((made, secret.to_text()), answer),
    })
}

/// Changes a receiver. What waited for one that is turned off is given up; one that is turned on begins anew.
///
/// # Errors
/// [`WebhookError`].
pub async fn update(
    cx: &Context,
    (tenant, id): (TenantId, WebhookId),
    author: Author,
    change: Change,
) -> Result<Webhook, WebhookError> {
    let url = change.url.as_deref();
    let url = url.map(|url| checked_url(url, cx.post.reach())).transpose()?;
    let description = match change.description.as_deref() {
        None | Some("") => None,
        Some(text) => Some(checked_description(text)?),
    };
    let is_described = change.description.is_some();
    let topics = change.topics.as_deref();
    let topics = topics.map(|words| checked_topics(Some(words))).transpose()?;
    let (now, ids) = (cx.clock.now(), cx.ids.clone());
    cx.db
        .locked(move |tx| -> Result<Webhook, WebhookError> {
            lock(tx, tenant)?;
            let known = store::webhooks::find(tx, tenant, id)?.ok_or(WebhookError::NotFound)?;
            let mut next = known.clone();
            next.url = url.clone().unwrap_or(next.url);
            if is_described {
                next.description.clone_from(&description);
            }
            next.topics = topics.clone().unwrap_or(next.topics);
            next.updated_at = now;
            match change.enabled {
                Some(true) => {
                    if known.status != WebhookStatus::Enabled {
                        // What was written down while it was being turned off.
                        store::webhooks::deliveries::give_up(tx, (tenant, id), now)?;
                    }
                    (next.status, next.status_reason) = (WebhookStatus::Enabled, None);
                    next.health = Health::NEW;
                    store::webhooks::set_health(tx, (tenant, id), next.health)?;
                }
                Some(false) => {
                    (next.status, next.status_reason) = (WebhookStatus::Disabled, None);
                    store::webhooks::deliveries::give_up(tx, (tenant, id), now)?;
                }
                None => {}
            }
            store::webhooks::update(tx, &next)?;
            let told = changed(
                (Some(&known), &next),
                (AuditEvent::WebhookUpdated, "webhook_updated"),
                "A receiver of messages was changed.",
            );
            audit::record(tx, ids.as_ref(), &author, told, now)?;
            Ok(next)
        })
        .await
}

/// Gives a receiver another secret, which is returned here and nowhere else. For [`OVERLAP_SECONDS`] messages are signed
/// with both.
///
/// # Errors
/// [`WebhookError`].
pub async fn rotate(
    cx: &Context,
    (tenant, id): (TenantId, WebhookId),
    author: Author,
) -> Result<(Webhook, Secret), WebhookError> {
    let known = super::get(cx, tenant, id).await?;
    let secret = WebhookSecret::from_bytes(random_bytes());
    let sealed = sealed(cx, &known, &secret)?;
    let (now, ids) = (cx.clock.now(), cx.ids.clone());
    let write = cx.db.locked(move |tx| -> Result<Webhook, WebhookError> {
        lock(tx, tenant)?;
        let known = store::webhooks::find(tx, tenant, id)?.ok_or(WebhookError::NotFound)?;
        let next = Webhook {
            previous_until: Some(now.plus_seconds(OVERLAP_SECONDS)),
            updated_at: now,
            ..known.clone()
        };
        store::webhooks::rotate(tx, &next, &sealed)?;
        let told = changed(
            (Some(&known), &next),
            (AuditEvent::WebhookSecretRotated, "webhook_secret_rotated"),
            "A receiver of messages was given another secret.",
        );
        audit::record(tx, ids.as_ref(), &author, told, now)?;
        Ok(next)
    });
    Ok((write.await?, secret.to_text()))
}

/// Deletes a receiver, for ever, with its secrets. What waited for it is given up.
///
/// # Errors
/// [`WebhookError::NotFound`].
pub async fn delete(
    cx: &Context,
    (tenant, id): (TenantId, WebhookId),
    author: Author,
) -> Result<(), WebhookError> {
    let (now, ids) = (cx.clock.now(), cx.ids.clone());
    cx.db
        .locked(move |tx| -> Result<(), WebhookError> {
            lock(tx, tenant)?;
            let known = store::webhooks::find(tx, tenant, id)?.ok_or(WebhookError::NotFound)?;
            let next = gone(&known, now);
            store::webhooks::update(tx, &next)?;
            store::webhooks::forget_secrets(tx, tenant, id)?;
            store::webhooks::deliveries::give_up(tx, (tenant, id), now)?;
            let told = changed(
                (Some(&known), &next),
                (AuditEvent::WebhookDeleted, "webhook_deleted"),
                "A receiver of messages was deleted.",
            );
            Ok(audit::record(tx, ids.as_ref(), &author, told, now)?)
        })
        .await
}

fn gone(known: &Webhook, now: Timestamp) -> Webhook {
    Webhook {
        status: WebhookStatus::Deleted,
        status_reason: None,
        previous_until: None,
        updated_at: now,
        ..known.clone()
    }
}
