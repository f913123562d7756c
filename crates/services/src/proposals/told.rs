//! What is written down of a proposal?

use model::audit::{AuditEvent, EntityType};
use model::policy::{Proposal, ProposalStatus};
use model::timeline::SourceDomain;
use serde_json::{Value, json};

use crate::audit::{Changed, Told};

fn related(of: &Proposal) -> Value {
    json!({
        "proposal_id": of.id,
        "incident_id": of.provenance.triggering_incident,
        "run_id": of.provenance.triggering_run,
        "rule_id": of.target,
    })
}

fn told(of: &Proposal, event_type: &'static str, what: &str) -> Told {
    Told {
        tenant: of.tenant,
        source: SourceDomain::Policies,
        event_type,
        entity_id: of.id.to_string(),
        related: related(of),
        summary: format!("Proposal \u{201c}{}\u{201d} {what}", of.name),
        data: json!({ "proposal_type": of.proposal_type, "confidence_score": of.confidence.to_string() }),
    }
}

pub(super) fn proposed(of: &Proposal) -> Told {
    told(of, "policy_proposed", "was made")
}

pub(super) fn expired(of: &Proposal) -> Told {
    told(of, "policy_proposal_expired", "was not reviewed in time")
}

/// What the audit ledger shows of a proposal.
fn state(of: &Proposal) -> Value {
    json!({
        "proposal_type": of.proposal_type,
        "status": of.status,
        "target_rule_id": of.target,
        "definition": of.definition,
        "confidence": of.confidence.to_string(),
        "proposed_by": of.proposed_by,
        "created_by": of.created_by,
    })
}

/// It was approved or rejected.
pub(super) fn reviewed(before: &Proposal, after: &Proposal) -> Changed {
    let approved = after.status == ProposalStatus::Approved;
    let (event, event_type, what) = if approved {
        (
            AuditEvent::PolicyProposalApproved,
            "policy_approved",
            "was approved",
        )
    } else {
        (
            AuditEvent::PolicyProposalRejected,
            "policy_rejected",
            "was rejected",
        )
    };
    let told = told(after, event_type, what);
    Changed {
        tenant: after.tenant,
        event,
        entity_type: EntityType::PolicyProposal,
        entity_id: after.id.to_string(),
        reason: after.review.as_ref().and_then(|review| review.notes.clone()),
        before: Some(state(before)),
        after: Some(state(after)),
        source: told.source,
        event_type,
        summary: told.summary,
        related: told.related,
    }
}
