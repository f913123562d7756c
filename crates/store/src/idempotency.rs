//! Which answer was given to an idempotency key? It is the answer for ever.

use diesel::prelude::*;
use model::id::TenantId;
use model::time::Timestamp;

use crate::error::{StoreError, StoreResult};
use crate::rows::{Table, at};
use crate::schema::idempotency_keys;
use crate::tx::{Tx, Writes};

const TABLE: Table = Table("idempotency_keys");

/// The answer that was given to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// Whose key.
    pub tenant: TenantId,
    /// For which operation.
    pub operation: String,
    /// The key.
    pub key: String,
    /// Who sent it.
    pub principal: String,
    /// A hash of the request.
    pub fingerprint: String,
    /// The HTTP status of the answer; never a 5xx.
    pub status: u16,
    /// The body of the answer, byte for byte.
    pub body: String,
    /// When.
    pub created_at: Timestamp,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = idempotency_keys)]
struct Row {
    tenant_id: String,
    operation: String,
    key: String,
    principal: String,
    fingerprint: String,
    status: i32,
    body: String,
    created_at: i64,
}

/// The answer that was given to the key, if one was.
///
/// # Errors
/// What the database says.
pub fn find(
    tx: &mut impl Tx,
    tenant: TenantId,
    operation: &str,
    key: &str,
) -> StoreResult<Option<StoredAnswer>> {
    let row: Option<Row> = idempotency_keys::table
        .find((tenant.to_string(), operation, key))
        .get_result(tx.conn())
        .optional()?;
    row.map(|row| {
        Ok(StoredAnswer {
            tenant,
            operation: row.operation,
            key: row.key,
            principal: row.principal,
            fingerprint: row.fingerprint,
            status: TABLE.small("status", row.status)?,
            body: row.body,
            created_at: at(row.created_at),
        })
    })
    .transpose()
}

/// Stores an answer with the change that it answers, in the transaction that did not [`find`] one.
///
/// # Errors
/// [`StoreError::Contention`] if the key has been answered by somebody else meanwhile: repeated, the
/// transaction finds that answer.
pub fn insert(tx: &mut impl Writes, answer: &StoredAnswer) -> StoreResult<()> {
    let row = Row {
        tenant_id: answer.tenant.to_string(),
        operation: answer.operation.clone(),
        key: answer.key.clone(),
        principal: answer.principal.clone(),
        fingerprint: answer.fingerprint.clone(),
        status: i32::from(answer.status),
        body: answer.body.clone(),
        created_at: answer.created_at.as_micros(),
    };
    match diesel::insert_into(idempotency_keys::table)
        .values(row)
        .execute(tx.conn())
        .map_err(StoreError::from)
    {
        Ok(_one) => Ok(()),
        Err(StoreError::Duplicate(source)) => Err(StoreError::Contention(source)),
        Err(error) => Err(error),
    }
}
