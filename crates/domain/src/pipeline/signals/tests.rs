//! Which drafts become signals, and what do rules see of them?

use alloc::string::ToString as _;
use alloc::vec;

use model::breach::{Breach, BreachType};
use model::id::{BreachId, DecisionId, LimitId, RunId};
use model::incident::{Failure, FailureCode, RequestTraits, Signature};
use model::integrity::IntegrityStatus;
use proptest::prelude::*;
use strum::IntoEnumIterator as _;

use super::super::fixtures::{TENANT, at, draft, normalized, signal};
use super::own::{Report, Violation, breach, failed_run, integrity_violation, manual_report};
use super::*;
use crate::incidents::FailedRun;

fn wrong(change: impl FnOnce(&mut SignalDraft)) -> Vec<(&'static str, SignalProblem)> {
    let mut changed = draft();
    change(&mut changed);
    let problems = ingest(TENANT, &changed, at(60)).unwrap_err();
    problems.into_iter().map(|it| (it.field, it.problem)).collect()
}

#[test]
fn every_field_that_is_wrong_is_named_with_its_reason() {
    use SignalProblem as Problem;
    let deep = (0..8).fold(Json::Null, |inner, _| Json::map([("a", inner)]));
    assert_eq!(
        wrong(|it| it.source = SignalSource::LlmRun),
        [("signalType", Problem::TypeNotAllowed)]
    );
    assert_eq!(wrong(|it| it.service = " ".into()), [("service", Problem::Empty)]);
    assert_eq!(
        wrong(|it| it.service = "é".repeat(257)),
        [("service", Problem::TooLong)]
    );
    assert_eq!(
        wrong(|it| it.service = "a\u{202e}b".into()),
        [("service", Problem::Invisible)]
    );
    assert_eq!(wrong(|it| it.dedupe_key.clear()), [("dedupeKey", Problem::Empty)]);
    assert_eq!(
        wrong(|it| it.dedupe_key = "é".repeat(257)),
        [("dedupeKey", Problem::TooLong)]
    );
    assert_eq!(
        wrong(|it| it.observed_at = at(361)),
        [("observedAt", Problem::Ahead)]
    );
    assert_eq!(
        wrong(|it| it.title = "x".repeat(201)),
        [("title", Problem::TooLong)]
    );
    assert_eq!(
        wrong(|it| it.attributes = Json::Null),
        [("attributes", Problem::NoObject)]
    );
    assert_eq!(
        wrong(|it| it.attributes = deep),
        [("attributes", Problem::TooDeep)]
    );
    let long = Json::map([("a", Json::from("x".repeat(16_384)))]);
    assert_eq!(
        wrong(|it| it.attributes = long),
        [("attributes", Problem::TooLong)]
    );
    assert_eq!(
        wrong(|it| it.raw = "x".repeat(65_537)),
        [("raw", Problem::TooLong)]
    );
    let all = wrong(|it| {
        it.service.clear();
        it.title.clear();
    });
    assert_eq!(all, [("service", Problem::Empty), ("title", Problem::Empty)]);
    let said = SignalError {
        field: "title",
        problem: Problem::Empty,
    }
    .to_string();
    assert_eq!(said, "title: it is empty");
    assert!(
        ingest(
            TENANT,
            &SignalDraft {
                observed_at: at(360),
                ..draft()
            },
            at(60)
        )
        .is_ok()
    );
}

#[test]
fn only_what_comes_from_outside_comes_in_from_outside() {
    for source in SignalSource::iter() {
        let types = SignalType::iter().filter(|signal_type| {
            let draft = SignalDraft {
                source,
                signal_type: *signal_type,
                ..draft()
            };
            let external = ingest_external(TENANT, &draft, at(60));
            assert_eq!(
                external.is_ok(),
                source.is_external() && ingest(TENANT, &draft, at(60)).is_ok()
            );
            ingest(TENANT, &draft, at(60)).is_ok()
        });
        let expected = match source {
            SignalSource::CustomApi | SignalSource::Eventbridge => 5,
            SignalSource::Limit => 2,
            _ => 1,
        };
        assert_eq!(types.count(), expected, "{source:?}");
    }
    let own = SignalDraft {
        source: SignalSource::LlmRun,
        title: String::new(),
        ..draft()
    };
    let fields: Vec<_> = ingest_external(TENANT, &own, at(0))
        .unwrap_err()
        .iter()
        .map(|it| it.field)
        .collect();
    assert_eq!(fields, ["source", "signalType", "title"]);
}

