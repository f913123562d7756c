//! How do API keys come and go?

use infra::secrets::{ApiKeySecret, KeyEnvironment, random_bytes};
use model::event::{OpsEvent, OpsEventType};
use model::id::{EventId, KeyId, LimitId, TenantId};
use model::key::{ApiKey, KeyScope, KeyStatus};
use model::limit::{Enforcement, Limit, LimitCategory, LimitScope, LimitStatus, LimitType};
use model::time::Timestamp;
use model::window::WindowSpec;
use store::{LockTx, StoreError, TxError};

use crate::context::Context;
use crate::ledger::Replay;
use crate::limits::{Done, Render};
use crate::names;
use crate::once::{Once, OnceError};

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

/// Makes a key. The secret is returned here and nowhere else, ever.
///
/// `creator` is what the maker may do; none for operators, who may do everything.
///
/// # Errors
/// [`KeyError`].
pub async fn create(
    cx: &Context,
    tenant: TenantId,
    creator: Option<&[KeyScope]>,
    new: NewKey,
) -> Result<(ApiKey, ApiKeySecret), KeyError> {
    let made = Made::new(cx, tenant, creator, new)?;
    let stored = made.stored();
    cx.db
        .locked(move |tx| -> Result<(), KeyError> {
            lock(tx, tenant)?;
            stored.insert(tx)
        })
        .await?;
    Ok((made.key, made.secret))
}

/// Makes a key for a request that may come twice.
///
/// The second time the answer is what `render` made of the key the first time. It has no secret, because a secret is
/// not stored: whoever has lost it knows now which key to revoke.
///
/// # Errors
/// [`KeyError`].
pub async fn create_once(
    cx: &Context,
    tenant: TenantId,
    creator: Option<&[KeyScope]>,
    new: NewKey,
    once: Option<Once>,
    render: Render<ApiKey>,
) -> Result<Done<(ApiKey, ApiKeySecret)>, KeyError> {
    let made = Made::new(cx, tenant, creator, new)?;
    let (stored, now) = (made.stored(), made.key.created_at);
    let body = render(&made.key);
    let answer = body.clone();
    let before = cx
        .db
        .locked(move |tx| -> Result<Option<Replay>, KeyError> {
            lock(tx, tenant)?;
            if let Some(once) = &once {
                if let Some(before) = once.before(tx)? {
                    return Ok(Some(before));
                }
                once.record(tx, 201, &body, now)?;
            }
            stored.insert(tx)?;
            Ok(None)
        })
        .await?;
    Ok(match before {
        Some(before) => Done::Before(before),
        None => Done::Now((made.key, made.secret), answer),
    })
}

/// Nobody else makes a key of the tenant until this transaction ends.
fn lock(tx: &mut LockTx<'_>, tenant: TenantId) -> Result<(), KeyError> {
    store::tenants::lock(tx, tenant)?
        .map(|_| ())
        .ok_or(KeyError::NoTenant)
}

/// A key that is about to be stored.
struct Made {
    key: ApiKey,
    secret: ApiKeySecret,
    rate: Option<Limit>,
}

/// What of it is stored.
struct Stored {
    key: ApiKey,
    hash: String,
    rate: Option<Limit>,
}

impl Made {
    fn new(
        cx: &Context,
        tenant: TenantId,
        creator: Option<&[KeyScope]>,
        new: NewKey,
    ) -> Result<Self, KeyError> {
        let now = cx.clock.now();
        let name = check(cx, creator, &new)?;
        let secret = ApiKeySecret::generate(environment(&new), random_bytes());
        let mut scopes = new.scopes;
        scopes.sort_unstable();
        scopes.dedup();
        let days = new.expires_in_days;
        let key = ApiKey {
            id: KeyId::generate(cx.ids.as_ref()),
            tenant,
            name,
            last4: secret.last4().to_owned(),
            live: new.live,
            scopes,
            status: KeyStatus::Active,
            freeze_reason: None,
            rpm: new.rpm,
            expires_at: days.map(|days| now.plus_seconds(i64::from(days) * 86_400)),
            created_at: now,
            last_used_at: None,
            revoked_at: None,
        };
        let rate = new
            .rpm
            .map(|rpm| rate_limit(LimitId::generate(cx.ids.as_ref()), &key, rpm, now));
        Ok(Self { key, secret, rate })
    }

    fn stored(&self) -> Stored {
        Stored {
            key: self.key.clone(),
            hash: self.secret.hash(),
            rate: self.rate.clone(),
        }
    }
}

