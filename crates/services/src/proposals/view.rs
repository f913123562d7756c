//! Which proposals are there, and what speaks against them?

use domain::policy::proposals::{Change, Conflict, all, diff};
use model::id::{ProposalId, RuleId, TenantId};
use model::page::PageRequest;
use model::policy::{Definition, Proposal, ProposalStatus, ProposalType};
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
            let active = Active::load(tx, tenant)?;
            let items: StoreResult<Vec<Known>> =
                found.into_iter().map(|one| seen(tx, one, &active)).collect();
            Ok((items?, more))
        })
        .await?;
    Ok((items, more))
}

pub(super) fn known(tx: &mut impl Tx, proposal: Proposal) -> StoreResult<Known> {
    let active = Active::load(tx, proposal.tenant)?;
    seen(tx, proposal, &active)
}

fn seen(tx: &mut impl Tx, proposal: Proposal, active: &Active) -> StoreResult<Known> {
    let waits = proposal.status == ProposalStatus::Pending;
    let wanted = proposal.definition.as_ref();
    let conflicts = wanted
        .filter(|_| waits)
        .map(|definition| active.at_odds(definition, proposal.provenance.signature, proposal.target));
    Ok(Known {
        rule: rule_of(tx, &proposal)?,
        conflicts: conflicts.unwrap_or_default(),
        changes: changes(tx, &proposal)?,
        proposal,
    })
}

fn rule_of(tx: &mut impl Tx, of: &Proposal) -> StoreResult<Option<RuleId>> {
    match (of.status, of.proposal_type) {
        (ProposalStatus::Approved, ProposalType::Create) => {
            let made = store::policy_rules::of_proposal(tx, of.tenant, of.id)?;
            Ok(made.map(|rule| rule.id))
        }
        (ProposalStatus::Approved, ProposalType::Modify | ProposalType::Retire) => Ok(of.target),
        _ => Ok(None),
    }
}

/// What would be different: against the rule as it is now, or everything that a new one says.
fn changes(tx: &mut impl Tx, of: &Proposal) -> StoreResult<Vec<Change>> {
    let Some(wanted) = &of.definition else {
        return Ok(Vec::new());
    };
    let before: Option<Definition> = match of.target {
        Some(target) => store::policy_rules::find(tx, of.tenant, target)?.map(|rule| rule.definition),
        None => None,
    };
    Ok(before.map_or_else(|| all(wanted), |before| diff(&before, wanted)))
}
