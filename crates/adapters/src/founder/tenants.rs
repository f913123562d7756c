//! How is a tenant shown to operators?

use model::money::NanoUsd;
use model::tenant::Tenant;
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A tenant.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TenantView {
    /// Its id.
    pub tenant_id: String,
    /// Its name.
    pub name: String,
    /// ACTIVE or FROZEN.
    pub status: &'static str,
    /// Why it is frozen.
    pub freeze_reason: Option<String>,
    /// What a token of a model without a price is taken to cost, in exact nano-USD.
    pub floor_price_nano_usd: Option<String>,
    /// Whether its Policy Rules take two persons: one who proposes, and another one who approves.
    pub two_person_review: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<Tenant> for TenantView {
    fn from(tenant: Tenant) -> Self {
        let Tenant {
            id,
            name,
            state,
            freeze_reason,
            floor_price,
            two_person_review,
            created_at,
        } = tenant;
        Self {
            tenant_id: id.to_string(),
            name,
            status: state.as_str(),
            freeze_reason,
            floor_price_nano_usd: floor_price.map(|NanoUsd(nano)| nano.to_string()),
            two_person_review,
            created_at,
        }
    }
}

/// A piece of the list of tenants.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TenantPageView {
    /// Newest first.
    pub items: Vec<TenantView>,
    /// Whether there are more.
    pub has_more: bool,
    /// What to send as `cursor` for the next piece.
    pub next_cursor: Option<String>,
}

impl TenantPageView {
    /// A page; there are more if there is a cursor for what follows.
    pub fn of(tenants: Vec<Tenant>, next_cursor: Option<String>) -> Self {
        Self {
            items: tenants.into_iter().map(Into::into).collect(),
            has_more: next_cursor.is_some(),
            next_cursor,
        }
    }
}
