//! The API keys.

use diesel::prelude::*;
use model::id::{KeyId, TenantId};
use model::key::{ApiKey, KeyScope, KeyStatus};
use model::tenant::Tenant;
use model::time::Timestamp;

use crate::error::{StoreError, StoreResult};
use crate::rows::{Table, at, micros};
use crate::schema::api_keys;
use crate::tx::{Tx, WriteTx, Writes};

const TABLE: Table = Table("api_keys");

#[derive(Queryable, Insertable)]
#[diesel(table_name = api_keys)]
struct Row {
    tenant_id: String,
    id: String,
    name: String,
    key_hash: String,
    last4: String,
    live: bool,
    scopes: String,
    status: String,
    freeze_reason: Option<String>,
    rpm: Option<i32>,
    expires_at: Option<i64>,
    created_at: i64,
    last_used_at: Option<i64>,
    revoked_at: Option<i64>,
    /// None if it is its own root.
    root_id: Option<String>,
}

/// The key with this hash, and its tenant.
///
/// # Errors
/// What the database says.
pub fn by_hash(tx: &mut impl Tx, hash: &str) -> StoreResult<Option<(ApiKey, Tenant)>> {
    let row: Option<Row> = api_keys::table
        .filter(api_keys::key_hash.eq(hash))
        .get_result(tx.conn())
        .optional()?;
    let Some(row) = row else { return Ok(None) };
    let key = key(row)?;
    let corrupt = StoreError::Corrupt {
        table: "api_keys",
        column: "tenant_id",
    };
    let tenant = crate::tenants::find(tx, key.tenant)?.ok_or(corrupt)?;
    Ok(Some((key, tenant)))
}

/// The keys of a tenant, newest first.
///
/// # Errors
/// What the database says.
pub fn list(tx: &mut impl Tx, tenant: TenantId) -> StoreResult<Vec<ApiKey>> {
    let rows: Vec<Row> = api_keys::table
        .filter(api_keys::tenant_id.eq(tenant.to_string()))
        .order(api_keys::id.desc())
        .load(tx.conn())?;
    rows.into_iter().map(key).collect()
}

/// Keys of a tenant newest first, at most `most`, older than `before` if it is given.
///
/// # Errors
/// What the database says.
pub fn page(
    tx: &mut impl Tx,
    tenant: TenantId,
    before: Option<KeyId>,
    most: i64,
) -> StoreResult<Vec<ApiKey>> {
    let mut query = api_keys::table
        .filter(api_keys::tenant_id.eq(tenant.to_string()))
        .order(api_keys::id.desc())
        .limit(most)
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(api_keys::id.lt(before.to_string()));
    }
    query.load::<Row>(tx.conn())?.into_iter().map(key).collect()
}

/// One key of a tenant.
///
/// # Errors
/// What the database says.
pub fn find(tx: &mut impl Tx, tenant: TenantId, id: KeyId) -> StoreResult<Option<ApiKey>> {
    let row: Option<Row> = api_keys::table
        .find((tenant.to_string(), id.to_string()))
        .get_result(tx.conn())
        .optional()?;
    row.map(key).transpose()
}

/// Adds a key under the hash of its secret.
///
/// # Errors
/// What the database says.
pub fn insert(tx: &mut impl Writes, key: &ApiKey, hash: &str) -> StoreResult<()> {
    let row = Row {
        tenant_id: key.tenant.to_string(),
        id: key.id.to_string(),
        name: key.name.clone(),
        key_hash: hash.to_owned(),
        last4: key.last4.clone(),
        live: key.live,
        scopes: key
            .scopes
            .iter()
            .map(|scope| scope.as_str())
            .collect::<Vec<_>>()
            .join(" "),
        status: key.status.as_str().to_owned(),
        freeze_reason: key.freeze_reason.clone(),
        rpm: key.rpm.map(|rpm| i32::try_from(rpm).unwrap_or(i32::MAX)),
        expires_at: micros(key.expires_at),
        created_at: key.created_at.as_micros(),
        last_used_at: micros(key.last_used_at),
        revoked_at: micros(key.revoked_at),
        root_id: (key.root != key.id).then(|| key.root.to_string()),
    };
    diesel::insert_into(api_keys::table)
        .values(row)
        .execute(tx.conn())?;
    Ok(())
}

/// Writes where a key stands.
///
/// # Errors
/// What the database says.
pub fn set_status(tx: &mut WriteTx<'_>, key: &ApiKey) -> StoreResult<()> {
    use crate::tx::sealed::Connected as _;
    diesel::update(api_keys::table.find((key.tenant.to_string(), key.id.to_string())))
        .set((
            api_keys::status.eq(key.status.as_str()),
            api_keys::freeze_reason.eq(&key.freeze_reason),
            api_keys::revoked_at.eq(micros(key.revoked_at)),
        ))
        .execute(tx.conn())?;
    crate::credentials::changed(tx)
}

/// Notes when keys were last used.
///
/// # Errors
/// What the database says.
pub fn touch(tx: &mut WriteTx<'_>, used: &[(TenantId, KeyId, Timestamp)]) -> StoreResult<()> {
    use crate::tx::sealed::Connected as _;
    for (tenant, id, when) in used {
        diesel::update(api_keys::table.find((tenant.to_string(), id.to_string())))
            .set(api_keys::last_used_at.eq(when.as_micros()))
            .execute(tx.conn())?;
    }
    Ok(())
}

fn key(row: Row) -> StoreResult<ApiKey> {
    let scopes = row
        .scopes
        .split_whitespace()
        .map(|word| TABLE.parse::<KeyScope>("scopes", word))
        .collect::<StoreResult<_>>()?;
    Ok(ApiKey {
        root: TABLE.parse("root_id", row.root_id.as_ref().unwrap_or(&row.id))?,
        id: TABLE.parse("id", &row.id)?,
        tenant: TABLE.parse("tenant_id", &row.tenant_id)?,
        name: row.name,
        last4: row.last4,
        live: row.live,
        scopes,
        status: TABLE.parse::<KeyStatus>("status", &row.status)?,
        freeze_reason: row.freeze_reason,
        rpm: row.rpm.map(|rpm| TABLE.small("rpm", rpm)).transpose()?,
        expires_at: row.expires_at.map(at),
        created_at: at(row.created_at),
        last_used_at: row.last_used_at.map(at),
        revoked_at: row.revoked_at.map(at),
    })
}
