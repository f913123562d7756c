//! What does the product itself notice, in facts of its own?
//!
//! Each function makes a draft for [`super::ingest`]. What the rules may look at is also what is kept as sent: there is
//! nobody else who sent it.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::{String, ToString as _};

use model::anomaly::{Anomaly, AnomalyType};
use model::breach::{Breach, BreachType};
use model::integrity::IntegrityStatus;
use model::json::Json;
use model::limit::Consequence;
use model::money::NanoUsd;
use model::severity::Severity;
use model::signal::{Certainty, SignalSource, SignalType};
use model::time::Timestamp;

use super::SignalDraft;
use crate::incidents::{FailedRun, open};

/// An LLM Run that failed, as bad as the table of failure codes says. Told twice, it is one signal: its key is the run.
pub fn failed_run(failed: &FailedRun<'_>, service: &str, observed_at: Timestamp) -> SignalDraft {
    let opening = open(failed);
    let failure = &failed.signature.failure;
    let request = &failed.signature.request;
    let run = failed.run.to_string();
    let attributes = Json::map([
        ("runId", Json::from(run.as_str())),
        ("code", Json::from(failure.code.as_str())),
        ("category", Json::from(opening.category.as_str())),
        ("errorClass", Json::from(failure.error_class.as_str())),
        (
            "upstreamStatus",
            Json::from(failure.upstream_status.map(i64::from)),
        ),
        ("provider", Json::from(request.provider.as_deref())),
        ("model", Json::from(request.model.as_deref())),
        ("agent", Json::from(request.agent.as_deref())),
        ("feature", Json::from(request.feature.as_deref())),
        ("signature", Json::from(opening.signature.to_string())),
        ("family", Json::from(opening.family.to_string())),
        (
            "dimensions",
            Json::map([("resourceId", Json::from(run.as_str()))]),
        ),
    ]);
    draft(SignalDraft {
        source: SignalSource::LlmRun,
        signal_type: SignalType::RunFailed,
        service: service.to_owned(),
        severity: opening.severity,
        confidence: Certainty::Definitive,
        dedupe_key: run,
        observed_at,
        title: opening.title,
        attributes,
        raw: String::new(),
    })
}

/// A breach of a Limit: a budget that had no room or was overspent, SEV2; a threshold that was passed, SEV3; a rate that
/// was full, SEV4. Its key is the Limit, so that what it refuses within a minute is one signal. What follows is what the
/// Limit says of itself.
pub fn breach(breach: &Breach, service: &str, consequence: Option<Consequence>) -> SignalDraft {
    let (signal_type, severity, what) = match breach.breach_type {
        BreachType::Exhausted => (SignalType::BudgetBreached, Severity::Sev2, "Budget Exhausted"),
        BreachType::Breached => (SignalType::BudgetBreached, Severity::Sev2, "Budget Passed"),
        BreachType::Violated => (SignalType::ThresholdViolated, Severity::Sev3, "Threshold Passed"),
        BreachType::Throttled => (SignalType::ThresholdViolated, Severity::Sev4, "Rate Full"),
    };
    let limit = breach.limit.to_string();
    let mut attributes = Json::map([
        ("breachId", Json::from(breach.id.to_string())),
        ("breachType", Json::from(breach.breach_type.as_str())),
        ("limitId", Json::from(limit.as_str())),
        ("limitOwner", Json::from(breach.limit_owner.to_string())),
        ("decisionId", Json::from(breach.decision.to_string())),
        ("runId", Json::from(breach.run.map(|run| run.to_string()))),
        ("value", Json::from(breach.value)),
        ("max", Json::from(breach.max)),
        (
            "dimensions",
            Json::map([("resourceId", Json::from(limit.as_str()))]),
        ),
    ]);
    if let (Json::Map(members), Some(follows)) = (&mut attributes, consequence) {
        members.insert("consequence".to_owned(), Json::from(follows.as_str()));
    }
    draft(SignalDraft {
        source: SignalSource::Limit,
        signal_type,
        service: service.to_owned(),
        severity,
        confidence: Certainty::Definitive,
        title: format!("{what}: Limit {limit}"),
        dedupe_key: limit,
        observed_at: breach.at,
        attributes,
        raw: String::new(),
    })
}

