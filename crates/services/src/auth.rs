//! Who is calling, and may they?
//!
//! A key is known by the hash of its secret. What the database says about it is remembered while the database says
//! that nothing has changed, which is asked at least every half second: a freeze or a revocation reaches every node
//! well within a second, and this one at once.

mod cache;

use std::sync::Arc;

use infra::secrets::{ApiKeySecret, OperatorTokenSecret};
use model::id::TenantId;
use model::key::{ApiKey, KeyScope, KeyStatus};
use model::tenant::{FreezeState, Operator, Tenant};
use model::time::Timestamp;
use store::{StoreError, StoreResult};

use crate::context::Context;

pub use self::cache::KeyCache;

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
    if parsed.environment() != cx.environment {
        return Err(AuthError::Invalid);
    }
    let digest = parsed.digest();
    let actor = match cx.keys.known(&digest, now) {
        Some(actor) => actor,
        None => read(cx, digest, now).await?,
    };
    admit(&actor, scope, now)?;
    cx.keys.note_use(&actor, now);
    Ok(actor)
}

/// Whether somebody who was let in a while ago still is: by what the database says now.
///
/// # Errors
/// [`AuthError`].
pub(crate) async fn again(cx: &Context, actor: &TenantActor, scope: KeyScope) -> Result<(), AuthError> {
    let (owner, id) = (actor.tenant_id(), actor.key.id);
    let read = cx.db.read(move |tx| -> StoreResult<_> {
        let key = store::keys::find(tx, owner, id)?;
        Ok(key.zip(store::tenants::find(tx, owner)?))
    });
    let (key, tenant) = read.await?.ok_or(AuthError::Invalid)?;
    let actor = TenantActor {
        key: Arc::new(key),
        tenant: Arc::new(tenant),
    };
    admit(&actor, scope, cx.clock.now())
}

/// Asks the database whether what is remembered is still true, and about this key if it is not remembered.
async fn read(cx: &Context, digest: [u8; 32], now: Timestamp) -> Result<TenantActor, AuthError> {
    let remembered = cx.keys.remembered(&digest);
    let (epoch, version) = (remembered.epoch, remembered.version);
    let known = remembered.actor.is_some();
    let read = cx.db.read(move |tx| -> StoreResult<_> {
        let found = store::credentials::version(tx)?;
        let confirmed = known && version == Some(found);
        let key = if confirmed {
            None
        } else {
            store::keys::by_hash(tx, &infra::secrets::hex(&digest))?
        };
        Ok((found, confirmed, key))
    });
    let (found, confirmed, key) = read.await?;
    let key = key.map(|(key, tenant)| TenantActor {
        key: Arc::new(key),
        tenant: Arc::new(tenant),
    });
    let actor = if confirmed { remembered.actor } else { key };
    cx.keys.learn((epoch, found), digest, actor.as_ref(), now);
    actor.ok_or(AuthError::Invalid)
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
