//! Counters of limits: locked, read and changed for a whole batch.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text};

use super::AnyConnection;
use super::prepared::{Column, Rows, Statement, Value, With, WithRow, for_rows};
use crate::schema::{limit_counters, tenants};

/// The ids of owners with the versions of their limits.
pub(crate) type Versions = Vec<(String, i64)>;

/// `(tenant_id, limit_id, window_start)`.
pub(crate) type Key = (String, String, i64);

#[derive(Debug, Clone, Queryable)]
pub(crate) struct Row {
    pub(crate) tenant_id: String,
    pub(crate) limit_id: String,
    pub(crate) window_start: i64,
    pub(crate) settled: i64,
    pub(crate) held: i64,
    pub(crate) moved_to: Option<i64>,
}

impl Row {
    fn of(tenant: &str, limit: &str, window_start: i64, (settled, held): (i64, i64)) -> Self {
        Self {
            tenant_id: tenant.to_owned(),
            limit_id: limit.to_owned(),
            window_start,
            settled,
            held,
            moved_to: None,
        }
    }
}

struct LockExisting;

impl Statement for LockExisting {
    const SQL: &'static str = "SELECT k.place, c.settled, c.held, c.moved_to FROM limit_counters c \
        JOIN unnest($, $, $) WITH ORDINALITY AS k (tenant_id, limit_id, window_start, place) \
        USING (tenant_id, limit_id, window_start) ORDER BY tenant_id, limit_id, window_start FOR UPDATE OF c";
    /// The place of the key, what is settled, what is held, where it was moved.
    type Row = (BigInt, BigInt, BigInt, Nullable<BigInt>);
}

struct LockAndConfirm;

impl Statement for LockAndConfirm {
    const SQL: &'static str = "WITH versions AS MATERIALIZED \
        (SELECT id, limits_version FROM tenants WHERE id = ANY ($)), \
        locked AS MATERIALIZED (SELECT k.place, c.settled, c.held, c.moved_to FROM limit_counters c \
        JOIN unnest($, $, $) WITH ORDINALITY AS k (tenant_id, limit_id, window_start, place) \
        USING (tenant_id, limit_id, window_start) ORDER BY tenant_id, limit_id, window_start FOR UPDATE OF c) \
        SELECT NULL, limits_version, NULL, NULL, id FROM versions \
        UNION ALL SELECT place, settled, held, moved_to, NULL FROM locked";
    /// Of a counter: its place, what is settled, what is held, where it was moved. Of an owner: the version in the
    /// second place, and the id in the last.
    type Row = (
        Nullable<BigInt>,
        BigInt,
        Nullable<BigInt>,
        Nullable<BigInt>,
        Nullable<Text>,
    );
}

struct InsertMissing;

impl Statement for InsertMissing {
    const SQL: &'static str = "INSERT INTO limit_counters (tenant_id, limit_id, window_start, settled, held) \
        SELECT tenant_id, limit_id, window_start, 0, 0 \
        FROM unnest($, $, $) AS k (tenant_id, limit_id, window_start) ORDER BY 1, 2, 3 \
        ON CONFLICT DO NOTHING";
    type Row = ();
}

struct Since;

impl Statement for Since {
    const SQL: &'static str = "SELECT k.place, array_agg(c.window_start), array_agg(c.settled), array_agg(c.held) \
        FROM limit_counters c JOIN unnest($, $, $) WITH ORDINALITY AS k (tenant_id, limit_id, since, place) \
        USING (tenant_id, limit_id) WHERE c.window_start >= k.since GROUP BY k.place";
    /// The place of the range, and of its counters when they start, what is settled and what is held.
    type Row = (BigInt, Array<BigInt>, Array<BigInt>, Array<BigInt>);
}

struct Add;

