//! Are the words of candidates the frozen ones, and do bands meet without a gap?

use strum::IntoEnumIterator as _;

use super::*;

#[test]
fn the_words_of_candidates_do_not_change() {
    let words = |list: &mut dyn Iterator<Item = &'static str>| list.collect::<Vec<_>>().join(" ");
    assert_eq!(
        words(&mut ConfidenceBand::iter().map(ConfidenceBand::as_str)),
        "LOW MEDIUM HIGH CRITICAL"
    );
    assert_eq!(
        words(&mut CandidateConfidence::iter().map(CandidateConfidence::as_str)),
        "LOW MEDIUM HIGH"
    );
    assert_eq!(
        words(&mut BlastScope::iter().map(BlastScope::as_str)),
        "SINGLE_SERVICE MULTI_SERVICE INFRASTRUCTURE"
    );
    assert_eq!(
        words(&mut Impact::iter().map(Impact::as_str)),
        "LOW MEDIUM HIGH CRITICAL"
    );
    assert_eq!(
        words(&mut NodeType::iter().map(NodeType::as_str)),
        "SIGNAL NORMALIZED_SIGNAL DETECTION CANDIDATE INCIDENT"
    );
    assert_eq!(
        words(&mut Factor::iter().map(Factor::as_str)),
        "detection_count severity_score rule_diversity temporal_density signal_volume"
    );
    assert_eq!(
        words(&mut GroupKey::iter().map(GroupKey::as_str)),
        "service source ruleId signalType severity identityWindow dedupeKey"
    );
    assert_eq!(
        words(&mut Alignment::iter().map(Alignment::as_str)),
        "FIXED SLIDING"
    );
    assert_eq!(
        words(&mut Truncation::iter().map(Truncation::as_str)),
        "MINUTE HOUR DAY"
    );
    assert_eq!(
        words(&mut PrimarySelection::iter().map(PrimarySelection::as_str)),
        "HIGHEST_SEVERITY_THEN_EARLIEST_THEN_LEXICAL"
    );
}

#[test]
fn bands_begin_at_their_first_millionth() {
    for (millionths, band, label) in [
        (0, ConfidenceBand::Low, CandidateConfidence::Low),
        (399_999, ConfidenceBand::Low, CandidateConfidence::Low),
        (400_000, ConfidenceBand::Medium, CandidateConfidence::Medium),
        (599_999, ConfidenceBand::Medium, CandidateConfidence::Medium),
        (600_000, ConfidenceBand::High, CandidateConfidence::High),
        (799_999, ConfidenceBand::High, CandidateConfidence::High),
        (800_000, ConfidenceBand::Critical, CandidateConfidence::High),
        (1_000_000, ConfidenceBand::Critical, CandidateConfidence::High),
    ] {
        let found = ConfidenceBand::of(Score::new(millionths));
        assert_eq!(
            (found, CandidateConfidence::from(found)),
            (band, label),
            "{millionths}"
        );
    }
}
