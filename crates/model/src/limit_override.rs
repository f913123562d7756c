//! What is an override of a Limit?
//!
//! A raise that somebody has asked for with a reason, and that ends by itself.

use alloc::string::String;

use crate::id::{LimitId, OverrideId, TenantId};
use crate::limit::{LimitType, Raise};
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// Where an override stands.
    OverrideStatus {
        /// Nobody has approved it.
        Pending,
        /// It is approved and begins later.
        Approved,
        /// It is on.
        Active,
        /// Its time is over.
        Expired,
        /// It was not approved.
        Rejected,
        /// It was taken back.
        Cancelled,
    }
}

impl OverrideStatus {
    /// Whether it may still count, now or later.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Approved | Self::Active)
    }
}

/// An override of a limit as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitOverride {
    /// Its id.
    pub id: OverrideId,
    /// Whose limit.
    pub tenant: TenantId,
    /// Which limit.
    pub limit: LimitId,
    /// What it counts, which is the unit of the values.
    pub counts: LimitType,
    /// What the limit said when it was asked for, in the unit of the limit.
    pub original: i64,
    /// The most while it lasts.
    pub value: i64,
    /// Where it stands, as far as somebody has decided: the passing of time is seen with [`Self::status_at`].
    pub status: OverrideStatus,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub requested_by: String,
    /// Who approved it; the same, where whoever asks may approve.
    pub approved_by: Option<String>,
    /// Who took it back.
    pub cancelled_by: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it is over.
    pub expires_at: Timestamp,
    /// When it was taken back.
    pub cancelled_at: Option<Timestamp>,
}

impl LimitOverride {
    /// Where it stands at this instant.
    pub fn status_at(&self, at: Timestamp) -> OverrideStatus {
        match self.status {
            OverrideStatus::Approved | OverrideStatus::Active if at >= self.expires_at => {
                OverrideStatus::Expired
            }
            OverrideStatus::Approved | OverrideStatus::Active if at >= self.starts_at => {
                OverrideStatus::Active
            }
            OverrideStatus::Active => OverrideStatus::Approved,
            status => status,
        }
    }

    /// What decisions need of it; none if it grants nothing.
    pub fn raise(&self) -> Option<Raise> {
        matches!(
            self.status,
            OverrideStatus::Approved | OverrideStatus::Active | OverrideStatus::Expired
        )
        .then_some(Raise {
            id: self.id,
            max: self.value,
            from: self.starts_at,
            until: self.expires_at,
        })
    }
}
