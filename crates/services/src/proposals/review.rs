//! What becomes of a proposal?
//!
//! It ends once. To say the same again changes nothing and is answered with what was done; to say something else is
//! refused.

use model::id::{IdGenerator, ProposalId, TenantId};
use model::policy::{
    Definition, EnforcementMode, Proposal, ProposalStatus, ProposalType, RuleSource, RuleStatus,
};
use model::text::is_hidden;
use model::time::Timestamp;
use store::{LockTx, StoreError, StoreResult, WriteTx};

use super::view::Known;
use super::write::invalid;
use super::{Active, ProposalError, finish, told};
use crate::audit::{self, Author};
use crate::context::Context;
use crate::keys;
use crate::once::{Done, Once, Render};
use crate::owner::Owner;
use crate::policies::{self, Change, Origin};

/// How long notes are, in characters.
const NOTES_MAX: usize = 1_000;
/// Proposals that are ended at a time.
const EXPIRE_MOST: i64 = 100;

/// How a proposal is approved.
#[derive(Debug, Clone, Default)]
pub struct Approval {
    /// What the rule does when it matches; what was proposed if it is left out.
    pub mode: Option<EnforcementMode>,
    /// What people should know.
    pub notes: Option<String>,
}

/// What a person says of a proposal.
#[derive(Debug, Clone)]
pub enum Review {
    /// What it wants is done, in the same transaction.
    Approve(Approval),
    /// Nothing is done; with what people should know.
    Reject(Option<String>),
}

impl Review {
    const fn leads_to(&self) -> ProposalStatus {
        match self {
            Self::Approve(_) => ProposalStatus::Approved,
            Self::Reject(_) => ProposalStatus::Rejected,
        }
    }

    /// Whether this is what was said of a proposal that is reviewed. Who names no mode agrees to the one that it has.
    fn was_said_of(&self, reviewed: &Proposal) -> bool {
        let mode = match self {
            Self::Approve(approval) => approval.mode,
            Self::Reject(_) => None,
        };
        let definition = reviewed.definition.as_ref();
        let agrees = mode.is_none() || mode == definition.map(|definition| definition.mode);
        reviewed.status == self.leads_to() && agrees
    }

    fn notes(&self) -> Option<&str> {
        match self {
            Self::Approve(Approval { notes, .. }) | Self::Reject(notes) => notes.as_deref(),
        }
    }
}

/// Who reviews, and when.
struct Reviewer<'a> {
    ids: &'a dyn IdGenerator,
    author: &'a Author,
    now: Timestamp,
}

/// Approves or rejects a proposal.
///
/// # Errors
/// [`ProposalError`].
pub async fn conclude(
    cx: &Context,
    author: Author,
    which: (TenantId, ProposalId),
    said: Review,
    once: Option<Once>,
    render: Render<Known>,
) -> Result<Done<Known>, ProposalError> {
    let (clock, ids) = (cx.clock.clone(), cx.ids.clone());
    valid_notes(said.notes())?;
    cx.db
        .locked(move |tx| -> Result<Done<Known>, ProposalError> {
            if let Some(before) = once.as_ref().map(|once| once.before(tx)).transpose()?.flatten() {
                return Ok(Done::Before(before));
            }
            let by = Reviewer {
                ids: ids.as_ref(),
                author: &author,
                now: clock.now(),
            };
            let done = match (waiting(tx, which, &said, by.now)?, &said) {
                (Waiting::Done(proposal), _) => proposal,
                (Waiting::Yes(proposal), Review::Approve(approval)) => {
                    approved(tx, &by, &proposal, approval)?
                }
                (Waiting::Yes(proposal), Review::Reject(notes)) => {
                    let unchanged = (said.leads_to(), proposal.definition.clone());
                    reviewed(tx, &by, &proposal, unchanged, notes.clone())?
                }
            };
            finish(tx, once.as_ref(), 200, done, render, by.now)
        })
        .await
}

enum Waiting {
    /// It waits to be reviewed.
    Yes(Proposal),
    /// The same was said before.
    Done(Proposal),
}

fn waiting(
    tx: &mut LockTx<'_>,
    (tenant, id): (TenantId, ProposalId),
    said: &Review,
    now: Timestamp,
) -> Result<Waiting, ProposalError> {
    let found = store::proposals::lock(tx, tenant, id)?.ok_or(ProposalError::NotFound)?;
    match found.status {
        ProposalStatus::Pending if found.expires_at <= now => {
            Err(ProposalError::Reviewed(ProposalStatus::Expired))
        }
        ProposalStatus::Pending => Ok(Waiting::Yes(found)),
        _ if said.was_said_of(&found) => Ok(Waiting::Done(found)),
        status => Err(ProposalError::Reviewed(status)),
    }
}

/// Whether who reviews is taken to be who proposed: it is the same key, or both come of one.
fn is_own(tx: &mut LockTx<'_>, by: &Reviewer<'_>, proposal: &Proposal) -> StoreResult<bool> {
    let reviewer = by.author.actor.name();
    if proposal.is_own(reviewer) {
        return Ok(true);
    }
    let author = proposal.created_by.as_deref().unwrap_or_default();
    let roots = [reviewer, author].map(|name| keys::root_of(tx, proposal.tenant, name));
    let [reviewers, authors] = roots;
    Ok(matches!((reviewers?, authors?), (Some(one), Some(other)) if one == other))
}

