//! Which limits are raised for a time?

use diesel::prelude::*;
use model::id::{LimitId, OverrideId, TenantId};
use model::limit_override::LimitOverride;
use model::time::Timestamp;

use crate::error::{StoreError, StoreResult};
use crate::rows::{Table, at, micros};
use crate::schema::limit_overrides;
use crate::tx::{Tx, Writes};

const TABLE: Table = Table("limit_overrides");

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = limit_overrides, primary_key(tenant_id, id), treat_none_as_null = true)]
struct Row {
    tenant_id: String,
    id: String,
    limit_id: String,
    limit_type: String,
    original_value: i64,
    override_value: i64,
    status: String,
    reason: String,
    requested_by: String,
    approved_by: Option<String>,
    cancelled_by: Option<String>,
    created_at: i64,
    starts_at: i64,
    expires_at: i64,
    cancelled_at: Option<i64>,
    open_until: Option<i64>,
}

/// Adds an override.
///
/// # Errors
/// [`StoreError::Contention`] if somebody has given the limit another one meanwhile: repeated, the transaction finds it.
pub fn insert(tx: &mut impl Writes, new: &LimitOverride) -> StoreResult<()> {
    let inserted = diesel::insert_into(limit_overrides::table)
        .values(row(new))
        .execute(tx.conn());
    match inserted.map_err(StoreError::from) {
        Ok(_rows) => Ok(()),
        Err(StoreError::Duplicate(source)) => Err(StoreError::Contention(source)),
        Err(error) => Err(error),
    }
}

/// Replaces an override.
///
/// # Errors
/// What the database says.
pub fn update(tx: &mut impl Writes, changed: &LimitOverride) -> StoreResult<()> {
    diesel::update(limit_overrides::table.find((changed.tenant.to_string(), changed.id.to_string())))
        .set(row(changed))
        .execute(tx.conn())?;
    Ok(())
}

/// One override.
///
/// # Errors
/// What the database says.
pub fn find(tx: &mut impl Tx, owner: TenantId, id: OverrideId) -> StoreResult<Option<LimitOverride>> {
    let row: Option<Row> = limit_overrides::table
        .find((owner.to_string(), id.to_string()))
        .get_result(tx.conn())
        .optional()?;
    row.map(limit_override).transpose()
}

/// The overrides of an owner that may still count.
///
/// # Errors
/// What the database says.
pub fn live(tx: &mut impl Tx, owner: TenantId) -> StoreResult<Vec<LimitOverride>> {
    let rows: Vec<Row> = limit_overrides::table
        .filter(limit_overrides::tenant_id.eq(owner.to_string()))
        .filter(limit_overrides::open_until.is_not_null())
        .order(limit_overrides::id)
        .load(tx.conn())?;
    rows.into_iter().map(limit_override).collect()
}

/// What to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only of this limit.
    pub limit: Option<LimitId>,
    /// Only overrides older than this one.
    pub before: Option<OverrideId>,
}

/// Overrides of an owner, newest first, at most `most`.
///
/// # Errors
/// What the database says.
pub fn list(
    tx: &mut impl Tx,
    owner: TenantId,
    filter: &Filter,
    most: i64,
) -> StoreResult<Vec<LimitOverride>> {
    let mut query = limit_overrides::table
        .filter(limit_overrides::tenant_id.eq(owner.to_string()))
        .order(limit_overrides::id.desc())
        .limit(most)
        .into_boxed();
    if let Some(limit) = filter.limit {
        query = query.filter(limit_overrides::limit_id.eq(limit.to_string()));
    }
    if let Some(before) = filter.before {
        query = query.filter(limit_overrides::id.lt(before.to_string()));
    }
    query
        .load::<Row>(tx.conn())?
        .into_iter()
        .map(limit_override)
        .collect()
}

/// Overrides of all owners whose time is over and that nobody has ended, at most `most`, the longest over first.
///
/// # Errors
/// What the database says.
pub fn due(tx: &mut impl Tx, now: Timestamp, most: i64) -> StoreResult<Vec<LimitOverride>> {
    let rows: Vec<Row> = limit_overrides::table
        .filter(limit_overrides::open_until.le(now.as_micros()))
        .order(limit_overrides::open_until)
        .limit(most)
        .load(tx.conn())?;
    rows.into_iter().map(limit_override).collect()
}

fn row(of: &LimitOverride) -> Row {
    Row {
        tenant_id: of.tenant.to_string(),
        id: of.id.to_string(),
        limit_id: of.limit.to_string(),
        limit_type: of.counts.as_str().to_owned(),
        original_value: of.original,
        override_value: of.value,
        status: of.status.as_str().to_owned(),
        reason: of.reason.clone(),
        requested_by: of.requested_by.clone(),
        approved_by: of.approved_by.clone(),
        cancelled_by: of.cancelled_by.clone(),
        created_at: of.created_at.as_micros(),
        starts_at: of.starts_at.as_micros(),
        expires_at: of.expires_at.as_micros(),
        cancelled_at: micros(of.cancelled_at),
        open_until: of.status.is_open().then_some(of.expires_at.as_micros()),
    }
}

fn limit_override(row: Row) -> StoreResult<LimitOverride> {
    Ok(LimitOverride {
        id: TABLE.parse("id", &row.id)?,
        tenant: TABLE.parse("tenant_id", &row.tenant_id)?,
        limit: TABLE.parse("limit_id", &row.limit_id)?,
        counts: TABLE.parse("limit_type", &row.limit_type)?,
        original: row.original_value,
        value: row.override_value,
        status: TABLE.parse("status", &row.status)?,
        reason: row.reason,
        requested_by: row.requested_by,
        approved_by: row.approved_by,
        cancelled_by: row.cancelled_by,
        created_at: at(row.created_at),
        starts_at: at(row.starts_at),
        expires_at: at(row.expires_at),
        cancelled_at: row.cancelled_at.map(at),
    })
}
