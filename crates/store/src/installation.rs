//! What belongs to the installation itself?

use diesel::prelude::*;

use crate::dialect::upsert;
use crate::error::{StoreError, StoreResult};
use crate::incidents::Named;
use crate::rows::to_json;
use crate::schema::installation;
use crate::tx::{Tx, WriteTx};

/// The name of the place that [`replayed_up_to`] tells.
const REPLAYED: &str = "incidents_replayed_up_to";

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = installation)]
struct Row<'a> {
    name: &'a str,
    value: &'a str,
}

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

/// The Incident that was made again from its events last, of all tenants in the order of their ids; none if the first is
/// next.
///
/// # Errors
/// What the database says.
pub fn replayed_up_to(tx: &mut impl Tx) -> StoreResult<Option<Named>> {
    let place: Option<String> = installation::table
        .find(REPLAYED)
        .select(installation::value)
        .get_result(tx.conn())
        .optional()?;
    // What cannot be read is no place: they are begun anew.
    Ok(place.and_then(|place| serde_json::from_str(&place).ok()))
}

/// Notes it.
///
/// # Errors
/// What the database says.
pub fn set_replayed_up_to(tx: &mut WriteTx<'_>, place: Option<&Named>) -> StoreResult<()> {
    use crate::tx::sealed::Connected as _;
    let value = place.map(to_json);
    let row = Row {
        name: REPLAYED,
        value: value.as_deref().unwrap_or_default(),
    };
    upsert!(tx.conn(), installation::table, &row, installation::name);
    Ok(())
}
