//! Whose limits and Policy Rules are meant?

use model::id::TenantId;
use store::{StoreResult, Tx};

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

/// What a Limit or a Policy Rule is about and the tenant has made.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Named<'a> {
    /// One of its projects.
    Project(&'a str),
    /// One of its agents.
    Agent(&'a str),
}

impl Named<'_> {
    /// What is wrong with the name of what nobody has made.
    pub(crate) const fn problem(self) -> &'static str {
        match self {
            Self::Project(_) => "not a project of this tenant; make it first (POST /api/v1/projects)",
            Self::Agent(_) => "not an agent of this tenant; make it first (POST /api/v1/agents)",
        }
    }

    /// Whether the tenant has made it. What is another tenant's is not there.
    pub(crate) fn is_made(self, tx: &mut impl Tx, owner: TenantId) -> StoreResult<bool> {
        Ok(match self {
            Self::Project(id) => {
                let projects = store::tenants::projects(tx, owner)?;
                projects.iter().any(|project| project.id.as_str() == id)
            }
            Self::Agent(id) => {
                let agents = store::tenants::agents(tx, owner)?;
                agents.iter().any(|agent| agent.id.as_str() == id)
            }
        })
    }
}
