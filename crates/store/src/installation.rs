//! What belongs to the installation itself?

use diesel::prelude::*;

use crate::error::{StoreError, StoreResult};
use crate::schema::installation;
use crate::tx::Tx;

/// The key under which the cursors of lists are signed; made with the schema, the same for every node.
///
/// # Errors
/// [`StoreError::Corrupt`] if somebody has deleted it.
pub fn cursor_key(tx: &mut impl Tx) -> StoreResult<String> {
    key(tx, "cursor_key")
}

/// The key under which the inputs of requests are hashed; made with the schema, the same for every node.
///
/// # Errors
/// [`StoreError::Corrupt`] if somebody has deleted it.
pub fn input_key(tx: &mut impl Tx) -> StoreResult<String> {
    key(tx, "input_key")
}

fn key(tx: &mut impl Tx, name: &str) -> StoreResult<String> {
    installation::table
        .find(name)
        .select(installation::value)
        .get_result(tx.conn())
        .optional()?
        .ok_or(StoreError::Corrupt {
            table: "installation",
            column: "value",
        })
}
