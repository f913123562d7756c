//! How is a limit raised for a time?

mod ending;

use domain::limits::draft::Problem;
use model::audit::AuditEvent;
use model::id::{LimitId, OverrideId};
use model::limit::{Limit, LimitStatus};
use model::limit_override::{LimitOverride, OverrideStatus};
use model::page::PageRequest;
use model::text::is_hidden;
use model::time::Timestamp;
use serde_json::json;
use store::{StoreError, TxError, Writes};

use super::{Done, Owner, Render, told};
use crate::audit::{self, Author, Changed};
use crate::context::Context;
use crate::once::{Once, OnceError};

pub use self::ending::expire;
pub(crate) use self::ending::with_limit;
use self::ending::{cancel, end_due};

/// The most overrides of an owner that count at a time.
pub const ACTIVE_MAX: usize = 5;
/// The longest an override lasts.
const HOURS: std::ops::RangeInclusive<i64> = 1..=168;
/// How long a reason is, in characters.
const REASON: std::ops::RangeInclusive<usize> = 10..=500;
/// How far ahead an override may be scheduled.
const AHEAD_DAYS: i64 = 90;

/// Why an override cannot be granted or taken back.
#[derive(Debug, thiserror::Error)]
pub enum OverrideError {
    /// There is no such override, or it is not the caller's.
    #[error("there is no such override")]
    NotFound,
    /// Fields are not what they should be.
    #[error("the override is not valid")]
    Invalid(Vec<Problem>),
    /// The limit has one.
    #[error("the limit is raised already")]
    Exists(OverrideId),
    /// There are as many as there may be.
    #[error("there are too many overrides")]
    Quota,
    /// What is stored of the limit is not what was decided last.
    #[error("the limit was changed by other means")]
    Tampered,
    /// It counts no more.
    #[error("the override has ended")]
    Ended(OverrideStatus),
    /// The idempotency key cannot be used.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// The database failed.
    #[error("the overrides could not be read or written")]
    Store(#[from] StoreError),
}

impl TxError for OverrideError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) | Self::Once(OnceError::Store(error)) => Some(error),
            _ => None,
        }
    }
}

/// The raise that somebody asks for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Of which limit.
    pub limit: LimitId,
    /// The most while it lasts, in the unit of the limit.
    pub value: i64,
    /// How long.
    pub hours: i64,
    /// Why.
    pub reason: String,
    /// When it begins; none for at once.
    pub starts_at: Option<Timestamp>,
}

/// Raises a limit for a time. Whoever may change the limit may also raise it, so that it is approved with the request.
///
/// # Errors
/// [`OverrideError`].
pub async fn grant(
    cx: &Context,
    owner: Owner,
    author: Author,
    wish: Wish,
    once: Option<Once>,
    render: Render<LimitOverride>,
) -> Result<Done<LimitOverride>, OverrideError> {
    let (clock, ids) = (cx.clock.clone(), cx.ids.clone());
    cx.db
        .locked(move |tx| -> Result<Done<LimitOverride>, OverrideError> {
            if let Some(before) = once.as_ref().map(|once| once.before(tx)).transpose()?.flatten() {
                return Ok(Done::Before(before));
            }
            let known = store::limits::lock(tx, owner.id(), wish.limit)?;
            let now = clock.now();
            let limit = allowed(known, &wish, now)?;
            if !store::limits::is_intact(tx, &limit)? {
                return Err(OverrideError::Tampered);
            }
            end_due(tx, ids.as_ref(), owner, now)?;
            // Of two that raise different limits at once the second one counts the first.
            store::tenants::lock(tx, owner.id())?;
            let live = store::limit_overrides::live(tx, owner.id())?;
            if let Some(other) = live.iter().find(|other| other.limit == limit.id) {
                return Err(OverrideError::Exists(other.id));
            }
            if live.len() >= ACTIVE_MAX {
                return Err(OverrideError::Quota);
            }
            let granted = granted(OverrideId::generate(ids.as_ref()), &limit, &wish, &author, now);
            store::limit_overrides::insert(tx, &granted)?;
            let raised = Limit {
                raise: granted.raise(),
                updated_at: now,
                ..limit.clone()
            };
            store::limits::update(tx, &raised)?;
            let changed = Changed {
                reason: Some(granted.reason.clone()),
                before: Some(told::state(&limit)),
                after: Some(told::state(&raised)),
                related: json!({ "limit_id": limit.id, "override_id": granted.id }),
                ..told::changed(
                    &raised,
                    AuditEvent::LimitOverrideGranted,
                    "limit_override_granted",
                    "was raised for a time",
                )
            };
            audit::record(tx, ids.as_ref(), &author, changed, now)?;
            finish(tx, once.as_ref(), 201, granted, render, now)
        })
        .await
}

