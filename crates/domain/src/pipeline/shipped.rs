//! Which rules and policies come with the product?
//!
//! They are files beside this one, one per version, read by the same strict loaders that read anybody's. A file never
//! changes once it was released: a change is another file with another version.

use alloc::vec::Vec;

use model::candidate::CorrelationRule;
use model::detection::DetectionRule;
use model::promotion::PromotionPolicy;

use super::correlate::{CorrelationError, CorrelationRules};
use super::detect::{DetectionRules, RuleError};
use super::policy::{Policies, PolicyError};

/// A file: its name without `.json`, and what stands in it.
type File = (&'static str, &'static str);

macro_rules! files {
    ($folder:literal: $($name:literal)*) => {
        &[$(($name, include_str!(concat!("shipped/", $folder, "/", $name, ".json")))),*]
    };
}

/// The rules that make detections.
pub const DETECTION_RULES: &[File] = files! { "detection":
    "budget-breached.v1.0.0" "cost-anomaly.v1.0.0" "external-alarm.v1.0.0" "external-event.v1.0.0" "high-severity-signal.v1.0.0"
    "integrity-violated.v1.0.0" "llm-run-failed.v1.0.0" "manual-report.v1.0.0" "threshold-incident.v1.0.0"
    "threshold-violated.v1.0.0"
};
/// The rules that make candidates.
pub const CORRELATION_RULES: &[File] = files! { "correlation":
    "budget-breach.v1.0.0" "cost-anomaly.v1.0.0" "failed-run.v1.0.0" "high-severity.v1.0.0" "infrastructure-wide.v1.0.0"
    "integrity-violation.v1.0.0" "manual-report.v1.0.0" "rule-cluster.v1.0.0" "service-cascade.v1.0.0"
    "threshold-incident.v1.0.0" "threshold-violations.v1.0.0"
};
/// The policies of promotion.
pub const POLICIES: &[File] = files! { "policies":
    "budget-breaches.v1.0.0" "cost-anomalies.v1.0.0" "default.v1.0.0" "emergency.v1.0.0" "failed-runs.v1.0.0" "integrity-violations.v1.0.0"
    "manual-reports.v1.0.0" "promotions-by-hand.v1.0.0" "threshold-incidents.v1.0.0" "threshold-violations.v1.0.0"
};

/// Why what was shipped, or what somebody wrote, cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file is no rule or policy: a field is missing, unknown or of another kind.
    #[error("the file {name} cannot be read")]
    Read {
        /// Which.
        name: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A rule cannot be meant.
    #[error(transparent)]
    Detection(#[from] RuleError),
    /// A rule of correlation cannot be meant.
    #[error(transparent)]
    Correlation(#[from] CorrelationError),
    /// A policy cannot be meant.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

/// The rules that make detections.
///
/// # Errors
/// See [`LoadError`]; a test holds what is shipped to having none.
pub fn detection_rules() -> Result<DetectionRules, LoadError> {
    Ok(DetectionRules::load(read::<DetectionRule>(DETECTION_RULES)?)?)
}

/// The rules that make candidates.
///
/// # Errors
/// See [`LoadError`]; a test holds what is shipped to having none.
pub fn correlation_rules() -> Result<CorrelationRules, LoadError> {
    Ok(CorrelationRules::load(read::<CorrelationRule>(
        CORRELATION_RULES,
    )?)?)
}

/// The policies of promotion.
///
/// # Errors
/// See [`LoadError`]; a test holds what is shipped to having none.
pub fn policies() -> Result<Policies, LoadError> {
    Ok(Policies::load(read::<PromotionPolicy>(POLICIES)?)?)
}

fn read<T: for<'de> serde::Deserialize<'de>>(files: &[File]) -> Result<Vec<T>, LoadError> {
    let parsed = files
        .iter()
        .map(|(name, text)| serde_json::from_str(text).map_err(|source| LoadError::Read { name, source }));
    parsed.collect()
}

#[cfg(test)]
mod tests;
