//! Which detections belong together?
//!
//! Every rule is looked at by itself: the detections of its window that pass its filters are grouped, and each group is
//! held to the threshold by itself. Only what was noticed within the window counts, whenever it came in.

mod load;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use model::candidate::{Alignment, CorrelationRule, DetectionFilter, GroupKey, Truncation, Window};
use model::detection::Detection;
use model::id::TenantId;
use model::signal::{Grade, IdentityWindow, SignalSource, SignalType};
use model::time::Timestamp;
use model::versioned::{Name, Versioned};

pub use self::load::{CorrelationError, CorrelationProblem, CorrelationRules, FORBIDDEN_WORDS, VARIABLES};

const MINUTE_MICROS: i64 = 60 * Timestamp::MICROS_PER_SECOND;

/// Detections that belong together by one rule.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Correlation {
    /// Whose they are.
    pub tenant: TenantId,
    /// By which rule.
    pub rule: Versioned,
    /// What they have in common: `name=value`, sorted, joined by `&`.
    pub group_key: String,
    /// From when; with a sliding window, what is noticed at this instant does not belong to it any more.
    pub window_start: Timestamp,
    /// Until when; with a fixed window, what is noticed at this instant belongs to the next one.
    pub window_end: Timestamp,
    /// The start, cut as the rule says.
    pub window_truncated: Timestamp,
    /// The detections, sorted by id; as many as the threshold allows, the worst first.
    pub detections: Vec<Detection>,
}

/// One group of one rule.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupResult {
    /// What its detections have in common.
    pub group_key: String,
    /// How many there are.
    pub count: usize,
    /// Whether these are enough.
    pub threshold_met: bool,
}

/// What one rule said.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleResult {
    /// Which rule.
    pub rule: Versioned,
    /// Whether it looks at detections such as the one that came.
    pub matched: bool,
    /// The groups of its window, sorted by their keys.
    pub groups: Vec<GroupResult>,
}

/// What all rules said, in their order.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Correlated {
    /// What each said.
    pub results: Vec<RuleResult>,
    /// The groups that are large enough.
    pub correlations: Vec<Correlation>,
}

/// From when and until when, both inclusive, the detections have to be loaded that a rule looks at for one that was
/// noticed at `at`. [`correlate`] drops what is on the wrong side of an edge.
pub fn query_window(rule: &CorrelationRule, at: Timestamp) -> (Timestamp, Timestamp) {
    bounds(rule.window, at)
}

/// Which detections a rule wants to see beside one that came: of each list any, of an empty one all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Of signals that were noticed then or later.
    pub from: Timestamp,
    /// Of signals that were noticed then or before.
    pub until: Timestamp,
    /// Found by one of these rules.
    pub rules: Vec<Name>,
    /// Noticed by one of these.
    pub sources: Vec<SignalSource>,
    /// Of one of these kinds.
    pub signal_types: Vec<SignalType>,
    /// About one of these services.
    pub services: Vec<String>,
    /// As bad as one of these.
    pub severities: Vec<Grade>,
    /// Of what its producer calls so.
    pub dedupe_key: Option<String>,
}

/// Which detections a rule wants to see beside this one: those that can be in its group, but for the edges of its window.
/// None if it does not look at it.
pub fn wanted(rule: &CorrelationRule, trigger: &Detection) -> Option<Wanted> {
    /// What the group has in common, or else what the rule looks at.
    fn one_or<T: Clone>(is_common: bool, value: &T, list: &[T]) -> Vec<T> {
        if is_common {
            vec![value.clone()]
        } else {
            list.to_vec()
        }
    }
    let (mut from, mut until) = query_window(rule, trigger.signal_timestamp);
    let common = |key| rule.group_by.contains(&key);
    if common(GroupKey::IdentityWindow) {
        let minute = IdentityWindow::of(trigger.signal_timestamp).start();
        from = from.max(minute);
        until = until.min(plus(minute, MINUTE_MICROS - 1));
    }
    let filters = &rule.filters;
    passes(filters, trigger).then(|| Wanted {
        from,
        until,
        rules: one_or(common(GroupKey::RuleId), &trigger.rule.id, &filters.rule_ids),
        sources: one_or(common(GroupKey::Source), &trigger.source, &filters.sources),
        signal_types: one_or(
            common(GroupKey::SignalType),
            &trigger.signal_type,
            &filters.signal_types,
        ),
        services: one_or(common(GroupKey::Service), &trigger.service, &filters.services),
        severities: one_or(common(GroupKey::Severity), &trigger.severity, &filters.severities),
        dedupe_key: common(GroupKey::DedupeKey).then(|| trigger.dedupe_key.clone()),
    })
}

/// What the rules make of a detection and all others that are known: those of other tenants are left out, each counts
/// once, and their order makes no difference.
pub fn correlate(rules: &CorrelationRules, trigger: &Detection, known: &[Detection]) -> Correlated {
    let mut all: Vec<_> = known
        .iter()
        .chain([trigger])
        .filter(|it| it.tenant == trigger.tenant)
        .collect();
    all.sort_unstable_by_key(|detection| (detection.id, detection.signal_timestamp, detection.detected_at));
    all.dedup_by_key(|detection| detection.id);
    let mut correlated = Correlated {
        results: Vec::new(),
        correlations: Vec::new(),
    };
    for rule in rules.iter() {
        let matched = passes(&rule.filters, trigger);
        let mut groups = Vec::new();
        if matched {
            for (group_key, detections) in grouped(rule, trigger, &all) {
                let count = detections.len();
                let threshold_met =
                    count >= usize::try_from(rule.threshold.min_detections).unwrap_or(usize::MAX);
                if threshold_met {
                    correlated
                        .correlations
                        .push(correlation(rule, trigger, &group_key, detections));
                }
                groups.push(GroupResult {
                    group_key,
                    count,
                    threshold_met,
                });
            }
        }
        correlated.results.push(RuleResult {
            rule: rule.reference(),
            matched,
            groups,
        });
    }
    correlated
}

