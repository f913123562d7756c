//! How are the LLM Runs of the last days gone through, piece by piece?
//!
//! In the order in which they started, in bounded reads of their own: no transaction stays open over all of it, and
//! nothing is written. So much is read that a tenant may do it a few times at once only.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use model::digest::Digest;
use model::id::TenantId;
use model::run::Run;
use model::time::Timestamp;
use store::runs::Place;
use store::{StoreError, StoreResult};

use crate::context::Context;

pub use crate::seats::Seat;

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

/// The right to go through the history of this tenant, if it does so less often than it may at once.
pub fn seat(cx: &Context, tenant: TenantId) -> Option<Seat> {
    cx.histories.take(tenant).ok()
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

/// A piece of what is gone through.
#[derive(Debug)]
pub(crate) struct Piece {
    /// In the order in which they started.
    pub(crate) runs: Vec<Run>,
    /// If they are asked for: of requests that look like one of these and like none of an earlier piece, the latest run
    /// that failed and started before the first of all, and how many did.
    pub(crate) failures: BTreeMap<Digest, (Run, i64)>,
}

/// Whether the failures from before are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// They are.
    Failures,
    /// They are not.
    Nothing,
}

/// Goes through the runs, with what failed before them if `state` asks for it.
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
    B: FnOnce(&Span) -> (S, Before),
    F: Fn(&mut S, &Piece) + Copy + Send + 'static,
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
    let (mut state, before) = begin(&span);
    let first = span.cut_at.unwrap_or(from);
    let mut looks = BTreeSet::new();
    let (mut after, mut left) = (cut, most);
    while left > 0 {
        let many = PIECE.min(left);
        let mut runs = cx
            .db
            .read(move |tx| store::runs::stretch(tx, tenant, from, after, many))
            .await?;
        runs.retain(|run| run.started_at <= until);
        let failures = match before {
            Before::Failures => {
                let new = new_looks(&runs, &mut looks);
                cx.db
                    .read(move |tx| store::runs::failures_before(tx, tenant, &new, first))
                    .await?
            }
            Before::Nothing => BTreeMap::new(),
        };
        let piece = Piece { runs, failures };
        let Some(last) = piece.runs.last() else { break };
        after = Some(Place {
            at: last.started_at,
            run: last.id,
        });
        left = left.saturating_sub(many);
        state = stepped(state, piece, step).await?;
    }
    Ok((state, span))
}

/// What the requests look like that look like none before.
fn new_looks(runs: &[Run], known: &mut BTreeSet<Digest>) -> Vec<Digest> {
    runs.iter()
        .map(|run| run.traits().digest())
        .filter(|look| known.insert(*look))
        .collect()
}

/// Takes a step on a thread of its own, so that other requests need not wait.
async fn stepped<S, F>(state: S, piece: Piece, step: F) -> StoreResult<S>
where
    S: Send + 'static,
    F: Fn(&mut S, &Piece) + Copy + Send + 'static,
{
    let taken = tokio::task::spawn_blocking(move || {
        let mut state = state;
        step(&mut state, &piece);
        state
    });
    taken.await.map_err(|_panicked| StoreError::Panicked)
}
