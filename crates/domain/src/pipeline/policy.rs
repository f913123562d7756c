//! Can a policy of promotion be meant?

use alloc::vec::Vec;

use model::authority::AuthorityType;
use model::candidate::DETECTIONS_MAX;
use model::promotion::PromotionPolicy;
use model::severity::Severity;
use model::versioned::Versioned;

/// A policy that can be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedPolicy(PromotionPolicy);

impl LoadedPolicy {
    /// The policy, if it can be meant.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn load(policy: PromotionPolicy) -> Result<Self, PolicyError> {
        match problem(&policy) {
            None => Ok(Self(policy)),
            Some(problem) => Err(PolicyError {
                policy: policy.reference(),
                problem,
            }),
        }
    }

    /// The policy as it was written.
    pub const fn policy(&self) -> &PromotionPolicy {
        &self.0
    }
}

/// Policies that can be meant, sorted by name and version. Several versions of one may be there: candidates say which
/// one they are judged by.
#[derive(Debug, Clone, Default)]
pub struct Policies(Vec<LoadedPolicy>);

impl Policies {
    /// These policies.
    ///
    /// # Errors
    /// The first policy that cannot be meant, or that is there twice.
    pub fn load(policies: Vec<PromotionPolicy>) -> Result<Self, PolicyError> {
        let loaded: Result<Vec<_>, _> = policies.into_iter().map(LoadedPolicy::load).collect();
        let mut loaded = loaded?;
        loaded.sort_unstable_by_key(|policy| policy.0.reference());
        let twice = loaded
            .iter()
            .zip(loaded.iter().skip(1))
            .find(|(one, next)| one.0.reference() == next.0.reference());
        if let Some((one, _)) = twice {
            return Err(PolicyError {
                policy: one.0.reference(),
                problem: PolicyProblem::Twice,
            });
        }
        Ok(Self(loaded))
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &LoadedPolicy> {
        self.0.iter()
    }

    /// This version of this policy.
    pub fn get(&self, reference: &Versioned) -> Option<&LoadedPolicy> {
        self.0.iter().find(|policy| policy.0.reference() == *reference)
    }
}

/// Why a policy cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy {policy} cannot be loaded: {problem}")]
pub struct PolicyError {
    /// Which policy.
    pub policy: Versioned,
    /// What is wrong with it.
    pub problem: PolicyProblem,
}

/// What can be wrong with a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyProblem {
    /// Nobody knows what it is for.
    #[error("the description is empty")]
    NoDescription,
    /// A list that has to name something names nothing.
    #[error("`{field}` is empty")]
    EmptyList {
        /// Which.
        field: &'static str,
    },
    /// A number is too small or too large.
    #[error("`{field}` is too small or too large")]
    OutOfRange {
        /// Which.
        field: &'static str,
    },
    /// For a severity it names an authority that may not promote at all.
    #[error("for {} it names an authority that is not allowed", severity.as_str())]
    OverrideNotAllowed {
        /// For which.
        severity: Severity,
    },
    /// It asks for no evidence, and others than those on call may use it.
    #[error("evidence may only be left out where nobody but ON_CALL_SRE and EMERGENCY_OVERRIDE promotes")]
    EvidenceLeftOut,
    /// The product may promote what the policy does not speak for, or may not promote at all.
    #[error("AUTO_ENGINE may promote a severity that the policy does not let it promote")]
    AutoEngineSeverity,
    /// It is there twice.
    #[error("it is there twice")]
    Twice,
}

fn problem(policy: &PromotionPolicy) -> Option<PolicyProblem> {
    let eligibility = &policy.eligibility;
    let restrictions = &policy.authority_restrictions;
    let empty = |field| Some(PolicyProblem::EmptyList { field });
    let out = |field| Some(PolicyProblem::OutOfRange { field });
    if policy.description.trim().is_empty() {
        return Some(PolicyProblem::NoDescription);
    }
    if eligibility.allowed_severities.is_empty() {
        return empty("allowedSeverities");
    }
    if !detections(eligibility.min_detections) {
        return out("minDetections");
    }
    if eligibility.max_age_minutes < 1 {
        return out("maxAgeMinutes");
    }
    if eligibility
        .required_blast_radius_scope
        .as_ref()
        .is_some_and(Vec::is_empty)
    {
        return empty("requiredBlastRadiusScope");
    }
    if eligibility.allowed_services.as_ref().is_some_and(Vec::is_empty) {
        return empty("allowedServices");
    }
    if restrictions.allowed_authorities.is_empty() {
        return empty("allowedAuthorities");
    }
    for (severity, authorities) in &restrictions.severity_overrides {
        let allowed = |authority| restrictions.allowed_authorities.contains(authority);
        if authorities.is_empty() || !authorities.iter().all(allowed) {
            return Some(PolicyProblem::OverrideNotAllowed { severity: *severity });
        }
    }
    let on_call = |authority: &AuthorityType| {
        matches!(
            authority,
            AuthorityType::OnCallSre | AuthorityType::EmergencyOverride
        )
    };
    if !policy.rejection_conditions.insufficient_evidence
        && !restrictions.allowed_authorities.iter().all(on_call)
    {
        return Some(PolicyProblem::EvidenceLeftOut);
    }
    definitive(policy)
}

fn definitive(policy: &PromotionPolicy) -> Option<PolicyProblem> {
    let definitive = policy.definitive_evidence.as_ref()?;
    if definitive.rule_ids.is_empty() {
        return Some(PolicyProblem::EmptyList { field: "ruleIds" });
    }
    if !detections(definitive.min_detections) {
        return Some(PolicyProblem::OutOfRange {
            field: "definitiveEvidence.minDetections",
        });
    }
    let restrictions = &policy.authority_restrictions;
    let auto = AuthorityType::AutoEngine;
    let may = |severity: &Severity| {
        let overridden = restrictions.severity_overrides.get(severity);
        policy.eligibility.allowed_severities.contains(severity)
            && overridden
                .unwrap_or(&restrictions.allowed_authorities)
                .contains(&auto)
    };
    let all = definitive.auto_engine_severities.iter().all(may);
    (!all).then_some(PolicyProblem::AutoEngineSeverity)
}

fn detections(count: u32) -> bool {
    (1..=DETECTIONS_MAX).contains(&usize::try_from(count).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests;
