//! Counters of limits: locked, read and changed for a whole batch.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::AnyConnection;
use super::prepared::{Column, Statement, Value, With, WithRow};
use crate::schema::limit_counters;

/// `(tenant_id, limit_id, window_start)`.
pub(crate) type Key = (String, String, i64);

#[derive(Debug, Clone, Queryable)]
pub(crate) struct Row {
    pub(crate) tenant_id: String,
    pub(crate) limit_id: String,
    pub(crate) window_start: i64,
    pub(crate) settled: i64,
    pub(crate) held: i64,
}

/// `tenant_id, limit_id, window_start, settled, held`.
type Counted = (Text, Text, BigInt, BigInt, BigInt);

struct LockExisting;

impl Statement for LockExisting {
    const SQL: &'static str = "SELECT c.tenant_id, c.limit_id, c.window_start, c.settled, c.held \
        FROM limit_counters c JOIN unnest($, $, $) AS k (tenant_id, limit_id, window_start) \
        USING (tenant_id, limit_id, window_start) ORDER BY 1, 2, 3 FOR UPDATE OF c";
    type Row = Counted;
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
    const SQL: &'static str = "SELECT c.tenant_id, c.limit_id, c.window_start, c.settled, c.held \
        FROM limit_counters c JOIN unnest($, $, $) AS k (tenant_id, limit_id, since) \
        USING (tenant_id, limit_id) WHERE c.window_start >= k.since";
    type Row = Counted;
}

struct Add;

impl Statement for Add {
    const SQL: &'static str = "INSERT INTO limit_counters AS c (tenant_id, limit_id, window_start, settled, held) \
        SELECT * FROM unnest($, $, $, $, $) AS d ORDER BY 1, 2, 3 \
        ON CONFLICT (tenant_id, limit_id, window_start) \
        DO UPDATE SET settled = c.settled + excluded.settled, held = c.held + excluded.held";
    type Row = ();
}

struct AddOne;

impl Statement for AddOne {
    const SQL: &'static str = "INSERT INTO limit_counters (tenant_id, limit_id, window_start, settled, held) \
        VALUES ($, $, $, $, $) ON CONFLICT (tenant_id, limit_id, window_start) \
        DO UPDATE SET settled = settled + excluded.settled, held = held + excluded.held";
    type Row = ();
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
    With::<LockExisting>::new(columns(keys)).load(conn)
}

fn insert_missing(conn: &mut PgConnection, keys: &[Key]) -> QueryResult<usize> {
    With::<InsertMissing>::new(columns(keys)).execute(conn)
}

/// Reads all counters of `(tenant_id, limit_id)` that started at `since` or later.
pub(crate) fn range(conn: &mut AnyConnection, ranges: &[Key]) -> QueryResult<Vec<Row>> {
    match conn {
        AnyConnection::Postgres(conn) => With::<Since>::new(columns(ranges)).load(conn),
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

/// Adds to the counters; `deltas` in ascending order of their keys.
pub(crate) fn add(conn: &mut AnyConnection, deltas: &[Row]) -> QueryResult<()> {
    match conn {
        AnyConnection::Postgres(conn) => add_set(conn, deltas),
        AnyConnection::Sqlite(conn) => {
            for delta in deltas {
                add_one(conn, delta)?;
            }
            Ok(())
        }
    }
}

fn add_one(conn: &mut SqliteConnection, delta: &Row) -> QueryResult<usize> {
    let values = [
        Value::Text(&delta.tenant_id),
        Value::Text(&delta.limit_id),
        Value::Number(delta.window_start),
        Value::Number(delta.settled),
        Value::Number(delta.held),
    ];
    WithRow::<AddOne>::new(values).execute(conn)
}

fn add_set(conn: &mut PgConnection, deltas: &[Row]) -> QueryResult<()> {
    if deltas.is_empty() {
        return Ok(());
    }
    let columns = [
        Column::Texts(deltas.iter().map(|delta| &*delta.tenant_id).collect()),
        Column::Texts(deltas.iter().map(|delta| &*delta.limit_id).collect()),
        Column::Numbers(deltas.iter().map(|delta| delta.window_start).collect()),
        Column::Numbers(deltas.iter().map(|delta| delta.settled).collect()),
        Column::Numbers(deltas.iter().map(|delta| delta.held).collect()),
    ];
    With::<Add>::new(columns).execute(conn)?;
    Ok(())
}
