//! What do the tables of the console show?
//!
//! Each is one read of one state of the database, in the shape that was frozen with the console.

pub mod incidents;
pub mod limits;
pub mod rules;

use model::time::Timestamp;
use store::StoreResult;

/// The days that counters look back over.
pub const WINDOW_DAYS: i64 = 30;

/// The first instant that counts.
fn window_start(now: Timestamp) -> Timestamp {
    now.plus_seconds(-WINDOW_DAYS * 86_400)
}

/// Which rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// How many at most.
    pub limit: usize,
    /// How many to pass over.
    pub offset: usize,
}

/// A piece of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<T> {
    /// The rows.
    pub items: Vec<T>,
    /// How many rows fit in all.
    pub total: usize,
    /// Whether there are more behind these.
    pub has_more: bool,
}

impl Rows {
    /// As the database counts.
    fn part(self) -> (i64, i64) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        (number(self.limit), number(self.offset))
    }
}

impl<T> Piece<T> {
    /// So many rows were read; not all of them need to be shown.
    fn of(items: Vec<T>, read: usize, total: i64, rows: Rows) -> Self {
        let total = usize::try_from(total).unwrap_or_default();
        let shown = rows.offset.saturating_add(read);
        Self {
            has_more: shown < total,
            items,
            total,
        }
    }
}

/// Those that can be read. One that somebody has changed by hand until it cannot be read must not hide the others; the job
/// that looks at the integrity of all of them tells of it.
pub(crate) fn readable<T>(rows: Vec<StoreResult<T>>) -> Vec<T> {
    let logged = |row: StoreResult<T>| {
        row.inspect_err(|error| tracing::error!(%error, "a row cannot be read and is passed over"))
            .ok()
    };
    rows.into_iter().filter_map(logged).collect()
}
