//! What has a limit said, and does it still say it?
//!
//! Every version is a row that nobody changes, linked to the one before it by a hash. The row of its integrity is
//! written before the limit: SQLite refuses an ACTIVE limit without it at once, PostgreSQL when the transaction ends.

use std::collections::BTreeMap;

use diesel::prelude::*;
use model::digest::{Canonical, Digest};
use model::id::{LimitId, TenantId};
use model::integrity::{Integrity, IntegrityStatus, StoredVersion, assess, link};
use model::limit::Limit;
use model::time::Timestamp;

use crate::dialect::upsert;
use crate::error::StoreResult;
use crate::integrity::{self, Columns, Found, integrity_row};
use crate::rows::Table;
use crate::schema::{limit_integrity, limit_versions};
use crate::tx::{Tx, Writes};

const TABLE: Table = Table("limit_integrity");
const VERSIONS: Table = Table("limit_versions");

integrity_row!(limit_integrity, limit_id);

/// Writes down the newest version of a limit, if it says something new, and that it is intact.
pub(super) fn append(tx: &mut impl Writes, limit: &Limit) -> StoreResult<()> {
    let definition = limit.canonical();
    let newest = newest(tx, limit.tenant, limit.id)?;
    if newest
        .as_ref()
        .is_some_and(|newest| newest.definition == definition)
    {
        return Ok(());
    }
    let before = found(tx, limit.tenant, limit.id)?;
    let version = newest
        .as_ref()
        .map_or(1, |newest| newest.version.saturating_add(1));
    let previous = newest.map_or(Digest::ZERO, |newest| newest.hash);
    let hash = link(previous, version, &definition);
    // First the row of its integrity, for the limit may not be ACTIVE without it.
    record(
        tx,
        limit.tenant,
        limit.id,
        &Integrity::fresh(hash),
        limit.updated_at,
    )?;
    diesel::insert_into(limit_versions::table)
        .values((
            limit_versions::tenant_id.eq(limit.tenant.to_string()),
            limit_versions::limit_id.eq(limit.id.to_string()),
            limit_versions::version.eq(i32::try_from(version).unwrap_or(i32::MAX)),
            limit_versions::definition.eq(text(&definition)),
            limit_versions::hash.eq(hash.to_string()),
            limit_versions::created_at.eq(limit.updated_at.as_micros()),
        ))
        .execute(tx.conn())?;
    // A new version does not mend an old one.
    if let Some(before) = before.filter(|before| before.integrity.status != IntegrityStatus::Verified) {
        let history = versions_of(tx, limit.tenant, limit.id)?;
        let broken = Integrity {
            first_broken: before.integrity.first_broken,
            ..assess(&history, &definition, hash)
        };
        record(tx, limit.tenant, limit.id, &broken, limit.updated_at)?;
    }
    Ok(())
}

fn text(definition: &Canonical) -> String {
    String::from_utf8_lossy(definition.as_bytes()).into_owned()
}

/// Writes down what was found of a limit.
///
/// # Errors
/// What the database says.
pub fn record(
    tx: &mut impl Writes,
    owner: TenantId,
    limit: LimitId,
    found: &Integrity,
    now: Timestamp,
) -> StoreResult<()> {
    let row = NewRow::of((owner, limit.to_string()), found, now);
    upsert!(
        tx.conn(),
        limit_integrity::table,
        &row,
        (limit_integrity::tenant_id, limit_integrity::limit_id)
    );
    Ok(())
}

fn newest(tx: &mut impl Tx, owner: TenantId, limit: LimitId) -> StoreResult<Option<StoredVersion>> {
    let row: Option<(i32, String, String)> = limit_versions::table
        .filter(limit_versions::tenant_id.eq(owner.to_string()))
        .filter(limit_versions::limit_id.eq(limit.to_string()))
        .order(limit_versions::version.desc())
        .select((
            limit_versions::version,
            limit_versions::definition,
            limit_versions::hash,
        ))
        .first(tx.conn())
        .optional()?;
    row.map(stored).transpose()
}

fn stored((version, definition, hash): (i32, String, String)) -> StoreResult<StoredVersion> {
    Ok(StoredVersion {
        version: VERSIONS.small("version", version)?,
        definition: Canonical::stored(definition.into_bytes()),
        hash: VERSIONS.parse("hash", &hash)?,
    })
}

