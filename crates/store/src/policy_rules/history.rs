//! What has a Policy Rule said, and does it still say it?

use std::collections::BTreeMap;

use diesel::prelude::*;
use model::digest::{Canonical, Digest};
use model::id::{RuleId, TenantId};
use model::integrity::{Integrity, IntegrityStatus, StoredVersion, assess};
use model::permille::Permille;
use model::policy::{Definition, Rule};
use model::time::Timestamp;

use super::Change;
use crate::dialect::upsert;
use crate::error::StoreResult;
use crate::integrity::{self, Columns, Found, integrity_row};
use crate::rows::{Table, at, to_json};
use crate::schema::{policy_rule_integrity, policy_rule_versions};
use crate::tx::{Tx, Writes};

const TABLE: Table = Table("policy_rule_integrity");
const VERSIONS: Table = Table("policy_rule_versions");

integrity_row!(policy_rule_integrity, rule_id);

#[derive(Queryable, Insertable)]
#[diesel(table_name = policy_rule_versions)]
struct VersionRow {
    tenant_id: String,
    rule_id: String,
    version: i32,
    definition: String,
    snapshot: String,
    hash: String,
    change_reason: Option<String>,
    changed_by: Option<String>,
    created_at: i64,
}

/// A version of a rule as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its number; the first is 1.
    pub version: u32,
    /// What it says.
    pub definition: Definition,
    /// Its hash.
    pub hash: Digest,
    /// Why it was made.
    pub reason: Option<String>,
    /// By whom.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Writes down this version of a rule, and that it is intact.
pub(super) fn append(tx: &mut impl Writes, rule: &Rule, change: Change<'_>) -> StoreResult<()> {
    let before = found(tx, rule.tenant, rule.id)?;
    // First the row of its integrity, for the rule may not be ACTIVE without it.
    record(
        tx,
        rule.tenant,
        rule.id,
        &Integrity::fresh(rule.hash),
        rule.updated_at,
    )?;
    let canonical = rule.canonical();
    diesel::insert_into(policy_rule_versions::table)
        .values(VersionRow {
            tenant_id: rule.tenant.to_string(),
            rule_id: rule.id.to_string(),
            version: i32::try_from(rule.version).unwrap_or(i32::MAX),
            definition: String::from_utf8_lossy(canonical.as_bytes()).into_owned(),
            snapshot: to_json(&rule.definition),
            hash: rule.hash.to_string(),
            change_reason: change.reason.map(str::to_owned),
            changed_by: change.by.map(str::to_owned),
            created_at: rule.updated_at.as_micros(),
        })
        .execute(tx.conn())?;
    // A new version does not mend an old one.
    if let Some(before) = before.filter(|before| before.integrity.status != IntegrityStatus::Verified) {
        let history = stored(tx, rule.tenant, rule.id)?;
        let broken = Integrity {
            first_broken: before.integrity.first_broken,
            ..assess(&history, &canonical, rule.hash)
        };
        record(tx, rule.tenant, rule.id, &broken, rule.updated_at)?;
    }
    Ok(())
}

/// Writes down what was found of a rule.
///
/// # Errors
/// What the database says.
pub fn record(
    tx: &mut impl Writes,
    owner: TenantId,
    rule: RuleId,
    found: &Integrity,
    now: Timestamp,
) -> StoreResult<()> {
    let row = NewRow::of((owner, rule.to_string()), found, now);
    upsert!(
        tx.conn(),
        policy_rule_integrity::table,
        &row,
        (policy_rule_integrity::tenant_id, policy_rule_integrity::rule_id)
    );
    Ok(())
}

/// Writes down that a rule is not what was decided, for good: the root that was recorded before stays, and no version
/// behind it leads there any more.
///
/// # Errors
/// What the database says.
pub fn distrust(tx: &mut impl Writes, rule: &Rule, recorded: Digest) -> StoreResult<()> {
    let broken = Integrity {
        status: IntegrityStatus::Failed,
        score: Permille::ZERO,
        hash_root: recorded,
        first_broken: Some(rule.version),
    };
    record(tx, rule.tenant, rule.id, &broken, rule.updated_at)
}

fn rows(tx: &mut impl Tx, owner: TenantId, rule: RuleId) -> StoreResult<Vec<VersionRow>> {
    Ok(policy_rule_versions::table
        .filter(policy_rule_versions::tenant_id.eq(owner.to_string()))
        .filter(policy_rule_versions::rule_id.eq(rule.to_string()))
        .order(policy_rule_versions::version)
        .load(tx.conn())?)
}

/// The chain of a rule, oldest first, for checking it.
///
/// # Errors
/// What the database says.
pub fn stored(tx: &mut impl Tx, owner: TenantId, rule: RuleId) -> StoreResult<Vec<StoredVersion>> {
    let stored = |row: VersionRow| {
        Ok(StoredVersion {
            version: VERSIONS.small("version", row.version)?,
            definition: Canonical::stored(row.definition.into_bytes()),
            hash: VERSIONS.parse("hash", &row.hash)?,
        })
    };
    rows(tx, owner, rule)?.into_iter().map(stored).collect()
}

/// All versions of a rule, oldest first.
///
/// # Errors
/// What the database says.
pub fn versions(tx: &mut impl Tx, owner: TenantId, rule: RuleId) -> StoreResult<Vec<Version>> {
    rows(tx, owner, rule)?.into_iter().map(version).collect()
}

