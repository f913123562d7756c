//! Who is sent messages, and what becomes of each?

pub mod change;
pub mod deliveries;
mod send;

use infra::secrets::{MasterKey, Sealed, WebhookSecret};
use model::audit::{AuditEvent, EntityType};
use model::id::{TenantId, WebhookId};
use model::outbox::Topic;
use model::timeline::SourceDomain;
use model::webhook::{Webhook, WebhookStatus};
use serde_json::{Value, json};
use store::{LockTx, StoreError, TxError};
use workers::webhooks::{Reach, Target};

use crate::audit::Changed;
use crate::context::Context;
use crate::once::OnceError;

pub use self::send::{Sent, Tested, deliver_due, finish, test};
pub use crate::post::Post;
pub use workers::webhooks::TargetError;

/// The most receivers that a tenant may have.
pub const WEBHOOKS_MAX: usize = 50;
/// How long the secret before a rotation signs as well, in seconds.
pub const OVERLAP_SECONDS: i64 = 86_400;
/// The longest description, in characters.
const DESCRIPTION_MAX: usize = 200;

/// Why a receiver or a delivery cannot be made, changed or read.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// There is none of this id, or it is not the caller's.
    #[error("there is no such receiver or delivery")]
    NotFound,
    /// A field is not what it should be.
    #[error("the {field} is not valid")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What it should be.
        detail: &'static str,
    },
    /// Nothing is sent there.
    #[error("the address may not be reached")]
    UnsafeUrl(#[source] TargetError),
    /// There are as many as there may be.
    #[error("there are too many receivers")]
    Quota,
    /// The receiver is sent nothing.
    #[error("the receiver is {}", .0.as_str())]
    Off(WebhookStatus),
    /// The message waits to be sent anyway.
    #[error("the message waits to be sent")]
    Waits,
    /// There is nothing to seal a secret under.
    #[error(
        "there is no master key (secrets.master_key), under which the secrets of receivers are sealed; `openssl rand -base64 32` makes one"
    )]
    NoMasterKey,
    /// The idempotency key cannot be used.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// The database failed.
    #[error("the receivers could not be read or written")]
    Store(#[from] StoreError),
}

impl TxError for WebhookError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) | Self::Once(OnceError::Store(error)) => Some(error),
            _ => None,
        }
    }
}

/// The receivers of a tenant, oldest first.
///
/// # Errors
/// What the database says.
pub async fn list(cx: &Context, tenant: TenantId) -> Result<Vec<Webhook>, StoreError> {
    cx.db.read(move |tx| store::webhooks::list(tx, tenant)).await
}

/// One receiver.
///
/// # Errors
/// [`WebhookError::NotFound`].
pub async fn get(cx: &Context, tenant: TenantId, id: WebhookId) -> Result<Webhook, WebhookError> {
    let found = cx
        .db
        .read(move |tx| store::webhooks::find(tx, tenant, id))
        .await?;
    found.ok_or(WebhookError::NotFound)
}

/// Nobody else changes a receiver of the tenant until this transaction ends.
fn lock(tx: &mut LockTx<'_>, tenant: TenantId) -> Result<(), WebhookError> {
    store::tenants::lock(tx, tenant)?
        .map(|_| ())
        .ok_or(WebhookError::NotFound)
}

/// Where the secret of a receiver rests.
fn place_of(tenant: TenantId, id: WebhookId) -> String {
    format!("webhooks/{tenant}/{id}")
}

fn sealed(cx: &Context, of: &Webhook, secret: &WebhookSecret) -> Result<Sealed, WebhookError> {
    let key = cx.identity.master_key().ok_or(WebhookError::NoMasterKey)?;
    let sealed = key.seal(secret.as_bytes(), &place_of(of.tenant, of.id));
    // Only what is longer than any secret cannot be sealed.
    Ok(sealed.ok().ok_or(StoreError::Corrupt {
        table: "webhooks",
        column: "secret",
    })?)
}

fn opened(key: &MasterKey, of: &Webhook, sealed: &Sealed) -> Option<WebhookSecret> {
    let bytes = key.open(sealed, &place_of(of.tenant, of.id)).ok()?;
    WebhookSecret::from_opened(&bytes)
}

/// The address in its one form, if something may be sent there.
fn checked_url(text: &str, reach: Reach) -> Result<String, WebhookError> {
    let target = Target::parse(text, reach).map_err(WebhookError::UnsafeUrl)?;
    Ok(target.as_str().to_owned())
}

/// Words of topics, each once and in their order; all if nobody says which.
fn checked_topics(words: Option<&[String]>) -> Result<Vec<Topic>, WebhookError> {
    let Some(words) = words else {
        return Ok(Topic::TOLD.to_vec());
    };
    let invalid = WebhookError::Invalid {
        field: "topics",
        detail: "one or more of incident.created, incident.state_changed, incident.acknowledged, incident.updated, \
                 each once",
    };
    let known = |word: &String| word.parse().ok().filter(|topic: &Topic| topic.is_told());
    let Some(mut topics) = words.iter().map(known).collect::<Option<Vec<Topic>>>() else {
        return Err(invalid);
    };
    topics.sort_unstable();
    topics.dedup();
    if topics.is_empty() || topics.len() != words.len() {
        return Err(invalid);
    }
    Ok(topics)
}

fn checked_description(text: &str) -> Result<String, WebhookError> {
    crate::names::checked(text, DESCRIPTION_MAX).ok_or(WebhookError::Invalid {
        field: "description",
        detail: "1 to 200 characters, none of them invisible",
    })
}

/// What the audit ledger keeps of a receiver; of its address only where it leads to, because a path may be a secret.
fn state(of: &Webhook) -> Value {
    let (scheme, rest) = of.url.split_once("://").unwrap_or(("", of.url.as_str()));
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    json!({
        "address": format!("{scheme}://{host}"),
        "topics": of.topics,
        "status": of.status,
        "status_reason": of.status_reason,
        "previous_until": of.previous_until,
    })
}

fn changed(
    (before, after): (Option<&Webhook>, &Webhook),
    (event, event_type): (AuditEvent, &'static str),
    summary: &str,
) -> Changed {
    Changed {
        tenant: after.tenant,
        event,
        entity_type: EntityType::Webhook,
        entity_id: after.id.to_string(),
        reason: after.status_reason.clone(),
        before: before.map(state),
        after: Some(state(after)),
        source: SourceDomain::Connectivity,
        event_type,
        summary: summary.to_owned(),
        related: json!({ "webhook_id": after.id }),
    }
}
