//! Which limits are there, are they what was decided, and how often were they breached lately?

use model::id::TenantId;
use model::integrity::Integrity;
use model::limit::Limit;
use store::{Recent, StoreError, StoreResult};

pub use store::limits::Shown;

use super::{Piece, Rows, readable, window_start};
use crate::context::Context;

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitRow {
    /// The limit.
    pub limit: Limit,
    /// Whether it is what was decided; none for one of before there were versions.
    pub integrity: Option<Integrity>,
    /// How often it was breached in the last 30 days, and when the last time.
    pub recent: Option<Recent>,
}

/// A piece of a tenant's own limits: those that were breached last first, then the newest. However long the table is,
/// its rows are read in as many queries.
///
/// # Errors
/// What the database says.
pub async fn limits(
    cx: &Context,
    tenant: TenantId,
    shown: Shown,
    rows: Rows,
) -> Result<Piece<LimitRow>, StoreError> {
    let since = window_start(cx.clock.now());
    cx.db
        .read(move |tx| -> StoreResult<_> {
            let own = (tenant, tenant);
            let (page, total) = store::limits::shown(tx, own, &shown, since, rows.part())?;
            let read = page.len();
            let page = readable(page);
            let ids: Vec<_> = page.iter().map(|limit| limit.id).collect();
            let found = store::limits::found_of(tx, tenant, &ids)?;
            let recent = store::breaches::recent(tx, own, &ids, since)?;
            let items = page.into_iter().map(|limit| LimitRow {
                integrity: found.get(&limit.id).map(|found| found.integrity),
                recent: recent.get(&limit.id).copied(),
                limit,
            });
            Ok(Piece::of(items.collect(), read, total, rows))
        })
        .await
}
