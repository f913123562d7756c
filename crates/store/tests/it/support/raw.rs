//! How does a test look at the database without the store?

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;
use testkit::db::TestDb;

/// A connection of its own.
pub(crate) enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// A step of a plan of SQLite.
#[derive(QueryableByName)]
struct Detail {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// A step of a plan of PostgreSQL.
#[derive(QueryableByName)]
struct Planned {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    line: String,
}

impl Raw {
    pub(crate) fn to(db: &TestDb) -> Self {
        match db.url().strip_prefix("sqlite:") {
            Some(path) => {
                let mut conn = SqliteConnection::establish(path).unwrap();
                conn.batch_execute("PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON")
                    .unwrap();
                Self::Sqlite(conn)
            }
            None => Self::Postgres(PgConnection::establish(db.url()).unwrap()),
        }
    }

    pub(crate) fn run(&mut self, sql: &str) -> QueryResult<()> {
        match self {
            Self::Sqlite(conn) => conn.batch_execute(sql),
            Self::Postgres(conn) => conn.batch_execute(sql),
        }
    }

    /// The rows of a query whose one column is a text called `line`, sorted.
    pub(crate) fn lines(&mut self, sql: &str) -> Vec<String> {
        let query = diesel::sql_query(sql);
        let rows: Vec<Line> = match self {
            Self::Sqlite(conn) => query.load(conn).unwrap(),
            Self::Postgres(conn) => query.load(conn).unwrap(),
        };
        let mut lines: Vec<String> = rows.into_iter().map(|row| row.line).collect();
        lines.sort();
        lines
    }

    /// How the engine would answer a query.
    pub(crate) fn plan(&mut self, sql: &str) -> String {
        let steps = match self {
            Self::Sqlite(conn) => {
                let rows: Vec<Detail> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}"))
                    .load(conn)
                    .unwrap();
                rows.into_iter().map(|row| row.detail).collect::<Vec<_>>()
            }
            Self::Postgres(conn) => {
                let rows: Vec<Planned> = diesel::sql_query(format!("EXPLAIN {sql}")).load(conn).unwrap();
                rows.into_iter().map(|row| row.line).collect()
            }
        };
        steps.join("\n")
    }

    pub(crate) fn count(&mut self, table: &str) -> usize {
        let lines = self.lines(&format!("SELECT CAST(COUNT(*) AS TEXT) AS line FROM {table}"));
        lines.first().unwrap().parse().unwrap()
    }

    /// The query for this engine.
    pub(crate) fn pick<T>(&self, sqlite: T, postgres: T) -> T {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(_) => postgres,
        }
    }
}
