//! How is a proposal for a Policy Rule shown?

use domain::policy::proposals::{Change, Conflict};
use model::id::RuleId;
use model::policy::{Definition, Proposal};
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::policies::{ConflictView, FieldChangeView};
use crate::number::Thousandths;

/// What a Policy Rule is to say.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DefinitionView {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// CONDITION, `PII_FILTER`, `SAFETY_BASIC`, `CONTENT_ACCURACY` or `PROMPT_INJECTION`.
    pub rule_type: &'static str,
    /// INPUT (before the call) or OUTPUT (on its answer).
    pub stage: &'static str,
    /// The condition, in CEL.
    pub condition: Option<String>,
    /// The least confidence of a finding that counts, 0.000 to 1.000.
    #[schema(value_type = f64, example = 0.6)]
    pub min_confidence: Thousandths,
    /// TENANT, PROJECT or AGENT.
    pub scope: &'static str,
    /// Which project or agent.
    pub scope_id: Option<String>,
    /// BLOCK, WARN, LOG or `DRY_RUN`.
    pub enforcement_mode: &'static str,
    /// BLOCK or ANNOTATE: what happens when it matches in a stream (OUTPUT).
    pub on_stream: &'static str,
}

impl From<Definition> for DefinitionView {
    fn from(of: Definition) -> Self {
        let Definition {
            name,
            description,
            rule_type,
            stage,
            condition,
            min_confidence,
            scope,
            scope_id,
            mode,
            on_stream,
        } = of;
        Self {
            name,
            description,
            rule_type: rule_type.as_str(),
            stage: stage.as_str(),
            condition,
            min_confidence: Thousandths(min_confidence),
            scope: scope.as_str(),
            scope_id,
            enforcement_mode: mode.as_str(),
            on_stream: on_stream.as_str(),
        }
    }
}

/// A proposal to make, change or retire a Policy Rule.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProposalView {
    /// Its id.
    #[schema(example = "prop_01KB0000000000000000000000")]
    pub proposal_id: String,
    /// CREATE, MODIFY or RETIRE.
    pub proposal_type: &'static str,
    /// PENDING, APPROVED, REJECTED or EXPIRED.
    pub status: &'static str,
    /// What people call it.
    pub name: String,
    /// Why it was made.
    pub reason: String,
    /// The Policy Rule that it is about (MODIFY, RETIRE).
    pub target_rule_id: Option<String>,
    /// The version of that rule when it was proposed. A MODIFY whose rule has another version by now is refused.
    pub target_version: Option<u32>,
    /// What the Policy Rule is to say (CREATE, MODIFY).
    pub definition: Option<DefinitionView>,
    /// What would be different from the Policy Rule as it is; of a new one everything it says.
    pub changes: Vec<FieldChangeView>,
    /// How sure it is that the Policy Rule meets the failure and nothing else: 0.000 to 1.000; 1.000 for what a person
    /// wrote.
    #[schema(value_type = f64, example = 0.6)]
    pub confidence_score: Thousandths,
    /// SYSTEM or HUMAN.
    pub proposed_by: &'static str,
    /// Which person; null for SYSTEM.
    pub created_by: Option<String>,
    /// The LLM Run that failed.
    pub triggering_run_id: Option<String>,
    /// The Incident that it opened.
    pub triggering_incident_id: Option<String>,
    /// The failure that it wants to prevent.
    pub signature_id: Option<String>,
    /// The ACTIVE Policy Rules that it is at odds with, as long as it is PENDING.
    pub conflicts: Vec<ConflictView>,
    /// The Policy Rule that its approval has made, changed or retired.
    pub rule_id: Option<String>,
    /// Who reviewed it.
    pub reviewed_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub reviewed_at: Option<Timestamp>,
    /// What they said.
    pub review_notes: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends if nobody reviews it.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

impl ProposalView {
    /// A proposal with the rule that came of it, what it is at odds with, and what it changes.
    pub fn of(of: Proposal, rule: Option<RuleId>, conflicts: Vec<Conflict>, changes: Vec<Change>) -> Self {
        let Proposal {
            id,
            tenant: _,
            proposal_type,
            status,
            name,
            reason,
            target,
            target_version,
            definition,
            confidence,
            proposed_by,
            created_by,
            provenance,
            review,
            created_at,
            expires_at,
        } = of;
        Self {
            proposal_id: id.to_string(),
            proposal_type: proposal_type.as_str(),
            status: status.as_str(),
            name,
            reason,
            target_rule_id: target.map(|id| id.to_string()),
            target_version,
            definition: definition.map(Into::into),
            changes: changes.into_iter().map(Into::into).collect(),
            confidence_score: Thousandths(confidence),
            proposed_by: proposed_by.as_str(),
            created_by,
            triggering_run_id: provenance.triggering_run.map(|id| id.to_string()),
            triggering_incident_id: provenance.triggering_incident.map(|id| id.to_string()),
            signature_id: provenance.signature.map(|id| id.to_string()),
            conflicts: conflicts.into_iter().map(Into::into).collect(),
            rule_id: rule.map(|id| id.to_string()),
            reviewed_by: review.as_ref().map(|review| review.by.clone()),
            reviewed_at: review.as_ref().map(|review| review.at),
            review_notes: review.and_then(|review| review.notes),
            created_at,
            expires_at,
        }
    }
}

/// A page of proposals.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProposalPageView {
    /// Newest first.
    pub items: Vec<ProposalView>,
    /// Whether there are more.
    pub has_more: bool,
    /// What to send as `cursor` for the next page.
    pub next_cursor: Option<String>,
}
