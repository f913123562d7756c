//! Which proposals are there to make, change or retire a Policy Rule?

use std::collections::BTreeMap;

use diesel::prelude::*;
use model::id::{ProposalId, SignatureId, TenantId};
use model::permille::Permille;
use model::policy::{Proposal, ProposalStatus, ProposalType, Provenance, Review};
use model::time::Timestamp;

use crate::dialect::governed;
use crate::error::{StoreError, StoreResult};
use crate::rows::{Table, at, to_json};
use crate::schema::policy_proposals;
use crate::tx::{LockTx, Tx, Writes};

const TABLE: Table = Table("policy_proposals");

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = policy_proposals, primary_key(tenant_id, id), treat_none_as_null = true)]
struct Row {
    tenant_id: String,
    id: String,
    proposal_type: String,
    status: String,
    name: String,
    reason: String,
    target_rule_id: Option<String>,
    target_version: Option<i32>,
    definition: Option<String>,
    confidence: i64,
    proposed_by: String,
    triggering_run_id: Option<String>,
    triggering_incident_id: Option<String>,
    signature_id: Option<String>,
    reviewed_by: Option<String>,
    reviewed_at: Option<i64>,
    review_notes: Option<String>,
    created_at: i64,
    expires_at: i64,
    open_until: Option<i64>,
    created_by: Option<String>,
}

/// Adds a proposal.
///
/// # Errors
/// [`StoreError::Contention`] if another one for the same failure was made meanwhile: repeated, the transaction finds it.
pub fn insert(tx: &mut impl Writes, new: &Proposal) -> StoreResult<()> {
    let inserted = diesel::insert_into(policy_proposals::table)
        .values(row(new))
        .execute(tx.conn());
    match inserted.map_err(StoreError::from) {
        Ok(_rows) => Ok(()),
        Err(StoreError::Duplicate(source)) => Err(StoreError::Contention(source)),
        Err(error) => Err(error),
    }
}

/// Replaces a PENDING proposal; false if it is PENDING no more.
///
/// # Errors
/// What the database says.
pub fn review(tx: &mut impl Writes, reviewed: &Proposal) -> StoreResult<bool> {
    let pending = policy_proposals::table
        .find((reviewed.tenant.to_string(), reviewed.id.to_string()))
        .filter(policy_proposals::status.eq(ProposalStatus::Pending.as_str()));
    let changed = diesel::update(pending).set(row(reviewed)).execute(tx.conn())?;
    Ok(changed > 0)
}

/// One proposal.
///
/// # Errors
/// What the database says.
pub fn find(tx: &mut impl Tx, tenant: TenantId, id: ProposalId) -> StoreResult<Option<Proposal>> {
    let row: Option<Row> = policy_proposals::table
        .find((tenant.to_string(), id.to_string()))
        .get_result(tx.conn())
        .optional()?;
    row.map(proposal).transpose()
}

/// One proposal, which nobody else reviews until this transaction ends.
///
/// # Errors
/// What the database says.
pub fn lock(tx: &mut LockTx<'_>, tenant: TenantId, id: ProposalId) -> StoreResult<Option<Proposal>> {
    let key = (tenant.to_string(), id.to_string());
    governed::lock::<governed::OneProposal>(crate::tx::sealed::Connected::conn(tx), &key)?;
    find(tx, tenant, id)
}

/// The latest proposal for this failure, whatever became of it.
///
/// # Errors
/// What the database says.
pub fn latest_for(
    tx: &mut impl Tx,
    tenant: TenantId,
    signature: SignatureId,
) -> StoreResult<Option<Proposal>> {
    let row: Option<Row> = policy_proposals::table
        .filter(policy_proposals::tenant_id.eq(tenant.to_string()))
        .filter(policy_proposals::signature_id.eq(signature.to_string()))
        .order(policy_proposals::id.desc())
        .first(tx.conn())
        .optional()?;
    row.map(proposal).transpose()
}

/// The failures that proposals were made for, by proposal; those of no failure are left out.
///
/// # Errors
/// What the database says.
pub fn signatures(
    tx: &mut impl Tx,
    tenant: TenantId,
    proposals: &[ProposalId],
) -> StoreResult<BTreeMap<ProposalId, SignatureId>> {
    let which: Vec<String> = proposals.iter().map(ToString::to_string).collect();
    let rows: Vec<(String, Option<String>)> = policy_proposals::table
        .filter(policy_proposals::tenant_id.eq(tenant.to_string()))
        .filter(policy_proposals::id.eq_any(which))
        .select((policy_proposals::id, policy_proposals::signature_id))
        .load(tx.conn())?;
    rows.into_iter()
        .filter_map(|(id, signature)| signature.map(|signature| (id, signature)))
        .map(|(id, signature)| Ok((TABLE.parse("id", &id)?, TABLE.parse("signature_id", &signature)?)))
        .collect()
}