#[test]
fn the_same_thing_within_a_minute_is_one_signal_whatever_is_said_about_it() {
    let first = signal(|_| ());
    for same in [
        signal(|it| it.observed_at = at(59)),
        signal(|it| it.title = "The text that AWS sends is another each time".into()),
        signal(|it| it.raw = "other".into()),
        signal(|it| it.attributes = Json::map([])),
        signal(|it| it.confidence = Certainty::Low),
    ] {
        assert_eq!(same.id, first.id);
    }
}

#[test]
fn every_part_of_the_identity_makes_another_signal() {
    let mut ids = vec![signal(|_| ()).id];
    ids.push(ingest(TenantId::from_bits(2), &draft(), at(60)).unwrap().id);
    ids.push(signal(|it| it.source = SignalSource::Eventbridge).id);
    ids.push(signal(|it| it.signal_type = SignalType::MetricBreach).id);
    ids.push(signal(|it| it.service = "payment-service".into()).id);
    ids.push(signal(|it| it.severity = Severity::Sev1).id);
    ids.push(signal(|it| it.dedupe_key.push('x')).id);
    ids.push(signal(|it| it.observed_at = at(60)).id);
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn what_was_sent_is_kept_and_a_change_of_it_is_seen() {
    let mut kept = signal(|it| it.observed_at = Timestamp::from_micros(at(1).as_micros() + 1_999));
    assert_eq!(kept.raw, "{\"threshold\": 0.95}");
    assert_eq!(kept.observed_at, at(1).plus_millis(1));
    assert_eq!(kept.identity_window.to_string(), "2026-01-16T10:00Z");
    assert!(is_intact(&kept));
    kept.raw.push(' ');
    assert!(!is_intact(&kept));
}

#[test]
fn a_normalised_signal_names_what_explicit_fields_name_and_nothing_else() {
    let found = normalized(|_| ());
    let resources: Vec<_> = found
        .resource_refs
        .iter()
        .map(|it| {
            (
                it.ref_type.as_str(),
                it.ref_value.as_str(),
                it.source_field.as_str(),
            )
        })
        .collect();
    assert_eq!(
        resources,
        [
            ("aws-arn", "arn:alarm:latency", "tags.alarmArn"),
            ("id", "i-1", "dimensions.resourceId")
        ]
    );
    let environments: Vec<_> = found
        .environment_refs
        .iter()
        .map(|it| (it.env_type.as_str(), it.value.as_str()))
        .collect();
    assert_eq!(environments, [("region", "eu-1")], "a blank stage is none");
    assert_eq!(found.severity, model::signal::Grade::High);
    let kept = signal(|_| ());
    assert_eq!(
        (found.evidence_refs[0].ref_id, found.evidence_refs[0].checksum),
        (kept.id, kept.raw_checksum)
    );
    let again = normalize(&kept, at(99));
    assert_eq!(again.id, found.id, "the clock is no part of it");
    assert_ne!(normalized(|it| it.observed_at = at(1)).id, found.id);
    assert!(
        normalized(|it| it.attributes = Json::map([]))
            .resource_refs
            .is_empty()
    );
}

fn failing(code: FailureCode) -> SignalDraft {
    let signature = Signature {
        failure: Failure {
            code,
            error_class: "upstream_timeout".into(),
            upstream_status: Some(504),
        },
        request: RequestTraits {
            model: Some("gpt-4o".into()),
            ..RequestTraits::default()
        },
    };
    let failed = FailedRun {
        tenant: TENANT,
        run: RunId::from_bits(7),
        signature: &signature,
    };
    failed_run(&failed, "chat", at(5))
}

#[test]
fn a_failed_run_is_a_signal_as_bad_as_its_code() {
    let draft = failing(FailureCode::ExecutionTimeout);
    assert_eq!(
        (draft.severity, draft.dedupe_key.as_str()),
        (Severity::Sev2, RunId::from_bits(7).to_string().as_str())
    );
    let kept = ingest(TENANT, &draft, at(60)).unwrap();
    assert_eq!(kept.attributes.at("upstreamStatus"), Some(&Json::Int(504)));
    assert_eq!(kept.attributes.at("agent"), Some(&Json::Null));
    assert_eq!(kept.raw, kept.attributes.canonical());
    for code in FailureCode::iter() {
        let draft = failing(code);
        assert_eq!(draft.severity, crate::incidents::severity(code));
        assert!(ingest(TENANT, &draft, at(60)).is_ok(), "{code:?}");
    }
}

#[test]
fn a_breach_is_a_signal_of_its_limit() {
    let of = |breach_type| {
        let fact = Breach {
            id: BreachId::from_bits(1),
            tenant: TENANT,
            limit_owner: TENANT,
            limit: LimitId::from_bits(3),
            run: None,
            decision: DecisionId::from_bits(4),
            breach_type,
            value: 120,
            max: 100,
            at: at(0),
        };
        let draft = breach(&fact, "chat", None);
        assert!(ingest(TENANT, &draft, at(60)).is_ok());
        assert_eq!(draft.dedupe_key, fact.limit.to_string());
        (draft.signal_type, draft.severity)
    };
    assert_eq!(
        of(BreachType::Exhausted),
        (SignalType::BudgetBreached, Severity::Sev2)
    );
    assert_eq!(
        of(BreachType::Breached),
        (SignalType::BudgetBreached, Severity::Sev2)
    );
    assert_eq!(
        of(BreachType::Violated),
        (SignalType::ThresholdViolated, Severity::Sev3)
    );
    assert_eq!(
        of(BreachType::Throttled),
        (SignalType::ThresholdViolated, Severity::Sev4)
    );
}

#[test]
fn what_is_verified_is_no_violation() {
    let mismatches = ["HASH_MISMATCH".to_string()];
    let of = |status| {
        let violation = Violation {
            kind: "Incident",
            id: "inc_1",
            status,
            mismatches: &mismatches,
            found_at: at(0),
        };
        integrity_violation(&violation, "plimsoll")
    };
    assert_eq!(of(IntegrityStatus::Verified), None);
    let failed = of(IntegrityStatus::Failed).unwrap();
    assert_eq!(
        (failed.severity, failed.dedupe_key.as_str()),
        (Severity::Sev1, "Incident/inc_1")
    );
    assert_eq!(of(IntegrityStatus::Degraded).unwrap().severity, Severity::Sev2);
    assert!(ingest(TENANT, &failed, at(60)).is_ok());
}

#[test]
fn a_report_is_a_signal_of_its_idempotency_key() {
    let draft = manual_report(&Report {
        idempotency_key: "k1",
        service: "chat",
        severity: Severity::Sev1,
        title: "All answers are empty",
        reported_by: "principal:ann",
        reported_at: at(0),
        body: "{}",
    });
    let kept = ingest(TENANT, &draft, at(0)).unwrap();
    assert_eq!(
        (kept.dedupe_key.as_str(), kept.confidence, kept.raw.as_str()),
        ("k1", Certainty::Definitive, "{}")
    );
}

proptest! {
    #[test]
    fn nothing_that_is_sent_makes_it_panic(
        service in any::<String>(), key in any::<String>(), title in any::<String>(), raw in any::<String>(),
        micros in any::<i64>(), now in any::<i64>(), value in any::<i64>(), name in any::<String>(),
    ) {
        let draft = SignalDraft {
            service, dedupe_key: key, title, raw,
            observed_at: Timestamp::from_micros(micros),
            attributes: Json::map([(name.as_str(), Json::from(value))]),
            ..draft()
        };
        let now = Timestamp::from_micros(now);
        if let Ok(signal) = ingest_external(TENANT, &draft, now) {
            prop_assert_eq!(&ingest(TENANT, &draft, now).unwrap(), &signal);
            prop_assert_eq!(normalize(&signal, now), normalize(&signal, now));
        }
    }
}
