//! Counters of limits: locked, read and changed for a whole batch.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};

use super::AnyConnection;
use crate::schema::limit_counters;

/// `(tenant_id, limit_id, window_start)`.
pub(crate) type Key = (String, String, i64);

#[derive(Debug, Clone, QueryableByName, Queryable)]
pub(crate) struct Row {
    #[diesel(sql_type = Text)]
    pub(crate) tenant_id: String,
    #[diesel(sql_type = Text)]
    pub(crate) limit_id: String,
    #[diesel(sql_type = BigInt)]
    pub(crate) window_start: i64,
    #[diesel(sql_type = BigInt)]
    pub(crate) settled: i64,
    #[diesel(sql_type = BigInt)]
    pub(crate) held: i64,
}

struct Columns {
    tenants: Vec<String>,
    limits: Vec<String>,
    windows: Vec<i64>,
}

fn columns(keys: &[Key]) -> Columns {
    let mut columns = Columns {
        tenants: Vec::new(),
        limits: Vec::new(),
        windows: Vec::new(),
    };
    for (tenant, limit, window) in keys {
        columns.tenants.push(tenant.clone());
        columns.limits.push(limit.clone());
        columns.windows.push(*window);
    }
    columns
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
            .first::<Row>(conn)
            .optional()?;
        rows.extend(row);
    }
    Ok(rows)
}

fn lock_existing(conn: &mut PgConnection, keys: &[Key]) -> QueryResult<Vec<Row>> {
    let columns = columns(keys);
    diesel::sql_query(
        "SELECT c.tenant_id, c.limit_id, c.window_start, c.settled, c.held FROM limit_counters c \
         JOIN unnest($1, $2, $3) AS k (tenant_id, limit_id, window_start) \
         USING (tenant_id, limit_id, window_start) ORDER BY 1, 2, 3 FOR UPDATE OF c",
    )
    .bind::<Array<Text>, _>(columns.tenants)
    .bind::<Array<Text>, _>(columns.limits)
    .bind::<Array<BigInt>, _>(columns.windows)
    .load(conn)
}

fn insert_missing(conn: &mut PgConnection, keys: &[Key]) -> QueryResult<usize> {
    let columns = columns(keys);
    diesel::sql_query(
        "INSERT INTO limit_counters (tenant_id, limit_id, window_start, settled, held) \
         SELECT tenant_id, limit_id, window_start, 0, 0 \
         FROM unnest($1, $2, $3) AS k (tenant_id, limit_id, window_start) ORDER BY 1, 2, 3 \
         ON CONFLICT DO NOTHING",
    )
    .bind::<Array<Text>, _>(columns.tenants)
    .bind::<Array<Text>, _>(columns.limits)
    .bind::<Array<BigInt>, _>(columns.windows)
    .execute(conn)
}

/// Reads all counters of `(tenant_id, limit_id)` that started at `since` or later.
pub(crate) fn range(conn: &mut AnyConnection, ranges: &[Key]) -> QueryResult<Vec<Row>> {
    match conn {
        AnyConnection::Postgres(conn) => {
            let columns = columns(ranges);
            diesel::sql_query(
                "SELECT c.tenant_id, c.limit_id, c.window_start, c.settled, c.held FROM limit_counters c \
                 JOIN unnest($1, $2, $3) AS k (tenant_id, limit_id, since) USING (tenant_id, limit_id) \
                 WHERE c.window_start >= k.since",
            )
            .bind::<Array<Text>, _>(columns.tenants)
            .bind::<Array<Text>, _>(columns.limits)
            .bind::<Array<BigInt>, _>(columns.windows)
            .load(conn)
        }
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
    use diesel::upsert::excluded;
    use limit_counters::{held, limit_id, settled, tenant_id, window_start};
    diesel::insert_into(limit_counters::table)
        .values((
            tenant_id.eq(&delta.tenant_id),
            limit_id.eq(&delta.limit_id),
            window_start.eq(delta.window_start),
            settled.eq(delta.settled),
            held.eq(delta.held),
        ))
        .on_conflict((tenant_id, limit_id, window_start))
        .do_update()
        .set((
            settled.eq(settled + excluded(settled)),
            held.eq(held + excluded(held)),
        ))
        .execute(conn)
}

fn add_set(conn: &mut PgConnection, deltas: &[Row]) -> QueryResult<()> {
    if deltas.is_empty() {
        return Ok(());
    }
    let keys: Vec<Key> = deltas
        .iter()
        .map(|d| (d.tenant_id.clone(), d.limit_id.clone(), d.window_start))
        .collect();
    let columns = columns(&keys);
    diesel::sql_query(
        "INSERT INTO limit_counters AS c (tenant_id, limit_id, window_start, settled, held) \
         SELECT * FROM unnest($1, $2, $3, $4, $5) AS d ORDER BY 1, 2, 3 \
         ON CONFLICT (tenant_id, limit_id, window_start) \
         DO UPDATE SET settled = c.settled + excluded.settled, held = c.held + excluded.held",
    )
    .bind::<Array<Text>, _>(columns.tenants)
    .bind::<Array<Text>, _>(columns.limits)
    .bind::<Array<BigInt>, _>(columns.windows)
    .bind::<Array<BigInt>, _>(deltas.iter().map(|d| d.settled).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(deltas.iter().map(|d| d.held).collect::<Vec<_>>())
    .execute(conn)?;
    Ok(())
}
