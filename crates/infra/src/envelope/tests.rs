//! Does an envelope keep what investigators need, and nothing that it must not?

use model::id::IdGenerator;
use proptest::prelude::*;

use super::*;

struct Always(u128);

impl IdGenerator for Always {
    fn next(&self) -> u128 {
        self.0
    }
}

const NOW: Timestamp = Timestamp::from_micros(1_795_253_400_123_456);

fn timeout() -> ErrorEnvelope {
    let id = ErrorId::from_bits(0xffff_dead_beef_0000_0001);
    ErrorEnvelope::new::<L5, _>(
        InfraClass::Timeout,
        ErrorSeverity::Error,
        "upstream",
        "no answer",
        id,
        NOW,
    )
}

#[test]
fn each_family_comes_from_its_layers() {
    let id = || ErrorId::from_bits(1);
    let rule = ErrorEnvelope::new::<L4, _>(
        DomainClass::BudgetExceeded,
        ErrorSeverity::Warning,
        "limits",
        "the budget is spent",
        id(),
        NOW,
    );
    assert!(rule.is_domain_error() && !rule.is_system_error() && !rule.is_critical());
    let defect = ErrorEnvelope::new::<L4, _>(
        SystemClass::Assertion,
        ErrorSeverity::Critical,
        "ledger",
        "x",
        id(),
        NOW,
    );
    assert!(defect.is_system_error() && defect.is_critical());
    let unknown = ErrorEnvelope::new::<L2, _>(
        UnknownClass::Unknown,
        ErrorSeverity::Error,
        "http",
        "x",
        id(),
        NOW,
    );
    assert_eq!(
        (unknown.error_class().as_str(), unknown.layer()),
        ("unknown", LayerName::Api)
    );
    assert!(timeout().is_infrastructure_error());
    assert_eq!(timeout().error_id().as_str(), "err_beef00000001");
}

#[test]
fn what_is_known_about_it_is_kept() {
    let context = CorrelationContext::root("req_a", None, NOW, &Always(1));
    let envelope = timeout()
        .correlated(&context)
        .with_decision_id("dec_1")
        .with_run_id("run_1")
        .with_agent_id("crawler")
        .with_tenant_id("tnt_1")
        .with_context("attempt", 2)
        .with_context("attempt", 3)
        .caused_by(&std::io::Error::other("reset"));
    assert_eq!(envelope.correlation_id(), Some("req_a"));
    assert_eq!(
        (envelope.decision_id(), envelope.run_id()),
        (Some("dec_1"), Some("run_1"))
    );
    assert_eq!(
        (envelope.agent_id(), envelope.tenant_id()),
        (Some("crawler"), Some("tnt_1"))
    );
    assert_eq!(envelope.context().get("attempt").map(String::as_str), Some("3"));
    assert_eq!(envelope.exception_type(), Some("Error"));
    assert_eq!(envelope.exception_chain().unwrap(), ["Error: reset"]);
    assert_eq!(
        ErrorEnvelope::from_record(envelope.to_record()).unwrap(),
        envelope
    );
    assert_eq!(
        envelope
            .clone()
            .with_error_id(ErrorId::from_bits(2))
            .error_id()
            .as_str(),
        "err_000000000002"
    );
}

#[test]
fn the_input_is_kept_as_a_hash_that_only_its_tenant_can_make() {
    let hash = |key: &[u8], input: &[u8]| timeout().with_input(key, input).input_hash().map(str::to_owned);
    assert_eq!(
        hash(b"Jefe", b"what do ya want for nothing?").as_deref(),
        Some("5bdcc146bf60754e")
    );
    assert_ne!(hash(b"tenant 1", b"hello"), hash(b"tenant 2", b"hello"));
    assert_eq!(hash(b"tenant 1", b""), None);
}

#[test]
fn evidence_that_is_too_long_is_cut_and_not_lost() {
    let id = ErrorId::from_bits(1);
    let long = "ä".repeat(9000);
    let envelope =
        ErrorEnvelope::new::<L6, _>(InfraClass::Database, ErrorSeverity::Error, &long, &long, id, NOW)
            .with_run_id(&long)
            .with_context("sql", &long);
    assert_eq!(envelope.component().chars().count(), 200);
    assert_eq!(envelope.message().chars().count(), 4000);
    assert_eq!(envelope.run_id().unwrap().chars().count(), 100);
    assert_eq!(envelope.context()["sql"].chars().count(), 4000);
}

#[test]
fn a_record_that_no_code_could_have_written_is_refused() {
    let good = timeout().to_record();
    let bad = |change: fn(&mut ErrorRecord)| {
        let mut record = good.clone();
        change(&mut record);
        ErrorEnvelope::from_record(record).unwrap_err()
    };
    assert!(matches!(
        bad(|r| r.layer = "L4".to_owned()),
        RecordError::Emission { .. }
    ));
    assert!(matches!(bad(|r| r.layer = "L1".to_owned()), RecordError::Word(_)));
    assert!(matches!(
        bad(|r| r.error_class = "infra".to_owned()),
        RecordError::Word(_)
    ));
    assert!(matches!(
        bad(|r| r.severity = "fatal".to_owned()),
        RecordError::Word(_)
    ));
    assert!(matches!(
        bad(|r| r.error_id = "err_1".to_owned()),
        RecordError::Word(_)
    ));
    assert!(matches!(
        bad(|r| r.envelope_version = "2.0".to_owned()),
        RecordError::Version(_)
    ));
    assert!(matches!(
        bad(|r| r.context = "[]".to_owned()),
        RecordError::Json(_)
    ));
    assert!(matches!(
        bad(|r| r.exception_chain = Some("{}".to_owned())),
        RecordError::Json(_)
    ));
}

proptest! {
    #[test]
    fn an_envelope_survives_the_store(
        bits: u128,
        micros: i64,
        texts in prop::collection::vec(".*", 4),
        context in prop::collection::btree_map(".*", ".*", 0..4),
    ) {
        let mut envelope = ErrorEnvelope::new::<L6, _>(
            SystemClass::StateCorruption,
            ErrorSeverity::Critical,
            &texts[0],
            &texts[1],
            ErrorId::from_bits(bits),
            Timestamp::from_micros(micros),
        )
        .with_run_id(&texts[2])
        .caused_by(&std::io::Error::other(texts[3].clone()));
        for (key, value) in &context {
            envelope = envelope.with_context(key, value);
        }
        prop_assert_eq!(ErrorEnvelope::from_record(envelope.to_record()).unwrap(), envelope);
    }
}
