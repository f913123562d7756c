//! What becomes of what was used when a limit gets another window?
//!
//! The counter of the new window becomes what the ledger says: what was settled and is held by the holds that were
//! taken since that window began. What is settled elsewhere is booked as one entry of the ledger that says so
//! ([`HoldItem::carried`]), so that the counters stay the sum of the ledger. Open holds are told by the counters they
//! are in where they count from now on ([`HoldItem::counts_in`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::limits::draft::Problem;
use model::amounts::Amounts;
use model::hold::{Hold, HoldItem, HoldStatus};
use model::id::{DecisionId, HoldId};
use model::limit::Limit;
use model::time::Timestamp;
use model::window::WindowSpec;
use store::counters::{Counter, CounterKey, ROLLING_LOCK};
use store::{LockTx, StoreResult};

use super::LimitError;

/// Where the milliseconds of an id begin.
const ID_TIME_SHIFT: u32 = 80;

/// The ids of the entry that may have to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Carrier {
    pub(super) hold: HoldId,
    pub(super) decision: DecisionId,
}

/// Moves what was used of the limit from the window that it had `before` to the one that it has now, if that is
/// another one. A rolling limit counts in steps, whatever its length, and there is nothing to move.
///
/// The locks of the counters keep away everybody who takes or ends holds on the limit. To add up what was settled, the
/// holds since a day before the new window are looked through: those of the tenant on PostgreSQL, and those of all
/// tenants on SQLite and for a limit of the platform. What it takes grows with their number.
///
/// # Errors
/// What the database says.
pub(super) fn change_window(
    tx: &mut LockTx<'_>,
    before: &WindowSpec,
    limit: &Limit,
    carrier: Carrier,
    now: Timestamp,
) -> StoreResult<()> {
    let (WindowSpec::Calendar { .. }, WindowSpec::Calendar { .. }) = (before, &limit.window) else {
        return Ok(());
    };
    if *before == limit.window {
        return Ok(());
    }
    let begin = limit.window.window_at(now).start;
    let to = key(limit, begin.as_micros());
    let keys = counters(tx, before, limit, now)?;
    let locked = store::counters::lock(tx, &keys)?;
    let was_moved: BTreeMap<CounterKey, i64> = locked
        .iter()
        .filter_map(|locked| Some((locked.counter.key, locked.moved_to?)))
        .collect();
    // One that will be a window of the new kind is where it should be.
    let is_ahead = |start| start > now && limit.window.window_at(start).start == start;
    let is_left = |from: &CounterKey| *from != to && !is_ahead(Timestamp::from_micros(from.window_start));
    let moves: Vec<(CounterKey, Option<i64>)> = keys
        .iter()
        .map(|from| (*from, is_left(from).then_some(to.window_start)))
        .collect();
    let is_moved: BTreeMap<CounterKey, i64> = moves
        .iter()
        .filter_map(|(key, to)| Some((*key, (*to)?)))
        .collect();
    let name = (limit.tenant, limit.id);
    let mut deltas: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for share in store::holds::open_on(tx, name)? {
        let item = &share.item;
        let counts_in = |moves: &BTreeMap<CounterKey, i64>| {
            item.counts_in(share.taken_at, moves.get(&item.into()).copied())
        };
        deltas.entry(counts_in(&was_moved)).or_default().1 -= item.amount;
        deltas.entry(counts_in(&is_moved)).or_default().1 += item.amount;
    }
    let settled = locked
        .iter()
        .find(|locked| locked.counter.key == to)
        .map_or(0, |locked| locked.counter.settled);
    let from = oldest(carrier.hold, begin, now);
    let elsewhere = store::holds::settled_on(tx, name, begin, from)?.saturating_sub(settled);
    if elsewhere != 0 {
        store::holds::insert(tx, &[entry(limit, to, elsewhere, carrier, now)])?;
        deltas.entry(to.window_start).or_default().0 += elsewhere;
    }
    let deltas: Vec<Counter> = deltas
        .into_iter()
        .filter(|(_, amounts)| *amounts != (0, 0))
        .map(|(start, (settled, held))| Counter {
            key: key(limit, start),
            settled,
            held,
        })
        .collect();
    store::counters::set_moves(tx, &moves)?;
    store::counters::add(tx, &deltas)
}