/// Whether the limit says what its newest version says, and nothing else was found. One without versions was not made here.
///
/// # Errors
/// What the database says.
pub fn is_intact(tx: &mut impl Tx, limit: &Limit) -> StoreResult<bool> {
    let Some(newest) = newest(tx, limit.tenant, limit.id)? else {
        return Ok(false);
    };
    let found = found(tx, limit.tenant, limit.id)?;
    let failed = found.is_some_and(|found| found.integrity.status == IntegrityStatus::Failed);
    Ok(!failed && newest.definition == limit.canonical())
}

/// All versions of a limit, oldest first.
///
/// # Errors
/// What the database says.
pub fn versions_of(tx: &mut impl Tx, owner: TenantId, limit: LimitId) -> StoreResult<Vec<StoredVersion>> {
    let rows: Vec<(i32, String, String)> = limit_versions::table
        .filter(limit_versions::tenant_id.eq(owner.to_string()))
        .filter(limit_versions::limit_id.eq(limit.to_string()))
        .order(limit_versions::version)
        .select((
            limit_versions::version,
            limit_versions::definition,
            limit_versions::hash,
        ))
        .load(tx.conn())?;
    rows.into_iter().map(stored).collect()
}

/// Writes down that a limit, or what is known of it, cannot be read; whether that is new. The root stays as it is.
///
/// # Errors
/// What the database says.
pub fn record_unreadable(
    tx: &mut impl Writes,
    owner: TenantId,
    limit: LimitId,
    now: Timestamp,
) -> StoreResult<bool> {
    let of = || limit_integrity::table.find((owner.to_string(), limit.to_string()));
    let status: Option<String> = of().select(limit_integrity::status).first(tx.conn()).optional()?;
    let failed = IntegrityStatus::Failed.as_str();
    diesel::update(of())
        .set((
            limit_integrity::status.eq(failed),
            limit_integrity::score.eq(0),
            limit_integrity::computed_at.eq(now.as_micros()),
        ))
        .execute(tx.conn())?;
    Ok(status.is_some_and(|status| status != failed))
}

/// What was found of a limit the last time.
///
/// # Errors
/// What the database says.
pub fn found(tx: &mut impl Tx, owner: TenantId, limit: LimitId) -> StoreResult<Option<Found>> {
    let row: Option<Columns> = limit_integrity::table
        .find((owner.to_string(), limit.to_string()))
        .select((
            limit_integrity::status,
            limit_integrity::score,
            limit_integrity::hash_root,
            limit_integrity::first_broken,
            limit_integrity::computed_at,
        ))
        .first(tx.conn())
        .optional()?;
    row.map(|row| integrity::found(TABLE, row)).transpose()
}

/// What was found of limits the last time; those of which nothing is known, or nothing that can be read,
/// are left out.
///
/// # Errors
/// What the database says.
pub fn found_of(
    tx: &mut impl Tx,
    owner: TenantId,
    limits: &[LimitId],
) -> StoreResult<BTreeMap<LimitId, Found>> {
    let which: Vec<String> = limits.iter().map(ToString::to_string).collect();
    let rows: Vec<(String, Columns)> = limit_integrity::table
        .filter(limit_integrity::tenant_id.eq(owner.to_string()))
        .filter(limit_integrity::limit_id.eq_any(which))
        .select((
            limit_integrity::limit_id,
            (
                limit_integrity::status,
                limit_integrity::score,
                limit_integrity::hash_root,
                limit_integrity::first_broken,
                limit_integrity::computed_at,
            ),
        ))
        .load(tx.conn())?;
    let found = rows
        .into_iter()
        .filter_map(|(name, row)| Some((name.parse().ok()?, integrity::found(TABLE, row).ok()?)));
    Ok(found.collect())
}

/// The limits whose integrity was computed longest ago, at most `most`, oldest first.
///
/// # Errors
/// What the database says.
pub fn longest_unchecked(
    tx: &mut impl Tx,
    before: Timestamp,
    most: i64,
) -> StoreResult<Vec<(TenantId, LimitId)>> {
    let rows: Vec<(String, String)> = limit_integrity::table
        .filter(limit_integrity::computed_at.lt(before.as_micros()))
        .order(limit_integrity::computed_at)
        .limit(most)
        .select((limit_integrity::tenant_id, limit_integrity::limit_id))
        .load(tx.conn())?;
    Ok(integrity::names(rows))
}
