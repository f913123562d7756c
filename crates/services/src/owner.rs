//! Whose limits and Policy Rules are meant?

use model::id::TenantId;

/// Who owns what governs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A tenant's own.
    Tenant(TenantId),
    /// The installation's GLOBAL ones; operators only.
    Platform,
}

impl Owner {
    /// The id under which they are stored.
    pub const fn id(self) -> TenantId {
        match self {
            Self::Tenant(id) => id,
            Self::Platform => TenantId::PLATFORM,
        }
    }
}
