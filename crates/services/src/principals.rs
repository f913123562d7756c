//! Who signs requests to the incident control plane, and who no longer?
//!
//! A principal has a name, roles and up to two access keys, so that one can be replaced while the other still works. The
//! secret of a key has to be known again to check a signature: it rests sealed under the master key, and without one
//! there are no principals.

mod authenticate;
mod signed;

use infra::secrets::{MasterKey, SealError, Secret, random_bytes, signing_secret};
use model::audit::{AuditEvent, EntityType};
use model::id::{PrincipalId, Slug, TenantId};
use model::principal::{AccessKey, AccessKeyId, Principal, PrincipalRole};
use model::time::Timestamp;
use model::timeline::SourceDomain;
use serde_json::{Value, json};
use store::{LockTx, StoreError, StoreResult, TxError};

use crate::audit::{Author, Changed, record};
use crate::context::Context;

pub use self::authenticate::{SignatureError, authenticate};
pub use self::signed::{NotAllowed, Signed, SpendError, admit, attempt, prune_signatures, spend};
pub(crate) use self::signed::{Toll, answered_or_spent};

/// The most principals that a tenant may have that are not revoked.
pub const PRINCIPALS_MAX: usize = 500;

/// The most access keys that a principal may have that are not revoked.
pub const KEYS_MAX: usize = 2;

/// Why a principal or its key cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum PrincipalError {
    /// The tenant has no such principal.
    #[error("there is no such principal")]
    NotFound,
    /// The principal has no such access key.
    #[error("the principal has no such access key, or it has been revoked")]
    NoKey,
    /// The tenant does not exist.
    #[error("there is no such tenant")]
    NoTenant,
    /// The tenant has a principal of this name, or had one.
    #[error("the name is taken, perhaps by a principal that was revoked")]
    Taken,
    /// Nothing would be allowed.
    #[error("a principal needs a role")]
    NoRole,
    /// The principal was revoked; that is for ever.
    #[error("the principal has been revoked")]
    Revoked,
    /// The tenant has as many principals as it may.
    #[error("the tenant has too many principals")]
    Quota,
    /// The principal has as many access keys as it may.
    #[error("the principal has {KEYS_MAX} access keys; one must be revoked first")]
    KeyQuota,
    /// There is nothing to seal a secret under.
    #[error(
        "there is no master key (secrets.master_key), under which the secrets of access keys are sealed; `openssl rand -base64 32` makes one"
    )]
    NoMasterKey,
    /// The secret could not be sealed.
    #[error("the secret could not be sealed")]
    Seal(#[from] SealError),
    /// The database failed.
    #[error("the principals could not be read or written")]
    Store(#[source] StoreError),
}

impl From<StoreError> for PrincipalError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Duplicate(_) => Self::Taken,
            other => Self::Store(other),
        }
    }
}

impl TxError for PrincipalError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

/// What somebody wants as a principal.
#[derive(Debug, Clone)]
pub struct NewPrincipal {
    /// What people and records call it, for ever.
    pub name: Slug,
    /// What it is for; at least one.
    pub roles: Vec<PrincipalRole>,
}

/// An access key that was just made. Its secret is here and nowhere else, ever.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Whose key.
    pub principal: Principal,
    /// The key.
    pub key: AccessKey,
    /// What signatures are made with.
    pub secret: Secret,
}

/// Where the secret of an access key rests.
fn place(key: &AccessKey) -> String {
    format!("principal_keys/{}/{}", key.tenant, key.id)
}

/// A key that is about to be stored, and what is stored of it.
struct NewKey {
    key: AccessKey,
    secret: Secret,
    sealed: infra::secrets::Sealed,
}

