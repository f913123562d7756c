//! What does the process need to tell signed requests apart?

mod rates;

use std::sync::Arc;

use infra::secrets::{MasterKey, Secret};
use infra::sigv4::Scope;
use model::principal::{AccessKeyId, Principal};
use model::tenant::Tenant;

use crate::beliefs::Beliefs;

pub(crate) use self::rates::{Counted, Failures, Rates};
pub use self::rates::{RateTable, TooOften};

/// Somebody whose signature can be checked.
pub(crate) struct Signer {
    pub(crate) principal: Arc<Principal>,
    /// What the signature must be made with; none once the key or the principal has been revoked.
    pub(crate) secret: Option<Secret>,
    /// Whose principal it is.
    pub(crate) tenant: Tenant,
}

/// How signed requests are treated.
#[derive(Debug, Clone)]
pub struct IdentitySettings {
    /// What the secrets of access keys are sealed under.
    pub master_key: Option<MasterKey>,
    /// What a signature has to be for.
    pub scope: Scope,
    /// How often somebody may do what.
    pub rates: RateTable,
    /// How many signatures may be wrong in a minute: from one address with one access key. From one address with any, it
    /// may be ten times as many; and it may name ten times as many as these of access keys that nobody has. What is right
    /// is let in all the same.
    pub failures_per_minute: u32,
}

impl Default for IdentitySettings {
    fn default() -> Self {
        Self {
            master_key: None,
            scope: Scope {
                region: "us-east-1".to_owned(),
                service: "execute-api".to_owned(),
            },
            rates: RateTable::default(),
            failures_per_minute: 60,
        }
    }
}

/// Who signs, as it was a moment ago, and how much each has done in this process.
pub struct Identity {
    pub(crate) settings: IdentitySettings,
    pub(crate) signers: Beliefs<AccessKeyId, Arc<Signer>>,
    pub(crate) rates: Rates,
    pub(crate) failures: Failures,
}

impl Identity {
    /// Nobody is known yet, and nobody has done anything.
    pub fn new(settings: IdentitySettings) -> Self {
        Self {
            signers: Beliefs::default(),
            rates: Rates::default(),
            failures: Failures::new(settings.failures_per_minute),
            settings,
        }
    }

    pub(crate) fn master_key(&self) -> Option<&MasterKey> {
        self.settings.master_key.as_ref()
    }

    /// Forgets who signs: what comes next is read anew.
    pub(crate) fn forget(&self) {
        self.signers.forget();
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("scope", &self.settings.scope)
            .finish_non_exhaustive()
    }
}
