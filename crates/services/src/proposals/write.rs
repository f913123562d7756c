//! How does a person propose something?

use domain::policy::draft::FieldProblem;
use domain::policy::proposals::draft_from;
use model::id::{IdGenerator, IncidentId, ProposalId, RuleId, TenantId};
use model::policy::{Definition, Proposal, ProposalType, Provenance, Rule, RuleStatus};
use model::text::is_hidden;
use model::time::Timestamp;
use store::Tx;

use super::view::Known;
use super::{Cause, ProposalError, drafted, insert, wanted};
use crate::audit::Author;
use crate::context::Context;
use crate::once::{Done, Once, Render};
use crate::owner::Owner;
use crate::policies;
use crate::recorded::history;

/// How long a reason is, in characters.
const REASON: std::ops::RangeInclusive<usize> = 10..=500;

/// What somebody proposes.
#[derive(Debug, Clone)]
pub enum Wish {
    /// The rule that would have prevented the failure of an Incident, drafted from the runs on record.
    FromIncident(IncidentId),
    /// A new rule.
    Create {
        /// What it is to say.
        definition: Definition,
        /// Why.
        reason: String,
    },
    /// Another version of a rule.
    Modify {
        /// Which.
        target: RuleId,
        /// What it is to say.
        definition: Definition,
        /// Why.
        reason: String,
    },
    /// The end of a rule.
    Retire {
        /// Which.
        target: RuleId,
        /// Why.
        reason: String,
    },
}

/// Makes a proposal.
///
/// # Errors
/// [`ProposalError`].
pub async fn create(
    cx: &Context,
    tenant: TenantId,
    author: Author,
    wish: Wish,
    once: Option<Once>,
    render: Render<Known>,
) -> Result<Done<Known>, ProposalError> {
    let (clock, ids) = (cx.clock.clone(), cx.ids.clone());
    cx.db
        .write(move |tx| -> Result<Done<Known>, ProposalError> {
            if let Some(before) = once.as_ref().map(|once| once.before(tx)).transpose()?.flatten() {
                return Ok(Done::Before(before));
            }
            let now = clock.now();
            let new = proposal(tx, ids.as_ref(), (tenant, &author), &wish, now)?;
            insert(tx, ids.as_ref(), &author, &new, now)?;
            super::finish(tx, once.as_ref(), 201, new, render, now)
        })
        .await
}

fn proposal(
    tx: &mut impl Tx,
    ids: &dyn IdGenerator,
    (tenant, author): (TenantId, &Author),
    wish: &Wish,
    now: Timestamp,
) -> Result<Proposal, ProposalError> {
    let id = ProposalId::generate(ids);
    let made = |kind, name: &str, reason: &str, definition| {
        let words = (name.to_owned(), reason.trim().to_owned());
        Proposal {
            created_by: Some(author.actor.name().to_owned()),
            ..wanted((id, tenant), kind, words, definition, now)
        }
    };
    match wish {
        Wish::FromIncident(incident) => from_incident(tx, ids, (tenant, author), *incident, now),
        Wish::Create { definition, reason } => {
            valid_reason(reason)?;
            let definition = policies::valid(Owner::Tenant(tenant), definition.clone())?;
            policies::refuse_unknown(tx, Owner::Tenant(tenant), &definition)?;
            let name = definition.name.clone();
            Ok(made(ProposalType::Create, &name, reason, Some(definition)))
        }
        Wish::Modify {
            target,
            definition,
            reason,
        } => {
            valid_reason(reason)?;
            let rule = active(tx, tenant, *target)?;
            let definition = policies::valid(Owner::Tenant(tenant), definition.clone())?;
            same_kind(&rule.definition, &definition)?;
            Ok(Proposal {
                target: Some(rule.id),
                target_version: Some(rule.version),
                provenance: provenance(&rule),
                ..made(
                    ProposalType::Modify,
                    &rule.definition.name,
                    reason,
                    Some(definition),
                )
            })
        }
        Wish::Retire { target, reason } => {
            valid_reason(reason)?;
            let rule = active(tx, tenant, *target)?;
            Ok(Proposal {
                target: Some(rule.id),
                target_version: Some(rule.version),
                provenance: provenance(&rule),
                ..made(ProposalType::Retire, &rule.definition.name, reason, None)
            })
        }
    }
}

/// Where the rule came from; not the failure, which has one proposal at a time.
fn provenance(rule: &Rule) -> Provenance {
    Provenance {
        triggering_run: rule.source_run,
        triggering_incident: rule.source_incident,
        signature: None,
    }
}

fn from_incident(
    tx: &mut impl Tx,
    ids: &dyn IdGenerator,
    (tenant, author): (TenantId, &Author),
    incident: IncidentId,
    now: Timestamp,
) -> Result<Proposal, ProposalError> {
    let found = store::incidents::find(tx, tenant, incident)?;
    let Some(found) = found else {
        return Err(invalid("incident_id", "no Incident of yours has this id"));
    };
    let Some(signature) = &found.creation.signature else {
        return Err(invalid(
            "incident_id",
            "must be an Incident of an LLM Run that failed",
        ));
    };
    let draft = draft_from(signature, &history(tx, tenant, now)?);
    if let Some(other) = store::proposals::pending_for(tx, tenant, draft.signature)? {
        return Err(ProposalError::Exists(other.id));
    }
    let cause = Cause {
        tenant,
        run: found.creation.run,
        incident: Some(found.id),
    };
    Ok(drafted(ids, cause, &draft, Some(author), now))
}

fn active(tx: &mut impl Tx, tenant: TenantId, id: RuleId) -> Result<Rule, ProposalError> {
    let found = store::policy_rules::find(tx, tenant, id)?;
    found
        .filter(|rule| rule.status == RuleStatus::Active)
        .ok_or_else(|| invalid("target_rule_id", "no ACTIVE Policy Rule of yours has this id"))
}

/// A version says something else about the same; whatever is about something else is another rule.
fn same_kind(before: &Definition, after: &Definition) -> Result<(), ProposalError> {
    let is_same = before.rule_type == after.rule_type
        && before.stage == after.stage
        && before.scope == after.scope
        && before.scope_id == after.scope_id;
    if is_same {
        return Ok(());
    }
    Err(invalid(
        "definition",
        "rule_type, stage, scope and scope_id stay as they are; propose another Policy Rule instead",
    ))
}

fn valid_reason(reason: &str) -> Result<(), ProposalError> {
    let length = reason.trim().chars().count();
    if REASON.contains(&length) && !reason.chars().any(|c| is_hidden(c) && c != '\n') {
        return Ok(());
    }
    Err(invalid("reason", "10 to 500 characters, none of them invisible"))
}

pub(super) fn invalid(field: &'static str, detail: &str) -> ProposalError {
    ProposalError::Invalid(vec![FieldProblem {
        field,
        detail: detail.to_owned(),
        condition: None,
    }])
}
