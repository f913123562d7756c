//! Holds: locked and ended for a whole batch.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::append::{append, appended, columns};
use super::counters;
use super::prepared::{Column, Rows as _, Statement, Value, With};
use super::update::{Update as _, update, updated};
use super::{AnyConnection, MultiBackend};
use crate::schema::holds;

/// A row of the ledger.
#[derive(Debug, Clone, Queryable)]
pub(crate) struct HoldRow {
    pub(crate) tenant_id: String,
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) decision_id: String,
    pub(crate) run_id: Option<String>,
    pub(crate) subject: String,
    pub(crate) requested: String,
    pub(crate) settled: Option<String>,
    pub(crate) items: String,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) ended_at: Option<i64>,
}

/// What the end of a hold changes.
pub(crate) struct EndRow {
    pub(crate) tenant_id: String,
    pub(crate) id: String,
    pub(crate) status: &'static str,
    pub(crate) settled: Option<String>,
    pub(crate) items: String,
    pub(crate) ended_at: Option<i64>,
}

struct Lock;

impl Statement for Lock {
    const SQL: &'static str = "SELECT h.tenant_id, h.id, h.status, h.decision_id, h.run_id, h.subject, h.requested, \
        h.settled, h.items, h.created_at, h.expires_at, h.ended_at \
        FROM holds h JOIN unnest($, $) AS k (tenant_id, id) USING (tenant_id, id) \
        ORDER BY h.tenant_id, h.id FOR UPDATE OF h";
    type Row = (
        Text,
        Text,
        Text,
        Text,
        Nullable<Text>,
        Text,
        Text,
        Nullable<Text>,
        Text,
        BigInt,
        BigInt,
        Nullable<BigInt>,
    );
}

appended! {
    /// New holds.
    Insert: holds (
        tenant_id, id, status, decision_id, run_id, subject, requested, settled, items, created_at, expires_at, ended_at
    )
}

updated! {
    /// How holds end.
    End: holds (status, settled, items, ended_at)
}

/// What [`counters::add`] and [`insert`] do, in one go.
struct Take;

impl Statement for Take {
    const SQL: &'static str = "WITH counted AS (INSERT INTO limit_counters AS c \
        (tenant_id, limit_id, window_start, settled, held) SELECT * FROM unnest($, $, $, $, $) AS d ORDER BY 1, 2, 3 \
        ON CONFLICT (tenant_id, limit_id, window_start) \
        DO UPDATE SET settled = c.settled + excluded.settled, held = c.held + excluded.held) \
        INSERT INTO holds (tenant_id, id, status, decision_id, run_id, subject, requested, settled, items, created_at, \
        expires_at, ended_at) SELECT * FROM unnest($, $, $, $, $, $, $, $, $, $, $, $)";
    type Row = ();
}

/// Adds to the counters, and the holds that explain it.
pub(crate) fn take(
    conn: &mut AnyConnection,
    mut rows: Vec<HoldRow>,
    deltas: &[counters::Row],
) -> QueryResult<()> {
    match conn {
        AnyConnection::Postgres(conn) if !rows.is_empty() && !deltas.is_empty() => {
            sort_by_tenant(&mut rows);
            let values: Vec<Value<'_>> = rows.iter().flat_map(values).collect();
            let mut parameters = Vec::from(counters::delta_columns(deltas));
            parameters.extend(columns(&values, Insert::COLUMNS)?);
            With::<Take>::new(parameters).execute(conn).map(drop)
        }
        conn => {
            counters::add(conn, deltas)?;
            insert(conn, rows)
        }
    }
}

fn sort_by_tenant(rows: &mut [HoldRow]) {
    rows.sort_unstable_by(|a, b| (&a.tenant_id, &a.id).cmp(&(&b.tenant_id, &b.id)));
}

/// Adds new holds, in the order of the key: what is appended to an index is written to fewer of its pages than what is
/// put between others.
pub(crate) fn insert(conn: &mut AnyConnection, mut rows: Vec<HoldRow>) -> QueryResult<()> {
    match conn {
        AnyConnection::Postgres(_) => sort_by_tenant(&mut rows),
        AnyConnection::Sqlite(_) => {
            rows.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        }
    }
    let values: Vec<Value<'_>> = rows.iter().flat_map(values).collect();
    append::<Insert>(conn, &values)
}

fn values(row: &HoldRow) -> [Value<'_>; Insert::COLUMNS] {
    [
        Value::Text(&row.tenant_id),
        Value::Text(&row.id),
        Value::Text(&row.status),
        Value::Text(&row.decision_id),
        Value::MaybeText(row.run_id.as_deref()),
        Value::Text(&row.subject),
        Value::Text(&row.requested),
        Value::MaybeText(row.settled.as_deref()),
        Value::Text(&row.items),
        Value::Number(row.created_at),
        Value::Number(row.expires_at),
        Value::MaybeNumber(row.ended_at),
    ]
}