impl Statement for Add {
    const SQL: &'static str = "INSERT INTO limit_counters AS c (tenant_id, limit_id, window_start, settled, held) \
        SELECT * FROM unnest($, $, $, $, $) AS d ORDER BY 1, 2, 3 \
        ON CONFLICT (tenant_id, limit_id, window_start) \
        DO UPDATE SET settled = c.settled + excluded.settled, held = c.held + excluded.held";
    type Row = ();
}

struct Move;

impl Statement for Move {
    const SQL: &'static str = "INSERT INTO limit_counters (tenant_id, limit_id, window_start, settled, held, moved_to) \
        SELECT tenant_id, limit_id, window_start, 0, 0, moved_to \
        FROM unnest($, $, $, $) AS k (tenant_id, limit_id, window_start, moved_to) ORDER BY 1, 2, 3 \
        ON CONFLICT (tenant_id, limit_id, window_start) DO UPDATE SET moved_to = excluded.moved_to";
    type Row = ();
}

struct MoveRows;

impl Rows for MoveRows {
    const HEAD: &'static str =
        "INSERT INTO limit_counters (tenant_id, limit_id, window_start, settled, held, moved_to) VALUES ";
    const COLUMNS: usize = 6;
    const TAIL: &'static str = " ON CONFLICT (tenant_id, limit_id, window_start) \
        DO UPDATE SET moved_to = excluded.moved_to";
}

struct OwnChanges;

impl Statement for OwnChanges {
    const SQL: &'static str = "SELECT total_changes()";
    type Row = BigInt;
}

/// The pragma itself: `pragma_data_version` as a table parses it anew with every use.
struct ForeignChanges;

impl Statement for ForeignChanges {
    const SQL: &'static str = "PRAGMA data_version";
    type Row = BigInt;
}

struct AddRows;

impl Rows for AddRows {
    const HEAD: &'static str =
        "INSERT INTO limit_counters (tenant_id, limit_id, window_start, settled, held) VALUES ";
    const COLUMNS: usize = 5;
    const TAIL: &'static str = " ON CONFLICT (tenant_id, limit_id, window_start) \
        DO UPDATE SET settled = settled + excluded.settled, held = held + excluded.held";
}

fn columns(keys: &[Key]) -> [Column<'_>; 3] {
    [
        Column::Texts(keys.iter().map(|(tenant, _, _)| &**tenant).collect()),
        Column::Texts(keys.iter().map(|(_, limit, _)| &**limit).collect()),
        Column::Numbers(keys.iter().map(|(_, _, window)| *window).collect()),
    ]
}

/// Locks the counters and reads them; a counter that did not exist yet exists afterwards (on PostgreSQL, where
/// it is needed to lock it). `keys` must be in ascending order, so that two batches cannot wait for each other.
pub(crate) fn lock(conn: &mut AnyConnection, keys: &[Key]) -> QueryResult<Vec<Row>> {
    match conn {
        AnyConnection::Postgres(conn) => {
            let rows = lock_existing(conn, keys)?;
            if rows.len() == keys.len() {
                return Ok(rows);
            }
            insert_missing(conn, keys)?;
            lock_existing(conn, keys)
        }
        // The one writer holds the lock of the whole database.
        AnyConnection::Sqlite(conn) => find(conn, keys),
    }
}

/// Locks as [`lock`] does, and reads the versions of the limits of these owners.
pub(crate) fn lock_and_confirm(
    conn: &mut AnyConnection,
    keys: &[Key],
    owners: &[String],
) -> QueryResult<(Vec<Row>, Versions)> {
    match conn {
        AnyConnection::Postgres(conn) => {
            let (rows, versions) = lock_existing_and_confirm(conn, keys, owners)?;
            if rows.len() == keys.len() {
                return Ok((rows, versions));
            }
            insert_missing(conn, keys)?;
            Ok((lock_existing(conn, keys)?, versions))
        }
        AnyConnection::Sqlite(conn) => {
            let versions = tenants::table
                .filter(tenants::id.eq_any(owners))
                .select((tenants::id, tenants::limits_version))
                .load(conn)?;
            Ok((find(conn, keys)?, versions))
        }
    }
}

