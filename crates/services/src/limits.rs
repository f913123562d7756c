//! How are limits made, changed, looked at and asked?

mod change;
mod check;
pub mod failures;
mod history;
pub mod integrity;
pub mod overrides;
pub(crate) mod told;
mod usage;
mod window;
mod written;

use domain::limits::draft::{Draft, Problem, validate};
use model::id::{LimitId, TenantId};
use model::limit::{Limit, LimitCategory, LimitScope, LimitStatus};
use model::page::PageRequest;
use model::time::Timestamp;
use model::window::WindowSpec;
use store::{StoreError, Tx, TxError};

use crate::audit::{self, Author};
use crate::context::Context;
use crate::names;
use crate::once::{Once, OnceError};

pub use self::change::{Change, update};
pub use self::check::{CheckError, CheckRequest, check, settle_by_client, simulate};
pub use self::history::{Simulated, simulate_history};
pub use self::usage::{LimitUsage, platform_usage, usage};
pub use self::written::Written;
pub use crate::once::{Done, Render};
pub use crate::owner::Owner;

/// The most ACTIVE limits an owner may have.
pub const LIMITS_MAX: i64 = 1_000;

/// Why a limit cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// There is no such limit, or it is not the caller's.
    #[error("there is no such limit")]
    NotFound,
    /// Fields are not what they should be.
    #[error("the limit is not valid")]
    Invalid(Vec<Problem>),
    /// Only operators set GLOBAL limits, and they set nothing else.
    #[error("the scope is not the caller's to set")]
    Scope,
    /// There is an ACTIVE limit like this.
    #[error("there is a limit like this")]
    Exists(LimitId),
    /// There are as many limits as there may be.
    #[error("there are too many limits")]
    Quota,
    /// What is stored is not what was decided last.
    #[error("the limit does not match its history")]
    Tampered,
    /// Open holds are on it.
    #[error("open holds are on the limit")]
    InUse {
        /// What they hold, in the unit of the limit.
        held: i64,
    },
    /// The tenant goes through as many histories as it may at once.
    #[error("too many histories are gone through at once")]
    Busy,
    /// The idempotency key cannot be used.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// The database failed.
    #[error("the limits could not be read or written")]
    Store(#[from] StoreError),
}

impl TxError for LimitError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) | Self::Once(OnceError::Store(error)) => Some(error),
            _ => None,
        }
    }
}

/// Makes a limit.
///
/// # Errors
/// [`LimitError`].
pub async fn create(
    cx: &Context,
    owner: Owner,
    author: Author,
    draft: Draft,
    once: Option<Once>,
    render: Render<Written>,
) -> Result<Done<Limit>, LimitError> {
    let now = cx.clock.now();
    let id = LimitId::generate(cx.ids.as_ref());
    let providers = written::providers(cx);
    let window = validate(&draft).map_err(LimitError::Invalid)?;
    if (draft.scope == LimitScope::Global) != (owner == Owner::Platform) {
        return Err(LimitError::Scope);
    }
    let limit = of_draft(draft, window, (owner, id), now);
    let ids = cx.ids.clone();
    cx.db
        .write(move |tx| -> Result<Done<Limit>, LimitError> {
            // The key is read last: a twin that somebody made with this very key is then answered, not refused.
            let known = store::limits::active(tx, limit.tenant)?;
            if let Some(before) = once.as_ref().map(|once| once.before(tx)).transpose()?.flatten() {
                return Ok(Done::Before(before));
            }
            refuse_twin(&known, &limit)?;
            check_key(tx, &limit)?;
            written::refuse_unknown(tx, &limit)?;
            store::limits::insert(tx, &limit)?;
            refuse_too_many(tx, limit.tenant)?;
            audit::record(tx, ids.as_ref(), &author, told::created(&limit), now)?;
            let written = Written::of(tx, limit.clone(), &providers, now)?;
            finish(tx, once.as_ref(), 201, &written, render, now)
        })
        .await
}

/// The limit that a valid draft describes.
fn of_draft(draft: Draft, window: WindowSpec, (owner, id): (Owner, LimitId), now: Timestamp) -> Limit {
    Limit {
        id,
        tenant: owner.id(),
        name: names::normal(&draft.name),
        description: draft.description,
        category: draft.category,
        limit_type: draft.limit_type,
        scope: draft.scope,
        scope_id: draft.scope_id,
        api_key_id: draft.api_key_id,
        model: draft.model,
        feature: draft.feature,
        end_user: draft.end_user,
        max: draft.max,
        window,
        enforcement: draft.enforcement,
        handling: draft.handling,
        status: LimitStatus::Active,
        raise: None,
        overrun: None,
        created_at: now,
        updated_at: now,
    }
}

