//! What does a version of a Policy Rule say?

use alloc::string::{String, ToString as _};

use super::{EnforcementMode, OnStream, RuleScope, RuleSource, RuleStatus, RuleType, Stage};
use crate::digest::{Canonical, Digest};
use crate::id::{IncidentId, ProposalId, RuleId, RunId, TenantId};
use crate::permille::Permille;
use crate::time::Timestamp;

/// What a Policy Rule says: everything a person can change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Definition {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it judges by.
    pub rule_type: RuleType,
    /// When it is judged.
    pub stage: Stage,
    /// The condition, in CEL; none for an evaluator's rule that always applies.
    pub condition: Option<String>,
    /// The least confidence of a finding that counts (evaluators' rules).
    pub min_confidence: Permille,
    /// Whose requests it applies to.
    pub scope: RuleScope,
    /// Which project or agent; none for GLOBAL and TENANT.
    pub scope_id: Option<String>,
    /// What happens when it matches.
    pub mode: EnforcementMode,
    /// What happens when it matches in a stream (OUTPUT rules).
    pub on_stream: OnStream,
}

/// How a Policy Rule ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retirement {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The rule that took its place.
    pub superseded_by: Option<RuleId>,
}

/// A Policy Rule as it is stored, in its newest version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// Its owner; [`TenantId::PLATFORM`] for GLOBAL rules.
    pub tenant: TenantId,
    /// The number of this version; the first is 1.
    pub version: u32,
    /// What it says.
    pub definition: Definition,
    /// Whether it applies.
    pub status: RuleStatus,
    /// The hash of this version, [`crate::integrity::link`] of its canonical form.
    pub hash: Digest,
    /// Who made it.
    pub source: RuleSource,
    /// The proposal it came from.
    pub source_proposal: Option<ProposalId>,
    /// The Incident it came from.
    pub source_incident: Option<IncidentId>,
    /// The LLM Run it came from.
    pub source_run: Option<RunId>,
    /// The rule it was made from.
    pub parent: Option<RuleId>,
    /// Who created it; none for the installation.
    pub created_by: Option<String>,
    /// How it ended, if it did.
    pub retirement: Option<Retirement>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Definition {
    /// The same in another mode. What is raised to BLOCK blocks streams too: that it annotates them was said of a mode that
    /// refuses nothing.
    #[must_use]
    pub fn in_mode(self, mode: EnforcementMode) -> Self {
        let on_stream = if mode.refuses() && !self.mode.refuses() {
            OnStream::Block
        } else {
            self.on_stream
        };
        Self {
            mode,
            on_stream,
            ..self
        }
    }

    /// The canonical form of a version of this rule: whose it is, whether it applies, and what it says. Retiring a rule
    /// is a version too, so that nobody can do it by hand unseen.
    pub fn canonical(&self, tenant: TenantId, id: RuleId, status: RuleStatus) -> Canonical {
        let Self {
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
        } = self;
        Canonical::new("rule/1")
            .shown("tenant", tenant)
            .shown("id", id)
            .text("status", status.as_str())
            .text("name", name)
            .optional("description", description.as_deref())
            .text("type", rule_type.as_str())
            .text("stage", stage.as_str())
            .optional("condition", condition.as_deref())
            .shown("min_confidence", min_confidence)
            .text("scope", scope.as_str())
            .optional("scope_id", scope_id.as_deref())
            .text("mode", mode.as_str())
            .text("on_stream", on_stream.as_str())
    }
}

impl Rule {
    /// The canonical form of this version: what it says, and where the rule comes from, which refusals and savings name.
    pub fn canonical(&self) -> Canonical {
        self.definition
            .canonical(self.tenant, self.id, self.status)
            .text("source", self.source.as_str())
            .optional(
                "source_proposal",
                self.source_proposal.map(|id| id.to_string()).as_deref(),
            )
            .optional(
                "source_incident",
                self.source_incident.map(|id| id.to_string()).as_deref(),
            )
            .optional("source_run", self.source_run.map(|id| id.to_string()).as_deref())
            .optional("parent", self.parent.map(|id| id.to_string()).as_deref())
    }

    /// The hash of this version, computed anew behind the hash of the version before it ([`Digest::ZERO`] for the first).
    pub fn hash_after(&self, previous: Digest) -> Digest {
        crate::integrity::link(previous, self.version, &self.canonical())
    }
}
