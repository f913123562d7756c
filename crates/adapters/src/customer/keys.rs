//! How is an API key shown?

use model::key::{ApiKey, KeyScope};
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// An API key; never its secret.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KeyView {
    /// Its public name.
    pub api_key_id: String,
    /// What people call it.
    pub name: String,
    /// The end of the secret, to tell keys apart.
    pub last4: String,
    /// `live` or `test`.
    pub environment: &'static str,
    /// What it may be used for.
    pub scopes: Vec<&'static str>,
    /// ACTIVE, FROZEN, REVOKED or EXPIRED.
    pub status: &'static str,
    /// Why it is frozen.
    pub freeze_reason: Option<String>,
    /// At most this many requests in any minute.
    pub rate_limit_rpm: Option<u32>,
    /// When it stops working by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last used, give or take a minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
}

impl KeyView {
    /// The view of a key as it stands at `now`.
    pub fn of(key: ApiKey, now: Timestamp) -> Self {
        let ApiKey {
            id,
            tenant: _,
            name,
            last4,
            live,
            scopes,
            status,
            freeze_reason,
            rpm,
            expires_at,
            created_at,
            last_used_at,
            revoked_at,
            root: _,
        } = key;
        let expired = revoked_at.is_none() && expires_at.is_some_and(|end| end <= now);
        Self {
            api_key_id: id.to_string(),
            name,
            last4,
            environment: if live { "live" } else { "test" },
            scopes: scopes.into_iter().map(KeyScope::as_str).collect(),
            status: if expired { "EXPIRED" } else { status.as_str() },
            freeze_reason,
            rate_limit_rpm: rpm,
            expires_at,
            created_at,
            last_used_at,
            revoked_at,
        }
    }
}

/// The keys of a tenant.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KeyListView {
    /// Newest first.
    pub items: Vec<KeyView>,
    /// Whether there are more.
    pub has_more: bool,
    /// What to send as `cursor` for the next piece.
    pub next_cursor: Option<String>,
}

/// A new key with its secret, which is shown here and never again.
#[derive(Serialize, ToSchema)]
pub struct NewKeyView {
    /// The key.
    #[serde(flatten)]
    pub key: KeyView,
    /// The secret; null in the answer to a request that was answered before, because it is not stored.
    #[schema(example = "plim_live_…")]
    pub secret: Option<String>,
}
