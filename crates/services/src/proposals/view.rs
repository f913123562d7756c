//! Which proposals are there, and what speaks against them?

use std::collections::BTreeMap;

use domain::policy::proposals::{ActiveRules, Change, Conflict, all, diff};
use model::id::{ProposalId, RuleId, TenantId};
use model::page::PageRequest;
use model::policy::{Proposal, ProposalStatus, ProposalType, Rule};
use store::{StoreResult, Tx};

use super::{Active, ProposalError};
use crate::context::Context;

/// A proposal with what is known about it.
#[derive(Debug, Clone)]
pub struct Known {
    /// The proposal.
    pub proposal: Proposal,
    /// The rule that it has made, changed or retired.
    pub rule: Option<RuleId>,
    /// The ACTIVE rules that it is at odds with, as long as it waits.
    pub conflicts: Vec<Conflict>,
    /// What it changes.
    pub changes: Vec<Change>,
}

/// What to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only this status.
    pub status: Option<ProposalStatus>,
    /// Only this type.
    pub proposal_type: Option<ProposalType>,
}

/// One proposal.
///
/// # Errors
/// [`ProposalError::NotFound`].
pub async fn get(cx: &Context, tenant: TenantId, id: ProposalId) -> Result<Known, ProposalError> {
    cx.db
        .read(move |tx| -> Result<Known, ProposalError> {
            let found = store::proposals::find(tx, tenant, id)?.ok_or(ProposalError::NotFound)?;
            Ok(known(tx, found)?)
        })
        .await
}

/// Proposals, newest first, with whether there are more.
///
/// # Errors
/// [`ProposalError::Store`].
pub async fn list(
    cx: &Context,
    tenant: TenantId,
    filter: Filter,
    page: PageRequest,
) -> Result<(Vec<Known>, bool), ProposalError> {
    let most = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let filter = store::proposals::Filter {
        status: filter.status,
        proposal_type: filter.proposal_type,
        before: page.after.and_then(|cursor| cursor.id.parse().ok()),
    };
    let (items, more) = cx
        .db
        .read(move |tx| -> StoreResult<_> {
            let mut found = store::proposals::list(tx, tenant, &filter, i64::from(page.limit) + 1)?;
            let more = found.len() > most;
            found.truncate(most);
            let about = About::load(tx, tenant, &found)?;
            let active = about.active.compared();
            let seen = found.into_iter().map(|one| about.seen(&active, one));
            Ok((seen.collect(), more))
        })
        .await?;
    Ok((items, more))
}

pub(super) fn known(tx: &mut impl Tx, proposal: Proposal) -> StoreResult<Known> {
    let about = About::load(tx, proposal.tenant, std::slice::from_ref(&proposal))?;
    Ok(about.seen(&about.active.compared(), proposal))
}

/// What has to be known about proposals of a tenant, read at once.
struct About {
    active: Active,
    /// The rules that they want to change or retire.
    targets: BTreeMap<RuleId, Rule>,
    /// The rules that they have made.
    made: BTreeMap<ProposalId, RuleId>,
}

impl About {
    fn load(tx: &mut impl Tx, tenant: TenantId, proposals: &[Proposal]) -> StoreResult<Self> {
        let targets: Vec<RuleId> = proposals.iter().filter_map(|one| one.target).collect();
        let approved = |one: &&Proposal| one.status == ProposalStatus::Approved;
        let approved: Vec<ProposalId> = proposals.iter().filter(approved).map(|one| one.id).collect();
        Ok(Self {
            active: Active::load(tx, tenant)?,
            targets: store::policy_rules::find_all(tx, tenant, &targets)?,
            made: store::policy_rules::of_proposals(tx, tenant, &approved)?,
        })
    }

    fn seen(&self, active: &ActiveRules<'_>, proposal: Proposal) -> Known {
        let waits = proposal.status == ProposalStatus::Pending;
        let wanted = proposal.definition.as_ref().filter(|_| waits);
        let signature = proposal.provenance.signature;
        let conflicts = wanted.map(|wanted| active.conflicts(wanted, signature, proposal.target));
        Known {
            rule: self.rule_of(&proposal),
            conflicts: conflicts.unwrap_or_default(),
            changes: self.changes(&proposal),
            proposal,
        }
    }

    fn rule_of(&self, of: &Proposal) -> Option<RuleId> {
        match (of.status, of.proposal_type) {
            (ProposalStatus::Approved, ProposalType::Create) => self.made.get(&of.id).copied(),
            (ProposalStatus::Approved, ProposalType::Modify | ProposalType::Retire) => of.target,
            _ => None,
        }
    }

    /// What would be different: against the rule as it is now, or everything that a new one says.
    fn changes(&self, of: &Proposal) -> Vec<Change> {
        let before = of.target.and_then(|target| self.targets.get(&target));
        of.definition.as_ref().map_or_else(Vec::new, |wanted| {
            before.map_or_else(|| all(wanted), |before| diff(&before.definition, wanted))
        })
    }
}
