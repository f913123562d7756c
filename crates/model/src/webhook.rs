//! Who is sent messages, and what became of each?

use alloc::string::String;
use alloc::vec::Vec;

use crate::id::{DeliveryId, TenantId, WebhookId};
use crate::outbox::Topic;
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// Whether a receiver is sent anything.
    WebhookStatus {
        /// It is.
        Enabled,
        /// Somebody has turned it off, or it has said itself that it is gone.
        Disabled,
        /// It has failed for too long.
        Paused,
        /// It is no more.
        Deleted,
    }
}

wire_enum! {
    /// What has become of a message to a receiver.
    DeliveryStatus {
        /// It is tried, or tried again.
        Pending,
        /// It has arrived.
        Delivered,
        /// It was given up.
        Dead,
    }
}

wire_enum! {
    "snake_case";
    /// Why an attempt was none, or why it was given up.
    DeliveryError {
        /// The receiver answered with a status that is no success.
        Status,
        /// It could not be reached.
        Unreachable,
        /// It did not answer in time.
        Timeout,
        /// Its name leads to an address that is not public.
        UnsafeAddress,
        /// What it answered was no HTTP, or broke off.
        Malformed,
        /// The secret could not be opened.
        Secret,
        /// The receiver is no longer sent anything.
        Stopped,
    }
}

/// Somebody who is sent messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose.
    pub tenant: TenantId,
    /// Where it lives.
    pub url: String,
    /// What people call it.
    pub description: Option<String>,
    /// What it wants to be told, sorted.
    pub topics: Vec<Topic>,
    /// Whether it is told anything.
    pub status: WebhookStatus,
    /// Why it is not, if that was not somebody's wish.
    pub status_reason: Option<String>,
    /// Until when the secret before the last rotation signs as well.
    pub previous_until: Option<Timestamp>,
    /// How it is doing.
    pub health: Health,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
}

/// How a receiver is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Attempts that failed since the last one that did not.
    pub failures: i64,
    /// When the first of those was.
    pub failing_since: Option<Timestamp>,
    /// Nothing is sent to it before.
    pub rests_until: Timestamp,
}

impl Health {
    /// Of one that nothing was sent to yet.
    pub const NEW: Self = Self {
        failures: 0,
        failing_since: None,
        rests_until: Timestamp::from_micros(0),
    };
}

/// A message to a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Whose.
    pub tenant: TenantId,
    /// To whom.
    pub webhook: WebhookId,
    /// The place of the message.
    pub place: i64,
    /// What it is about.
    pub topic: Topic,
    /// What has become of it.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempts: i64,
    /// How far it has come in the schedule of attempts, which begins anew when somebody asks for it.
    pub step: i64,
    /// When it is tried next, as long as it is PENDING.
    pub due_at: Option<Timestamp>,
    /// The last attempt.
    pub last: Option<Attempt>,
    /// When it was to be sent.
    pub created_at: Timestamp,
    /// When it arrived or was given up.
    pub finished_at: Option<Timestamp>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// When.
    pub at: Timestamp,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// Why it was none; none if it was one.
    pub error: Option<DeliveryError>,
}