/// Locks the holds of `(tenant_id, id)`, which must be in ascending order, and reads them.
pub(crate) fn lock(conn: &mut AnyConnection, ids: &[(String, String)]) -> QueryResult<Vec<HoldRow>> {
    match conn {
        AnyConnection::Postgres(conn) => {
            let columns = [
                Column::Texts(ids.iter().map(|(tenant, _)| &**tenant).collect()),
                Column::Texts(ids.iter().map(|(_, id)| &**id).collect()),
            ];
            With::<Lock>::new(columns).load(conn)
        }
        AnyConnection::Sqlite(conn) => {
            let mut rows = Vec::with_capacity(ids.len());
            for (tenant, id) in ids {
                rows.extend(
                    holds::table
                        .find((tenant, id))
                        .get_result::<HoldRow>(conn)
                        .optional()?,
                );
            }
            Ok(rows)
        }
    }
}

/// The holds that follow in the order of the key, which is the id alone on SQLite.
pub(crate) fn stretch(
    conn: &mut AnyConnection,
    after: Option<&(String, String)>,
    most: i64,
) -> QueryResult<Vec<HoldRow>> {
    let mut query = holds::table.limit(most).into_boxed();
    if let Some(after) = after {
        query = query.filter(later(conn, after));
    }
    match conn {
        AnyConnection::Postgres(_) => query = query.order((holds::tenant_id, holds::id)),
        AnyConnection::Sqlite(_) => query = query.order(holds::id),
    }
    query.load(conn)
}

/// Whether a hold comes after this one in the order of the key. On PostgreSQL it is compared as a row, and not column by
/// column, which tells where in the index to begin.
fn later(
    conn: &AnyConnection,
    (tenant, id): &(String, String),
) -> Box<dyn BoxableExpression<holds::table, MultiBackend, SqlType = Bool>> {
    match conn {
        AnyConnection::Postgres(_) => {
            let tenant = sql::<Bool>("(tenant_id, id) > (").bind::<Text, _>(tenant.clone());
            Box::new(tenant.sql(", ").bind::<Text, _>(id.clone()).sql(")"))
        }
        AnyConnection::Sqlite(_) => Box::new(holds::id.gt(id.clone())),
    }
}

/// Tenant, time and items of every open hold on a limit. The status is part of the text, and not a parameter, so that
/// SQLite knows that its index of open holds will do.
pub(crate) fn open_on(conn: &mut AnyConnection, limit: &str) -> QueryResult<Vec<(String, i64, String)>> {
    holds::table
        .select((holds::tenant_id, holds::created_at, holds::items))
        .filter(sql::<Bool>("status = 'PENDING'"))
        .filter(holds::items.like(format!("%{limit}%")))
        .order(holds::expires_at)
        .load(conn)
}

/// What is asked of the settled holds on a limit.
pub(crate) struct SettledOn<'a> {
    /// Whose holds; everybody's if none.
    pub(crate) tenant: Option<&'a str>,
    /// The limit.
    pub(crate) limit: &'a str,
    /// Taken since then.
    pub(crate) since: i64,
    /// With this id or a later one.
    pub(crate) from: Option<&'a str>,
}

/// `(tenant_id, id)`, when it was taken, and its items.
pub(crate) type Share = ((String, String), i64, String);

/// The settled holds on a limit that follow in the order of the key, as in [`stretch`].
pub(crate) fn settled_on(
    conn: &mut AnyConnection,
    asked: &SettledOn<'_>,
    after: Option<&(String, String)>,
    most: i64,
) -> QueryResult<Vec<Share>> {
    let mut query = holds::table
        .select(((holds::tenant_id, holds::id), holds::created_at, holds::items))
        .filter(holds::status.eq("SETTLED"))
        .filter(holds::created_at.ge(asked.since))
        .filter(holds::items.like(format!("%{}%", asked.limit)))
        .limit(most)
        .into_boxed();
    if let Some(tenant) = asked.tenant {
        query = query.filter(holds::tenant_id.eq(tenant));
    }
    if let Some(from) = asked.from {
        query = query.filter(holds::id.ge(from));
    }
    if let Some(after) = after {
        query = query.filter(later(conn, after));
    }
    match conn {
        AnyConnection::Postgres(_) => query = query.order((holds::tenant_id, holds::id)),
        AnyConnection::Sqlite(_) => query = query.order(holds::id),
    }
    query.load(conn)
}

/// Ends the holds: status, what was settled, items and time of end are taken from the rows.
pub(crate) fn end(conn: &mut AnyConnection, rows: &[EndRow]) -> QueryResult<()> {
    let values: Vec<Value<'_>> = rows.iter().flat_map(ended).collect();
    update::<End>(conn, &values)
}

fn ended(row: &EndRow) -> [Value<'_>; End::VALUES] {
    [
        Value::Text(row.status),
        Value::MaybeText(row.settled.as_deref()),
        Value::Text(&row.items),
        Value::MaybeNumber(row.ended_at),
        Value::Text(&row.tenant_id),
        Value::Text(&row.id),
    ]
}
