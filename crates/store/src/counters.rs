//! What has every window of every limit settled, and what does it hold?

use model::hold::HoldItem;
use model::id::{LimitId, TenantId};

use crate::dialect::counters as dialect;
use crate::error::StoreResult;
use crate::rows::Table;
use crate::tx::{LockTx, Tx};

const TABLE: Table = Table("limit_counters");

/// The window under which the row that serialises a rolling limit is kept: it counts nothing, and exists
/// because two nodes whose clocks differ by a step would otherwise lock different rows.
pub const ROLLING_LOCK: i64 = i64::MIN;

/// Which counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterKey {
    /// Who owns the limit.
    pub owner: TenantId,
    /// Which limit.
    pub limit: LimitId,
    /// The start of the window in microseconds.
    pub window_start: i64,
}

impl From<&HoldItem> for CounterKey {
    /// The counter in whose window the item was taken.
    fn from(item: &HoldItem) -> Self {
        Self {
            owner: item.owner,
            limit: item.limit,
            window_start: item.window_start,
        }
    }
}

/// A counter, or what is to be added to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// Which one.
    pub key: CounterKey,
    /// Used for good, in the unit of the limit.
    pub settled: i64,
    /// Set aside by open holds.
    pub held: i64,
}

/// A counter as it stands under its lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked {
    /// The counter.
    pub counter: Counter,
    /// The window to which its limit was moved, if that is another one: see [`HoldItem::counts_in`].
    pub moved_to: Option<i64>,
}

/// Locks the counters and reads them. Those that do not exist read as zero and are left out.
///
/// `keys` must ascend, so that two transactions never wait for each other in a circle.
///
/// # Errors
/// What the database says.
pub fn lock(tx: &mut LockTx<'_>, keys: &[CounterKey]) -> StoreResult<Vec<Locked>> {
    debug_assert!(
        keys.is_sorted_by(|a, b| a < b),
        "locks are taken in ascending order"
    );
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows = dialect::lock(crate::tx::sealed::Connected::conn(tx), &texts(keys))?;
    rows.iter().map(locked).collect()
}

fn locked(row: &dialect::Row) -> StoreResult<Locked> {
    Ok(Locked {
        counter: counter(row)?,
        moved_to: row.moved_to,
    })
}

/// Owners with the versions of their limits.
pub type Versions = Vec<(TenantId, i64)>;

/// The same, with the versions of the owners' limits as they are before anything is waited for: what two calls
/// ([`crate::limits::versions`] and [`lock`]) give, in one.
///
/// # Errors
/// What the database says.
pub fn lock_and_confirm(
    tx: &mut LockTx<'_>,
    keys: &[CounterKey],
    owners: &[TenantId],
) -> StoreResult<(Vec<Locked>, Versions)> {
    debug_assert!(
        keys.is_sorted_by(|a, b| a < b),
        "locks are taken in ascending order"
    );
    if keys.is_empty() {
        return Ok((Vec::new(), crate::limits::versions(tx, owners)?));
    }
    let names: Vec<String> = owners.iter().map(ToString::to_string).collect();
    let conn = crate::tx::sealed::Connected::conn(tx);
    let (rows, versions) = dialect::lock_and_confirm(conn, &texts(keys), &names)?;
    let rows = rows.iter().map(locked).collect::<StoreResult<_>>()?;
    let version = |(owner, version): (String, i64)| Ok((Table("tenants").parse("id", &owner)?, version));
    let versions = versions.into_iter().map(version).collect::<StoreResult<_>>()?;
    Ok((rows, versions))
}

/// Reads all counters of these limits that started at `window_start` or later.
///
/// # Errors
/// What the database says.
pub fn since(tx: &mut impl Tx, ranges: &[CounterKey]) -> StoreResult<Vec<Counter>> {
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    dialect::range(tx.conn(), &texts(ranges))?
        .iter()
        .map(counter)
        .collect()
}

/// Every counter there is, for verification.
///
/// # Errors
/// What the database says.
pub fn all(tx: &mut impl Tx) -> StoreResult<Vec<Counter>> {
    use diesel::RunQueryDsl as _;
    let rows: Vec<dialect::Row> = crate::schema::limit_counters::table.load(tx.conn())?;
    rows.iter().map(counter).collect()
}

/// Where counters were moved, of all that were.
///
/// # Errors
/// What the database says.
pub fn moves(tx: &mut impl Tx) -> StoreResult<Vec<(CounterKey, i64)>> {
    use diesel::prelude::*;
    let moved =
        crate::schema::limit_counters::table.filter(crate::schema::limit_counters::moved_to.is_not_null());
    let rows: Vec<dialect::Row> = moved.load(tx.conn())?;
    rows.iter()
        .filter_map(|row| Some((row, row.moved_to?)))
        .map(|(row, to)| Ok((counter(row)?.key, to)))
        .collect()
}

/// Says of each counter where it was moved; `moves` ascend by key, and the counters are locked.
///
/// # Errors
/// What the database says.
pub fn set_moves(tx: &mut LockTx<'_>, moves: &[(CounterKey, Option<i64>)]) -> StoreResult<()> {
    debug_assert!(
        moves.is_sorted_by(|a, b| a.0 < b.0),
        "locks are taken in ascending order"
    );
    let (keys, to): (Vec<_>, Vec<_>) = moves.iter().copied().unzip();
    let rows: Vec<_> = texts(&keys).into_iter().zip(to).collect();
    Ok(dialect::set_moves(crate::tx::sealed::Connected::conn(tx), &rows)?)
}

/// A state of the database that nobody else has changed since. It says nothing about whether the transaction in which
/// it was taken was committed: changes count even if they are rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    changes: i64,
    foreign: i64,
    rollbacks: i64,
}

/// The state of the database as this transaction sees and leaves it; none where other processes change counters.
///
/// # Errors
/// What the database says.
pub fn mark(tx: &mut LockTx<'_>) -> StoreResult<Option<Mark>> {
    let found = dialect::mark(crate::tx::sealed::Connected::conn(tx))?;
    Ok(found.map(|(changes, foreign)| Mark {
        changes,
        foreign,
        rollbacks: crate::rollbacks::count(),
    }))
}

/// Adds `settled` and `held` to each counter; `deltas` ascend by key.
///
/// # Errors
/// What the database says.
pub fn add(tx: &mut LockTx<'_>, deltas: &[Counter]) -> StoreResult<()> {
    debug_assert!(
        deltas.is_sorted_by(|a, b| a.key < b.key),
        "locks are taken in ascending order"
    );
    let rows = delta_rows(deltas);
    Ok(dialect::add(crate::tx::sealed::Connected::conn(tx), &rows)?)
}

pub(crate) fn delta_rows(deltas: &[Counter]) -> Vec<dialect::Row> {
    deltas
        .iter()
        .map(|delta| dialect::Row {
            tenant_id: delta.key.owner.to_string(),
            limit_id: delta.key.limit.to_string(),
            window_start: delta.key.window_start,
            settled: delta.settled,
            held: delta.held,
            moved_to: None,
        })
        .collect()
}

fn texts(keys: &[CounterKey]) -> Vec<dialect::Key> {
    keys.iter()
        .map(|key| (key.owner.to_string(), key.limit.to_string(), key.window_start))
        .collect()
}

fn counter(row: &dialect::Row) -> StoreResult<Counter> {
    let key = CounterKey {
        owner: TABLE.parse("tenant_id", &row.tenant_id)?,
        limit: TABLE.parse("limit_id", &row.limit_id)?,
        window_start: row.window_start,
    };
    Ok(Counter {
        key,
        settled: row.settled,
        held: row.held,
    })
}
