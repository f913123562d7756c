//! Who are the customers of the installation?

use alloc::string::String;

use crate::id::{OperatorId, Slug, TenantId};
use crate::money::NanoUsd;
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// Whether something (a tenant, a key) may be used.
    FreezeState {
        /// It may.
        Active,
        /// Its traffic is stopped until somebody lifts the freeze.
        Frozen,
    }
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its name, unique on the installation.
    pub name: String,
    /// Whether its traffic flows.
    pub state: FreezeState,
    /// Why it is frozen.
    pub freeze_reason: Option<String>,
    /// What a token of a model without a price is taken to cost; without it such models are refused
    /// under a money limit.
    pub floor_price: Option<NanoUsd>,
    /// Whether its Policy Rules take two persons: one who proposes, and another one who approves.
    pub two_person_review: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A named part of a tenant's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its name within the tenant.
    pub id: Slug,
    /// Whose it is.
    pub tenant: TenantId,
    /// What it is for.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A named program of a tenant that makes requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its name within the tenant.
    pub id: Slug,
    /// Whose it is.
    pub tenant: TenantId,
    /// The project it works for.
    pub project: Option<Slug>,
    /// What it does.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Somebody who runs the installation, known by a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The id of the credential.
    pub id: OperatorId,
    /// Who holds it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}
