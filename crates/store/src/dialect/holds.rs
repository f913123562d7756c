//! Holds: locked and ended for a whole batch.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text};

use super::AnyConnection;
use crate::holds::HoldRow;
use crate::schema::holds;

/// Locks the holds of `(tenant_id, id)`, which must be in ascending order, and reads them.
pub(crate) fn lock(conn: &mut AnyConnection, ids: &[(String, String)]) -> QueryResult<Vec<HoldRow>> {
    match conn {
        AnyConnection::Postgres(conn) => {
            let (tenants, ids): (Vec<_>, Vec<_>) = ids.iter().cloned().unzip();
            diesel::sql_query(
                "SELECT h.* FROM holds h JOIN unnest($1, $2) AS k (tenant_id, id) USING (tenant_id, id) \
                 ORDER BY h.tenant_id, h.id FOR UPDATE OF h",
            )
            .bind::<Array<Text>, _>(tenants)
            .bind::<Array<Text>, _>(ids)
            .load(conn)
        }
        AnyConnection::Sqlite(conn) => {
            let mut rows = Vec::with_capacity(ids.len());
            for (tenant, id) in ids {
                rows.extend(
                    holds::table
                        .find((tenant, id))
                        .first::<HoldRow>(conn)
                        .optional()?,
                );
            }
            Ok(rows)
        }
    }
}

/// Ends the holds: status, what was settled, items and time of end are taken from the rows.
pub(crate) fn end(conn: &mut AnyConnection, rows: &[HoldRow]) -> QueryResult<()> {
    match conn {
        AnyConnection::Postgres(conn) => end_set(conn, rows),
        AnyConnection::Sqlite(conn) => {
            for row in rows {
                diesel::update(holds::table.find((&row.tenant_id, &row.id)))
                    .set((
                        holds::status.eq(&row.status),
                        holds::settled.eq(&row.settled),
                        holds::items.eq(&row.items),
                        holds::ended_at.eq(row.ended_at),
                    ))
                    .execute(conn)?;
            }
            Ok(())
        }
    }
}

fn end_set(conn: &mut PgConnection, rows: &[HoldRow]) -> QueryResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let texts = |pick: fn(&HoldRow) -> &String| rows.iter().map(|row| pick(row).clone()).collect::<Vec<_>>();
    diesel::sql_query(
        "UPDATE holds h SET status = v.status, settled = v.settled, items = v.items, ended_at = v.ended_at \
         FROM unnest($1, $2, $3, $4, $5, $6) AS v (tenant_id, id, status, settled, items, ended_at) \
         WHERE h.tenant_id = v.tenant_id AND h.id = v.id",
    )
    .bind::<Array<Text>, _>(texts(|row| &row.tenant_id))
    .bind::<Array<Text>, _>(texts(|row| &row.id))
    .bind::<Array<Text>, _>(texts(|row| &row.status))
    .bind::<Array<Nullable<Text>>, _>(rows.iter().map(|row| row.settled.clone()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(texts(|row| &row.items))
    .bind::<Array<Nullable<BigInt>>, _>(rows.iter().map(|row| row.ended_at).collect::<Vec<_>>())
    .execute(conn)?;
    Ok(())
}