fn lock_existing_and_confirm(
    conn: &mut PgConnection,
    keys: &[Key],
    owners: &[String],
) -> QueryResult<(Vec<Row>, Versions)> {
    type Found = (Option<i64>, i64, Option<i64>, Option<i64>, Option<String>);
    let mut parameters = vec![Column::Texts(owners.iter().map(|owner| &**owner).collect())];
    parameters.extend(columns(keys));
    let found: Vec<Found> = With::<LockAndConfirm>::new(parameters).load(conn)?;
    let (mut rows, mut versions) = (Vec::with_capacity(keys.len()), Vec::with_capacity(owners.len()));
    for (place, number, held, moved_to, owner) in found {
        if let Some(owner) = owner {
            versions.push((owner, number));
        } else if let (Some(place), Some(held)) = (place, held) {
            rows.extend(row_at(keys, place, (number, held), moved_to));
        }
    }
    Ok((rows, versions))
}

fn find(conn: &mut SqliteConnection, keys: &[Key]) -> QueryResult<Vec<Row>> {
    let mut rows = Vec::with_capacity(keys.len());
    for (tenant, limit, window) in keys {
        let row = limit_counters::table
            .find((tenant, limit, window))
            .get_result::<Row>(conn)
            .optional()?;
        rows.extend(row);
    }
    Ok(rows)
}

fn lock_existing(conn: &mut PgConnection, keys: &[Key]) -> QueryResult<Vec<Row>> {
    let found: Vec<(i64, i64, i64, Option<i64>)> = With::<LockExisting>::new(columns(keys)).load(conn)?;
    let rows = found
        .into_iter()
        .filter_map(|(place, settled, held, moved_to)| row_at(keys, place, (settled, held), moved_to));
    Ok(rows.collect())
}

fn row_at(keys: &[Key], place: i64, amounts: (i64, i64), moved_to: Option<i64>) -> Option<Row> {
    let (tenant, limit, window_start) = at_place(keys, place)?;
    let row = Row::of(tenant, limit, *window_start, amounts);
    Some(Row { moved_to, ..row })
}

/// The key that PostgreSQL has counted as the `place`th, from 1 on.
fn at_place(keys: &[Key], place: i64) -> Option<&Key> {
    keys.get(usize::try_from(place).ok()?.checked_sub(1)?)
}

fn insert_missing(conn: &mut PgConnection, keys: &[Key]) -> QueryResult<usize> {
    With::<InsertMissing>::new(columns(keys)).execute(conn)
}

/// Reads all counters of `(tenant_id, limit_id)` that started at `since` or later.
pub(crate) fn range(conn: &mut AnyConnection, ranges: &[Key]) -> QueryResult<Vec<Row>> {
    match conn {
        AnyConnection::Postgres(conn) => since(conn, ranges),
        AnyConnection::Sqlite(conn) => {
            let mut rows = Vec::new();
            for (tenant, limit, since) in ranges {
                let found: Vec<Row> = limit_counters::table
                    .filter(limit_counters::tenant_id.eq(tenant))
                    .filter(limit_counters::limit_id.eq(limit))
                    .filter(limit_counters::window_start.ge(since))
                    .load(conn)?;
                rows.extend(found);
            }
            Ok(rows)
        }
    }
}

fn since(conn: &mut PgConnection, ranges: &[Key]) -> QueryResult<Vec<Row>> {
    type Found = (i64, Vec<i64>, Vec<i64>, Vec<i64>);
    let found: Vec<Found> = With::<Since>::new(columns(ranges)).load(conn)?;
    let mut rows = Vec::new();
    for (place, starts, settled, held) in found {
        let Some((tenant, limit, _)) = at_place(ranges, place) else {
            continue;
        };
        let amounts = settled.into_iter().zip(held);
        let counters = starts.into_iter().zip(amounts);
        rows.extend(counters.map(|(start, amounts)| Row::of(tenant, limit, start, amounts)));
    }
    Ok(rows)
}

