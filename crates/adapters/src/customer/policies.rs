//! How is a Policy Rule shown?

use std::collections::BTreeSet;

use domain::policy::proposals::{Change, Conflict, diff};
use domain::policy::{Judgement, Reason};
use model::digest::Digest;
use model::integrity::{Integrity, IntegrityStatus};
use model::permille::Permille;
use model::policy::{Definition, Rule, Stage};
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::number::Thousandths;

/// A Policy Rule.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RuleView {
    /// Its id.
    #[schema(example = "PR-01KB0000000000000000000000")]
    pub rule_id: String,
    /// The number of this version, from 1.
    pub version: u32,
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
    /// GLOBAL, TENANT, PROJECT or AGENT.
    pub scope: &'static str,
    /// Which project or agent.
    pub scope_id: Option<String>,
    /// BLOCK, WARN, LOG or `DRY_RUN`.
    pub enforcement_mode: &'static str,
    /// BLOCK or ANNOTATE: what happens when it matches in a stream (OUTPUT).
    pub on_stream: &'static str,
    /// ACTIVE or RETIRED.
    pub status: &'static str,
    /// SHA-256 of this version and all before it.
    pub hash: String,
    /// VERIFIED, DEGRADED or FAILED: whether it is what was decided.
    pub integrity_status: &'static str,
    /// 0.000 to 1.000.
    #[schema(value_type = f64, example = 1.0)]
    pub integrity_score: Thousandths,
    /// MANUAL, SYSTEM or LEARNED (born of an Incident).
    pub source: &'static str,
    /// The proposal it came from.
    pub source_proposal_id: Option<String>,
    /// The Incident it came from.
    pub source_incident_id: Option<String>,
    /// The LLM Run it came from.
    pub source_run_id: Option<String>,
    /// The rule it was made from.
    pub parent_rule_id: Option<String>,
    /// Who made it.
    pub created_by: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// When it was retired.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub retired_at: Option<Timestamp>,
    /// By whom.
    pub retired_by: Option<String>,
    /// Why.
    pub retirement_reason: Option<String>,
    /// The rule that took its place.
    pub superseded_by: Option<String>,
}

impl RuleView {
    /// A rule with what was found of it. A rule of which nothing is known has not been verified.
    pub fn of(rule: Rule, integrity: Option<Integrity>) -> Self {
        let Rule {
            id,
            tenant: _,
            version,
            definition,
            status,
            hash,
            source,
            source_proposal,
            source_incident,
            source_run,
            parent,
            created_by,
            retirement,
            created_at,
            updated_at,
        } = rule;
        let (integrity, score) = integrity.map_or((IntegrityStatus::Failed, Permille::ZERO), |found| {
            (found.status, found.score)
        });
        let superseded_by = retirement.as_ref().and_then(|end| end.superseded_by);
        Self {
            rule_id: id.to_string(),
            version,
            name: definition.name,
            description: definition.description,
            rule_type: definition.rule_type.as_str(),
            stage: definition.stage.as_str(),
            condition: definition.condition,
            min_confidence: Thousandths(definition.min_confidence),
            scope: definition.scope.as_str(),
            scope_id: definition.scope_id,
            enforcement_mode: definition.mode.as_str(),
            on_stream: definition.on_stream.as_str(),
            status: status.as_str(),
            hash: hash.to_string(),
            integrity_status: integrity.as_str(),
            integrity_score: Thousandths(score),
            source: source.as_str(),
            source_proposal_id: source_proposal.map(|id| id.to_string()),
            source_incident_id: source_incident.map(|id| id.to_string()),
            source_run_id: source_run.map(|id| id.to_string()),
            parent_rule_id: parent.map(|id| id.to_string()),
            created_by,
            created_at,
            updated_at,
            retired_at: retirement.as_ref().map(|end| end.at),
            retired_by: retirement.as_ref().map(|end| end.by.clone()),
            superseded_by: superseded_by.map(|id| id.to_string()),
            retirement_reason: retirement.map(|end| end.reason),
        }
    }
}