impl NewKey {
    fn of(master: Option<&MasterKey>, principal: &Principal, now: Timestamp) -> Result<Self, PrincipalError> {
        let master = master.ok_or(PrincipalError::NoMasterKey)?;
        let secret = signing_secret(random_bytes());
        let text = secret.expose();
        let key = AccessKey {
            id: AccessKeyId::from_bytes(random_bytes()),
            tenant: principal.tenant,
            principal: principal.id,
            last4: text
                .get(text.len().saturating_sub(4)..)
                .unwrap_or_default()
                .to_owned(),
            created_at: now,
            revoked_at: None,
        };
        let sealed = master.seal(text.as_bytes(), &place(&key))?;
        Ok(Self { key, secret, sealed })
    }
}

/// Makes a principal with its first access key.
///
/// # Errors
/// [`PrincipalError`].
pub async fn create(
    cx: &Context,
    tenant: TenantId,
    author: Author,
    new: NewPrincipal,
) -> Result<Issued, PrincipalError> {
    let now = cx.clock.now();
    let mut roles = new.roles;
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() {
        return Err(PrincipalError::NoRole);
    }
    let principal = Principal {
        id: PrincipalId::generate(cx.ids.as_ref()),
        tenant,
        name: new.name,
        roles,
        created_at: now,
        revoked_at: None,
    };
    let made = NewKey::of(cx.identity.master_key(), &principal, now)?;
    let (stored, key, sealed, ids) = (principal.clone(), made.key.clone(), made.sealed, cx.ids.clone());
    let write = cx.db.locked(move |tx| -> Result<(), PrincipalError> {
        lock(tx, tenant)?;
        let all = store::principals::list(tx, tenant)?;
        if all.iter().filter(|one| one.revoked_at.is_none()).count() >= PRINCIPALS_MAX {
            return Err(PrincipalError::Quota);
        }
        store::principals::insert(tx, &stored)?;
        store::principals::insert_key(tx, &key, &sealed)?;
        let told = changed(
            &stored,
            (AuditEvent::PrincipalCreated, "principal_created"),
            format!("The principal {} was made.", stored.name),
            json!({"name": stored.name, "roles": stored.roles, "access_key_id": key.id.to_string()}),
        );
        Ok(record(tx, ids.as_ref(), &author, told, now)?)
    });
    write.await?;
    Ok(Issued {
        principal,
        key: made.key,
        secret: made.secret,
    })
}

/// Makes another access key for a principal. The one that it has goes on working until it is revoked.
///
/// # Errors
/// [`PrincipalError::KeyQuota`] if it has two already.
pub async fn rotate(
    cx: &Context,
    tenant: TenantId,
    author: Author,
    id: PrincipalId,
) -> Result<Issued, PrincipalError> {
    let now = cx.clock.now();
    let found = cx
        .db
        .read(move |tx| store::principals::find(tx, tenant, id))
        .await;
    let principal = found?.ok_or(PrincipalError::NotFound)?;
    let made = NewKey::of(cx.identity.master_key(), &principal, now)?;
    let (key, sealed, ids) = (made.key.clone(), made.sealed, cx.ids.clone());
    let write = cx.db.locked(move |tx| -> Result<Principal, PrincipalError> {
        lock(tx, tenant)?;
        let principal = store::principals::find(tx, tenant, id)?.ok_or(PrincipalError::NotFound)?;
        if principal.revoked_at.is_some() {
            return Err(PrincipalError::Revoked);
        }
        if store::principals::live_keys(tx, tenant, id)?.len() >= KEYS_MAX {
            return Err(PrincipalError::KeyQuota);
        }
        store::principals::insert_key(tx, &key, &sealed)?;
        let told = changed(
            &principal,
            (AuditEvent::PrincipalKeyCreated, "principal_key_created"),
            format!("The principal {} was given another access key.", principal.name),
            json!({"access_key_id": key.id.to_string()}),
        );
        record(tx, ids.as_ref(), &author, told, now)?;
        Ok(principal)
    });
    Ok(Issued {
        principal: write.await?,
        key: made.key,
        secret: made.secret,
    })
}