fn approved(
    tx: &mut LockTx<'_>,
    by: &Reviewer<'_>,
    proposal: &Proposal,
    approval: &Approval,
) -> Result<Proposal, ProposalError> {
    if policies::takes_two(tx, Owner::Tenant(proposal.tenant))? && is_own(tx, by, proposal)? {
        return Err(ProposalError::OwnProposal);
    }
    let definition = proposal.definition.clone().map(|definition| {
        let mode = approval.mode.unwrap_or(definition.mode);
        definition.in_mode(mode)
    });
    if definition.is_none() && approval.mode.is_some() {
        return Err(invalid(
            "enforcement_mode",
            "a Policy Rule that is retired has none",
        ));
    }
    if let Some(definition) = &definition {
        policies::lock_all(tx, Owner::Tenant(proposal.tenant))?;
        let active = Active::load(tx, proposal.tenant)?;
        let signature = proposal.provenance.signature;
        let mut conflicts = active
            .compared()
            .conflicts(definition, signature, proposal.target);
        conflicts.retain(|conflict| conflict.blocking);
        if !conflicts.is_empty() {
            return Err(ProposalError::Conflicts(conflicts));
        }
    }
    let status = ProposalStatus::Approved;
    let done = reviewed(
        tx,
        by,
        proposal,
        (status, definition.clone()),
        approval.notes.clone(),
    )?;
    carry_out(tx, by, proposal, definition)?;
    Ok(done)
}

/// Does what a proposal wants.
fn carry_out(
    tx: &mut LockTx<'_>,
    by: &Reviewer<'_>,
    proposal: &Proposal,
    definition: Option<Definition>,
) -> Result<(), ProposalError> {
    let owner = Owner::Tenant(proposal.tenant);
    match (proposal.proposal_type, proposal.target, definition) {
        (ProposalType::Create, _, Some(definition)) => {
            let from = &proposal.provenance;
            let learned = from.triggering_incident.is_some() || from.signature.is_some();
            let origin = Origin {
                source: if learned {
                    RuleSource::Learned
                } else {
                    RuleSource::Manual
                },
                proposal: Some(proposal.id),
                incident: from.triggering_incident,
                run: from.triggering_run,
            };
            // What was valid when it was proposed may not be so for ever.
            let definition = policies::valid(owner, definition)?;
            policies::make(tx, by.ids, owner, by.author, (definition, origin), by.now)?;
        }
        (ProposalType::Modify, Some(target), Some(wanted)) => {
            let change = Change {
                // What was decided since then is not undone by a proposal that did not know of it.
                expected_version: proposal.target_version,
                whole: Some(wanted),
                reason: Some(proposal.reason.clone()),
                ..Change::default()
            };
            policies::apply(tx, by.ids, owner, by.author, (target, &change), by.now)?;
        }
        (ProposalType::Retire, Some(target), _) => {
            let change = Change {
                // Nor is what was decided since then ended by one.
                expected_version: proposal.target_version,
                status: Some(RuleStatus::Retired),
                retirement_reason: Some(proposal.reason.clone()),
                ..Change::default()
            };
            policies::apply(tx, by.ids, owner, by.author, (target, &change), by.now)?;
        }
        _ => {
            return Err(StoreError::Corrupt {
                table: "policy_proposals",
                column: "definition",
            }
            .into());
        }
    }
    Ok(())
}

fn reviewed(
    tx: &mut LockTx<'_>,
    by: &Reviewer<'_>,
    before: &Proposal,
    (status, definition): (ProposalStatus, Option<Definition>),
    notes: Option<String>,
) -> Result<Proposal, ProposalError> {
    let after = Proposal {
        status,
        definition,
        review: Some(model::policy::Review {
            by: by.author.actor.name().to_owned(),
            at: by.now,
            notes,
        }),
        ..before.clone()
    };
    if !store::proposals::review(tx, &after)? {
        return Err(ProposalError::Reviewed(before.status));
    }
    audit::record(tx, by.ids, by.author, told::reviewed(before, &after), by.now)?;
    Ok(after)
}

fn valid_notes(notes: Option<&str>) -> Result<(), ProposalError> {
    let is_valid = |text: &str| {
        let length = text.trim().chars().count();
        (1..=NOTES_MAX).contains(&length) && !text.chars().any(|c| is_hidden(c) && c != '\n')
    };
    if notes.is_none_or(is_valid) {
        return Ok(());
    }
    Err(invalid(
        "review_notes",
        "1 to 1000 characters, none of them invisible",
    ))
}

/// Ends every proposal that nobody has reviewed in time, and says how many there were.
///
/// # Errors
/// What the database says.
pub async fn expire(cx: &Context) -> Result<u64, StoreError> {
    let now = cx.clock.now();
    let mut ended = 0;
    loop {
        let due = cx
            .db
            .read(move |tx| store::proposals::due(tx, now, EXPIRE_MOST))
            .await?;
        let is_last = i64::try_from(due.len()).is_ok_and(|found| found < EXPIRE_MOST);
        for one in due {
            let ids = cx.ids.clone();
            ended += cx.db.write(move |tx| end(tx, ids.as_ref(), &one, now)).await?;
        }
        if is_last {
            return Ok(ended);
        }
    }
}

fn end(tx: &mut WriteTx<'_>, ids: &dyn IdGenerator, due: &Proposal, now: Timestamp) -> StoreResult<u64> {
    let ended = Proposal {
        status: ProposalStatus::Expired,
        ..due.clone()
    };
    // Another node, or a person, may have been faster.
    if !store::proposals::review(tx, &ended)? {
        return Ok(0);
    }
    audit::tell(tx, ids, &Author::system(), told::expired(&ended), now)?;
    Ok(1)
}
