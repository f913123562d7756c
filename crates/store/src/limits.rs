//! Which limits are there?

mod history;
mod row;
mod shown;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use model::id::{KeyId, LimitId, TenantId};
use model::limit::{Limit, LimitCategory, LimitStatus};
use model::time::Timestamp;

pub use self::history::{
    found, found_of, is_intact, longest_unchecked, record, record_unreadable, versions_of,
};
pub use self::shown::{Shown, shown};

use self::row::{Row, limit, row};
use crate::dialect::{governed, grown};
use crate::error::{StoreError, StoreResult};
use crate::rows::Table;
use crate::schema::{limits, tenants};
use crate::totals::{self, Listing};
use crate::tx::{LockTx, Tx, Writes};

/// The version of each tenant's limits: it grows with every change, so that a copy knows when it is old.
///
/// # Errors
/// What the database says.
pub fn versions(tx: &mut impl Tx, owners: &[TenantId]) -> StoreResult<Vec<(TenantId, i64)>> {
    let mut found = Vec::with_capacity(owners.len());
    if owners.is_empty() {
        return Ok(found);
    }
    if let [only] = owners {
        let version: Option<i64> = tenants::table
            .find(only.to_string())
            .select(tenants::limits_version)
            .get_result(tx.conn())
            .optional()?;
        found.extend(version.map(|version| (*only, version)));
        return Ok(found);
    }
    let ids: Vec<String> = owners.iter().map(ToString::to_string).collect();
    let rows: Vec<(String, i64)> = tenants::table
        .filter(tenants::id.eq_any(ids))
        .select((tenants::id, tenants::limits_version))
        .load(tx.conn())?;
    for (id, version) in rows {
        found.push((Table("tenants").parse("id", &id)?, version));
    }
    Ok(found)
}

/// All limits of an owner that apply, oldest first.
///
/// # Errors
/// What the database says.
pub fn active(tx: &mut impl Tx, owner: TenantId) -> StoreResult<Vec<Limit>> {
    let rows: Vec<Row> = limits::table
        .filter(limits::tenant_id.eq(owner.to_string()))
        .filter(limits::status.eq(LimitStatus::Active.as_str()))
        .order(limits::id)
        .load(tx.conn())?;
    rows.into_iter().map(limit).collect()
}

/// The ACTIVE limits of all owners on the share of LLM Runs that fail, at most `most` of them, those after `after`.
///
/// # Errors
/// What the database says.
pub fn of_failures(
    tx: &mut impl Tx,
    after: Option<(TenantId, LimitId)>,
    most: i64,
) -> StoreResult<Vec<Limit>> {
    let mut query = limits::table
        // The words of the partial index, so that it is seen to fit.
        .filter(sql::<Bool>("limit_type = 'ERROR_RATE_PCT'"))
        .filter(limits::status.eq(LimitStatus::Active.as_str()))
        .order((limits::tenant_id, limits::id))
        .limit(most)
        .into_boxed();
    if let Some((owner, id)) = after {
        let (owner, id) = (owner.to_string(), id.to_string());
        let later = limits::tenant_id.eq(owner.clone()).and(limits::id.gt(id));
        query = query.filter(limits::tenant_id.gt(owner).or(later));
    }
    let rows: Vec<Row> = query.load(tx.conn())?;
    rows.into_iter().map(limit).collect()
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this category.
    pub category: Option<LimitCategory>,
    /// Only this status.
    pub status: Option<LimitStatus>,
    /// Only limits older than this one.
    pub before: Option<LimitId>,
}

/// Limits of an owner, newest first, at most `most`.
///
/// # Errors
/// What the database says.
pub fn list(tx: &mut impl Tx, owner: TenantId, filter: &Filter, most: i64) -> StoreResult<Vec<Limit>> {
    let mut query = limits::table
        .filter(limits::tenant_id.eq(owner.to_string()))
        .order(limits::id.desc())
        .limit(most)
        .into_boxed();
    if let Some(category) = filter.category {
        query = query.filter(limits::category.eq(category.as_str()));
    }
    if let Some(status) = filter.status {
        query = query.filter(limits::status.eq(status.as_str()));
    }
    if let Some(before) = filter.before {
        query = query.filter(limits::id.lt(before.to_string()));
    }
    query.load::<Row>(tx.conn())?.into_iter().map(limit).collect()
}

/// How many limits of an owner apply.
///
/// # Errors
/// What the database says.
pub fn count(tx: &mut impl Tx, owner: TenantId) -> StoreResult<i64> {
    Ok(limits::table
        .filter(limits::tenant_id.eq(owner.to_string()))
        .filter(limits::status.eq(LimitStatus::Active.as_str()))
        .count()
        .get_result(tx.conn())?)
}