/// A Policy Rule that was made or changed just now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WrittenRuleView {
    /// The rule.
    #[serde(flatten)]
    pub rule: RuleView,
    /// The ACTIVE rules that it is at odds with; it applies all the same.
    pub conflicts: Vec<ConflictView>,
}

/// A Policy Rule that another one is at odds with.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConflictView {
    /// Which.
    pub rule_id: String,
    /// `CONTRADICTING_MODE`, DUPLICATE, `SAME_SIGNATURE` or SHADOWED.
    pub kind: &'static str,
    /// Whether it keeps a proposal from being approved.
    pub blocking: bool,
}

impl From<Conflict> for ConflictView {
    fn from(conflict: Conflict) -> Self {
        Self {
            rule_id: conflict.rule.to_string(),
            kind: conflict.kind.into(),
            blocking: conflict.blocking,
        }
    }
}

/// A page of Policy Rules.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RulePageView {
    /// Newest first.
    pub items: Vec<RuleView>,
    /// Whether there are more.
    pub has_more: bool,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// A version of a Policy Rule.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RuleVersionView {
    /// Its number, from 1.
    pub version: u32,
    /// SHA-256 of this version and all before it.
    pub hash: String,
    /// Why it was made.
    pub change_reason: Option<String>,
    /// By whom.
    pub changed_by: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// What it changed of the version before it; of the first version everything it says.
    pub changes: Vec<FieldChangeView>,
}

/// A field that says something else than before.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldChangeView {
    /// Which.
    pub field: &'static str,
    /// What it said.
    pub before: Option<String>,
    /// What it says.
    pub after: Option<String>,
}

impl From<Change> for FieldChangeView {
    fn from(change: Change) -> Self {
        let Change { field, before, after } = change;
        Self { field, before, after }
    }
}

/// All versions of a Policy Rule.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RuleVersionsView {
    /// Oldest first.
    pub items: Vec<RuleVersionView>,
}

/// A version as it is stored.
#[derive(Debug)]
pub struct StoredVersion {
    /// Its number.
    pub version: u32,
    /// What it says.
    pub definition: Definition,
    /// Its hash.
    pub hash: Digest,
    /// Why it was made.
    pub reason: Option<String>,
    /// By whom.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl RuleVersionsView {
    /// The versions, oldest first, each with what it changed.
    pub fn of(versions: Vec<StoredVersion>) -> Self {
        let mut previous: Option<Definition> = None;
        let mut items = Vec::with_capacity(versions.len());
        for stored in versions {
            let changes = match &previous {
                Some(before) => diff(before, &stored.definition),
                None => domain::policy::proposals::all(&stored.definition),
            };
            items.push(RuleVersionView {
                version: stored.version,
                hash: stored.hash.to_string(),
                change_reason: stored.reason,
                changed_by: stored.by,
                created_at: stored.at,
                changes: changes.into_iter().map(Into::into).collect(),
            });
            previous = Some(stored.definition);
        }
        Self { items }
    }
}

/// What a client is told whose request a Policy Rule refuses, or whose answer it withholds: which one, why, and which
/// Incident it came from. It repeats nothing of the request or the answer.
pub fn message(judgement: &Judgement, stage: Stage) -> String {
    let does = match stage {
        Stage::Input => "refuses this LLM Run",
        Stage::Output => "withholds the answer of this LLM Run",
    };
    let Some(deciding) = judgement.deciding() else {
        return format!("A Policy Rule {does}.");
    };
    let (rule, name) = (deciding.rule, &deciding.name);
    let why = match &deciding.reason {
        Reason::Condition => String::new(),
        Reason::Findings { findings } => {
            let kinds: BTreeSet<&str> = findings.iter().map(|finding| finding.kind.as_str()).collect();
            let kinds: Vec<&str> = kinds.into_iter().collect();
            format!(" It found {}.", kinds.join(", "))
        }
        Reason::PolicyError { detail } => format!(" It could not be judged: {detail}."),
    };
    let born = match deciding.source_incident {
        Some(incident) => format!(" It prevents what happened in the Incident {incident}."),
        None => String::new(),
    };
    format!("The Policy Rule {rule} \u{201c}{name}\u{201d} {does}.{why}{born}")
}
