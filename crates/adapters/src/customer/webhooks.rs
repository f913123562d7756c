//! How are those who are sent messages shown, and what became of each message?

use model::outbox::Topic;
use model::time::Timestamp;
use model::webhook::{Attempt, Delivery, DeliveryError, Health, Webhook};
use serde::Serialize;
use utoipa::ToSchema;

/// A receiver of messages; never its secret.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WebhookView {
    /// Its id.
    #[schema(example = "whk_01KB0000000000000000000000")]
    pub webhook_id: String,
    /// Where messages are sent.
    #[schema(example = "https://example.com/plimsoll")]
    pub url: String,
    /// What people call it.
    pub description: Option<String>,
    /// What it is told.
    pub topics: Vec<&'static str>,
    /// ENABLED, DISABLED, or PAUSED: every attempt has failed for three days.
    pub status: &'static str,
    /// Why nothing is sent, if that was not somebody's wish.
    pub status_reason: Option<String>,
    /// Until when messages are signed with the secret before the last rotation as well.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub previous_secret_until: Option<Timestamp>,
    /// Attempts that failed since the last one that did not.
    pub consecutive_failures: i64,
    /// When the first of those was.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl From<Webhook> for WebhookView {
    fn from(of: Webhook) -> Self {
        let Webhook {
            id,
            tenant: _,
            url,
            description,
            topics,
            status,
            status_reason,
            previous_until,
            health,
            created_at,
            updated_at,
        } = of;
        let Health {
            failures,
            failing_since,
            rests_until: _,
        } = health;
        Self {
            webhook_id: id.to_string(),
            url,
            description,
            topics: topics.into_iter().map(Topic::as_str).collect(),
            status: status.as_str(),
            status_reason,
            previous_secret_until: previous_until,
            consecutive_failures: failures,
            failing_since,
            created_at,
            updated_at,
        }
    }
}

/// The receivers of messages of a tenant.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WebhookListView {
    /// Oldest first; there are 50 at the most.
    pub items: Vec<WebhookView>,
}

/// A receiver with its secret, which is shown here and never again.
#[derive(Serialize, ToSchema)]
pub struct WebhookSecretView {
    /// The receiver.
    #[serde(flatten)]
    pub webhook: WebhookView,
    /// What signatures are checked with; null in the answer to a request that was answered before, because it is not
    /// stored in the open.
    #[schema(example = "whsec_…")]
    pub secret: Option<String>,
}

/// What became of a message.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeliveryView {
    /// Its id.
    #[schema(example = "whd_01KB0000000000000000000000")]
    pub delivery_id: String,
    /// To whom.
    pub webhook_id: String,
    /// The place of the message among those of the tenant.
    pub place: i64,
    /// What it is about.
    pub topic: &'static str,
    /// PENDING, DELIVERED, or DEAD: it was given up.
    pub status: &'static str,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
    /// When it was tried last.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_attempt_at: Option<Timestamp>,
    /// What the receiver answered then.
    pub last_status: Option<u16>,
    /// Why that was no success: `status`, `unreachable`, `timeout`, `unsafe_address`, `malformed`, `secret` or
    /// `stopped`.
    pub last_error: Option<&'static str>,
    /// When it was to be sent.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it arrived or was given up.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
}

impl From<Delivery> for DeliveryView {
    fn from(of: Delivery) -> Self {
        let Delivery {
            id,
            tenant: _,
            webhook,
            place,
            topic,
            status,
            attempts,
            step: _,
            due_at,
            last,
            created_at,
            finished_at,
        } = of;
        let tried = last.map(|Attempt { at, status, error }| (at, status, error));
        Self {
            delivery_id: id.to_string(),
            webhook_id: webhook.to_string(),
            place,
            topic: topic.as_str(),
            status: status.as_str(),
            attempts,
            next_attempt_at: due_at,
            last_attempt_at: tried.map(|(at, ..)| at),
            last_status: tried.and_then(|(_, status, _)| status),
            last_error: tried.and_then(|(.., error)| error).map(DeliveryError::as_str),
            created_at,
            finished_at,
        }
    }
}

/// A piece of the list of messages to a receiver.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeliveryPageView {
    /// Newest first.
    pub items: Vec<DeliveryView>,
    /// Whether there are more.
    pub has_more: bool,
    /// What to send as `cursor` for the next piece.
    pub next_cursor: Option<String>,
}

/// How a message that tests a receiver fared.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WebhookTestView {
    /// Whether it arrived.
    pub delivered: bool,
    /// What the receiver answered.
    pub status: Option<u16>,
    /// Why that was no success, in the words of `last_error` of a delivery.
    pub error: Option<&'static str>,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
}
