//! Which Incidents are there?

use model::id::TenantId;
use model::incident::Incident;
use store::{StoreError, StoreResult};

pub use store::incidents::Filter;

use super::{Piece, Rows, readable};
use crate::context::Context;

/// A piece of a tenant's Incidents, newest first.
///
/// # Errors
/// What the database says.
pub async fn incidents(
    cx: &Context,
    tenant: TenantId,
    filter: Filter,
    rows: Rows,
) -> Result<Piece<Incident>, StoreError> {
    cx.db
        .read(move |tx| -> StoreResult<_> {
            let (page, total) = store::incidents::page(tx, tenant, &filter, rows.part())?;
            let read = page.len();
            Ok(Piece::of(readable(page), read, total, rows))
        })
        .await
}
