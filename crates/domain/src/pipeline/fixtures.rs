//! What do the tests of the pipeline work on?

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use model::authority::AuthorityType;
use model::detection::Detection;
use model::id::TenantId;
use model::json::Json;
use model::promotion::Promoter;
use model::severity::Severity;
use model::signal::{Certainty, NormalizedSignal, Signal, SignalSource, SignalType};
use model::time::Timestamp;

use super::candidates::{Built, build};
use super::correlate::correlate;
use super::detect::detect;
use super::shipped;
use super::signals::{SignalDraft, ingest, normalize};

pub(super) const TENANT: TenantId = TenantId::from_bits(1);

/// 2026-01-16, so many seconds after 10:00.
pub(super) fn at(seconds: i64) -> Timestamp {
    "2026-01-16T10:00:00Z"
        .parse::<Timestamp>()
        .unwrap()
        .plus_seconds(seconds)
}

/// An alarm of `search`, SEV2, at 10:00.
pub(super) fn draft() -> SignalDraft {
    SignalDraft {
        source: SignalSource::CustomApi,
        signal_type: SignalType::AlarmStateChange,
        service: "search".to_string(),
        severity: Severity::Sev2,
        confidence: Certainty::Definitive,
        dedupe_key: "arn:alarm:latency".to_string(),
        observed_at: at(0),
        title: "Latency too high".to_string(),
        attributes: Json::map([
            ("value", Json::from(950)),
            ("text", Json::from("p99 latency")),
            ("nothing", Json::Null),
            (
                "tags",
                Json::map([
                    ("alarmArn", Json::from("arn:alarm:latency")),
                    ("region", Json::from("eu-1")),
                ]),
            ),
            (
                "dimensions",
                Json::map([("resourceId", Json::from("i-1")), ("stage", Json::from(" "))]),
            ),
        ]),
        raw: "{\"threshold\": 0.95}".to_string(),
    }
}

pub(super) fn signal(change: impl FnOnce(&mut SignalDraft)) -> Signal {
    let mut changed = draft();
    change(&mut changed);
    ingest(TENANT, &changed, changed.observed_at.max(at(60))).unwrap()
}

pub(super) fn normalized(change: impl FnOnce(&mut SignalDraft)) -> NormalizedSignal {
    normalize(&signal(change), at(61))
}

/// What the shipped rules find in a changed draft.
pub(super) fn found(change: impl FnOnce(&mut SignalDraft)) -> Vec<Detection> {
    detect(&shipped::detection_rules().unwrap(), &normalized(change), at(62)).detections
}

/// What the rule `external-alarm` finds.
pub(super) fn alarm(change: impl FnOnce(&mut SignalDraft)) -> Detection {
    let mut detections = found(change);
    detections.retain(|detection| detection.rule.id.as_str() == "external-alarm");
    detections.pop().unwrap()
}

/// The candidate that a shipped rule makes of these detections.
pub(super) fn candidate(rule: &str, detections: &[Detection]) -> Built {
    let rules = shipped::correlation_rules().unwrap();
    let correlated = correlate(&rules, detections.last().unwrap(), detections);
    let correlation = correlated
        .correlations
        .iter()
        .find(|it| it.rule.id.as_str() == rule)
        .unwrap();
    build(rules.get(&correlation.rule).unwrap(), correlation, at(63)).unwrap()
}

pub(super) fn promoter(authority_type: AuthorityType) -> Promoter {
    let glass = authority_type == AuthorityType::EmergencyOverride;
    Promoter {
        authority_type,
        authority_id: "test".to_string(),
        session_id: None,
        justification: glass.then(|| String::from("the whole site is down, I promote it")),
    }
}