impl Stored {
    fn insert(&self, tx: &mut LockTx<'_>) -> Result<(), KeyError> {
        let live = store::keys::list(tx, self.key.tenant)?
            .iter()
            .filter(|key| key.revoked_at.is_none())
            .count();
        if live >= KEYS_MAX {
            return Err(KeyError::Quota);
        }
        store::keys::insert(tx, &self.key, &self.hash)?;
        if let Some(limit) = &self.rate {
            store::limits::insert(tx, limit)?;
        }
        Ok(())
    }
}

fn environment(new: &NewKey) -> KeyEnvironment {
    if new.live {
        KeyEnvironment::Live
    } else {
        KeyEnvironment::Test
    }
}

/// The name of the key in its one form, if everything about the key is as it may be.
fn check(cx: &Context, creator: Option<&[KeyScope]>, new: &NewKey) -> Result<String, KeyError> {
    let name = names::checked(&new.name, 100).ok_or(KeyError::Invalid {
        field: "name",
        detail: "1 to 100 characters, none of them invisible",
    })?;
    if environment(new) != cx.environment {
        return Err(KeyError::Invalid {
            field: "environment",
            detail: match cx.environment {
                KeyEnvironment::Live => "this installation takes live keys only (server.environment)",
                KeyEnvironment::Test => "this installation takes test keys only (server.environment)",
            },
        });
    }
    if new.scopes.is_empty() {
        return Err(KeyError::Invalid {
            field: "scopes",
            detail: "at least one of LLM, READ, MANAGE",
        });
    }
    if new.rpm.is_some_and(|rpm| !(1..=1_000_000).contains(&rpm)) {
        return Err(KeyError::Invalid {
            field: "rate_limit_rpm",
            detail: "1 to 1000000",
        });
    }
    if new.expires_in_days.is_some_and(|days| !(1..=365).contains(&days)) {
        return Err(KeyError::Invalid {
            field: "expires_in_days",
            detail: "1 to 365",
        });
    }
    let lacking = creator.and_then(|may| new.scopes.iter().find(|scope| !may.contains(scope)));
    lacking.map_or(Ok(name), |scope| Err(KeyError::Escalation(*scope)))
}

/// The requests per minute of a key are a limit like any other.
fn rate_limit(id: LimitId, key: &ApiKey, rpm: u32, now: Timestamp) -> Limit {
    Limit {
        id,
        tenant: key.tenant,
        name: format!("requests per minute of key {}", key.name),
        description: Some("Made with the key.".to_owned()),
        category: LimitCategory::Rate,
        limit_type: LimitType::RequestsPerMinute,
        scope: LimitScope::Tenant,
        scope_id: None,
        api_key_id: Some(key.id),
        model: None,
        max: i64::from(rpm),
        window: WindowSpec::Rolling { seconds: 60 },
        enforcement: Enforcement::Block,
        status: LimitStatus::Active,
        created_at: now,
        updated_at: now,
    }
}

/// The keys of a tenant, newest first.
///
/// # Errors
/// [`KeyError::Store`].
pub async fn list(cx: &Context, tenant: TenantId) -> Result<Vec<ApiKey>, KeyError> {
    Ok(cx.db.read(move |tx| store::keys::list(tx, tenant)).await?)
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
    id: KeyId,
    change: KeyChange,
) -> Result<ApiKey, KeyError> {
    let now = cx.clock.now();
    let event_id = EventId::generate(cx.ids.as_ref());
    let key = cx
        .db
        .write(move |tx| -> Result<ApiKey, KeyError> {
            let mut key = store::keys::find(tx, tenant, id)?.ok_or(KeyError::NotFound)?;
            if key.status == KeyStatus::Revoked && change != KeyChange::Revoke {
                return Err(KeyError::Revoked);
            }
            match &change {
                KeyChange::Freeze { reason } => {
                    key.status = KeyStatus::Frozen;
                    key.freeze_reason.clone_from(reason);
                    store::ops_events::insert(
                        tx,
                        &[frozen(event_id, tenant, ("api_key", id.to_string()), now)],
                    )?;
                }
                KeyChange::Unfreeze => {
                    key.status = KeyStatus::Active;
                    key.freeze_reason = None;
                }
                KeyChange::Revoke => {
                    key.status = KeyStatus::Revoked;
                    key.revoked_at.get_or_insert(now);
                }
            }
            store::keys::set_status(tx, &key)?;
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
