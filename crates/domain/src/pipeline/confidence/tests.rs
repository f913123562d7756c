//! Which step has each factor, and where do the bands begin?

use alloc::string::ToString as _;

use model::candidate::DetectionSummary;
use model::digest::Digest;
use model::id::{CorrelationKey, DetectionId, SignalId};
use model::signal::Certainty;
use proptest::prelude::*;

use super::super::evidence::derived;
use super::super::fixtures::{TENANT, at};
use super::*;

/// A detection: grade, rule, signals, seconds after the start.
type Seen = (Grade, &'static str, usize, i64);

fn bundle(detections: &[Seen], window_seconds: i64) -> EvidenceBundle {
    let id = |kind: &str, place: usize| Digest::of(format!("{kind}{place}").as_bytes());
    let detections = detections
        .iter()
        .enumerate()
        .map(|(place, (severity, rule, signals, seconds))| DetectionSummary {
            detection_id: DetectionId::of(id("d", place)),
            rule: format!("{rule}@1.0.0").parse().unwrap(),
            service: "search".to_string(),
            severity: *severity,
            certainty: Certainty::High,
            confidence: Score::ONE,
            detected_at: at(*seconds),
            signal_ids: (0..*signals)
                .map(|signal| SignalId::of(id("s", place * 1000 + signal)))
                .collect(),
        });
    let mut bundle = EvidenceBundle {
        id: model::id::EvidenceId::of(Digest::ZERO),
        tenant: TENANT,
        service: "search".to_string(),
        window_start: at(0),
        window_end: at(window_seconds),
        detections: detections.collect(),
        signal_summary: SignalSummary {
            signal_count: 0,
            severity_distribution: alloc::collections::BTreeMap::new(),
            time_spread_ms: 0,
            unique_rules: 0,
        },
        correlation_key: CorrelationKey::of(Digest::ZERO),
        bundle_version: "v1".to_string(),
        bundled_at: at(900),
    };
    (bundle.id, bundle.signal_summary) = derived(&bundle);
    bundle
}

fn score(detections: &[Seen], window_seconds: i64) -> u32 {
    assess(&bundle(detections, window_seconds))
        .unwrap()
        .confidence_score
        .millionths()
}

#[test]
fn the_published_assessment_comes_out() {
    let made = assess(&bundle(
        &[(Grade::Critical, "a", 2, 0), (Grade::High, "b", 1, 120)],
        300,
    ))
    .unwrap();
    assert_eq!(made.confidence_score, Score::new(622_500));
    assert_eq!(made.confidence_band, ConfidenceBand::High);
    let values: Vec<_> = made.factors.iter().map(|it| it.value.millionths()).collect();
    assert_eq!(values, [500_000, 850_000, 600_000, 600_000, 500_000]);
    let sum = made
        .factors
        .iter()
        .map(|it| it.contribution.millionths())
        .sum::<u32>();
    assert_eq!(sum, 622_500);
    assert_eq!(made.assessed_at, at(900), "when the evidence was put together");
    assert_eq!(
        made.reasons,
        [
            "2 detections in the window",
            "1 of 2 detections are of severity CRITICAL",
            "found by 2 rules"
        ]
    );
}

#[test]
fn every_factor_has_its_steps() {
    let steps = |step: &dyn Fn(u64) -> Score, values: &[u64]| -> Vec<_> {
        values
            .iter()
            .map(|value| step(*value).millionths() / 1000)
            .collect()
    };
    let count = |value: u64| detection_count(usize::try_from(value).unwrap());
    assert_eq!(steps(&count, &[0, 1, 2, 3, 4, 100]), [0, 300, 500, 700, 900, 900]);
    assert_eq!(
        steps(&rule_diversity, &[0, 1, 2, 3, 100]),
        [0, 300, 600, 1000, 1000]
    );
    assert_eq!(
        steps(&signal_volume, &[0, 1, 2, 3, 5, 6, 10, 11, 1000]),
        [0, 300, 300, 500, 500, 700, 700, 900, 900]
    );
    let dense = |spread: u64| temporal_density(2, spread, 1000);
    assert_eq!(steps(&dense, &[0, 1, 500, 1000, 2000]), [1000, 999, 500, 0, 0]);
    assert_eq!(
        temporal_density(1, 999, 1000),
        Score::ONE,
        "a single one is close to itself"
    );
    let weights: u32 = WEIGHTS.iter().map(|(_, weight)| weight.millionths()).sum();
    assert_eq!(weights, 1_000_000);
    for (grades, millionths) in [
        (&[Grade::Critical][..], 1_000_000),
        (&[Grade::High], 700_000),
        (&[Grade::Medium], 400_000),
        (&[Grade::Low], 200_000),
        (&[Grade::Info], 100_000),
        (&[Grade::Critical, Grade::High, Grade::Info], 600_000),
        (&[Grade::Critical, Grade::Critical, Grade::Low], 733_333),
    ] {
        let detections: Vec<Seen> = grades.iter().map(|grade| (*grade, "a", 1, 0)).collect();
        assert_eq!(
            severity_score(&bundle(&detections, 60).signal_summary),
            Score::new(millionths)
        );
    }
}

#[test]
fn the_score_reaches_what_it_can_and_no_more() {
    let critical = |count: usize, rules: &[&'static str]| -> Vec<Seen> {
        (0..count)
            .map(|place| (Grade::Critical, rules[place % rules.len()], 3, 0))
            .collect()
    };
    assert_eq!(score(&critical(4, &["a", "b", "c"]), 300), 960_000, "the most");
    assert_eq!(
        score(&critical(4, &["a"]), 300),
        820_000,
        "the most with one rule"
    );
    assert_eq!(
        score(&[(Grade::Info, "a", 1, 0), (Grade::Info, "a", 1, 300)], 300),
        265_000,
        "the least"
    );
    assert_eq!(
        score(&[(Grade::Info, "a", 1, 0)], 300),
        355_000,
        "the least of a single one"
    );
    assert_eq!(
        score(&[(Grade::Critical, "a", 1, 0)], 300),
        580_000,
        "a single one with one signal"
    );
}

#[test]
fn reasons_are_facts_and_never_say_the_band() {
    let said = |detections: &[Seen]| assess(&bundle(detections, 300)).unwrap().reasons.join("; ");
    assert_eq!(
        said(&[(Grade::Low, "a", 1, 0)]),
        "1 detection in the window; all detections are of severity LOW; found by 1 rule; few signals: 1"
    );
    assert!(
        said(&[(Grade::Low, "a", 5, 0), (Grade::Low, "a", 5, 9)])
            .ends_with("within 9 seconds; many signals: 10")
    );
    assert!(
        said(&[(Grade::Low, "a", 3, 0), (Grade::Low, "a", 2, 300)])
            .ends_with("over 300 seconds; several signals: 5")
    );
    for detections in [
        &[(Grade::Info, "a", 1, 0)][..],
        &[(Grade::Info, "a", 1, 0), (Grade::Info, "b", 3, 150)],
    ] {
        let made = assess(&bundle(detections, 300)).unwrap();
        assert!(
            !made
                .reasons
                .iter()
                .any(|reason| reason.contains(made.confidence_band.as_str())),
            "{made:?}"
        );
    }
}

#[test]
fn what_cannot_be_assessed_has_no_score() {
    assert_eq!(assess(&bundle(&[], 300)), Err(AssessError::Empty));
    assert_eq!(
        assess(&bundle(&[(Grade::Low, "a", 0, 0)], 300)),
        Err(AssessError::Empty)
    );
    assert_eq!(
        assess(&bundle(&[(Grade::Low, "a", 1, 0)], 0)),
        Err(AssessError::Window)
    );
    assert_eq!(
        assess(&bundle(&[(Grade::Low, "a", 1, 0)], -1)),
        Err(AssessError::Window)
    );
    let mut forged = bundle(&[(Grade::Low, "a", 1, 0)], 300);
    forged.signal_summary.signal_count = 50;
    assert_eq!(assess(&forged), Err(AssessError::Numbers));
}

proptest! {
    #[test]
    fn the_score_is_the_sum_of_its_parts_within_its_range(
        seen in prop::collection::vec((0_usize..5, 0_usize..4, 1_usize..13, 0_i64..=300), 1..9),
    ) {
        let grades = [Grade::Critical, Grade::High, Grade::Medium, Grade::Low, Grade::Info];
        let rules = ["a", "b", "c", "d"];
        let detections: Vec<Seen> =
            seen.iter().map(|(grade, rule, signals, at)| (grades[*grade], rules[*rule], *signals, *at)).collect();
        let made = assess(&bundle(&detections, 300)).unwrap();
        let score = made.confidence_score.millionths();
        prop_assert!((265_000..=960_000).contains(&score), "{score}");
        prop_assert_eq!(score, made.factors.iter().map(|it| it.contribution.millionths()).sum::<u32>());
        prop_assert_eq!(made.confidence_band, ConfidenceBand::of(made.confidence_score));
        let mut turned = bundle(&detections, 300);
        turned.detections.reverse();
        prop_assert_eq!(assess(&turned).unwrap().factors, made.factors);
    }
}