/// A cost anomaly, as bad as it is. Its key is the anomaly, which is the same for a day.
pub fn cost_anomaly(anomaly: &Anomaly, service: &str, observed_at: Timestamp) -> SignalDraft {
    let found = &anomaly.finding;
    let id = anomaly.id.to_string();
    let signal_type = match found.anomaly_type {
        AnomalyType::BudgetExceeded | AnomalyType::BudgetWarning => SignalType::BudgetBreached,
        AnomalyType::AbsoluteSpike | AnomalyType::SustainedDrift => SignalType::ThresholdViolated,
    };
    let over = NanoUsd(found.current.0.saturating_sub(found.expected.0));
    let attributes = Json::map([
        ("anomalyId", Json::from(id.as_str())),
        ("anomalyType", Json::from(found.anomaly_type.as_str())),
        ("entityType", Json::from(found.entity.as_str())),
        ("entityId", Json::from(found.entity_id.as_str())),
        ("current", Json::from(found.current.0)),
        ("expected", Json::from(found.expected.0)),
        ("deviationPct", Json::from(found.deviation_pct)),
        ("thresholdPct", Json::from(found.threshold_pct)),
        ("day", Json::from(anomaly.day)),
        ("dimensions", Json::map([("resourceId", Json::from(id.as_str()))])),
    ]);
    draft(SignalDraft {
        source: SignalSource::Limit,
        signal_type,
        service: service.to_owned(),
        severity: found.severity.severity(),
        confidence: Certainty::Definitive,
        title: format!(
            "Cost anomaly: {} (+${})",
            found.anomaly_type.as_str(),
            over.to_usd_string()
        ),
        dedupe_key: id,
        observed_at,
        attributes,
        raw: String::new(),
    })
}

/// Something stored that is not what was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation<'a> {
    /// What was checked, in the words of people: `Limit`, `Incident`, `audit ledger`.
    pub kind: &'a str,
    /// Which one.
    pub id: &'a str,
    /// What was found.
    pub status: IntegrityStatus,
    /// The names of the mismatches, if there are such.
    pub mismatches: &'a [String],
    /// When.
    pub found_at: Timestamp,
}

/// A violation of integrity: FAILED is SEV1, DEGRADED is SEV2. What is VERIFIED is none.
pub fn integrity_violation(violation: &Violation<'_>, service: &str) -> Option<SignalDraft> {
    let severity = match violation.status {
        IntegrityStatus::Verified => return None,
        IntegrityStatus::Degraded => Severity::Sev2,
        IntegrityStatus::Failed => Severity::Sev1,
    };
    let mismatches = violation.mismatches.iter().map(|name| Json::from(name.as_str()));
    let attributes = Json::map([
        ("kind", Json::from(violation.kind)),
        ("id", Json::from(violation.id)),
        ("status", Json::from(violation.status.as_str())),
        ("mismatches", Json::List(mismatches.collect())),
        (
            "dimensions",
            Json::map([("resourceId", Json::from(violation.id))]),
        ),
    ]);
    Some(draft(SignalDraft {
        source: SignalSource::Integrity,
        signal_type: SignalType::IntegrityViolated,
        service: service.to_owned(),
        severity,
        confidence: Certainty::Definitive,
        dedupe_key: format!("{}/{}", violation.kind, violation.id),
        observed_at: violation.found_at,
        title: format!(
            "Integrity {}: {} {}",
            violation.status.as_str(),
            violation.kind,
            violation.id
        ),
        attributes,
        raw: String::new(),
    }))
}

/// What a person or a program reports as an Incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report<'a> {
    /// The key under which it is created: told twice, it is one.
    pub idempotency_key: &'a str,
    /// Which service it is about.
    pub service: &'a str,
    /// How bad it is.
    pub severity: Severity,
    /// What people read.
    pub title: &'a str,
    /// Who reports it.
    pub reported_by: &'a str,
    /// When.
    pub reported_at: Timestamp,
    /// The body of the request, byte for byte.
    pub body: &'a str,
}

/// A report of an Incident: a statement, not a guess, and therefore DEFINITIVE.
pub fn manual_report(report: &Report<'_>) -> SignalDraft {
    SignalDraft {
        source: SignalSource::Manual,
        signal_type: SignalType::ManualReport,
        service: report.service.to_owned(),
        severity: report.severity,
        confidence: Certainty::Definitive,
        dedupe_key: report.idempotency_key.to_owned(),
        observed_at: report.reported_at,
        title: report.title.to_owned(),
        attributes: Json::map([("reportedBy", Json::from(report.reported_by))]),
        raw: report.body.to_owned(),
    }
}

fn draft(draft: SignalDraft) -> SignalDraft {
    SignalDraft {
        raw: draft.attributes.canonical(),
        ..draft
    }
}