/// Nobody else makes a principal or a key of the tenant until this transaction ends.
fn lock(tx: &mut LockTx<'_>, tenant: TenantId) -> Result<(), PrincipalError> {
    store::tenants::lock(tx, tenant)?
        .map(|_| ())
        .ok_or(PrincipalError::NoTenant)
}

/// The principals of a tenant with their access keys, oldest first, those that were revoked included.
///
/// # Errors
/// [`PrincipalError::Store`].
pub async fn list(
    cx: &Context,
    tenant: TenantId,
) -> Result<Vec<(Principal, Vec<AccessKey>)>, PrincipalError> {
    let read = cx.db.read(move |tx| -> StoreResult<_> {
        let keys = store::principals::keys(tx, tenant)?;
        Ok((store::principals::list(tx, tenant)?, keys))
    });
    let (principals, keys) = read.await?;
    let with_keys = principals.into_iter().map(|principal| {
        let of_it = keys.iter().filter(|key| key.principal == principal.id);
        let of_it = of_it.cloned().collect();
        (principal, of_it)
    });
    Ok(with_keys.collect())
}

/// Revokes a principal with all its access keys, for ever; here at once and on every other node within a second.
///
/// # Errors
/// [`PrincipalError::NotFound`], [`PrincipalError::Revoked`] if it has been already.
pub async fn revoke(
    cx: &Context,
    tenant: TenantId,
    author: Author,
    id: PrincipalId,
) -> Result<Principal, PrincipalError> {
    let (now, ids) = (cx.clock.now(), cx.ids.clone());
    let write = cx.db.write(move |tx| -> Result<Principal, PrincipalError> {
        let known = store::principals::find(tx, tenant, id)?.ok_or(PrincipalError::NotFound)?;
        if !store::principals::revoke(tx, tenant, id, now)? {
            return Err(PrincipalError::Revoked);
        }
        let told = changed(
            &known,
            (AuditEvent::PrincipalRevoked, "principal_revoked"),
            format!("The principal {} was revoked.", known.name),
            json!({"revoked_at": now}),
        );
        record(tx, ids.as_ref(), &author, told, now)?;
        Ok(Principal {
            revoked_at: Some(now),
            ..known
        })
    });
    let revoked = write.await?;
    cx.identity.forget();
    Ok(revoked)
}

/// Revokes one access key of a principal, for ever; here at once and on every other node within a second.
///
/// # Errors
/// [`PrincipalError::NotFound`], [`PrincipalError::NoKey`].
pub async fn revoke_key(
    cx: &Context,
    (tenant, id): (TenantId, PrincipalId),
    author: Author,
    key: AccessKeyId,
) -> Result<Principal, PrincipalError> {
    let (now, ids) = (cx.clock.now(), cx.ids.clone());
    let write = cx.db.write(move |tx| -> Result<Principal, PrincipalError> {
        let known = store::principals::find(tx, tenant, id)?.ok_or(PrincipalError::NotFound)?;
        if !store::principals::revoke_key(tx, (tenant, id), key, now)? {
            return Err(PrincipalError::NoKey);
        }
        let told = changed(
            &known,
            (AuditEvent::PrincipalKeyRevoked, "principal_key_revoked"),
            format!("An access key of the principal {} was revoked.", known.name),
            json!({"access_key_id": key.to_string(), "revoked_at": now}),
        );
        record(tx, ids.as_ref(), &author, told, now)?;
        Ok(known)
    });
    let principal = write.await?;
    cx.identity.forget();
    Ok(principal)
}

fn changed(
    of: &Principal,
    (event, word): (AuditEvent, &'static str),
    summary: String,
    after: Value,
) -> Changed {
    Changed {
        tenant: of.tenant,
        event,
        entity_type: EntityType::Principal,
        entity_id: of.id.to_string(),
        reason: None,
        before: None,
        after: Some(after),
        source: SourceDomain::Connectivity,
        event_type: word,
        summary,
        related: json!({}),
    }
}
