//! The credentials of the people who run the installation.

use diesel::prelude::*;
use model::id::OperatorId;
use model::tenant::Operator;
use model::time::Timestamp;

use crate::error::StoreResult;
use crate::rows::{Table, at, micros};
use crate::schema::operators;
use crate::tx::{Tx, Writes};

const TABLE: Table = Table("operators");

#[derive(Queryable, Insertable)]
#[diesel(table_name = operators)]
struct Row {
    id: String,
    name: String,
    token_hash: String,
    last4: String,
    created_at: i64,
    revoked_at: Option<i64>,
}

/// The operator whose token has this hash.
///
/// # Errors
/// What the database says.
pub fn by_hash(tx: &mut impl Tx, hash: &str) -> StoreResult<Option<Operator>> {
    let row: Option<Row> = operators::table
        .filter(operators::token_hash.eq(hash))
        .get_result(tx.conn())
        .optional()?;
    row.map(operator).transpose()
}

fn operator(row: Row) -> StoreResult<Operator> {
    Ok(Operator {
        id: TABLE.parse("id", &row.id)?,
        name: row.name,
        created_at: at(row.created_at),
        revoked_at: row.revoked_at.map(at),
    })
}

/// All operators with the end of their token, those who were revoked included, oldest first.
///
/// # Errors
/// What the database says.
pub fn list(tx: &mut impl Tx) -> StoreResult<Vec<(Operator, String)>> {
    let rows: Vec<Row> = operators::table.order(operators::id).load(tx.conn())?;
    rows.into_iter()
        .map(|row| {
            let last4 = row.last4.clone();
            Ok((operator(row)?, last4))
        })
        .collect()
}

/// Revokes an operator; false if there is none of this id that has not been revoked.
///
/// # Errors
/// What the database says.
pub fn revoke(tx: &mut impl Writes, id: OperatorId, at: Timestamp) -> StoreResult<bool> {
    let known = operators::table
        .find(id.to_string())
        .filter(operators::revoked_at.is_null());
    let revoked = diesel::update(known)
        .set(operators::revoked_at.eq(at.as_micros()))
        .execute(crate::tx::sealed::Connected::conn(tx))?;
    Ok(revoked > 0)
}

/// How many operators there are that have not been revoked.
///
/// # Errors
/// What the database says.
pub fn count(tx: &mut impl Tx) -> StoreResult<i64> {
    Ok(operators::table
        .filter(operators::revoked_at.is_null())
        .count()
        .get_result(tx.conn())?)
}

/// Adds an operator under the hash of the token.
///
/// # Errors
/// What the database says.
pub fn insert(tx: &mut impl Writes, operator: &Operator, hash: &str, last4: &str) -> StoreResult<()> {
    let row = Row {
        id: operator.id.to_string(),
        name: operator.name.clone(),
        token_hash: hash.to_owned(),
        last4: last4.to_owned(),
        created_at: operator.created_at.as_micros(),
        revoked_at: micros(operator.revoked_at),
    };
    diesel::insert_into(operators::table)
        .values(row)
        .execute(crate::tx::sealed::Connected::conn(tx))?;
    Ok(())
}