/// What tells whether a SQLite database is as this connection left it: how many rows it has changed so far, and a
/// number that is another one when somebody else has changed something. None on PostgreSQL, where others always may.
pub(crate) fn mark(conn: &mut AnyConnection) -> QueryResult<Option<(i64, i64)>> {
    match conn {
        AnyConnection::Postgres(_) => Ok(None),
        AnyConnection::Sqlite(conn) => {
            let own = WithRow::<OwnChanges>::new([]).get_result(conn)?;
            let foreign = WithRow::<ForeignChanges>::new([]).get_result(conn)?;
            Ok(Some((own, foreign)))
        }
    }
}

/// Adds to the counters; `deltas` in ascending order of their keys.
pub(crate) fn add(conn: &mut AnyConnection, deltas: &[Row]) -> QueryResult<()> {
    match conn {
        AnyConnection::Postgres(conn) => add_set(conn, deltas),
        AnyConnection::Sqlite(conn) => {
            let values: Vec<Value<'_>> = deltas.iter().flat_map(values).collect();
            for_rows::<AddRows>(conn, &values)
        }
    }
}

fn values(delta: &Row) -> [Value<'_>; AddRows::COLUMNS] {
    [
        Value::Text(&delta.tenant_id),
        Value::Text(&delta.limit_id),
        Value::Number(delta.window_start),
        Value::Number(delta.settled),
        Value::Number(delta.held),
    ]
}

fn add_set(conn: &mut PgConnection, deltas: &[Row]) -> QueryResult<()> {
    if deltas.is_empty() {
        return Ok(());
    }
    With::<Add>::new(delta_columns(deltas)).execute(conn)?;
    Ok(())
}

/// The columns of what is to be added.
pub(crate) fn delta_columns(deltas: &[Row]) -> [Column<'_>; 5] {
    [
        Column::Texts(deltas.iter().map(|delta| &*delta.tenant_id).collect()),
        Column::Texts(deltas.iter().map(|delta| &*delta.limit_id).collect()),
        Column::Numbers(deltas.iter().map(|delta| delta.window_start).collect()),
        Column::Numbers(deltas.iter().map(|delta| delta.settled).collect()),
        Column::Numbers(deltas.iter().map(|delta| delta.held).collect()),
    ]
}

/// Says of each counter where it was moved; one that does not exist yet exists afterwards. `moves` in ascending order
/// of their keys.
pub(crate) fn set_moves(conn: &mut AnyConnection, moves: &[(Key, Option<i64>)]) -> QueryResult<()> {
    match conn {
        AnyConnection::Postgres(conn) => {
            let columns = [
                Column::Texts(moves.iter().map(|((tenant, _, _), _)| &**tenant).collect()),
                Column::Texts(moves.iter().map(|((_, limit, _), _)| &**limit).collect()),
                Column::Numbers(moves.iter().map(|((_, _, window), _)| *window).collect()),
                Column::MaybeNumbers(moves.iter().map(|(_, to)| *to).collect()),
            ];
            With::<Move>::new(columns).execute(conn).map(drop)
        }
        AnyConnection::Sqlite(conn) => {
            let values: Vec<Value<'_>> = moves.iter().flat_map(moved).collect();
            for_rows::<MoveRows>(conn, &values)
        }
    }
}

fn moved(((tenant, limit, window), to): &(Key, Option<i64>)) -> [Value<'_>; MoveRows::COLUMNS] {
    [
        Value::Text(tenant),
        Value::Text(limit),
        Value::Number(*window),
        Value::Number(0),
        Value::Number(0),
        Value::MaybeNumber(*to),
    ]
}
