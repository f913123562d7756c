//! Which limits are there, are they what was decided, and how often were they breached lately?

use std::cmp::Reverse;

use model::id::TenantId;
use model::integrity::Integrity;
use model::limit::Limit;
use store::breaches::Recent;
use store::{ReadTx, StoreError, StoreResult};

pub use store::limits::Shown;

use super::{Piece, Rows, window_start};
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

/// A piece of a tenant's own limits: those that were breached last first, then the newest.
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
            let recent = store::breaches::recent(tx, tenant, tenant, since)?;
            let mut found = store::limits::shown(tx, tenant, &shown)?;
            // Stable: what was not breached stays newest first.
            found.sort_by_key(|(id, _)| Reverse(recent.get(id).map(|recent| recent.last_at)));
            let total = found.len();
            let wanted = found.into_iter().skip(rows.offset).take(rows.limit);
            let items = wanted.map(|(id, _)| row(tx, tenant, id, recent.get(&id).copied()));
            let items: StoreResult<Vec<Option<LimitRow>>> = items.collect();
            Ok(Piece::of(items?.into_iter().flatten().collect(), total, rows))
        })
        .await
}

fn row(
    tx: &mut ReadTx<'_>,
    tenant: TenantId,
    id: model::id::LimitId,
    recent: Option<Recent>,
) -> StoreResult<Option<LimitRow>> {
    let Some(limit) = store::limits::find(tx, tenant, id)? else {
        return Ok(None);
    };
    let found = store::limits::found(tx, tenant, id)?;
    Ok(Some(LimitRow {
        limit,
        integrity: found.map(|found| found.integrity),
        recent,
    }))
}
