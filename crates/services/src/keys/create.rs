//! How is a key made, whose secret nobody sees twice?

use std::sync::Arc;

use infra::secrets::{ApiKeySecret, KeyEnvironment, random_bytes};
use model::id::{IdGenerator, KeyId, LimitId, TenantId};
use model::key::{ApiKey, KeyScope, KeyStatus};
use model::limit::{Enforcement, Handling, Limit, LimitCategory, LimitScope, LimitStatus, LimitType};
use model::time::Timestamp;
use model::window::WindowSpec;
use store::LockTx;

use super::{KEYS_MAX, KeyError, Maker, NewKey, told};
use crate::audit::{Author, record};
use crate::context::Context;
use crate::ledger::Replay;
use crate::limits::{self, LIMITS_MAX};
use crate::limits::{Done, Render};
use crate::names;
use crate::once::Once;

/// Makes a key. The secret is returned here and nowhere else, ever.
///
/// # Errors
/// [`KeyError`].
pub async fn create(
    cx: &Context,
    tenant: TenantId,
    maker: Maker,
    new: NewKey,
) -> Result<(ApiKey, ApiKeySecret), KeyError> {
    let made = Made::new(cx, tenant, &maker, new)?;
    let stored = made.stored(cx, maker.author);
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
    maker: Maker,
    new: NewKey,
    once: Option<Once>,
    render: Render<ApiKey>,
) -> Result<Done<(ApiKey, ApiKeySecret)>, KeyError> {
    let made = Made::new(cx, tenant, &maker, new)?;
    let (stored, now) = (made.stored(cx, maker.author), made.key.created_at);
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

/// What of it is stored, and who did it.
struct Stored {
    key: ApiKey,
    hash: String,
    rate: Option<Limit>,
    author: Author,
    ids: Arc<dyn IdGenerator>,
}

impl Made {
    fn new(cx: &Context, tenant: TenantId, maker: &Maker, new: NewKey) -> Result<Self, KeyError> {
        let now = cx.clock.now();
        let name = check(cx, maker.may.as_deref(), &new)?;
        let id = KeyId::generate(cx.ids.as_ref());
        let secret = ApiKeySecret::generate(environment(&new), random_bytes());
        let mut scopes = new.scopes;
        scopes.sort_unstable();
        scopes.dedup();
        let days = new.expires_in_days;
        let key = ApiKey {
            id,
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
            root: maker.root.unwrap_or(id),
        };
        let rate = new
            .rpm
            .map(|rpm| rate_limit(LimitId::generate(cx.ids.as_ref()), &key, rpm, now));
        Ok(Self { key, secret, rate })
    }

    fn stored(&self, cx: &Context, author: Author) -> Stored {
        Stored {
            key: self.key.clone(),
            hash: self.secret.hash(),
            rate: self.rate.clone(),
            author,
            ids: cx.ids.clone(),
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
            if store::limits::count(tx, limit.tenant)? > LIMITS_MAX {
                return Err(KeyError::LimitQuota);
            }
        }
        if let Some(limit) = &self.rate {
            let changed = limits::told::created(limit);
            record(tx, self.ids.as_ref(), &self.author, changed, self.key.created_at)?;
        }
        let changed = told::created(&self.key);
        record(tx, self.ids.as_ref(), &self.author, changed, self.key.created_at)?;
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
        feature: None,
        end_user: None,
        max: i64::from(rpm),
        window: WindowSpec::Rolling { seconds: 60 },
        enforcement: Enforcement::Block,
        handling: Handling::default(),
        status: LimitStatus::Active,
        raise: None,
        overrun: None,
        created_at: now,
        updated_at: now,
    }
}