/// Disables a limit for good; its history stays.
///
/// # Errors
/// [`LimitError::InUse`] while open holds are on it.
pub async fn delete(
    cx: &Context,
    owner: Owner,
    author: Author,
    id: LimitId,
    once: Option<Once>,
) -> Result<Done<Limit>, LimitError> {
    let now = cx.clock.now();
    let ids = cx.ids.clone();
    cx.db
        .locked(move |tx| -> Result<Done<Limit>, LimitError> {
            if let Some(before) = once.as_ref().map(|once| once.before(tx)).transpose()?.flatten() {
                return Ok(Done::Before(before));
            }
            let known = store::limits::lock(tx, owner.id(), id)?.ok_or(LimitError::NotFound)?;
            refuse_in_use(tx, &known)?;
            let lowered = overrides::with_limit(tx, ids.as_ref(), &author, &known, now)?;
            let limit = Limit {
                status: LimitStatus::Disabled,
                updated_at: now,
                ..lowered.clone()
            };
            store::limits::update(tx, &limit)?;
            if known.status == LimitStatus::Active {
                audit::record(tx, ids.as_ref(), &author, told::disabled(&lowered, &limit), now)?;
            }
            let written = Written::plain(limit);
            finish(tx, once.as_ref(), 204, &written, |_| String::new(), now)
        })
        .await
}

/// One limit.
///
/// # Errors
/// [`LimitError::NotFound`].
pub async fn get(cx: &Context, owner: Owner, id: LimitId) -> Result<Limit, LimitError> {
    cx.db
        .read(move |tx| store::limits::find(tx, owner.id(), id))
        .await?
        .ok_or(LimitError::NotFound)
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// Only this category.
    pub category: Option<LimitCategory>,
    /// Only this status.
    pub status: Option<LimitStatus>,
}

/// Limits, newest first, with whether there are more.
///
/// # Errors
/// [`LimitError::Store`].
pub async fn list(
    cx: &Context,
    owner: Owner,
    filter: ListFilter,
    page: PageRequest,
) -> Result<(Vec<Limit>, bool), LimitError> {
    let most = i64::from(page.limit);
    let before = page.after.and_then(|cursor| cursor.id.parse().ok());
    let filter = store::limits::Filter {
        category: filter.category,
        status: filter.status,
        before,
    };
    let mut items = cx
        .db
        .read(move |tx| store::limits::list(tx, owner.id(), &filter, most + 1))
        .await?;
    let more = items.len() > usize::try_from(page.limit).unwrap_or(usize::MAX);
    if more {
        items.pop();
    }
    Ok((items, more))
}

fn finish(
    tx: &mut impl store::Writes,
    once: Option<&Once>,
    status: u16,
    written: &Written,
    render: Render<Written>,
    now: Timestamp,
) -> Result<Done<Limit>, LimitError> {
    let body = render(written);
    if let Some(once) = once {
        once.record(tx, status, &body, now)?;
    }
    Ok(Done::Now(written.limit.clone(), body))
}

/// Refuses an ACTIVE limit that counts the same as another. The index `limits_twin` says the same: it refuses what
/// another transaction makes between this look and the write.
fn refuse_twin(known: &[Limit], new: &Limit) -> Result<(), LimitError> {
    let twin = known
        .iter()
        .find(|known| known.id != new.id && is_twin(known, new));
    twin.map_or(Ok(()), |twin| Err(LimitError::Exists(twin.id)))
}

/// Refuses one limit too many. Asked after the write, when nobody else can add one before this transaction ends.
fn refuse_too_many(tx: &mut impl Tx, owner: TenantId) -> Result<(), LimitError> {
    if store::limits::count(tx, owner)? > LIMITS_MAX {
        return Err(LimitError::Quota);
    }
    Ok(())
}

/// Refuses that a limit is deleted while open holds are on it. It can be disabled: where requests come all the time, there
/// are always some.
fn refuse_in_use(tx: &mut impl Tx, limit: &Limit) -> Result<(), LimitError> {
    let all = store::counters::CounterKey {
        owner: limit.tenant,
        limit: limit.id,
        window_start: i64::MIN,
    };
    let counters = store::counters::since(tx, &[all])?;
    let held = counters.iter().map(|counter| counter.held).sum();
    if held > 0 {
        return Err(LimitError::InUse { held });
    }
    Ok(())
}

fn is_twin(known: &Limit, new: &Limit) -> bool {
    known.category == new.category
        && known.limit_type == new.limit_type
        && known.scope == new.scope
        && known.scope_id == new.scope_id
        && known.api_key_id == new.api_key_id
        && known.model == new.model
        && known.feature == new.feature
        && known.end_user == new.end_user
        && known.window == new.window
        && known.enforcement == new.enforcement
}

fn check_key(tx: &mut impl Tx, limit: &Limit) -> Result<(), LimitError> {
    let Some(key) = limit.api_key_id else {
        return Ok(());
    };
    match store::keys::find(tx, limit.tenant, key)? {
        Some(_) => Ok(()),
        None => Err(LimitError::Invalid(vec![Problem {
            field: "api_key_id",
            detail: "not a key of this tenant",
        }])),
    }
}
