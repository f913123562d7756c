//! Who signs requests, with which keys, and which signatures have been used?

use diesel::prelude::*;
use infra::secrets::Sealed;
use model::id::{PrincipalId, TenantId};
use model::principal::{AccessKey, AccessKeyId, Principal, PrincipalRole};
use model::tenant::Tenant;
use model::time::Timestamp;

use crate::dialect::insert_new;
use crate::error::{StoreError, StoreResult};
use crate::rows::{Table, at, micros};
use crate::schema::{principal_keys, principal_roles, principals, used_signatures};
use crate::tx::{Tx, WriteTx, Writes};

const TABLE: Table = Table("principals");
const ROLES: Table = Table("principal_roles");
const KEYS: Table = Table("principal_keys");

#[derive(Queryable, Insertable)]
#[diesel(table_name = principals)]
struct Row {
    tenant_id: String,
    id: String,
    name: String,
    created_at: i64,
    revoked_at: Option<i64>,
}

#[derive(Insertable)]
#[diesel(table_name = principal_roles)]
struct RoleRow {
    tenant_id: String,
    principal_id: String,
    role: &'static str,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = principal_keys)]
struct KeyRow {
    tenant_id: String,
    access_key_id: String,
    principal_id: String,
    secret: String,
    last4: String,
    created_at: i64,
    revoked_at: Option<i64>,
}

#[derive(Insertable)]
#[diesel(table_name = used_signatures)]
struct SignatureRow<'a> {
    tenant_id: String,
    access_key_id: String,
    signature: &'a str,
    expires_at: i64,
}

/// What a signature is checked with.
#[derive(Debug, Clone)]
pub struct Signer {
    /// Who signs.
    pub principal: Principal,
    /// With which key.
    pub key: AccessKey,
    /// Its secret, sealed.
    pub secret: Sealed,
    /// Whose principal it is.
    pub tenant: Tenant,
}

/// Adds a principal with its roles.
///
/// # Errors
/// [`StoreError::Duplicate`] if the tenant has, or had, one of this name.
pub fn insert(tx: &mut impl Writes, new: &Principal) -> StoreResult<()> {
    let row = Row {
        tenant_id: new.tenant.to_string(),
        id: new.id.to_string(),
        name: new.name.to_string(),
        created_at: new.created_at.as_micros(),
        revoked_at: micros(new.revoked_at),
    };
    diesel::insert_into(principals::table)
        .values(row)
        .execute(tx.conn())?;
    for role in &new.roles {
        let row = RoleRow {
            tenant_id: new.tenant.to_string(),
            principal_id: new.id.to_string(),
            role: role.as_str(),
        };
        diesel::insert_into(principal_roles::table)
            .values(row)
            .execute(tx.conn())?;
    }
    Ok(())
}

/// One principal of a tenant.
///
/// # Errors
/// What the database says.
pub fn find(tx: &mut impl Tx, tenant: TenantId, id: PrincipalId) -> StoreResult<Option<Principal>> {
    let row: Option<Row> = principals::table
        .find((tenant.to_string(), id.to_string()))
        .get_result(tx.conn())
        .optional()?;
    let Some(row) = row else { return Ok(None) };
    let roles: Vec<String> = principal_roles::table
        .filter(principal_roles::tenant_id.eq(tenant.to_string()))
        .filter(principal_roles::principal_id.eq(id.to_string()))
        .select(principal_roles::role)
        .load(tx.conn())?;
    principal(&row, roles.iter().map(String::as_str)).map(Some)
}

/// The principals of a tenant, oldest first, those who were revoked included.
///
/// # Errors
/// What the database says.
pub fn list(tx: &mut impl Tx, tenant: TenantId) -> StoreResult<Vec<Principal>> {
    let rows: Vec<Row> = principals::table
        .filter(principals::tenant_id.eq(tenant.to_string()))
        .order(principals::id)
        .load(tx.conn())?;
    let roles: Vec<(String, String)> = principal_roles::table
        .filter(principal_roles::tenant_id.eq(tenant.to_string()))
        .select((principal_roles::principal_id, principal_roles::role))
        .load(tx.conn())?;
    rows.iter()
        .map(|row| {
            let of_it = roles.iter().filter(|(principal, _)| *principal == row.id);
            principal(row, of_it.map(|(_, role)| role.as_str()))
        })
        .collect()
}

/// The access keys of a tenant, oldest first, those that were revoked included.
///
/// # Errors
/// What the database says.
pub fn keys(tx: &mut impl Tx, tenant: TenantId) -> StoreResult<Vec<AccessKey>> {
    let rows: Vec<KeyRow> = principal_keys::table
        .filter(principal_keys::tenant_id.eq(tenant.to_string()))
        .order((principal_keys::created_at, principal_keys::access_key_id))
        .load(tx.conn())?;
    rows.into_iter().map(key).collect()
}

/// The access keys of a principal that are not revoked, oldest first.
///
/// # Errors
/// What the database says.
pub fn live_keys(tx: &mut impl Tx, tenant: TenantId, principal: PrincipalId) -> StoreResult<Vec<AccessKey>> {
    let rows: Vec<KeyRow> = principal_keys::table
        .filter(principal_keys::tenant_id.eq(tenant.to_string()))
        .filter(principal_keys::principal_id.eq(principal.to_string()))
        .filter(principal_keys::revoked_at.is_null())
        .order((principal_keys::created_at, principal_keys::access_key_id))
        .load(tx.conn())?;
    rows.into_iter().map(key).collect()
}

