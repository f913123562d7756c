//! Who is calling, and may they?
//!
//! A key is known by the hash of its secret. What the database says about it is kept for half a second, so that
//! a freeze or a revocation reaches every node well within a second, and reaches this one at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use infra::secrets::{ApiKeySecret, OperatorTokenSecret};
use model::id::{KeyId, TenantId};
use model::key::{ApiKey, KeyScope, KeyStatus};
use model::tenant::{FreezeState, Operator, Tenant};
use model::time::Timestamp;
use store::StoreError;

use crate::context::Context;

/// How long a node may believe what it read about a key.
const FRESH_MS: i64 = 500;

/// Keys that are kept; beyond that all are read anew.
const KEYS_MAX: usize = 100_000;

/// Somebody who called with an API key.
#[derive(Debug, Clone)]
pub struct TenantActor {
    /// The key, as it was a moment ago.
    pub key: Arc<ApiKey>,
    /// Its tenant, as it was a moment ago.
    pub tenant: Arc<Tenant>,
}

impl TenantActor {
    /// Whose data.
    pub fn tenant_id(&self) -> TenantId {
        self.tenant.id
    }

    /// Who acts, for records and idempotency keys.
    pub fn principal(&self) -> String {
        self.key.id.to_string()
    }
}

/// Somebody who runs the installation.
#[derive(Debug, Clone)]
pub struct OperatorActor {
    /// Who.
    pub operator: Operator,
}

/// Why a caller is not let in.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuthError {
    /// There is no credential.
    #[error("no credential was sent")]
    Missing,
    /// There is no such credential any more, or there never was.
    #[error("the credential is not valid")]
    Invalid,
    /// The credential is of a kind that this route does not take.
    #[error("the credential is of the wrong kind")]
    WrongKind,
    /// The key is frozen, for this reason.
    #[error("the key is frozen")]
    KeyFrozen(Option<String>),
    /// The tenant is frozen, for this reason.
    #[error("the tenant is frozen")]
    TenantFrozen(Option<String>),
    /// The key lacks this scope.
    #[error("the key lacks a scope")]
    Scope(KeyScope),
    /// Nobody can tell.
    #[error("the credential could not be checked")]
    Store(#[from] StoreError),
}

#[derive(Clone)]
struct Known {
    actor: TenantActor,
    read_at: Timestamp,
}

/// What is known about keys for a moment, and when they were last used.
#[derive(Default)]
pub struct KeyCache {
    known: Mutex<HashMap<String, Known>>,
    used: Mutex<HashMap<KeyId, (TenantId, Timestamp)>>,
}

impl KeyCache {
    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self, hash: &str, now: Timestamp) -> Option<TenantActor> {
        self.known()
            .get(hash)
            .filter(|known| now.millis_since(known.read_at) < FRESH_MS)
            .map(|known| known.actor.clone())
    }

    fn learn(&self, hash: String, actor: TenantActor, now: Timestamp) {
        let mut known = self.known();
        if known.len() >= KEYS_MAX {
            known.clear();
        }
        known.insert(hash, Known { actor, read_at: now });
    }

    /// Forgets everything: what comes next is read anew.
    pub fn forget(&self) {
        self.known().clear();
    }

    fn note_use(&self, actor: &TenantActor, now: Timestamp) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert(actor.key.id, (actor.key.tenant, now));
    }

    /// The keys that were used since the last call.
    pub(crate) fn take_used(&self) -> Vec<(TenantId, KeyId, Timestamp)> {
        let taken = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        let mut list: Vec<_> = taken
            .into_iter()
            .map(|(key, (tenant, at))| (tenant, key, at))
            .collect();
        list.sort_unstable();
        list
    }
}

impl std::fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyCache").finish_non_exhaustive()
    }
}

/// The tenant behind an API key that may do `scope`.
///
/// # Errors
/// [`AuthError`]; unknown, revoked and expired keys cannot be told apart.
pub async fn tenant(cx: &Context, secret: &str, scope: KeyScope) -> Result<TenantActor, AuthError> {
    let now = cx.clock.now();
    let Ok(parsed) = ApiKeySecret::parse(secret) else {
        let other = OperatorTokenSecret::parse(secret).is_ok();
        return Err(if other {
            AuthError::WrongKind
        } else {
            AuthError::Invalid
        });
    };
    let hash = parsed.hash();
    let actor = if let Some(actor) = cx.keys.fresh(&hash, now) {
        actor
    } else {
        let wanted = hash.clone();
        let found = cx.db.read(move |tx| store::keys::by_hash(tx, &wanted)).await?;
        let (key, tenant) = found.ok_or(AuthError::Invalid)?;
        let actor = TenantActor {
            key: Arc::new(key),
            tenant: Arc::new(tenant),
        };
        cx.keys.learn(hash, actor.clone(), now);
        actor
    };
    admit(&actor, scope, now)?;
    cx.keys.note_use(&actor, now);
    Ok(actor)
}

fn admit(actor: &TenantActor, scope: KeyScope, now: Timestamp) -> Result<(), AuthError> {
    let key = &actor.key;
    if key.status == KeyStatus::Revoked || key.expires_at.is_some_and(|end| end <= now) {
        return Err(AuthError::Invalid);
    }
    if actor.tenant.state == FreezeState::Frozen {
        return Err(AuthError::TenantFrozen(actor.tenant.freeze_reason.clone()));
    }
    if key.status == KeyStatus::Frozen {
        return Err(AuthError::KeyFrozen(key.freeze_reason.clone()));
    }
    if key.may(scope) {
        Ok(())
    } else {
        Err(AuthError::Scope(scope))
    }
}

/// The operator behind a token.
///
/// # Errors
/// [`AuthError`].
pub async fn operator(cx: &Context, secret: &str) -> Result<OperatorActor, AuthError> {
    let Ok(parsed) = OperatorTokenSecret::parse(secret) else {
        let other = ApiKeySecret::parse(secret).is_ok();
        return Err(if other {
            AuthError::WrongKind
        } else {
            AuthError::Invalid
        });
    };
    let hash = parsed.hash();
    let found = cx.db.read(move |tx| store::operators::by_hash(tx, &hash)).await?;
    match found {
        Some(operator) if operator.revoked_at.is_none() => Ok(OperatorActor { operator }),
        _ => Err(AuthError::Invalid),
    }
}
