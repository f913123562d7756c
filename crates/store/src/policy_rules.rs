//! Which Policy Rules are there, and what have they said?
//!
//! Every version is a row that nobody changes, linked to the one before it by a hash. The row of its integrity is
//! written before the rule: SQLite refuses an ACTIVE rule without it at once, PostgreSQL when the transaction ends.

mod answering;
mod history;
mod row;
mod shown;

use std::collections::BTreeMap;

use diesel::prelude::*;
use model::id::{ProposalId, RuleId, TenantId};
use model::policy::{EnforcementMode, Rule, RuleScope, RuleSource, RuleStatus, RuleType};
use model::time::Timestamp;

pub use self::answering::answering;
pub use self::history::{
    Version, by_version, distrust, found, found_of, is_intact, longest_unchecked, newest_hash, record,
    record_unreadable, stored, versions,
};
pub use self::shown::{Shown, shown};

use self::row::{Row, row, rule};
use crate::dialect::{governed, grown};
use crate::error::{StoreError, StoreResult};
use crate::rows::Table;
use crate::schema::{policy_rules, tenants};
use crate::totals::{self, Listing};
use crate::tx::{LockTx, Tx, Writes};

/// Who changes a rule, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// Who.
    pub by: Option<&'a str>,
    /// Why.
    pub reason: Option<&'a str>,
}

/// The version of each tenant's rules: it grows with every change, so that a copy knows when it is old.
///
/// # Errors
/// What the database says.
pub fn owner_versions(tx: &mut impl Tx, owners: &[TenantId]) -> StoreResult<Vec<(TenantId, i64)>> {
    let ids: Vec<String> = owners.iter().map(ToString::to_string).collect();
    let rows: Vec<(String, i64)> = tenants::table
        .filter(tenants::id.eq_any(ids))
        .select((tenants::id, tenants::rules_version))
        .load(tx.conn())?;
    rows.into_iter()
        .map(|(id, version)| Ok((Table("tenants").parse("id", &id)?, version)))
        .collect()
}

/// All ACTIVE rules of an owner, oldest first.
///
/// # Errors
/// What the database says.
pub fn active(tx: &mut impl Tx, owner: TenantId) -> StoreResult<Vec<Rule>> {
    let rows: Vec<Row> = policy_rules::table
        .filter(policy_rules::tenant_id.eq(owner.to_string()))
        .filter(policy_rules::status.eq(RuleStatus::Active.as_str()))
        .order(policy_rules::id)
        .load(tx.conn())?;
    rows.into_iter().map(rule).collect()
}

/// How many ACTIVE rules an owner has.
///
/// # Errors
/// What the database says.
pub fn count_active(tx: &mut impl Tx, owner: TenantId) -> StoreResult<i64> {
    Ok(policy_rules::table
        .filter(policy_rules::tenant_id.eq(owner.to_string()))
        .filter(policy_rules::status.eq(RuleStatus::Active.as_str()))
        .count()
        .get_result(tx.conn())?)
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this status.
    pub status: Option<RuleStatus>,
    /// Only this mode.
    pub mode: Option<EnforcementMode>,
    /// Only this scope.
    pub scope: Option<RuleScope>,
    /// Only this source.
    pub source: Option<RuleSource>,
    /// Only this type.
    pub rule_type: Option<RuleType>,
    /// Only rules older than this one.
    pub before: Option<RuleId>,
}

/// Rules of an owner, newest first, at most `most`.
///
/// # Errors
/// What the database says.
pub fn list(tx: &mut impl Tx, owner: TenantId, filter: &Filter, most: i64) -> StoreResult<Vec<Rule>> {
    let mut query = policy_rules::table
        .filter(policy_rules::tenant_id.eq(owner.to_string()))
        .order(policy_rules::id.desc())
        .limit(most)
        .into_boxed();
    if let Some(status) = filter.status {
        query = query.filter(policy_rules::status.eq(status.as_str()));
    }
    if let Some(mode) = filter.mode {
        query = query.filter(policy_rules::enforcement_mode.eq(mode.as_str()));
    }
    if let Some(scope) = filter.scope {
        query = query.filter(policy_rules::scope.eq(scope.as_str()));
    }
    if let Some(source) = filter.source {
        query = query.filter(policy_rules::source.eq(source.as_str()));
    }
    if let Some(kind) = filter.rule_type {
        query = query.filter(policy_rules::rule_type.eq(kind.as_str()));
    }
    if let Some(before) = filter.before {
        query = query.filter(policy_rules::id.lt(before.to_string()));
    }
    query.load::<Row>(tx.conn())?.into_iter().map(rule).collect()
}

/// One rule.
///
/// # Errors
/// What the database says.
pub fn find(tx: &mut impl Tx, owner: TenantId, id: RuleId) -> StoreResult<Option<Rule>> {
    let row: Option<Row> = policy_rules::table
        .find((owner.to_string(), id.to_string()))
        .get_result(tx.conn())
        .optional()?;
    row.map(rule).transpose()
}

