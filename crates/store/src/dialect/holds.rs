//! Holds: locked and ended for a whole batch.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::AnyConnection;
use super::prepared::{Column, Rows, Statement, Value, With, WithRow, for_rows};
use crate::holds::HoldRow;
use crate::schema::holds;

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

struct Insert;

impl Statement for Insert {
    const SQL: &'static str = "INSERT INTO holds (tenant_id, id, status, decision_id, run_id, subject, requested, \
        settled, items, created_at, expires_at, ended_at) \
        SELECT * FROM unnest($, $, $, $, $, $, $, $, $, $, $, $)";
    type Row = ();
}

struct InsertRows;

impl Rows for InsertRows {
    const HEAD: &'static str = "INSERT INTO holds (tenant_id, id, status, decision_id, run_id, subject, requested, \
        settled, items, created_at, expires_at, ended_at) VALUES ";
    const COLUMNS: usize = 12;
    const TAIL: &'static str = "";
}

struct End;

impl Statement for End {
    const SQL: &'static str = "UPDATE holds h SET status = v.status, settled = v.settled, items = v.items, ended_at = v.ended_at \
        FROM unnest($, $, $, $, $, $) AS v (tenant_id, id, status, settled, items, ended_at) \
        WHERE h.tenant_id = v.tenant_id AND h.id = v.id";
    type Row = ();
}

struct EndOne;

impl Statement for EndOne {
    const SQL: &'static str = "UPDATE holds SET status = $, settled = $, items = $, ended_at = $ \
        WHERE tenant_id = $ AND id = $";
    type Row = ();
}

/// Adds new holds.
pub(crate) fn insert(conn: &mut AnyConnection, rows: &[HoldRow]) -> QueryResult<()> {
    match conn {
        AnyConnection::Postgres(_) if rows.is_empty() => Ok(()),
        AnyConnection::Postgres(conn) => With::<Insert>::new(all_columns(rows)).execute(conn).map(drop),
        AnyConnection::Sqlite(conn) => {
            let values: Vec<Value<'_>> = rows.iter().flat_map(values).collect();
            for_rows::<InsertRows>(conn, &values)
        }
    }
}

fn values(row: &HoldRow) -> [Value<'_>; InsertRows::COLUMNS] {
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

fn all_columns(rows: &[HoldRow]) -> [Column<'_>; 12] {
    [
        texts(rows, |row| &row.tenant_id),
        texts(rows, |row| &row.id),
        texts(rows, |row| &row.status),
        texts(rows, |row| &row.decision_id),
        maybe_texts(rows, |row| row.run_id.as_deref()),
        texts(rows, |row| &row.subject),
        texts(rows, |row| &row.requested),
        maybe_texts(rows, |row| row.settled.as_deref()),
        texts(rows, |row| &row.items),
        Column::Numbers(rows.iter().map(|row| row.created_at).collect()),
        Column::Numbers(rows.iter().map(|row| row.expires_at).collect()),
        Column::MaybeNumbers(rows.iter().map(|row| row.ended_at).collect()),
    ]
}

fn texts(rows: &[HoldRow], pick: fn(&HoldRow) -> &str) -> Column<'_> {
    Column::Texts(rows.iter().map(pick).collect())
}

fn maybe_texts(rows: &[HoldRow], pick: fn(&HoldRow) -> Option<&str>) -> Column<'_> {
    Column::MaybeTexts(rows.iter().map(pick).collect())
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

/// The holds that follow in the order of the key, which begins with the tenant on PostgreSQL and with the id on SQLite.
pub(crate) fn stretch(
    conn: &mut AnyConnection,
    after: Option<&(String, String)>,
    most: i64,
) -> QueryResult<Vec<HoldRow>> {
    let mut query = holds::table.limit(most).into_boxed();
    match conn {
        AnyConnection::Postgres(_) => {
            query = query.order((holds::tenant_id, holds::id));
            if let Some((tenant, id)) = after {
                let later = holds::tenant_id.eq(tenant).and(holds::id.gt(id));
                query = query.filter(holds::tenant_id.gt(tenant).or(later));
            }
        }
        AnyConnection::Sqlite(_) => {
            query = query.order((holds::id, holds::tenant_id));
            if let Some((tenant, id)) = after {
                let later = holds::id.eq(id).and(holds::tenant_id.gt(tenant));
                query = query.filter(holds::id.gt(id).or(later));
            }
        }
    }
    query.load(conn)
}

/// Ends the holds: status, what was settled, items and time of end are taken from the rows.
pub(crate) fn end(conn: &mut AnyConnection, rows: &[HoldRow]) -> QueryResult<()> {
    match conn {
        AnyConnection::Postgres(conn) => end_set(conn, rows),
        AnyConnection::Sqlite(conn) => {
            for row in rows {
                let values = [
                    Value::Text(&row.status),
                    Value::MaybeText(row.settled.as_deref()),
                    Value::Text(&row.items),
                    Value::MaybeNumber(row.ended_at),
                    Value::Text(&row.tenant_id),
                    Value::Text(&row.id),
                ];
                WithRow::<EndOne>::new(values).execute(conn)?;
            }
            Ok(())
        }
    }
}

fn end_set(conn: &mut PgConnection, rows: &[HoldRow]) -> QueryResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = [
        texts(rows, |row| &row.tenant_id),
        texts(rows, |row| &row.id),
        texts(rows, |row| &row.status),
        maybe_texts(rows, |row| row.settled.as_deref()),
        texts(rows, |row| &row.items),
        Column::MaybeNumbers(rows.iter().map(|row| row.ended_at).collect()),
    ];
    With::<End>::new(columns).execute(conn)?;
    Ok(())
}
