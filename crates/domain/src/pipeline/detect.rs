//! Which rules apply to a signal, and what do they find?
//!
//! A rule that looks at a signal evaluates all its conditions, also behind one that fails, so that its trace shows
//! everything. Rules that cannot be meant are refused when they are loaded; nothing is guessed when they are evaluated.

mod condition;
mod load;
mod problem;

use alloc::borrow::ToOwned as _;
use alloc::vec::Vec;

use model::detection::{
    Detection, DetectionRule, Evaluation, EvaluationStep, RuleVerdict, SIGNALS_MAX, SignalMatcher,
};
use model::json::Json;
use model::score::Score;
use model::signal::NormalizedSignal;
use model::time::Timestamp;

pub use self::load::{DetectionRules, LoadedRule};
pub use self::problem::{RuleError, RuleProblem};
use super::ids;

/// The version of detections.
pub const DETECTION_VERSION: &str = "v1";
/// So many signals make a group of them as sure as can be.
pub const SURE_FROM_SIGNALS: u64 = 10;

/// What the rules made of a signal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Detected {
    /// What they found, in the order of the rules.
    pub detections: Vec<Detection>,
    /// What each rule that looked at the signal said, in the order of the rules.
    pub evaluations: Vec<Evaluation>,
}

/// Why signals make no detection.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DetectError {
    /// There are none.
    #[error("there is no signal")]
    NoSignals,
    /// There are more than one detection can name.
    #[error("there are more than {SIGNALS_MAX} signals")]
    TooManySignals,
    /// They belong to several tenants.
    #[error("the signals belong to several tenants")]
    SeveralTenants,
    /// They are about several services.
    #[error("the signals are about several services")]
    SeveralServices,
    /// They are not equally bad.
    #[error("the signals are not equally bad")]
    SeveralSeverities,
    /// The rule does not apply to one of them.
    #[error("the rule does not apply to every signal")]
    NoMatch,
}

/// What all rules find in one signal.
pub fn detect(rules: &DetectionRules, signal: &NormalizedSignal, now: Timestamp) -> Detected {
    let evaluated = rules
        .iter()
        .filter_map(|rule| Some((rule, evaluate(rule, signal)?)));
    let mut detected = Detected {
        detections: Vec::new(),
        evaluations: Vec::new(),
    };
    for (rule, evaluation) in evaluated {
        if evaluation.decision == RuleVerdict::Match {
            let evaluations = Vec::from([evaluation.clone()]);
            detected
                .detections
                .push(detection(rule.rule(), signal, &[signal], evaluations, now));
        }
        detected.evaluations.push(evaluation);
    }
    detected
}

/// What one rule finds in several signals together, in any order; each counts once.
///
/// # Errors
/// See [`DetectError`].
pub fn detect_together(
    rule: &LoadedRule,
    signals: &[NormalizedSignal],
    now: Timestamp,
) -> Result<Detection, DetectError> {
    let mut signals: Vec<_> = signals.iter().collect();
    signals.sort_unstable_by_key(|signal| (signal.source_signal_id, signal.timestamp, signal.id));
    signals.dedup_by_key(|signal| signal.source_signal_id);
    let earliest = signals
        .iter()
        .min_by_key(|signal| (signal.timestamp, signal.source_signal_id));
    let first = *earliest.ok_or(DetectError::NoSignals)?;
    if signals.len() > SIGNALS_MAX {
        return Err(DetectError::TooManySignals);
    }
    if signals.iter().any(|signal| signal.tenant != first.tenant) {
        return Err(DetectError::SeveralTenants);
    }
    if signals.iter().any(|signal| signal.service != first.service) {
        return Err(DetectError::SeveralServices);
    }
    if signals.iter().any(|signal| signal.severity != first.severity) {
        return Err(DetectError::SeveralSeverities);
    }
    let evaluations: Vec<_> = signals
        .iter()
        .filter_map(|signal| evaluate(rule, signal))
        .collect();
    let matching = evaluations
        .iter()
        .filter(|evaluation| evaluation.decision == RuleVerdict::Match);
    if matching.count() != signals.len() {
        return Err(DetectError::NoMatch);
    }
    Ok(detection(rule.rule(), first, &signals, evaluations, now))
}