/// Those of these rules that there are.
///
/// # Errors
/// What the database says.
pub fn find_all(tx: &mut impl Tx, owner: TenantId, ids: &[RuleId]) -> StoreResult<BTreeMap<RuleId, Rule>> {
    let which: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows: Vec<Row> = policy_rules::table
        .filter(policy_rules::tenant_id.eq(owner.to_string()))
        .filter(policy_rules::id.eq_any(which))
        .load(tx.conn())?;
    let named = |row| rule(row).map(|rule| (rule.id, rule));
    rows.into_iter().map(named).collect()
}

/// The rules that these proposals have made.
///
/// # Errors
/// What the database says.
pub fn of_proposals(
    tx: &mut impl Tx,
    owner: TenantId,
    proposals: &[ProposalId],
) -> StoreResult<BTreeMap<ProposalId, RuleId>> {
    let which: Vec<String> = proposals.iter().map(ToString::to_string).collect();
    let rows: Vec<(Option<String>, String)> = policy_rules::table
        .filter(policy_rules::tenant_id.eq(owner.to_string()))
        .filter(policy_rules::source_proposal_id.eq_any(which))
        .select((policy_rules::source_proposal_id, policy_rules::id))
        .load(tx.conn())?;
    let made = rows
        .into_iter()
        .filter_map(|(proposal, rule)| Some((proposal?, rule)));
    made.map(|(proposal, rule)| {
        Ok((
            row::TABLE.parse("source_proposal_id", &proposal)?,
            row::TABLE.parse("id", &rule)?,
        ))
    })
    .collect()
}

/// One rule, which nobody else changes until this transaction ends.
///
/// # Errors
/// What the database says.
pub fn lock(tx: &mut LockTx<'_>, owner: TenantId, id: RuleId) -> StoreResult<Option<Rule>> {
    let key = (owner.to_string(), id.to_string());
    governed::lock::<governed::OneRule>(crate::tx::sealed::Connected::conn(tx), &key)?;
    find(tx, owner, id)
}

/// Adds a rule with its first version and its integrity.
///
/// # Errors
/// [`StoreError::Contention`] if its proposal has made one meanwhile: repeated, the transaction finds it.
pub fn insert(tx: &mut impl Writes, new: &Rule, change: Change<'_>) -> StoreResult<()> {
    history::append(tx, new, change)?;
    let inserted = diesel::insert_into(policy_rules::table)
        .values(row(new))
        .execute(tx.conn());
    match inserted.map_err(StoreError::from) {
        Ok(_rows) => {}
        Err(StoreError::Duplicate(source)) => return Err(StoreError::Contention(source)),
        Err(error) => return Err(error),
    }
    totals::add(tx, new.tenant, Listing::PolicyRules, &facets(new))?;
    bump_version(tx, new.tenant, new.updated_at)
}

/// Replaces a rule by its next version.
///
/// # Errors
/// What the database says.
pub fn update(tx: &mut impl Writes, changed: &Rule, change: Change<'_>) -> StoreResult<()> {
    history::append(tx, changed, change)?;
    if let Some(before) = find(tx, changed.tenant, changed.id)? {
        let facets = (&facets(&before)[..], &facets(changed)[..]);
        totals::change(tx, changed.tenant, Listing::PolicyRules, facets)?;
    }
    diesel::update(policy_rules::table.find((changed.tenant.to_string(), changed.id.to_string())))
        .set(row(changed))
        .execute(tx.conn())?;
    bump_version(tx, changed.tenant, changed.updated_at)
}

/// Writes down that a rule was made from another one, unless it was made from one before.
///
/// # Errors
/// What the database says.
pub fn set_parent(
    tx: &mut impl Writes,
    owner: TenantId,
    (rule, parent): (RuleId, RuleId),
) -> StoreResult<()> {
    let orphan = policy_rules::table
        .find((owner.to_string(), rule.to_string()))
        .filter(policy_rules::parent_rule_id.is_null());
    diesel::update(orphan)
        .set(policy_rules::parent_rule_id.eq(parent.to_string()))
        .execute(tx.conn())?;
    Ok(())
}

/// What the table of Policy Rules is filtered by.
fn facets(of: &Rule) -> [&'static str; 4] {
    let definition = &of.definition;
    [
        of.status.as_str(),
        definition.mode.as_str(),
        definition.scope.as_str(),
        of.source.as_str(),
    ]
}

/// Makes the version another one, also than that of a change that came to nothing; and that of the limits, by which the
/// ledger sees that anything which governs has changed.
fn bump_version(tx: &mut impl Writes, owner: TenantId, at: Timestamp) -> StoreResult<()> {
    let at = at.as_micros();
    diesel::update(tenants::table.find(owner.to_string()))
        .set((
            tenants::rules_version.eq(grown!(tenants::rules_version, at)),
            tenants::limits_version.eq(grown!(tenants::limits_version, at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}
