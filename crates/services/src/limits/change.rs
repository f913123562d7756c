//! How is a limit changed?

use domain::limits::draft::{Draft, validate};
use model::id::{DecisionId, HoldId, LimitId};
use model::limit::{Degrade, Enforcement, Handling, Limit, LimitStatus};
use model::window::{ResetPeriod, WindowSpec};
use store::Tx;

use super::window::{Carrier, change_window, refuse_to_forget};
use super::written::{self, Written};
use super::{Done, LimitError, Owner, Render, finish, overrides, refuse_too_many, refuse_twin, told};
use crate::audit::{self, Author};
use crate::context::Context;
use crate::names;
use crate::once::Once;

/// What is to be changed of a limit; what is none stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// What people call it.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The most, in the unit of the type.
    pub max: Option<i64>,
    /// What happens when a request does not fit.
    pub enforcement: Option<Enforcement>,
    /// How that is done; what is none stays as it is, as far as the enforcement has it.
    pub handling: Handling,
    /// When the counter starts again. What was used since the start of the new window counts in it.
    pub reset_period: Option<ResetPeriod>,
    /// Over how many seconds.
    pub window_seconds: Option<u32>,
    /// Whether it applies.
    pub status: Option<LimitStatus>,
}

/// Changes a limit. Open holds stay valid; the next decision uses the new limit, on every node.
///
/// # Errors
/// [`LimitError`].
pub async fn update(
    cx: &Context,
    owner: Owner,
    author: Author,
    (id, change): (LimitId, Change),
    once: Option<Once>,
    render: Render<Written>,
) -> Result<Done<Limit>, LimitError> {
    let clock = std::sync::Arc::clone(&cx.clock);
    let carrier = change.reset_period.map(|_| Carrier {
        hold: HoldId::generate(cx.ids.as_ref()),
        decision: DecisionId::generate(cx.ids.as_ref()),
    });
    let providers = written::providers(cx);
    let ids = std::sync::Arc::clone(&cx.ids);
    cx.db
        .locked(move |tx| -> Result<Done<Limit>, LimitError> {
            if let Some(before) = once.as_ref().map(|once| once.before(tx)).transpose()?.flatten() {
                return Ok(Done::Before(before));
            }
            let mut known = store::limits::lock(tx, owner.id(), id)?.ok_or(LimitError::NotFound)?;
            // Not before the locks: a window may begin while they are waited for.
            let now = clock.now();
            let mut limit = changed(known.clone(), &change)?;
            refuse_tampered(tx, &known, &limit)?;
            refuse_to_forget(tx, &known.window, &limit, now)?;
            limit.updated_at = now;
            let disables = known.status == LimitStatus::Active && limit.status == LimitStatus::Disabled;
            if disables {
                known = overrides::with_limit(tx, ids.as_ref(), &author, &known, now)?;
                limit.raise = known.raise;
            }
            if limit.status == LimitStatus::Active {
                refuse_twin(&store::limits::active(tx, limit.tenant)?, &limit)?;
            }
            if let Some(carrier) = carrier {
                change_window(tx, &known.window, &limit, carrier, now)?;
            }
            store::limits::update(tx, &limit)?;
            refuse_too_many(tx, limit.tenant)?;
            let told = if disables {
                told::disabled(&known, &limit)
            } else {
                told::updated(&known, &limit)
            };
            audit::record(tx, ids.as_ref(), &author, told, now)?;
            let written = Written::of(tx, limit, &providers, now)?;
            finish(tx, once.as_ref(), 200, &written, render, now)
        })
        .await
}

/// Refuses to build on a definition that somebody has changed by other means: it would look decided. Such a limit can be
/// disabled.
fn refuse_tampered(tx: &mut impl Tx, known: &Limit, changed: &Limit) -> Result<(), LimitError> {
    if changed.status == LimitStatus::Disabled || store::limits::is_intact(tx, known)? {
        return Ok(());
    }
    Err(LimitError::Tampered)
}

fn changed(known: Limit, change: &Change) -> Result<Limit, LimitError> {
    let (mut period, mut zone, mut first_day, mut seconds) = (None, None, None, None);
    match &known.window {
        WindowSpec::Calendar {
            period: known,
            zone: whose,
            week_start,
        } => (period, zone, first_day) = (Some(*known), Some(whose.clone()), Some(*week_start)),
        WindowSpec::Rolling { seconds: known } => seconds = Some(*known),
        WindowSpec::PerRun => {}
    }
    if change.reset_period.is_some() {
        period = change.reset_period;
        zone = zone.or(Some(model::zone::Zone::UTC));
    }
    // What is kept for other periods is no wish.
    let first_day = first_day.filter(|_| period == Some(ResetPeriod::Weekly));
    if change.window_seconds.is_some() {
        seconds = change.window_seconds;
    }
    let enforcement = change.enforcement.unwrap_or(known.enforcement);
    let handling = handled(known.handling, enforcement, &change.handling);
    let draft = Draft {
        name: change.name.clone().unwrap_or(known.name),
        description: change.description.clone().or(known.description),
        category: known.category,
        limit_type: known.limit_type,
        scope: known.scope,
        scope_id: known.scope_id,
        api_key_id: known.api_key_id,
        model: known.model,
        feature: known.feature,
        end_user: known.end_user,
        max: change.max.unwrap_or(known.max),
        reset_period: period,
        zone,
        week_start: first_day,
        window_seconds: seconds,
        enforcement,
        handling,
    };
    let window = validate(&draft).map_err(LimitError::Invalid)?;
    Ok(Limit {
        name: names::normal(&draft.name),
        description: draft.description,
        scope_id: draft.scope_id,
        model: draft.model,
        feature: draft.feature,
        end_user: draft.end_user,
        max: draft.max,
        window,
        enforcement: draft.enforcement,
        handling: draft.handling,
        status: change.status.unwrap_or(known.status),
        ..known
    })
}

/// What was said for the enforcement that the limit had is not said for another one.
fn handled(known: Handling, enforcement: Enforcement, change: &Handling) -> Handling {
    let degrade = known.degrade.filter(|_| enforcement == Enforcement::Degrade);
    Handling {
        queue_ms: change
            .queue_ms
            .or(known.queue_ms.filter(|_| enforcement == Enforcement::Queue)),
        degrade: match (&change.degrade, degrade) {
            (Some(change), Some(known)) => Some(Degrade {
                model: change.model.clone().or(known.model),
                output_tokens: change.output_tokens.or(known.output_tokens),
            }),
            (change, known) => change.clone().or(known),
        },
        consequence: change.consequence.or(known.consequence),
        measured_seconds: change.measured_seconds.or(known.measured_seconds),
    }
}
