//! Whose signature is it, and is it right?
//!
//! A signature by an access key that nobody has is compared like any other, with a secret that nobody has: neither the
//! answer nor the work for it tells whether there is such a key.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use infra::secrets::{SealError, Secret, random_bytes, signing_secret};
use infra::sigv4::{Fault, Presented, Request};
use model::principal::AccessKeyId;
use model::tenant::FreezeState;
use model::time::Timestamp;
use store::{StoreError, StoreResult};

use super::place;
use super::signed::Signed;
use crate::context::Context;
use crate::identity::{Identity, Signer, TooOften};
use crate::measure;

/// What signatures of nobody are compared with.
static NOBODY: LazyLock<Secret> = LazyLock::new(|| signing_secret(random_bytes()));

/// Why a signed request is not let in.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SignatureError {
    /// It says of itself that it cannot be right.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// There is no such access key, or the signature was not made with its secret. What was compared is made of the
    /// request alone.
    #[error("the access key is not known, or the signature is not that of the request")]
    Mismatch {
        /// What was to be signed.
        string_to_sign: String,
        /// The SHA-256 of the canonical request, in hex.
        canonical_sha256: String,
    },
    /// The tenant is frozen, for this reason.
    #[error("the tenant is frozen")]
    TenantFrozen(Option<String>),
    /// Too many signatures were wrong.
    #[error("too many signatures were wrong")]
    TooManyFailures(#[from] TooOften),
    /// There is a secret that cannot be opened with the master key of this process.
    #[error("the secret of the access key could not be opened")]
    Locked(#[source] SealError),
    /// There is no master key.
    #[error("there is no master key")]
    NoMasterKey,
    /// Nobody can tell.
    #[error("the signature could not be checked")]
    Store(#[from] StoreError),
}

/// Who has signed the request, which came from this address.
///
/// # Errors
/// [`SignatureError`]; access keys that are unknown or revoked and signatures that are wrong cannot be told apart.
pub async fn authenticate(
    cx: &Context,
    request: &Request<'_>,
    from: Option<IpAddr>,
) -> Result<Signed, SignatureError> {
    let now = cx.clock.now();
    let identity = &*cx.identity;
    let presented = match Presented::read(request, &identity.settings.scope, now) {
        Ok(presented) => presented,
        Err(fault) => {
            failed(identity, from, None, now)?;
            return Err(fault.into());
        }
    };
    let named: Option<AccessKeyId> = presented.access_key.parse().ok();
    let signer = match named {
        Some(key) => looked_up(cx, key, from, now).await?,
        None => None,
    };
    let secret = signer.as_ref().and_then(|signer| signer.secret.as_ref());
    let right = presented.is_by(secret.unwrap_or(&NOBODY));
    match (signer, named) {
        (Some(signer), Some(access_key)) if right && signer.secret.is_some() => {
            if signer.tenant.state == FreezeState::Frozen {
                let reason = signer.tenant.freeze_reason.clone();
                return Err(SignatureError::TenantFrozen(reason));
            }
            measure::signature("accepted");
            Ok(Signed {
                principal: Arc::clone(&signer.principal),
                access_key,
                signature: presented.signature,
                expires_at: presented.expires_at,
            })
        }
        _ => {
            failed(identity, from, named, now)?;
            Err(SignatureError::Mismatch {
                string_to_sign: presented.string_to_sign,
                canonical_sha256: presented.canonical_sha256,
            })
        }
    }
}

/// Notes that somebody was wrong, unless that happens too often to be looked at.
fn failed(
    identity: &Identity,
    from: Option<IpAddr>,
    key: Option<AccessKeyId>,
    now: Timestamp,
) -> Result<(), TooOften> {
    if let Some(from) = from {
        identity.failures.note(from, key, now)?;
    }
    measure::signature("refused");
    Ok(())
}

/// Who has this access key. However often others were wrong who have the same address, or name the same key, whoever is
/// right is let in: what is remembered costs nothing, and each key that somebody has is looked up once.
async fn looked_up(
    cx: &Context,
    key: AccessKeyId,
    from: Option<IpAddr>,
    now: Timestamp,
) -> Result<Option<Arc<Signer>>, SignatureError> {
    let identity = &*cx.identity;
    let from = from.filter(|_| !identity.signers.is_remembered(&key));
    if let Some(from) = from {
        identity.failures.look_up(from, now)?;
    }
    let found = signer(cx, key, now).await?;
    if let (Some(from), None) = (from, &found) {
        identity.failures.unknown(from, now);
    }
    Ok(found)
}

/// Who has this access key, as it was a moment ago.
async fn signer(
    cx: &Context,
    key: AccessKeyId,
    now: Timestamp,
) -> Result<Option<Arc<Signer>>, SignatureError> {
    let signers = &cx.identity.signers;
    if let Some(known) = signers.known(&key, now) {
        return Ok(Some(known));
    }
    let remembered = signers.remembered(&key);
    let (epoch, version) = (remembered.epoch, remembered.version);
    let known = remembered.actor.is_some();
    let read = cx.db.read(move |tx| -> StoreResult<_> {
        let found = store::credentials::version(tx)?;
        let confirmed = known && version == Some(found);
        let row = if confirmed {
            None
        } else {
            store::principals::signer(tx, key)?
        };
        Ok((found, confirmed, row))
    });
    let (found, confirmed, row) = read.await?;
    let opened = row.map(|row| open(&cx.identity, row)).transpose()?.map(Arc::new);
    let actor = if confirmed { remembered.actor } else { opened };
    signers.learn((epoch, found), key, actor.as_ref(), now);
    Ok(actor)
}

fn open(identity: &Identity, row: store::principals::Signer) -> Result<Signer, SignatureError> {
    let revoked = row.key.revoked_at.is_some() || row.principal.revoked_at.is_some();
    let secret = if revoked {
        None
    } else {
        let master = identity.master_key().ok_or(SignatureError::NoMasterKey)?;
        let opened = master.open(&row.secret, &place(&row.key));
        let opened = opened.map_err(SignatureError::Locked)?;
        Some(Secret::new(String::from_utf8_lossy(&opened)))
    };
    Ok(Signer {
        principal: Arc::new(row.principal),
        secret,
        tenant: row.tenant,
    })
}
