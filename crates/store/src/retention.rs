//! What may be deleted from the tables that only grow?
//!
//! Nothing, except through the functions of this module: they open the gate that the triggers of those
//! tables ask for, delete, and close it again, all in the caller's transaction.

use diesel::prelude::*;
use model::time::Timestamp;

use crate::dialect::open_retention_gate;
use crate::error::StoreResult;
use crate::schema::infra_error_events;
use crate::tx::WriteTx;
use crate::tx::sealed::Connected as _;

/// Deletes the recorded errors that are older than `cutoff` and says how many they were.
///
/// # Errors
/// What the database says.
pub fn delete_infra_errors_before(tx: &mut WriteTx<'_>, cutoff: Timestamp) -> StoreResult<usize> {
    open_retention_gate(tx.conn(), true)?;
    let old = infra_error_events::table.filter(infra_error_events::created_at.lt(cutoff.as_micros()));
    let deleted = diesel::delete(old).execute(tx.conn());
    // Closed before anything else, so that a caller who ignores the error cannot commit an open gate.
    let closed = open_retention_gate(tx.conn(), false);
    let deleted = deleted?;
    closed?;
    Ok(deleted)
}