/// The proposal for this failure that waits for a person, if there is one.
///
/// # Errors
/// What the database says.
pub fn pending_for(
    tx: &mut impl Tx,
    tenant: TenantId,
    signature: SignatureId,
) -> StoreResult<Option<Proposal>> {
    let row: Option<Row> = policy_proposals::table
        .filter(policy_proposals::tenant_id.eq(tenant.to_string()))
        .filter(policy_proposals::signature_id.eq(signature.to_string()))
        .filter(policy_proposals::open_until.is_not_null())
        .first(tx.conn())
        .optional()?;
    row.map(proposal).transpose()
}

/// What to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only this status.
    pub status: Option<ProposalStatus>,
    /// Only this type.
    pub proposal_type: Option<ProposalType>,
    /// Only proposals older than this one.
    pub before: Option<ProposalId>,
}

/// Proposals of a tenant, newest first, at most `most`.
///
/// # Errors
/// What the database says.
pub fn list(tx: &mut impl Tx, tenant: TenantId, filter: &Filter, most: i64) -> StoreResult<Vec<Proposal>> {
    let mut query = policy_proposals::table
        .filter(policy_proposals::tenant_id.eq(tenant.to_string()))
        .order(policy_proposals::id.desc())
        .limit(most)
        .into_boxed();
    if let Some(status) = filter.status {
        query = query.filter(policy_proposals::status.eq(status.as_str()));
    }
    if let Some(kind) = filter.proposal_type {
        query = query.filter(policy_proposals::proposal_type.eq(kind.as_str()));
    }
    if let Some(before) = filter.before {
        query = query.filter(policy_proposals::id.lt(before.to_string()));
    }
    query.load::<Row>(tx.conn())?.into_iter().map(proposal).collect()
}

/// Proposals of all tenants that nobody has reviewed in time, at most `most`.
///
/// # Errors
/// What the database says.
pub fn due(tx: &mut impl Tx, now: Timestamp, most: i64) -> StoreResult<Vec<Proposal>> {
    let rows: Vec<Row> = policy_proposals::table
        .filter(policy_proposals::open_until.le(now.as_micros()))
        .order(policy_proposals::open_until)
        .limit(most)
        .load(tx.conn())?;
    rows.into_iter().map(proposal).collect()
}

fn row(of: &Proposal) -> Row {
    let review = of.review.as_ref();
    let open = of.status == ProposalStatus::Pending;
    Row {
        tenant_id: of.tenant.to_string(),
        id: of.id.to_string(),
        proposal_type: of.proposal_type.as_str().to_owned(),
        status: of.status.as_str().to_owned(),
        name: of.name.clone(),
        reason: of.reason.clone(),
        target_rule_id: of.target.map(|id| id.to_string()),
        target_version: of
            .target_version
            .map(|version| i32::try_from(version).unwrap_or(i32::MAX)),
        definition: of.definition.as_ref().map(to_json),
        confidence: i64::from(of.confidence.thousandths()),
        proposed_by: of.proposed_by.as_str().to_owned(),
        triggering_run_id: of.provenance.triggering_run.map(|id| id.to_string()),
        triggering_incident_id: of.provenance.triggering_incident.map(|id| id.to_string()),
        signature_id: of.provenance.signature.map(|id| id.to_string()),
        reviewed_by: review.map(|review| review.by.clone()),
        reviewed_at: review.map(|review| review.at.as_micros()),
        review_notes: review.and_then(|review| review.notes.clone()),
        created_at: of.created_at.as_micros(),
        expires_at: of.expires_at.as_micros(),
        open_until: open.then_some(of.expires_at.as_micros()),
        created_by: of.created_by.clone(),
    }
}

fn proposal(row: Row) -> StoreResult<Proposal> {
    let definition = row.definition.as_deref();
    let confidence = u16::try_from(row.confidence).ok().map(Permille::new);
    let review = row.reviewed_by.zip(row.reviewed_at);
    Ok(Proposal {
        id: TABLE.parse("id", &row.id)?,
        tenant: TABLE.parse("tenant_id", &row.tenant_id)?,
        proposal_type: TABLE.parse("proposal_type", &row.proposal_type)?,
        status: TABLE.parse("status", &row.status)?,
        name: row.name,
        reason: row.reason,
        target: TABLE.parse_opt("target_rule_id", row.target_rule_id.as_deref())?,
        target_version: row
            .target_version
            .map(|version| TABLE.small("target_version", version))
            .transpose()?,
        definition: definition
            .map(|json| TABLE.json("definition", json))
            .transpose()?,
        confidence: confidence.ok_or(StoreError::Corrupt {
            table: "policy_proposals",
            column: "confidence",
        })?,
        proposed_by: TABLE.parse("proposed_by", &row.proposed_by)?,
        created_by: row.created_by,
        provenance: Provenance {
            triggering_run: TABLE.parse_opt("triggering_run_id", row.triggering_run_id.as_deref())?,
            triggering_incident: TABLE
                .parse_opt("triggering_incident_id", row.triggering_incident_id.as_deref())?,
            signature: TABLE.parse_opt("signature_id", row.signature_id.as_deref())?,
        },
        review: review.map(|(by, when)| Review {
            by,
            at: at(when),
            notes: row.review_notes,
        }),
        created_at: at(row.created_at),
        expires_at: at(row.expires_at),
    })
}