/// Whether a detection is one of those that belong together, also where the threshold has left it out.
pub fn belongs(rule: &CorrelationRule, together: &Correlation, detection: &Detection) -> bool {
    let first = together.detections.first();
    first.is_some_and(|one| key_parts(rule, one) == key_parts(rule, detection))
}

/// The worse one first; of equals the earlier; of those the one with the smaller id.
pub(super) fn worst_first(one: &Detection, other: &Detection) -> Ordering {
    let rank = |detection: &Detection| {
        (
            detection.severity.severity(),
            detection.signal_timestamp,
            detection.id,
        )
    };
    rank(one).cmp(&rank(other))
}

/// The value that a detection has for a key.
pub(super) fn key_value(detection: &Detection, key: GroupKey) -> String {
    match key {
        GroupKey::Service => detection.service.clone(),
        GroupKey::Source => detection.source.as_str().to_string(),
        GroupKey::RuleId => detection.rule.id.to_string(),
        GroupKey::SignalType => detection.signal_type.as_str().to_string(),
        GroupKey::Severity => detection.severity.as_str().to_string(),
        GroupKey::IdentityWindow => IdentityWindow::of(detection.signal_timestamp).to_string(),
        GroupKey::DedupeKey => detection.dedupe_key.clone(),
    }
}

fn grouped<'a>(
    rule: &CorrelationRule,
    trigger: &Detection,
    all: &[&'a Detection],
) -> BTreeMap<String, Vec<&'a Detection>> {
    let (start, end) = bounds(rule.window, trigger.signal_timestamp);
    let within = |at: Timestamp| match rule.window.alignment {
        Alignment::Fixed => start <= at && at < end,
        Alignment::Sliding => start < at && at <= end,
    };
    let mut groups: BTreeMap<Vec<String>, Vec<&Detection>> = BTreeMap::new();
    for detection in all
        .iter()
        .filter(|it| within(it.signal_timestamp) && passes(&rule.filters, it))
    {
        // The parts and not the joined text: a service may be called `a&source=b`.
        groups
            .entry(key_parts(rule, detection))
            .or_default()
            .push(detection);
    }
    let mut named = BTreeMap::new();
    for (parts, detections) in groups {
        let mut key = parts.join("&");
        while named.contains_key(&key) {
            key.push('\'');
        }
        named.insert(key, detections);
    }
    named
}

fn key_parts(rule: &CorrelationRule, detection: &Detection) -> Vec<String> {
    let mut keys = rule.group_by.clone();
    keys.sort_unstable_by_key(|key| key.as_str());
    keys.dedup();
    keys.into_iter()
        .map(|key| format!("{}={}", key.as_str(), key_value(detection, key)))
        .collect()
}

fn correlation(
    rule: &CorrelationRule,
    trigger: &Detection,
    group_key: &str,
    mut detections: Vec<&Detection>,
) -> Correlation {
    let (window_start, window_end) = bounds(rule.window, trigger.signal_timestamp);
    detections.sort_by(|one, other| worst_first(one, other));
    detections.truncate(usize::try_from(rule.threshold.max_detections).unwrap_or(usize::MAX));
    detections.sort_unstable_by_key(|detection| detection.id);
    Correlation {
        tenant: trigger.tenant,
        rule: rule.reference(),
        group_key: group_key.to_string(),
        window_start,
        window_end,
        window_truncated: truncated(window_start, rule.window.truncation),
        detections: detections.into_iter().cloned().collect(),
    }
}

fn passes(filter: &DetectionFilter, detection: &Detection) -> bool {
    fn any<T: PartialEq>(list: &[T], value: &T) -> bool {
        list.is_empty() || list.contains(value)
    }
    any(&filter.rule_ids, &detection.rule.id)
        && any(&filter.sources, &detection.source)
        && any(&filter.signal_types, &detection.signal_type)
        && any(&filter.services, &detection.service)
        && any(&filter.severities, &detection.severity)
}

fn bounds(window: Window, at: Timestamp) -> (Timestamp, Timestamp) {
    let length = i64::from(window.minutes).saturating_mul(MINUTE_MICROS);
    match window.alignment {
        Alignment::Fixed => {
            let start = floor(at, length);
            (start, plus(start, length))
        }
        Alignment::Sliding => (plus(at, length.saturating_neg()), at),
    }
}

fn truncated(at: Timestamp, truncation: Truncation) -> Timestamp {
    let minutes = match truncation {
        Truncation::Minute => 1,
        Truncation::Hour => 60,
        Truncation::Day => 1440,
    };
    floor(at, i64::saturating_mul(minutes, MINUTE_MICROS))
}

fn floor(at: Timestamp, length: i64) -> Timestamp {
    let over = at.as_micros().checked_rem_euclid(length).unwrap_or(0);
    Timestamp::from_micros(at.as_micros().saturating_sub(over))
}

const fn plus(at: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_micros(at.as_micros().saturating_add(micros))
}

#[cfg(test)]
mod tests;
