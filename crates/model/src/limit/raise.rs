//! When may more be used than a limit says?

use super::Limit;
use crate::id::OverrideId;
use crate::time::Timestamp;

/// The temporary raise of a limit, as far as decisions need it: the latest one that was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raise {
    /// The override that grants it.
    pub id: OverrideId,
    /// The most while it lasts, in the unit of the limit.
    pub max: i64,
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant at which it is over.
    pub until: Timestamp,
}

impl Raise {
    /// Whether it lasts at this instant.
    pub fn is_on(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

impl Limit {
    /// The most that may be used at this instant: what the limit says, or what an override has raised it to.
    pub fn max_at(&self, at: Timestamp) -> i64 {
        self.raise
            .filter(|raise| raise.is_on(at))
            .map_or(self.max, |raise| raise.max.max(self.max))
    }
}