/// What a rule says about a signal; nothing if it does not look at such.
pub fn evaluate(rule: &LoadedRule, signal: &NormalizedSignal) -> Option<Evaluation> {
    if !looks_at(&rule.rule().signal_matcher, signal) {
        return None;
    }
    let document = document(signal);
    let mut trace: Vec<_> = rule
        .conditions()
        .enumerate()
        .map(|(place, condition)| condition.step(place, &document))
        .collect();
    if trace.is_empty() {
        trace.push(EvaluationStep {
            step_index: 0,
            condition_id: "UNCONDITIONAL".to_owned(),
            field: alloc::string::String::new(),
            operator: None,
            expected: Json::Null,
            actual: Json::Null,
            result: true,
        });
    }
    let holds = trace.iter().all(|step| step.result);
    Some(Evaluation {
        rule: rule.rule().reference(),
        normalized_signal_id: signal.id,
        decision: if holds {
            RuleVerdict::Match
        } else {
            RuleVerdict::NoMatch
        },
        evaluation_trace: trace,
    })
}

fn looks_at(matcher: &SignalMatcher, signal: &NormalizedSignal) -> bool {
    fn any<T: PartialEq>(list: &[T], value: &T) -> bool {
        list.is_empty() || list.contains(value)
    }
    any(&matcher.signal_types, &signal.signal_type)
        && any(&matcher.sources, &signal.source)
        && any(&matcher.severities, &signal.severity)
        && any(&matcher.confidences, &signal.confidence)
}

/// What conditions see of a signal: no id and no time of ours.
fn document(signal: &NormalizedSignal) -> Json {
    let resources = signal.resource_refs.iter().map(|found| {
        Json::map([
            ("refType", Json::from(found.ref_type.as_str())),
            ("refValue", Json::from(found.ref_value.as_str())),
        ])
    });
    let environments = signal.environment_refs.iter().map(|found| {
        Json::map([
            ("envType", Json::from(found.env_type.as_str())),
            ("value", Json::from(found.value.as_str())),
        ])
    });
    Json::map([
        ("signalType", Json::from(signal.signal_type.as_str())),
        ("source", Json::from(signal.source.as_str())),
        ("service", Json::from(signal.service.as_str())),
        ("severity", Json::from(signal.severity.as_str())),
        ("confidence", Json::from(signal.confidence.as_str())),
        ("dedupeKey", Json::from(signal.dedupe_key.as_str())),
        ("title", Json::from(signal.title.as_str())),
        ("timestamp", Json::from(alloc::format!("{}", signal.timestamp))),
        ("resourceRefs", Json::List(resources.collect())),
        ("environmentRefs", Json::List(environments.collect())),
        ("attributes", signal.attributes.clone()),
    ])
}

/// The signals are sorted by id; `first` is the earliest.
fn detection(
    rule: &DetectionRule,
    first: &NormalizedSignal,
    signals: &[&NormalizedSignal],
    evaluations: Vec<Evaluation>,
    now: Timestamp,
) -> Detection {
    let reference = rule.reference();
    let signal_ids: Vec<_> = signals.iter().map(|signal| signal.source_signal_id).collect();
    let mut resource_refs: Vec<_> = signals
        .iter()
        .flat_map(|signal| signal.resource_refs.iter().cloned())
        .collect();
    resource_refs.sort_unstable();
    resource_refs.dedup();
    let confidence = match signals.len() {
        1 => Score::ONE,
        count => Score::of(u64::try_from(count).unwrap_or(u64::MAX), SURE_FROM_SIGNALS),
    };
    Detection {
        id: ids::detection(first.tenant, &reference, &signal_ids),
        tenant: first.tenant,
        rule: reference,
        category: rule.category,
        signal_ids,
        normalized_signal_ids: signals.iter().map(|signal| signal.id).collect(),
        service: first.service.clone(),
        source: first.source,
        signal_type: first.signal_type,
        dedupe_key: first.dedupe_key.clone(),
        title: first.title.clone(),
        severity: rule.output_severity.unwrap_or(first.severity),
        certainty: rule.output_confidence,
        confidence,
        signal_timestamp: first.timestamp,
        resource_refs,
        evaluations,
        detection_version: DETECTION_VERSION.to_owned(),
        detected_at: now,
    }
}

#[cfg(test)]
mod tests;