/// The limit, if it may be raised like this.
fn allowed(known: Option<Limit>, wish: &Wish, now: Timestamp) -> Result<Limit, OverrideError> {
    let mut problems = Vec::new();
    let mut wrong = |field, detail| problems.push(Problem { field, detail });
    let active = known.filter(|limit| limit.status == LimitStatus::Active);
    if active.is_none() {
        wrong("limit_id", "no ACTIVE limit of yours has this id");
    }
    if active.as_ref().is_some_and(|limit| wish.value <= limit.max) {
        wrong("override_value", "more than the max_value of the limit");
    }
    if !HOURS.contains(&wish.hours) {
        wrong("duration_hours", "1 to 168");
    }
    let length = wish.reason.trim().chars().count();
    if !REASON.contains(&length) || wish.reason.chars().any(|c| is_hidden(c) && c != '\n') {
        wrong("reason", "10 to 500 characters, none of them invisible");
    }
    let latest = now.plus_seconds(AHEAD_DAYS * 86_400);
    if wish.starts_at.is_some_and(|start| start < now || start > latest) {
        wrong("scheduled_start", "from now to 90 days ahead");
    }
    match active {
        Some(limit) if problems.is_empty() => Ok(limit),
        _ => Err(OverrideError::Invalid(problems)),
    }
}

fn granted(id: OverrideId, limit: &Limit, wish: &Wish, author: &Author, now: Timestamp) -> LimitOverride {
    let starts_at = wish.starts_at.unwrap_or(now);
    let by = author.actor.name().to_owned();
    LimitOverride {
        id,
        tenant: limit.tenant,
        limit: limit.id,
        counts: limit.limit_type,
        original: limit.max,
        value: wish.value,
        status: if starts_at > now {
            OverrideStatus::Approved
        } else {
            OverrideStatus::Active
        },
        reason: wish.reason.trim().to_owned(),
        requested_by: by.clone(),
        approved_by: Some(by),
        cancelled_by: None,
        created_at: now,
        starts_at,
        expires_at: starts_at.plus_seconds(wish.hours * 3_600),
        cancelled_at: None,
    }
}

/// Takes an override back: from the next decision on the limit says what it said before.
///
/// # Errors
/// [`OverrideError::Ended`] if it counts no more.
pub async fn revoke(
    cx: &Context,
    owner: Owner,
    author: Author,
    id: OverrideId,
    once: Option<Once>,
) -> Result<Done<LimitOverride>, OverrideError> {
    let (clock, ids) = (cx.clock.clone(), cx.ids.clone());
    cx.db
        .locked(move |tx| -> Result<Done<LimitOverride>, OverrideError> {
            if let Some(before) = once.as_ref().map(|once| once.before(tx)).transpose()?.flatten() {
                return Ok(Done::Before(before));
            }
            let known = store::limit_overrides::find(tx, owner.id(), id)?.ok_or(OverrideError::NotFound)?;
            let limit = store::limits::lock(tx, owner.id(), known.limit)?.ok_or(OverrideError::NotFound)?;
            // Somebody may have ended it before the lock.
            let known = store::limit_overrides::find(tx, owner.id(), id)?.ok_or(OverrideError::NotFound)?;
            let now = clock.now();
            match known.status_at(now) {
                OverrideStatus::Pending | OverrideStatus::Approved | OverrideStatus::Active => {}
                status => return Err(OverrideError::Ended(status)),
            }
            let (cancelled, lowered) = cancel(tx, ids.as_ref(), &author, known, &limit, now)?;
            store::limits::update(tx, &lowered)?;
            finish(tx, once.as_ref(), 204, cancelled, |_| String::new(), now)
        })
        .await
}

fn finish(
    tx: &mut impl Writes,
    once: Option<&Once>,
    status: u16,
    done: LimitOverride,
    render: Render<LimitOverride>,
    now: Timestamp,
) -> Result<Done<LimitOverride>, OverrideError> {
    let body = render(&done);
    if let Some(once) = once {
        once.record(tx, status, &body, now)?;
    }
    Ok(Done::Now(done, body))
}

/// One override, with where it stands now.
///
/// # Errors
/// [`OverrideError::NotFound`].
pub async fn get(cx: &Context, owner: Owner, id: OverrideId) -> Result<LimitOverride, OverrideError> {
    let now = cx.clock.now();
    let found = cx
        .db
        .read(move |tx| store::limit_overrides::find(tx, owner.id(), id))
        .await?;
    found.map(|found| seen(found, now)).ok_or(OverrideError::NotFound)
}

/// Overrides, newest first, with whether there are more.
///
/// # Errors
/// [`OverrideError::Store`].
pub async fn list(
    cx: &Context,
    owner: Owner,
    limit: Option<LimitId>,
    page: PageRequest,
) -> Result<(Vec<LimitOverride>, bool), OverrideError> {
    let now = cx.clock.now();
    let most = i64::from(page.limit);
    let filter = store::limit_overrides::Filter {
        limit,
        before: page.after.and_then(|cursor| cursor.id.parse().ok()),
    };
    let mut found = cx
        .db
        .read(move |tx| store::limit_overrides::list(tx, owner.id(), &filter, most + 1))
        .await?;
    let more = found.len() > usize::try_from(page.limit).unwrap_or(usize::MAX);
    if more {
        found.pop();
    }
    Ok((found.into_iter().map(|found| seen(found, now)).collect(), more))
}

fn seen(found: LimitOverride, now: Timestamp) -> LimitOverride {
    LimitOverride {
        status: found.status_at(now),
        ..found
    }
}
