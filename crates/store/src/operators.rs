//! The credentials of the people who run the installation.

use diesel::prelude::*;
use model::tenant::Operator;

use crate::error::StoreResult;
use crate::rows::{Table, at, micros};
use crate::schema::operators;
use crate::tx::{Tx, WriteTx};

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
    row.map(|row| {
        Ok(Operator {
            id: TABLE.parse("id", &row.id)?,
            name: row.name,
            created_at: at(row.created_at),
            revoked_at: row.revoked_at.map(at),
        })
    })
    .transpose()
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
pub fn insert(tx: &mut WriteTx<'_>, operator: &Operator, hash: &str, last4: &str) -> StoreResult<()> {
    use crate::tx::sealed::Connected as _;
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
        .execute(tx.conn())?;
    Ok(())
}
