//! What is an API key, and what may its bearer do?

use alloc::string::String;
use alloc::vec::Vec;

use crate::id::{KeyId, TenantId};
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// What a key may be used for. A key can never give another key a scope that it lacks.
    KeyScope {
        /// Call models through the gateway, and hold and settle.
        Llm,
        /// Read runs, costs, limits and keys.
        Read,
        /// Change limits, projects, agents and keys.
        Manage,
    }
}

wire_enum! {
    /// Where a key stands. Expiry is a matter of time and is not stored.
    KeyStatus {
        /// It works.
        Active,
        /// Its traffic is stopped until somebody lifts the freeze.
        Frozen,
        /// It never works again.
        Revoked,
    }
}

/// An API key as it is stored; the secret is not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its public name.
    pub id: KeyId,
    /// Whose key it is.
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// The last four characters, to tell keys apart.
    pub last4: String,
    /// Whether it is a `live` or a `test` key.
    pub live: bool,
    /// What it may be used for.
    pub scopes: Vec<KeyScope>,
    /// Where it stands.
    pub status: KeyStatus,
    /// Why it is frozen.
    pub freeze_reason: Option<String>,
    /// At most this many requests in any minute.
    pub rpm: Option<u32>,
    /// When it stops working by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, give or take a minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The key that an operator made and that this one comes of; its own id if an operator made it. Keys of one root are
    /// taken to be in one person's hand: whoever has a key can make others.
    pub root: KeyId,
}

impl ApiKey {
    /// Whether the key has the scope.
    pub fn may(&self, scope: KeyScope) -> bool {
        self.scopes.contains(&scope)
    }
}
