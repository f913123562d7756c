//! Are the words of signals the frozen ones, and is a minute a minute?

use alloc::string::ToString as _;
use alloc::vec::Vec;

use strum::IntoEnumIterator as _;

use super::*;

#[test]
fn the_words_of_signals_do_not_change() {
    let words = |list: &mut dyn Iterator<Item = &'static str>| list.collect::<Vec<_>>().join(" ");
    assert_eq!(
        words(&mut SignalSource::iter().map(SignalSource::as_str)),
        "CLOUDWATCH_ALARM CLOUDWATCH_METRIC CLOUDWATCH_LOGS CUSTOM_API EVENTBRIDGE LLM_RUN LIMIT INTEGRITY MANUAL"
    );
    assert_eq!(
        words(&mut SignalType::iter().map(SignalType::as_str)),
        "ALARM_STATE_CHANGE METRIC_BREACH LOG_PATTERN_MATCH CUSTOM_EVENT INFRASTRUCTURE_EVENT RUN_FAILED \
         BUDGET_BREACHED THRESHOLD_VIOLATED INTEGRITY_VIOLATED MANUAL_REPORT"
    );
    assert_eq!(
        words(&mut Grade::iter().map(Grade::as_str)),
        "CRITICAL HIGH MEDIUM LOW INFO"
    );
    assert_eq!(
        words(&mut Certainty::iter().map(Certainty::as_str)),
        "DEFINITIVE HIGH MEDIUM LOW"
    );
    assert_eq!(
        words(&mut ResourceRefType::iter().map(ResourceRefType::as_str)),
        "aws-arn name id"
    );
    assert_eq!(
        words(&mut EnvironmentRefType::iter().map(EnvironmentRefType::as_str)),
        "account region stage"
    );
    assert_eq!(SignalType::RunFailed.canonical(), "run_failed");
}

#[test]
fn a_source_is_ours_or_external_or_a_person() {
    let kinds: Vec<_> = SignalSource::iter()
        .map(|source| (source.is_own(), source.is_external()))
        .collect();
    let (external, own, person) = ((false, true), (true, false), (false, false));
    assert_eq!(
        kinds,
        [
            external, external, external, external, external, own, own, own, person
        ]
    );
}

#[test]
fn every_severity_has_a_grade_and_comes_back() {
    for severity in Severity::iter() {
        assert_eq!(Grade::from(severity).severity(), severity);
    }
    assert_eq!(Grade::Info.severity(), Severity::Sev4);
    let scores: Vec<_> = Grade::iter().map(|grade| grade.score().millionths()).collect();
    assert_eq!(scores, [1_000_000, 700_000, 400_000, 200_000, 100_000]);
}

#[test]
fn a_window_is_the_minute_also_at_the_edges_of_days_and_years() {
    for (at, window) in [
        ("2026-01-17T10:23:45.123Z", "2026-01-17T10:23Z"),
        ("2026-01-17T00:00:00.000Z", "2026-01-17T00:00Z"),
        ("2025-12-31T23:59:59.999Z", "2025-12-31T23:59Z"),
        ("2026-01-17T11:23:45+0100", "2026-01-17T10:23Z"),
        ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59Z"),
    ] {
        let found = IdentityWindow::of(at.parse().unwrap());
        assert_eq!(found.to_string(), window, "{at}");
        let written = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<IdentityWindow>(&written).unwrap(), found);
        assert_eq!(found.start().to_string(), window.replace('Z', ":00.000Z"));
    }
    for bad in [
        "2026-01-17T10:23",
        "2026-01-17T10:23:00Z",
        "2026-01-17T10:61Z",
        "",
        "éééééééé",
    ] {
        let written = alloc::format!("\"{bad}\"");
        assert!(serde_json::from_str::<IdentityWindow>(&written).is_err(), "{bad}");
    }
}
