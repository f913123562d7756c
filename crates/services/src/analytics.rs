//! Where does the money go?

use model::id::TenantId;
use model::time::Timestamp;
use store::StoreError;

use crate::context::Context;

pub use store::costs::{CostGroup, GroupBy};

/// The longest time that costs are added up over: 366 days.
pub const RANGE_MAX_SECONDS: i64 = 366 * 86_400;

/// Why costs cannot be added up.
#[derive(Debug, thiserror::Error)]
pub enum AnalyticsError {
    /// The range ends before it begins.
    #[error("`from` must be before `to`")]
    Empty,
    /// The range is longer than it may be.
    #[error("the range is longer than 366 days")]
    TooLarge,
    /// The database failed.
    #[error("the costs could not be read")]
    Store(#[from] StoreError),
}

/// Costs of a tenant over a range of time.
#[derive(Debug, Clone)]
pub struct Costs {
    /// First instant.
    pub from: Timestamp,
    /// First instant that is no longer part of it.
    pub to: Timestamp,
    /// The sums.
    pub groups: Vec<CostGroup>,
}

/// What a tenant spent, added up by group. Without a range: the 30 days up to now.
///
/// # Errors
/// [`AnalyticsError`].
pub async fn costs(
    cx: &Context,
    tenant: TenantId,
    group: GroupBy,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<Costs, AnalyticsError> {
    // Half-open ranges leave out their end: "now" includes what was recorded in this very microsecond.
    let to = to.unwrap_or_else(|| cx.clock.now().plus_seconds(1));
    let from = from.unwrap_or_else(|| to.plus_seconds(-30 * 86_400));
    if from >= to {
        return Err(AnalyticsError::Empty);
    }
    if to.millis_since(from) > RANGE_MAX_SECONDS * 1000 {
        return Err(AnalyticsError::TooLarge);
    }
    let groups = cx
        .db
        .read(move |tx| store::costs::grouped(tx, tenant, group, from, to))
        .await?;
    Ok(Costs { from, to, groups })
}