/// The access key of this name with what a signature is checked with, revoked or not.
///
/// # Errors
/// What the database says.
pub fn signer(tx: &mut impl Tx, id: AccessKeyId) -> StoreResult<Option<Signer>> {
    let row: Option<KeyRow> = principal_keys::table
        .filter(principal_keys::access_key_id.eq(id.to_string()))
        .get_result(tx.conn())
        .optional()?;
    let Some(row) = row else { return Ok(None) };
    let corrupt = |column| StoreError::Corrupt {
        table: "principal_keys",
        column,
    };
    let secret = Sealed::from_text(&row.secret).ok().ok_or(corrupt("secret"))?;
    let key = key(row)?;
    let principal = find(tx, key.tenant, key.principal)?.ok_or(corrupt("principal_id"))?;
    let tenant = crate::tenants::find(tx, key.tenant)?.ok_or(corrupt("tenant_id"))?;
    Ok(Some(Signer {
        principal,
        key,
        secret,
        tenant,
    }))
}

/// Adds an access key with its sealed secret.
///
/// # Errors
/// What the database says.
pub fn insert_key(tx: &mut impl Writes, new: &AccessKey, secret: &Sealed) -> StoreResult<()> {
    let row = KeyRow {
        tenant_id: new.tenant.to_string(),
        access_key_id: new.id.to_string(),
        principal_id: new.principal.to_string(),
        secret: secret.to_text(),
        last4: new.last4.clone(),
        created_at: new.created_at.as_micros(),
        revoked_at: micros(new.revoked_at),
    };
    diesel::insert_into(principal_keys::table)
        .values(row)
        .execute(tx.conn())?;
    Ok(())
}

/// Revokes a principal and all its keys; false if there is none that has not been revoked.
///
/// # Errors
/// What the database says.
pub fn revoke(tx: &mut WriteTx<'_>, tenant: TenantId, id: PrincipalId, at: Timestamp) -> StoreResult<bool> {
    use crate::tx::sealed::Connected as _;
    let known = principals::table
        .find((tenant.to_string(), id.to_string()))
        .filter(principals::revoked_at.is_null());
    let revoked = diesel::update(known)
        .set(principals::revoked_at.eq(at.as_micros()))
        .execute(tx.conn())?;
    if revoked == 0 {
        return Ok(false);
    }
    let keys = principal_keys::table
        .filter(principal_keys::tenant_id.eq(tenant.to_string()))
        .filter(principal_keys::principal_id.eq(id.to_string()))
        .filter(principal_keys::revoked_at.is_null());
    diesel::update(keys)
        .set(principal_keys::revoked_at.eq(at.as_micros()))
        .execute(tx.conn())?;
    crate::credentials::changed(tx)?;
    Ok(true)
}

/// Revokes one access key of a principal; false if it has none of this name that has not been revoked.
///
/// # Errors
/// What the database says.
pub fn revoke_key(
    tx: &mut WriteTx<'_>,
    (tenant, principal): (TenantId, PrincipalId),
    id: AccessKeyId,
    at: Timestamp,
) -> StoreResult<bool> {
    use crate::tx::sealed::Connected as _;
    let known = principal_keys::table
        .find((tenant.to_string(), id.to_string()))
        .filter(principal_keys::principal_id.eq(principal.to_string()))
        .filter(principal_keys::revoked_at.is_null());
    let revoked = diesel::update(known)
        .set(principal_keys::revoked_at.eq(at.as_micros()))
        .execute(tx.conn())?;
    if revoked > 0 {
        crate::credentials::changed(tx)?;
    }
    Ok(revoked > 0)
}

/// Notes that a signature (64 hex digits) has been used; false if it had been already.
///
/// # Errors
/// What the database says.
pub fn use_signature(
    tx: &mut impl Writes,
    (tenant, key): (TenantId, AccessKeyId),
    signature: &str,
    expires_at: Timestamp,
) -> StoreResult<bool> {
    let row = SignatureRow {
        tenant_id: tenant.to_string(),
        access_key_id: key.to_string(),
        signature,
        expires_at: expires_at.as_micros(),
    };
    let rows = [row];
    let inserted = insert_new!(tx.conn(), used_signatures::table, &rows);
    Ok(inserted > 0)
}

/// Forgets the signatures that nobody takes any more since `before`, and says how many they were.
///
/// # Errors
/// What the database says.
pub fn delete_signatures(tx: &mut WriteTx<'_>, before: Timestamp) -> StoreResult<usize> {
    use crate::tx::sealed::Connected as _;
    let old = used_signatures::table.filter(used_signatures::expires_at.lt(before.as_micros()));
    Ok(diesel::delete(old).execute(tx.conn())?)
}

fn principal<'a>(row: &Row, roles: impl Iterator<Item = &'a str>) -> StoreResult<Principal> {
    let mut roles: Vec<PrincipalRole> = roles
        .map(|word| ROLES.parse("role", word))
        .collect::<StoreResult<_>>()?;
    roles.sort_unstable();
    Ok(Principal {
        id: TABLE.parse("id", &row.id)?,
        tenant: TABLE.parse("tenant_id", &row.tenant_id)?,
        name: TABLE.parse("name", &row.name)?,
        roles,
        created_at: at(row.created_at),
        revoked_at: row.revoked_at.map(at),
    })
}

fn key(row: KeyRow) -> StoreResult<AccessKey> {
    Ok(AccessKey {
        id: KEYS.parse("access_key_id", &row.access_key_id)?,
        tenant: KEYS.parse("tenant_id", &row.tenant_id)?,
        principal: KEYS.parse("principal_id", &row.principal_id)?,
        last4: row.last4,
        created_at: at(row.created_at),
        revoked_at: row.revoked_at.map(at),
    })
}
