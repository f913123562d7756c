//! How do API keys come and go?

use model::event::{OpsEvent, OpsEventType};
use model::id::{EventId, KeyId, TenantId};
use model::key::{ApiKey, KeyScope, KeyStatus};
use model::time::Timestamp;
use store::{StoreError, StoreResult, Tx, TxError};

use crate::audit::{Author, record};
use crate::context::Context;
use crate::limits;
use crate::once::OnceError;

mod create;
mod told;

pub use self::create::{create, create_once};

/// The most keys a tenant may have that are not revoked.
pub const KEYS_MAX: usize = 500;

/// What somebody wants as a key.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What people call it.
    pub name: String,
    /// Whether it is a `live` or a `test` key.
    pub live: bool,
    /// What it may be used for.
    pub scopes: Vec<KeyScope>,
    /// At most this many requests in any minute.
    pub rpm: Option<u32>,
    /// After how many days it stops working.
    pub expires_in_days: Option<u32>,
}

/// Who makes a key.
#[derive(Debug, Clone)]
pub struct Maker {
    /// Who, in which request.
    pub author: Author,
    /// What the maker may do, and can give away; none for operators, who may do everything.
    pub may: Option<Vec<KeyScope>>,
    /// The root of the maker's own key; none for operators.
    pub root: Option<KeyId>,
}

impl Maker {
    /// Who runs the installation.
    pub const fn operator(author: Author) -> Self {
        Self {
            author,
            may: None,
            root: None,
        }
    }

    /// Who has this key.
    pub fn holder(author: Author, key: &ApiKey) -> Self {
        Self {
            author,
            may: Some(key.scopes.clone()),
            root: Some(key.root),
        }
    }
}

/// Why a key cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The tenant has no such key.
    #[error("there is no such key")]
    NotFound,
    /// The tenant does not exist.
    #[error("there is no such tenant")]
    NoTenant,
    /// The key was revoked; that is for ever.
    #[error("the key has been revoked")]
    Revoked,
    /// Whoever makes it lacks this scope.
    #[error("the creator lacks a scope")]
    Escalation(KeyScope),
    /// The tenant has as many keys as it may.
    #[error("the tenant has too many keys")]
    Quota,
    /// The tenant has as many limits as it may, and the key is to have one of its own.
    #[error("the tenant has too many limits")]
    LimitQuota,
    /// A field is not what it should be.
    #[error("`{field}`: {detail}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What it should be.
        detail: &'static str,
    },
    /// The idempotency key cannot be used.
    #[error("the idempotency key cannot be used")]
    Once(#[from] OnceError),
    /// The database failed.
    #[error("the keys could not be read or written")]
    Store(#[from] StoreError),
}

impl TxError for KeyError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) | Self::Once(OnceError::Store(error)) => Some(error),
            _ => None,
        }
    }
}

/// The keys of a tenant, newest first.
///
/// # Errors
/// [`KeyError::Store`].
pub async fn list(cx: &Context, tenant: TenantId) -> Result<Vec<ApiKey>, KeyError> {
    Ok(cx.db.read(move |tx| store::keys::list(tx, tenant)).await?)
}

/// Keys of a tenant, newest first, at most `most`, older than `before`.
///
/// # Errors
/// [`KeyError::Store`].
pub async fn page(
    cx: &Context,
    tenant: TenantId,
    before: Option<KeyId>,
    most: u32,
) -> Result<Vec<ApiKey>, KeyError> {
    Ok(cx
        .db
        .read(move |tx| store::keys::page(tx, tenant, before, i64::from(most)))
        .await?)
}

/// One key of a tenant.
///
/// # Errors
/// [`KeyError`].
pub async fn get(cx: &Context, tenant: TenantId, id: KeyId) -> Result<ApiKey, KeyError> {
    cx.db
        .read(move |tx| store::keys::find(tx, tenant, id))
        .await?
        .ok_or(KeyError::NotFound)
}

/// The root of the key that has this name; none if it is not a key of the tenant.
pub(crate) fn root_of(tx: &mut impl Tx, tenant: TenantId, name: &str) -> StoreResult<Option<KeyId>> {
    let Ok(id) = name.parse::<KeyId>() else {
        return Ok(None);
    };
    Ok(store::keys::find(tx, tenant, id)?.map(|key| key.root))
}

/// What is to become of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChange {
    /// Stop its traffic until somebody lifts the freeze.
    Freeze {
        /// Why.
        reason: Option<String>,
    },
    /// Let its traffic flow again.
    Unfreeze,
    /// Never again.
    Revoke,
}

/// Freezes, unfreezes or revokes a key; doing it twice changes nothing. It takes effect with the next request,
/// here at once and on every other node within a second.
///
/// # Errors
/// [`KeyError`].
pub async fn change(
    cx: &Context,
    tenant: TenantId,
    author: Author,
    id: KeyId,
    change: KeyChange,
) -> Result<ApiKey, KeyError> {
    let (now, ids) = (cx.clock.now(), cx.ids.clone());
    let event_id = EventId::generate(cx.ids.as_ref());
    let key = cx
        .db
        .write(move |tx| -> Result<ApiKey, KeyError> {
            let mut key = store::keys::find(tx, tenant, id)?.ok_or(KeyError::NotFound)?;
            if key.status == KeyStatus::Revoked && change != KeyChange::Revoke {
                return Err(KeyError::Revoked);
            }
            let before = key.clone();
            match &change {
                KeyChange::Freeze { reason } => {
                    key.status = KeyStatus::Frozen;
                    key.freeze_reason.clone_from(reason);
                    if before.status != KeyStatus::Frozen {
                        let event = frozen(event_id, tenant, ("api_key", id.to_string()), now);
                        store::ops_events::insert(tx, &[event])?;
                    }
                }
                KeyChange::Unfreeze => {
                    key.status = KeyStatus::Active;
                    key.freeze_reason = None;
                }
                KeyChange::Revoke => {
                    key.status = KeyStatus::Revoked;
                    key.revoked_at.get_or_insert(now);
                    // What was made with the key counts nothing any more.
                    for (before, after) in store::limits::disable_of_key(tx, tenant, id, now)? {
                        let lowered = limits::overrides::with_limit(tx, ids.as_ref(), &author, &before, now)?;
                        let changed = limits::told::disabled(&lowered, &after);
                        record(tx, ids.as_ref(), &author, changed, now)?;
                    }
                }
            }
            if let Some(changed) = told::change(&before, &key) {
                store::keys::set_status(tx, &key)?;
                record(tx, ids.as_ref(), &author, changed, now)?;
            }
            Ok(key)
        })
        .await?;
    cx.keys.forget();
    Ok(key)
}

/// The event of a pulled kill switch.
pub(crate) fn frozen(
    id: EventId,
    tenant: TenantId,
    entity: (&'static str, String),
    at: Timestamp,
) -> OpsEvent {
    let scope = if entity.0 == "tenant" { "tenant" } else { "key" };
    OpsEvent {
        id,
        at,
        tenant: Some(tenant),
        event_type: OpsEventType::FreezeActivated,
        user_id: None,
        session_id: None,
        entity_type: Some(entity.0),
        entity_id: Some(entity.1),
        severity: Some(5),
        latency_ms: None,
        cost: None,
        metadata: serde_json::json!({ "scope": scope }).to_string(),
    }
}
