//! What differs between SQLite and PostgreSQL?
//!
//! Everything that cannot be said once for both stands here: the connection itself, row locks, upserts and
//! statements over whole batches.
//!
//! Look-ups by a key end in `get_result`, not in `first`: that adds `LIMIT ?`, and SQLite compiles a statement anew for
//! each value of its limit.

pub(crate) mod append;
pub(crate) mod counters;
pub(crate) mod governed;
pub(crate) mod holds;
pub(crate) mod prepared;
pub(crate) mod tenants;
pub(crate) mod update;

use diesel::{PgConnection, SqliteConnection};

/// A connection to either engine.
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    /// PostgreSQL.
    Postgres(PgConnection),
    /// SQLite.
    Sqlite(SqliteConnection),
}

/// Inserts the rows whose primary key is new and says how many those were.
macro_rules! insert_new {
    ($conn:expr, $table:expr, $rows:expr) => {{
        let rows = $rows;
        match $conn {
            $crate::dialect::AnyConnection::Postgres(conn) => diesel::insert_into($table)
                .values(rows)
                .on_conflict_do_nothing()
                .execute(conn)?,
            $crate::dialect::AnyConnection::Sqlite(conn) => {
                let mut inserted = 0;
                for row in rows {
                    let query = diesel::insert_into($table).values(row);
                    inserted += query.on_conflict_do_nothing().execute(conn)?;
                }
                inserted
            }
        }
    }};
}
pub(crate) use insert_new;

/// Inserts a row, or changes the one that has its key: to the same, or as it is said.
macro_rules! upsert {
    ($conn:expr, $table:expr, $row:expr, $key:expr) => {{
        let row = $row;
        $crate::dialect::upsert!($conn, $table, row, $key, row)
    }};
    ($conn:expr, $table:expr, $row:expr, $key:expr, $change:expr) => {{
        let row = $row;
        match $conn {
            $crate::dialect::AnyConnection::Postgres(conn) => {
                let query = diesel::insert_into($table).values(row);
                query.on_conflict($key).do_update().set($change).execute(conn)?
            }
            $crate::dialect::AnyConnection::Sqlite(conn) => {
                let query = diesel::insert_into($table).values(row);
                query.on_conflict($key).do_update().set($change).execute(conn)?
            }
        }
    }};
}
pub(crate) use upsert;

/// In the change of an upsert: the later one of what is there and what comes.
macro_rules! later {
    ($column:expr) => {
        diesel::dsl::case_when(
            diesel::upsert::excluded($column).gt($column),
            diesel::upsert::excluded($column),
        )
        .otherwise($column)
    };
}
pub(crate) use later;

/// In an update: the next version, which is a time, or one more than what is there. Both engines say it from the row as it is
/// when it is locked: read before, it would be the same for two who change it at once.
macro_rules! grown {
    ($column:expr, $at:expr) => {
        diesel::dsl::case_when(($column + 1_i64).gt($at), $column + 1_i64).otherwise($at)
    };
}
pub(crate) use grown;

/// Opens the gate of the append-only tables for the rest of this transaction (`true`), or closes it.
pub(crate) fn open_retention_gate(conn: &mut AnyConnection, open: bool) -> diesel::QueryResult<()> {
    use diesel::connection::SimpleConnection as _;
    let sql = match (&*conn, open) {
        (AnyConnection::Postgres(_), true) => "SELECT set_config('plimsoll.retention', 'on', true)",
        (AnyConnection::Postgres(_), false) => "SELECT set_config('plimsoll.retention', 'off', true)",
        (AnyConnection::Sqlite(_), true) => "UPDATE retention_gate SET open = 1 WHERE id = 1",
        (AnyConnection::Sqlite(_), false) => "UPDATE retention_gate SET open = 0 WHERE id = 1",
    };
    conn.batch_execute(sql)
}
