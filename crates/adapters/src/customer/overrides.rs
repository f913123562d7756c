//! How is an override of a Limit shown?

use model::limit_override::LimitOverride;
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::number::Amount;

/// The raise of a Limit for a time.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OverrideView {
    /// Its id.
    #[schema(example = "ovr_01KB0000000000000000000000")]
    pub override_id: String,
    /// Which Limit.
    pub limit_id: String,
    /// What the Limit counts.
    pub limit_type: &'static str,
    /// PENDING, APPROVED (begins later), ACTIVE, EXPIRED, REJECTED or CANCELLED.
    pub status: &'static str,
    /// The Limit Value when it was asked for: USD for money, otherwise a whole number.
    #[schema(value_type = f64, example = 50)]
    pub original_value: Amount,
    /// The most while it lasts.
    #[schema(value_type = f64, example = 100)]
    pub override_value: Amount,
    /// The exact value in nano-USD, for money.
    pub override_value_nano_usd: Option<String>,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub requested_by: String,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// Who took it back.
    pub cancelled_by: Option<String>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Its first instant.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// The first instant at which it is over.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When it was taken back.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub cancelled_at: Option<Timestamp>,
}

impl From<LimitOverride> for OverrideView {
    fn from(of: LimitOverride) -> Self {
        let LimitOverride {
            id,
            tenant: _,
            limit,
            counts,
            original,
            value,
            status,
            reason,
            requested_by,
            approved_by,
            cancelled_by,
            created_at,
            starts_at,
            expires_at,
            cancelled_at,
        } = of;
        let override_value = Amount::of(counts, value);
        Self {
            override_id: id.to_string(),
            limit_id: limit.to_string(),
            limit_type: counts.as_str(),
            status: status.as_str(),
            original_value: Amount::of(counts, original),
            override_value,
            override_value_nano_usd: override_value.nano_usd(),
            reason,
            requested_by,
            approved_by,
            cancelled_by,
            created_at,
            starts_at,
            expires_at,
            cancelled_at,
        }
    }
}

/// A piece of the list of overrides.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OverridePageView {
    /// Newest first.
    pub items: Vec<OverrideView>,
    /// Whether there are more.
    pub has_more: bool,
    /// What to send as `cursor` for the next piece.
    pub next_cursor: Option<String>,
}
