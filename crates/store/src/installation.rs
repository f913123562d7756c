//! What belongs to the installation itself?

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use model::digest::Digest;

use crate::dialect::upsert;
use crate::error::{StoreError, StoreResult};
use crate::incidents::Named;
use crate::rows::to_json;
use crate::schema::installation;
use crate::tx::{Tx, WriteTx};

/// What the names of what [`damage`] tells begin with.
const DAMAGE: &str = "incident_damage/";

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

/// Under which name it is kept what was wrong with an Incident: of one length, whatever stands in its row.
fn damage_name(of: &Named) -> String {
    let digest = Digest::of(to_json(of).as_bytes());
    format!("{DAMAGE}{digest}")
}

/// What was told to be wrong with an Incident last, if it was not found whole since: the mark of it.
///
/// # Errors
/// What the database says.
pub fn damage(tx: &mut impl Tx, of: &Named) -> StoreResult<Option<String>> {
    Ok(installation::table
        .find(damage_name(of))
        .select(installation::value)
        .get_result(tx.conn())
        .optional()?)
}

/// Those of these Incidents with which something was wrong, and which were not found whole since.
///
/// # Errors
/// What the database says.
pub fn damaged(tx: &mut impl Tx, of: &[Named]) -> StoreResult<BTreeSet<Named>> {
    let names: BTreeMap<String, &Named> = of.iter().map(|named| (damage_name(named), named)).collect();
    let found: Vec<String> = installation::table
        .filter(installation::name.eq_any(names.keys()))
        .select(installation::name)
        .load(tx.conn())?;
    Ok(found
        .iter()
        .filter_map(|name| names.get(name).copied().cloned())
        .collect())
}

/// Notes what is wrong with an Incident, or that nothing is.
///
/// # Errors
/// What the database says.
pub fn set_damage(tx: &mut WriteTx<'_>, of: &Named, mark: Option<&str>) -> StoreResult<()> {
    use crate::tx::sealed::Connected as _;
    let name = damage_name(of);
    let Some(value) = mark else {
        diesel::delete(installation::table.find(name)).execute(tx.conn())?;
        return Ok(());
    };
    let row = Row { name: &name, value };
    upsert!(tx.conn(), installation::table, &row, installation::name);
    Ok(())
}
