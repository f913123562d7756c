//! How are the LLM Runs of the last days gone through, piece by piece?
//!
//! In the order in which they started, in bounded reads of their own: no transaction stays open over all of it, and
//! nothing is written.

use std::ops::RangeInclusive;

use model::id::TenantId;
use model::run::Run;
use model::time::Timestamp;
use store::runs::Place;
use store::{StoreError, StoreResult};

use crate::context::Context;

/// How many days may be gone through.
pub const DAYS: RangeInclusive<i64> = 1..=30;
/// How many, if nobody says.
pub const DAYS_DEFAULT: i64 = 7;
/// The most runs that are gone through, the latest ones.
pub const RUNS_MAX: i64 = 100_000;
/// How many are read at once.
const PIECE: i64 = 500;

/// Which runs are gone through: those of a tenant that started in the last days (UTC), today included.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// Whose.
    pub tenant: TenantId,
    /// How many days.
    pub days: i64,
    /// At most so many, the latest ones.
    pub most: i64,
}

impl Stretch {
    /// As many as may be.
    pub const fn of(tenant: TenantId, days: i64) -> Self {
        Self {
            tenant,
            days,
            most: RUNS_MAX,
        }
    }
}

/// What was gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// How many days were asked for.
    pub days: i64,
    /// The first instant of the first day.
    pub from: Timestamp,
    /// The last instant.
    pub until: Timestamp,
    /// Of earlier runs there were too many to look at them; the first one that was looked at started after this one, or
    /// with it.
    pub cut_at: Option<Timestamp>,
}

/// Goes through the runs.
///
/// # Errors
/// What the database says.
pub(crate) async fn through<S, B, F>(
    cx: &Context,
    stretch: Stretch,
    begin: B,
    step: F,
) -> StoreResult<(S, Span)>
where
    S: Send + 'static,
    B: FnOnce(&Span) -> S,
    F: Fn(&mut S, &[Run]) + Copy + Send + 'static,
{
    let until = cx.clock.now();
    let from = Timestamp::start_of_day(until.day().saturating_sub(stretch.days.saturating_sub(1)));
    let Stretch { tenant, most, .. } = stretch;
    let cut = cx
        .db
        .read(move |tx| store::runs::before_latest(tx, tenant, from, most))
        .await?;
    let span = Span {
        days: stretch.days,
        from,
        until,
        cut_at: cut.map(|cut| cut.at),
    };
    let mut state = begin(&span);
    let (mut after, mut left) = (cut, most);
    while left > 0 {
        let piece = PIECE.min(left);
        let mut runs = cx
            .db
            .read(move |tx| store::runs::stretch(tx, tenant, from, after, piece))
            .await?;
        runs.retain(|run| run.started_at <= until);
        let Some(last) = runs.last() else { break };
        after = Some(Place {
            at: last.started_at,
            run: last.id,
        });
        left = left.saturating_sub(piece);
        state = stepped(state, runs, step).await?;
    }
    Ok((state, span))
}

/// Takes a step on a thread of its own, so that other requests need not wait.
async fn stepped<S, F>(state: S, runs: Vec<Run>, step: F) -> StoreResult<S>
where
    S: Send + 'static,
    F: Fn(&mut S, &[Run]) + Copy + Send + 'static,
{
    let taken = tokio::task::spawn_blocking(move || {
        let mut state = state;
        step(&mut state, &runs);
        state
    });
    taken.await.map_err(|_panicked| StoreError::Panicked)
}
