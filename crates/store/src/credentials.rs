//! Has a key or a tenant been changed since somebody looked?

use diesel::prelude::*;

use crate::error::StoreResult;
use crate::schema::credential_changes;
use crate::tx::{Tx, WriteTx};

/// How often a key or a tenant has been changed. What was read of them is still true while this is the same.
///
/// # Errors
/// What the database says.
pub fn version(tx: &mut impl Tx) -> StoreResult<i64> {
    Ok(credential_changes::table
        .select(credential_changes::version)
        .get_result(tx.conn())?)
}

/// Says that a key or a tenant has changed.
pub(crate) fn changed(tx: &mut WriteTx<'_>) -> StoreResult<()> {
    use crate::tx::sealed::Connected as _;
    diesel::update(credential_changes::table)
        .set(credential_changes::version.eq(credential_changes::version + 1))
        .execute(tx.conn())?;
    Ok(())
}
