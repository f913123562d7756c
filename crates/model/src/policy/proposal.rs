//! What is proposed, and what was prevented?

use alloc::string::String;

use super::Definition;
use crate::id::{IncidentId, PreventionId, ProposalId, RuleId, RunId, SignatureId, TenantId};
use crate::money::NanoUsd;
use crate::permille::Permille;
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// What a proposal wants.
    ProposalType {
        /// A new Policy Rule.
        Create,
        /// Another version of one.
        Modify,
        /// The end of one.
        Retire,
    }
}

wire_enum! {
    /// Where a proposal stands.
    ProposalStatus {
        /// It waits for a person.
        Pending,
        /// A person approved it; what it wants was done in the same transaction.
        Approved,
        /// A person rejected it.
        Rejected,
        /// Nobody reviewed it in time.
        Expired,
    }
}

impl Proposal {
    /// Whether it is this person's own; one of a person that nobody knows any more is everybody's.
    pub fn is_own(&self, person: &str) -> bool {
        let known = self.created_by.as_deref();
        self.proposed_by == ProposedBy::Human && known.is_none_or(|author| author == person)
    }
}

impl ProposalStatus {
    /// Whether it may go there: a proposal ends once.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Approved | Self::Rejected | Self::Expired)
        )
    }
}

wire_enum! {
    /// Who proposed it.
    ProposedBy {
        /// The loop.
        System,
        /// A person.
        Human,
    }
}

/// What a proposal goes back to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The LLM Run that failed.
    pub triggering_run: Option<RunId>,
    /// The Incident that it opened.
    pub triggering_incident: Option<IncidentId>,
    /// The failure it wants to prevent.
    pub signature: Option<SignatureId>,
}

/// What a person said about a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub notes: Option<String>,
}

/// A proposal to make, change or retire a Policy Rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Its id.
    pub id: ProposalId,
    /// Whose.
    pub tenant: TenantId,
    /// What it wants.
    pub proposal_type: ProposalType,
    /// Where it stands.
    pub status: ProposalStatus,
    /// What people call it.
    pub name: String,
    /// Why it is proposed.
    pub reason: String,
    /// The rule it is about (MODIFY, RETIRE).
    pub target: Option<RuleId>,
    /// The version of that rule when it was proposed.
    pub target_version: Option<u32>,
    /// What the rule is to say (CREATE, MODIFY).
    pub definition: Option<Definition>,
    /// How sure the proposer is that the rule meets the failure and nothing else.
    pub confidence: Permille,
    /// Who proposed it.
    pub proposed_by: ProposedBy,
    /// Which person; none for the loop.
    pub created_by: Option<String>,
    /// What it goes back to.
    pub provenance: Provenance,
    /// What a person said.
    pub review: Option<Review>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

wire_enum! {
    "snake_case";
    /// What became of an LLM Run that a rule met.
    PreventionOutcome {
        /// It did not run.
        Prevented,
        /// It ran, and the harm was less.
        Mitigated,
        /// It ran and failed all the same.
        Failed,
    }
}

/// The least confidence with which a prevention is recorded.
pub const PREVENTION_CONFIDENCE: Permille = Permille::new(600);

/// An LLM Run that a rule born of a failure kept from failing again: a fact, never changed. Where one is written, no
/// Incident is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prevention {
    /// Its id.
    pub id: PreventionId,
    /// Whose.
    pub tenant: TenantId,
    /// Which rule.
    pub rule: RuleId,
    /// In which version.
    pub rule_version: u32,
    /// The failure that was prevented.
    pub signature: SignatureId,
    /// The Incident that the failure had opened; none if it was less than high, and was proposed because it recurred.
    pub original_incident: Option<IncidentId>,
    /// The LLM Run that was refused.
    pub blocked_run: RunId,
    /// What became of it.
    pub outcome: PreventionOutcome,
    /// How sure it is that the run would have failed.
    pub confidence: Permille,
    /// What failing would have cost.
    pub estimated_saving: NanoUsd,
    /// When.
    pub at: Timestamp,
}
