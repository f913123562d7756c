//! Is what was noticed a signal, and how do rules read it?

pub mod own;

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use model::digest::Digest;
use model::id::TenantId;
use model::json::Json;
use model::severity::Severity;
use model::signal::{
    AHEAD_MAX_SECONDS, ATTRIBUTES_DEPTH_MAX, ATTRIBUTES_MAX, Certainty, DEDUPE_KEY_MAX, EnvironmentRef,
    EnvironmentRefType, EvidenceRef, IdentityWindow, NormalizedSignal, RAW_MAX, ResourceRef, ResourceRefType,
    SERVICE_MAX, Signal, SignalSource, SignalType, TITLE_MAX,
};
use model::text::is_hidden;
use model::time::Timestamp;

use super::ids;

/// The version of normalised signals.
pub const NORMALIZATION_VERSION: &str = "v1";

/// What somebody says was noticed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignalDraft {
    /// Who noticed it.
    pub source: SignalSource,
    /// What kind of thing it is.
    pub signal_type: SignalType,
    /// Which service it is about.
    pub service: String,
    /// How bad it is.
    pub severity: Severity,
    /// How sure that is.
    pub confidence: Certainty,
    /// What the producer calls it: the same for the same thing.
    pub dedupe_key: String,
    /// When it was noticed.
    pub observed_at: Timestamp,
    /// What people read.
    pub title: String,
    /// What the rules may look at: an object.
    pub attributes: Json,
    /// What was sent, byte for byte.
    pub raw: String,
}

/// What is wrong with one field of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct SignalError {
    /// Which field, in the words of the API.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: SignalProblem,
}

/// What can be wrong with a field of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SignalProblem {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// There is too much in it.
    #[error("it is too long")]
    TooLong,
    /// It has characters that nobody sees.
    #[error("it has invisible characters")]
    Invisible,
    /// It comes from too far ahead.
    #[error("it is more than five minutes ahead")]
    Ahead,
    /// It is not an object.
    #[error("it is not an object")]
    NoObject,
    /// It has too many levels.
    #[error("it has too many levels")]
    TooDeep,
    /// Nobody who notices this kind of thing comes in this way.
    #[error("this source does not come in this way")]
    SourceNotAllowed,
    /// This source does not notice this kind of thing.
    #[error("this source does not notice that")]
    TypeNotAllowed,
}

/// The signal of this draft.
///
/// # Errors
/// Everything that is wrong with the draft, in the order of its fields.
pub fn ingest(tenant: TenantId, draft: &SignalDraft, now: Timestamp) -> Result<Signal, Vec<SignalError>> {
    let problems = problems(draft, now);
    if !problems.is_empty() {
        return Err(problems);
    }
    // Instants go over the wire in milliseconds: what is finer could not be checked.
    let observed_at = millis(draft.observed_at);
    let identity_window = IdentityWindow::of(observed_at);
    let id = ids::signal(&ids::SignalIdentity {
        tenant,
        source: draft.source,
        signal_type: draft.signal_type,
        service: &draft.service,
        severity: draft.severity,
        dedupe_key: &draft.dedupe_key,
        identity_window,
    });
    Ok(Signal {
        id,
        tenant,
        source: draft.source,
        signal_type: draft.signal_type,
        service: draft.service.clone(),
        severity: draft.severity,
        confidence: draft.confidence,
        dedupe_key: draft.dedupe_key.clone(),
        observed_at,
        identity_window,
        title: draft.title.clone(),
        attributes: draft.attributes.clone(),
        raw: draft.raw.clone(),
        raw_checksum: Digest::of(draft.raw.as_bytes()),
        ingested_at: now,
    })
}

/// The signal of a draft that came in from outside. What only the product or a person can notice is refused: the
/// policies trust those without a score.
///
/// # Errors
/// Everything that is wrong with the draft, in the order of its fields.
pub fn ingest_external(
    tenant: TenantId,
    draft: &SignalDraft,
    now: Timestamp,
) -> Result<Signal, Vec<SignalError>> {
    if !draft.source.is_external() {
        let mut found = problems(draft, now);
        let problem = SignalProblem::SourceNotAllowed;
        found.insert(
            0,
            SignalError {
                field: "source",
                problem,
            },
        );
        return Err(found);
    }
    ingest(tenant, draft, now)
}

/// Whether what was sent is still what was hashed.
pub fn is_intact(signal: &Signal) -> bool {
    Digest::of(signal.raw.as_bytes()) == signal.raw_checksum
}

