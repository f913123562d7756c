//! How sure is a bundle of evidence?
//!
//! Five factors, each a table of steps, weighted and added up. The score only feeds the promotion gate: the machine of
//! Incidents never sees it. Everything is exact in millionths; what does not come out even is rounded down, so that no
//! score reaches a band by rounding.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use model::candidate::{Assessment, ConfidenceBand, EvidenceBundle, Factor, FactorValue, SignalSummary};
use model::score::Score;
use model::signal::Grade;

/// The version of the weights and steps.
pub const MODEL_VERSION: &str = "v1.0.0";

/// How much each factor counts; together 1.
pub const WEIGHTS: [(Factor, Score); 5] = [
    (Factor::DetectionCount, Score::new(300_000)),
    (Factor::SeverityScore, Score::new(250_000)),
    (Factor::RuleDiversity, Score::new(200_000)),
    (Factor::TemporalDensity, Score::new(150_000)),
    (Factor::SignalVolume, Score::new(100_000)),
];

/// From this density on, or up to that one, it is worth a reason.
const DENSE_FROM: Score = Score::new(700_000);
const SPARSE_UP_TO: Score = Score::new(300_000);

/// Why evidence cannot be assessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssessError {
    /// There is no detection, rule or signal.
    #[error("there is no detection, no rule or no signal")]
    Empty,
    /// The window has no length.
    #[error("the window has no length")]
    Window,
    /// The numbers are not those of the detections.
    #[error("the numbers of the bundle are not those of its detections")]
    Numbers,
}

/// How sure this evidence is, as of when it was put together.
///
/// # Errors
/// See [`AssessError`]: what cannot be assessed has no score, and is not promoted.
pub fn assess(bundle: &EvidenceBundle) -> Result<Assessment, AssessError> {
    let summary = &bundle.signal_summary;
    if bundle.detections.is_empty() || summary.signal_count == 0 || summary.unique_rules == 0 {
        return Err(AssessError::Empty);
    }
    let window = bundle.window_end.millis_since(bundle.window_start);
    let window = u64::try_from(window)
        .ok()
        .filter(|length| *length > 0)
        .ok_or(AssessError::Window)?;
    if super::evidence::derived(bundle).1 != *summary {
        return Err(AssessError::Numbers);
    }
    let count = bundle.detections.len();
    let values = WEIGHTS.map(|(factor, weight)| {
        let value = match factor {
            Factor::DetectionCount => detection_count(count),
            Factor::SeverityScore => severity_score(summary),
            Factor::RuleDiversity => rule_diversity(summary.unique_rules),
            Factor::TemporalDensity => temporal_density(count, summary.time_spread_ms, window),
            Factor::SignalVolume => signal_volume(summary.signal_count),
        };
        FactorValue {
            factor,
            value,
            weight,
            contribution: value.times(weight),
        }
    });
    let score = values
        .iter()
        .fold(Score::ZERO, |sum, value| sum.plus(value.contribution));
    Ok(Assessment {
        evidence_id: bundle.id,
        confidence_score: score,
        confidence_band: ConfidenceBand::of(score),
        reasons: reasons(bundle, temporal_density(count, summary.time_spread_ms, window)),
        factors: values.to_vec(),
        assessed_at: bundle.bundled_at,
        model_version: MODEL_VERSION.to_owned(),
    })
}

/// How much so many detections are worth.
pub const fn detection_count(count: usize) -> Score {
    Score::new(match count {
        0 => 0,
        1 => 300_000,
        2 => 500_000,
        3 => 700_000,
        _ => 900_000,
    })
}

/// The mean of what the severities are worth.
pub fn severity_score(summary: &SignalSummary) -> Score {
    let worth = |(grade, count): (&Grade, &u64)| u64::from(grade.score().millionths()).saturating_mul(*count);
    let sum = summary
        .severity_distribution
        .iter()
        .map(worth)
        .fold(0, u64::saturating_add);
    let count = summary
        .severity_distribution
        .values()
        .fold(0, |sum: u64, count| sum.saturating_add(*count));
    Score::of(sum, count.saturating_mul(1_000_000))
}

/// How much so many rules are worth.
pub const fn rule_diversity(rules: u64) -> Score {
    Score::new(match rules {
        0 => 0,
        1 => 300_000,
        2 => 600_000,
        _ => 1_000_000,
    })
}

/// How close together detections are: 1 for a single one, else what is left of the window beside their spread.
pub fn temporal_density(count: usize, spread_ms: u64, window_ms: u64) -> Score {
    if count <= 1 {
        return Score::ONE;
    }
    // Rounded down as a whole: the share is not what is rounded.
    Score::of(window_ms.saturating_sub(spread_ms), window_ms)
}

/// How much so many signals are worth.
pub const fn signal_volume(signals: u64) -> Score {
    Score::new(match signals {
        0 => 0,
        1..=2 => 300_000,
        3..=5 => 500_000,
        6..=10 => 700_000,
        _ => 900_000,
    })
}

/// What speaks for it, in facts: never the band.
fn reasons(bundle: &EvidenceBundle, density: Score) -> Vec<String> {
    let summary = &bundle.signal_summary;
    let count = bundle.detections.len();
    let plural = |number: usize, one: &str| {
        if number == 1 {
            one.to_owned()
        } else {
            format!("{one}s")
        }
    };
    let mut reasons = Vec::from([format!("{count} {} in the window", plural(count, "detection"))]);
    if let Some((worst, number)) = summary.severity_distribution.first_key_value() {
        let number = usize::try_from(*number).unwrap_or(usize::MAX);
        reasons.push(if number == count {
            format!("all detections are of severity {}", worst.as_str())
        } else {
            format!(
                "{number} of {count} detections are of severity {}",
                worst.as_str()
            )
        });
    }
    let rules = usize::try_from(summary.unique_rules).unwrap_or(usize::MAX);
    reasons.push(format!("found by {rules} {}", plural(rules, "rule")));
    let seconds = summary.time_spread_ms / 1000;
    if count > 1 && density >= DENSE_FROM {
        reasons.push(format!("detections close together, within {seconds} seconds"));
    } else if count > 1 && density <= SPARSE_UP_TO {
        reasons.push(format!("detections far apart, over {seconds} seconds"));
    }
    let signals = summary.signal_count;
    match signals {
        10.. => reasons.push(format!("many signals: {signals}")),
        5..=9 => reasons.push(format!("several signals: {signals}")),
        0..=2 => reasons.push(format!("few signals: {signals}")),
        3..=4 => {}
    }
    reasons
}

#[cfg(test)]
mod tests;