/// One limit.
///
/// # Errors
/// What the database says.
pub fn find(tx: &mut impl Tx, owner: TenantId, id: LimitId) -> StoreResult<Option<Limit>> {
    let row: Option<Row> = limits::table
        .find((owner.to_string(), id.to_string()))
        .get_result(tx.conn())
        .optional()?;
    row.map(limit).transpose()
}

/// One limit, which nobody else changes until this transaction ends.
///
/// # Errors
/// What the database says.
pub fn lock(tx: &mut LockTx<'_>, owner: TenantId, id: LimitId) -> StoreResult<Option<Limit>> {
    let key = (owner.to_string(), id.to_string());
    governed::lock::<governed::OneLimit>(crate::tx::sealed::Connected::conn(tx), &key)?;
    find(tx, owner, id)
}

/// Adds a limit, in the transaction that found no ACTIVE twin of it. From here until it ends, no other transaction
/// adds or changes a limit of the same owner.
///
/// # Errors
/// [`StoreError::ForeignKey`] if its key does not exist; [`StoreError::Contention`] if somebody else has made a twin
/// meanwhile: repeated, the transaction finds it.
pub fn insert(tx: &mut impl Writes, limit: &Limit) -> StoreResult<()> {
    history::append(tx, limit)?;
    let inserted = diesel::insert_into(limits::table)
        .values(row(limit))
        .execute(tx.conn());
    unless_twin(inserted)?;
    totals::add(tx, limit.tenant, Listing::Limits, &facets(limit))?;
    bump_version(tx, limit.tenant, limit.updated_at)
}

/// Replaces a limit, in the transaction that found no ACTIVE twin of it.
///
/// One that somebody has changed by other means gets no new version: on top of what nobody has decided, the next one
/// would look decided.
///
/// # Errors
/// As those of [`insert`].
pub fn update(tx: &mut impl Writes, limit: &Limit) -> StoreResult<()> {
    let before = find(tx, limit.tenant, limit.id)?;
    if before.as_ref().map_or(Ok(true), |before| is_intact(tx, before))? {
        history::append(tx, limit)?;
    }
    if let Some(before) = before {
        let facets = (&facets(&before)[..], &facets(limit)[..]);
        totals::change(tx, limit.tenant, Listing::Limits, facets)?;
    }
    let updated = diesel::update(limits::table.find((limit.tenant.to_string(), limit.id.to_string())))
        .set(row(limit))
        .execute(tx.conn());
    unless_twin(updated)?;
    bump_version(tx, limit.tenant, limit.updated_at)
}

/// What the table of limits is filtered by.
fn facets(of: &Limit) -> [&'static str; 4] {
    [
        of.category.as_str(),
        of.status.as_str(),
        of.scope.as_str(),
        of.enforcement.as_str(),
    ]
}

/// Disables every limit that counts for one key only, which nobody can use any more, and what raises it: as they were, and
/// as they are.
///
/// # Errors
/// What the database says.
pub fn disable_of_key(
    tx: &mut impl Writes,
    owner: TenantId,
    key: KeyId,
    at: Timestamp,
) -> StoreResult<Vec<(Limit, Limit)>> {
    let rows: Vec<Row> = limits::table
        .filter(limits::tenant_id.eq(owner.to_string()))
        .filter(limits::api_key_id.eq(key.to_string()))
        .filter(limits::status.eq(LimitStatus::Active.as_str()))
        .load(tx.conn())?;
    let disable = |row| {
        let before = limit(row)?;
        let disabled = Limit {
            status: LimitStatus::Disabled,
            raise: None,
            updated_at: at,
            ..before.clone()
        };
        update(tx, &disabled)?;
        Ok((before, disabled))
    };
    rows.into_iter().map(disable).collect()
}

fn unless_twin(written: QueryResult<usize>) -> StoreResult<()> {
    match written.map_err(StoreError::from) {
        Ok(_rows) => Ok(()),
        Err(StoreError::Duplicate(source)) => Err(StoreError::Contention(source)),
        Err(error) => Err(error),
    }
}

/// Makes the version another one, also than that of a change that came to nothing: what was remembered of that must not
/// seem to be what comes now. The times of two changes in one process differ.
fn bump_version(tx: &mut impl Writes, owner: TenantId, at: Timestamp) -> StoreResult<()> {
    diesel::update(tenants::table.find(owner.to_string()))
        .set(tenants::limits_version.eq(grown!(tenants::limits_version, at.as_micros())))
        .execute(tx.conn())?;
    Ok(())
}