/// The signal in the words of the rules. What it names is taken from the fields that say so, and nothing is inferred.
pub fn normalize(signal: &Signal, now: Timestamp) -> NormalizedSignal {
    let resource = |ref_type, field: &str| {
        named(&signal.attributes, field).map(|ref_value| ResourceRef {
            ref_type,
            ref_value,
            source_field: field.to_owned(),
        })
    };
    let environment = |env_type, field: &str| {
        named(&signal.attributes, field).map(|value| EnvironmentRef {
            env_type,
            value,
            source_field: field.to_owned(),
        })
    };
    NormalizedSignal {
        id: ids::normalized_signal(signal.tenant, signal.id, signal.signal_type, signal.observed_at),
        tenant: signal.tenant,
        source_signal_id: signal.id,
        signal_type: signal.signal_type,
        source: signal.source,
        service: signal.service.clone(),
        severity: signal.severity.into(),
        confidence: signal.confidence,
        dedupe_key: signal.dedupe_key.clone(),
        title: signal.title.clone(),
        timestamp: signal.observed_at,
        resource_refs: [
            resource(ResourceRefType::AwsArn, "tags.alarmArn"),
            resource(ResourceRefType::Name, "tags.metricName"),
            resource(ResourceRefType::Id, "dimensions.resourceId"),
        ]
        .into_iter()
        .flatten()
        .collect(),
        environment_refs: [
            environment(EnvironmentRefType::Account, "tags.account"),
            environment(EnvironmentRefType::Region, "tags.region"),
            environment(EnvironmentRefType::Stage, "dimensions.stage"),
        ]
        .into_iter()
        .flatten()
        .collect(),
        evidence_refs: [EvidenceRef {
            evidence_type: "raw-signal".to_owned(),
            ref_id: signal.id,
            checksum: signal.raw_checksum,
        }],
        attributes: signal.attributes.clone(),
        normalization_version: NORMALIZATION_VERSION.to_owned(),
        normalized_at: now,
    }
}

fn named(attributes: &Json, field: &str) -> Option<String> {
    match attributes.at(field) {
        Some(Json::Text(text)) if !text.trim().is_empty() => Some(text.clone()),
        _ => None,
    }
}

fn millis(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros().saturating_sub(at.as_micros().rem_euclid(1000)))
}

fn problems(draft: &SignalDraft, now: Timestamp) -> Vec<SignalError> {
    let mut found = Vec::new();
    let mut wrong = |field, problem: Option<SignalProblem>| {
        found.extend(problem.map(|problem| SignalError { field, problem }));
    };
    let fits = notices(draft.source, draft.signal_type);
    wrong("signalType", (!fits).then_some(SignalProblem::TypeNotAllowed));
    wrong("service", line(&draft.service, SERVICE_MAX));
    let long_key = (draft.dedupe_key.len() > DEDUPE_KEY_MAX).then_some(SignalProblem::TooLong);
    wrong("dedupeKey", line(&draft.dedupe_key, DEDUPE_KEY_MAX).or(long_key));
    let latest = now.plus_seconds(AHEAD_MAX_SECONDS);
    // What the product itself has noticed was written down by a node of ours: that the clock of another one is behind is no
    // reason to look away for ever.
    let is_ahead = draft.source.is_external() && draft.observed_at > latest;
    wrong("observedAt", is_ahead.then_some(SignalProblem::Ahead));
    wrong("title", line(&draft.title, TITLE_MAX));
    wrong("attributes", attributes(&draft.attributes));
    wrong(
        "raw",
        (draft.raw.len() > RAW_MAX).then_some(SignalProblem::TooLong),
    );
    found
}

/// What is wrong with a line of text of at most so many characters.
fn line(text: &str, max: usize) -> Option<SignalProblem> {
    if text.trim().is_empty() {
        Some(SignalProblem::Empty)
    } else if text.chars().count() > max {
        Some(SignalProblem::TooLong)
    } else {
        text.chars().any(is_hidden).then_some(SignalProblem::Invisible)
    }
}

fn attributes(attributes: &Json) -> Option<SignalProblem> {
    if !matches!(attributes, Json::Map(_)) {
        Some(SignalProblem::NoObject)
    } else if attributes.depth() > ATTRIBUTES_DEPTH_MAX {
        Some(SignalProblem::TooDeep)
    } else {
        (attributes.canonical().len() > ATTRIBUTES_MAX).then_some(SignalProblem::TooLong)
    }
}

/// Whether this source notices this kind of thing.
const fn notices(source: SignalSource, signal_type: SignalType) -> bool {
    match source {
        SignalSource::CloudwatchAlarm => matches!(signal_type, SignalType::AlarmStateChange),
        SignalSource::CloudwatchMetric => matches!(signal_type, SignalType::MetricBreach),
        SignalSource::CloudwatchLogs => matches!(signal_type, SignalType::LogPatternMatch),
        SignalSource::CustomApi | SignalSource::Eventbridge => matches!(
            signal_type,
            SignalType::AlarmStateChange
                | SignalType::MetricBreach
                | SignalType::LogPatternMatch
                | SignalType::CustomEvent
                | SignalType::InfrastructureEvent
        ),
        SignalSource::LlmRun => matches!(signal_type, SignalType::RunFailed),
        SignalSource::Limit => matches!(
            signal_type,
            SignalType::BudgetBreached | SignalType::ThresholdViolated
        ),
        SignalSource::Integrity => matches!(signal_type, SignalType::IntegrityViolated),
        SignalSource::Manual => matches!(signal_type, SignalType::ManualReport),
    }
}

#[cfg(test)]
mod tests;