/// One version of a rule.
///
/// # Errors
/// What the database says.
pub fn by_version(
    tx: &mut impl Tx,
    owner: TenantId,
    rule: RuleId,
    number: u32,
) -> StoreResult<Option<Version>> {
    let number = i32::try_from(number).unwrap_or(i32::MAX);
    let row: Option<VersionRow> = policy_rule_versions::table
        .find((owner.to_string(), rule.to_string(), number))
        .get_result(tx.conn())
        .optional()?;
    row.map(version).transpose()
}

fn version(row: VersionRow) -> StoreResult<Version> {
    Ok(Version {
        version: VERSIONS.small("version", row.version)?,
        definition: VERSIONS.json("snapshot", &row.snapshot)?,
        hash: VERSIONS.parse("hash", &row.hash)?,
        reason: row.change_reason,
        by: row.changed_by,
        at: at(row.created_at),
    })
}

/// The hash of the newest version of a rule.
///
/// # Errors
/// What the database says.
pub fn newest_hash(tx: &mut impl Tx, owner: TenantId, rule: RuleId) -> StoreResult<Digest> {
    let hash: Option<String> = policy_rule_versions::table
        .filter(policy_rule_versions::tenant_id.eq(owner.to_string()))
        .filter(policy_rule_versions::rule_id.eq(rule.to_string()))
        .order(policy_rule_versions::version.desc())
        .select(policy_rule_versions::hash)
        .first(tx.conn())
        .optional()?;
    hash.map_or(Ok(Digest::ZERO), |hash| VERSIONS.parse("hash", &hash))
}

/// Whether the rule says what its newest version says, and nothing else was found.
///
/// # Errors
/// What the database says.
pub fn is_intact(tx: &mut impl Tx, rule: &Rule) -> StoreResult<bool> {
    let definition: Option<String> = policy_rule_versions::table
        .filter(policy_rule_versions::tenant_id.eq(rule.tenant.to_string()))
        .filter(policy_rule_versions::rule_id.eq(rule.id.to_string()))
        .order(policy_rule_versions::version.desc())
        .select(policy_rule_versions::definition)
        .first(tx.conn())
        .optional()?;
    let failed = found(tx, rule.tenant, rule.id)?
        .is_none_or(|found| found.integrity.status == IntegrityStatus::Failed);
    Ok(!failed && definition.is_some_and(|stored| stored.as_bytes() == rule.canonical().as_bytes()))
}

/// Writes down that a rule, or what is known of it, cannot be read; whether that is new. The root stays as it is.
///
/// # Errors
/// What the database says.
pub fn record_unreadable(
    tx: &mut impl Writes,
    owner: TenantId,
    rule: RuleId,
    now: Timestamp,
) -> StoreResult<bool> {
    let of = || policy_rule_integrity::table.find((owner.to_string(), rule.to_string()));
    let status: Option<String> = of()
        .select(policy_rule_integrity::status)
        .first(tx.conn())
        .optional()?;
    let failed = IntegrityStatus::Failed.as_str();
    diesel::update(of())
        .set((
            policy_rule_integrity::status.eq(failed),
            policy_rule_integrity::score.eq(0),
            policy_rule_integrity::computed_at.eq(now.as_micros()),
        ))
        .execute(tx.conn())?;
    Ok(status.is_some_and(|status| status != failed))
}

/// What was found of a rule the last time.
///
/// # Errors
/// What the database says.
pub fn found(tx: &mut impl Tx, owner: TenantId, rule: RuleId) -> StoreResult<Option<Found>> {
    let row: Option<Columns> = policy_rule_integrity::table
        .find((owner.to_string(), rule.to_string()))
        .select((
            policy_rule_integrity::status,
            policy_rule_integrity::score,
            policy_rule_integrity::hash_root,
            policy_rule_integrity::first_broken,
            policy_rule_integrity::computed_at,
        ))
        .get_result(tx.conn())
        .optional()?;
    row.map(|row| integrity::found(TABLE, row)).transpose()
}

/// What was found of rules the last time; those of which nothing is known, or nothing that can be read,
/// are left out.
///
/// # Errors
/// What the database says.
pub fn found_of(tx: &mut impl Tx, owner: TenantId, rules: &[RuleId]) -> StoreResult<BTreeMap<RuleId, Found>> {
    let which: Vec<String> = rules.iter().map(ToString::to_string).collect();
    let rows: Vec<(String, Columns)> = policy_rule_integrity::table
        .filter(policy_rule_integrity::tenant_id.eq(owner.to_string()))
        .filter(policy_rule_integrity::rule_id.eq_any(which))
        .select((
            policy_rule_integrity::rule_id,
            (
                policy_rule_integrity::status,
                policy_rule_integrity::score,
                policy_rule_integrity::hash_root,
                policy_rule_integrity::first_broken,
                policy_rule_integrity::computed_at,
            ),
        ))
        .load(tx.conn())?;
    let found = rows
        .into_iter()
        .filter_map(|(name, row)| Some((name.parse().ok()?, integrity::found(TABLE, row).ok()?)));
    Ok(found.collect())
}

/// The rules whose integrity was computed longest ago, at most `most`, oldest first.
///
/// # Errors
/// What the database says.
pub fn longest_unchecked(
    tx: &mut impl Tx,
    before: Timestamp,
    most: i64,
) -> StoreResult<Vec<(TenantId, RuleId)>> {
    let rows: Vec<(String, String)> = policy_rule_integrity::table
        .filter(policy_rule_integrity::computed_at.lt(before.as_micros()))
        .order(policy_rule_integrity::computed_at)
        .limit(most)
        .select((policy_rule_integrity::tenant_id, policy_rule_integrity::rule_id))
        .load(tx.conn())?;
    Ok(integrity::names(rows))
}
