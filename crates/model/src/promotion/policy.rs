//! What is a policy of promotion?

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::authority::AuthorityType;
use crate::candidate::{BlastScope, CandidateConfidence};
use crate::severity::Severity;
use crate::versioned::{Name, Semver, Versioned};

/// Which candidates a policy speaks for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Eligibility {
    /// Not less sure than this.
    pub min_confidence: CandidateConfidence,
    /// Of these severities; one or more.
    pub allowed_severities: Vec<Severity>,
    /// Of at least so many detections; 1 or more.
    pub min_detections: u32,
    /// Not older than this, in minutes; 1 or more.
    pub max_age_minutes: u32,
    /// Of one of these scopes; of any if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_blast_radius_scope: Option<Vec<BlastScope>>,
    /// About one of these services; about any if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_services: Option<Vec<String>>,
}

/// Who may promote.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthorityRestrictions {
    /// One of these; one or more.
    pub allowed_authorities: Vec<AuthorityType>,
    /// For these severities, one of those only.
    #[serde(default)]
    pub severity_overrides: BTreeMap<Severity, Vec<AuthorityType>>,
}

/// When a candidate waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeferralConditions {
    /// While another Incident of the service is going on.
    pub pending_incident_for_service: bool,
    /// For so long after the last promotion for the service, in minutes; 0 is never.
    pub cooldown_minutes: u32,
}

/// When a candidate is rejected.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RejectionConditions {
    /// If it was promoted before.
    pub duplicate_candidate: bool,
    /// If it is too old.
    pub stale_candidate: bool,
    /// If its evidence is below what the gate asks for.
    pub insufficient_evidence: bool,
}

/// Evidence that needs no score, because it is a fact of a ledger or what a person says: if every detection of a
/// candidate was found by one of these rules and is DEFINITIVE, this stands instead of what the gate asks for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DefinitiveEvidence {
    /// The rules, whatever their versions; one or more.
    pub rule_ids: Vec<Name>,
    /// How many detections are enough; 1 or more.
    pub min_detections: u32,
    /// The severities that `AUTO_ENGINE` may promote, beyond its own.
    pub auto_engine_severities: Vec<Severity>,
}

/// By which a candidate becomes an Incident or does not. A version never changes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PromotionPolicy {
    /// Which policy.
    pub id: Name,
    /// Which version of it.
    pub version: Semver,
    /// What it is for.
    pub description: String,
    /// Which candidates it speaks for.
    pub eligibility: Eligibility,
    /// Who may promote.
    pub authority_restrictions: AuthorityRestrictions,
    /// When a candidate waits for a person.
    pub deferral_conditions: DeferralConditions,
    /// When a candidate is rejected.
    pub rejection_conditions: RejectionConditions,
    /// Which evidence needs no score; none if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definitive_evidence: Option<DefinitiveEvidence>,
}

impl PromotionPolicy {
    /// What it is called.
    pub fn reference(&self) -> Versioned {
        Versioned {
            id: self.id.clone(),
            version: self.version,
        }
    }
}