/// Refuses to make a rolling window shorter while something of it counts that the steps of the shorter one cannot tell:
/// it was counted in longer steps, and would be forgotten too early.
///
/// # Errors
/// [`LimitError::Invalid`], and what the database says.
pub(super) fn refuse_to_forget(
    tx: &mut LockTx<'_>,
    before: &WindowSpec,
    limit: &Limit,
    now: Timestamp,
) -> Result<(), LimitError> {
    let (WindowSpec::Rolling { seconds: long }, WindowSpec::Rolling { seconds: short }) =
        (before, &limit.window)
    else {
        return Ok(());
    };
    if short >= long {
        return Ok(());
    }
    // Nobody takes anything until this transaction ends, and what others give back makes it less.
    store::counters::lock(tx, &[key(limit, ROLLING_LOCK)])?;
    let left = limit.window.counted_since(now).as_micros();
    let since = now.plus_seconds(-i64::from(*short));
    let is_cut = |counter: &&Counter| {
        let start = Timestamp::from_micros(counter.key.window_start);
        let ends = before.window_at(start).end;
        counter.key.window_start < left && ends.is_some_and(|end| end > since)
    };
    let counted = store::counters::since(tx, &[key(limit, before.counted_since(now).as_micros())])?;
    if counted
        .iter()
        .filter(is_cut)
        .any(|cut| cut.settled > 0 || cut.held > 0)
    {
        return Err(LimitError::Invalid(vec![Problem {
            field: "window_seconds",
            detail: "cannot be made shorter while what was used lately is counted in longer steps; make another limit \
                     and disable this one",
        }]));
    }
    Ok(())
}

fn key(limit: &Limit, window_start: i64) -> CounterKey {
    CounterKey {
        owner: limit.tenant,
        limit: limit.id,
        window_start,
    }
}

/// Every counter of the limit, and those in which somebody may still count who has read the limit before: the window
/// as it was, and those next to it, because clocks differ.
fn counters(
    tx: &mut LockTx<'_>,
    before: &WindowSpec,
    limit: &Limit,
    now: Timestamp,
) -> StoreResult<Vec<CounterKey>> {
    let known = store::counters::since(tx, &[key(limit, i64::MIN)])?;
    let mut keys: BTreeSet<CounterKey> = known.iter().map(|counter| counter.key).collect();
    let window = before.window_at(now);
    let earlier = before.window_at(Timestamp::from_micros(window.start.as_micros().saturating_sub(1)));
    let starts = [earlier.start, window.start, limit.window.window_at(now).start];
    keys.extend(starts.map(|start| key(limit, start.as_micros())));
    keys.extend(window.end.map(|end| key(limit, end.as_micros())));
    Ok(keys.into_iter().collect())
}

/// The oldest id that a hold of the window can have: ids begin with the time at which they are made, which may be a
/// while before the hold is taken. Nobody can tell if this very id says another time than the clock.
fn oldest(made_now: HoldId, begin: Timestamp, now: Timestamp) -> Option<HoldId> {
    const HOUR_MS: i64 = 3_600_000;
    let millis = |at: Timestamp| at.as_micros().div_euclid(1_000);
    let said = i64::try_from(made_now.bits() >> ID_TIME_SHIFT).ok()?;
    if said.abs_diff(millis(now)) > HOUR_MS.unsigned_abs() {
        return None;
    }
    let earliest = u128::try_from(millis(begin) - 24 * HOUR_MS).ok()?;
    Some(HoldId::from_bits(earliest << ID_TIME_SHIFT))
}

/// What was settled elsewhere, as an entry of the ledger. Nobody asked for anything and nobody has used it again.
fn entry(limit: &Limit, to: CounterKey, elsewhere: i64, carrier: Carrier, now: Timestamp) -> Hold {
    Hold {
        id: carrier.hold,
        tenant: limit.tenant,
        status: HoldStatus::Settled,
        decision: carrier.decision,
        run: None,
        subject: Arc::default(),
        requested: Amounts::ZERO,
        settled: Some(Amounts::ZERO),
        items: vec![HoldItem {
            owner: to.owner,
            limit: to.limit,
            counts: limit.limit_type,
            window_start: to.window_start,
            amount: elsewhere,
            settled: elsewhere,
            carried: true,
        }],
        created_at: now,
        expires_at: now,
        ended_at: Some(now),
    }
}
