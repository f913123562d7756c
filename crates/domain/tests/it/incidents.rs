//! What does the engine `incidents` decide?

use domain::incidents::{FailedRun, NAME, code_in, open};
use model::id::{RunId, TenantId};
use model::incident::{Failure, FailureCode, RequestTraits, Signature};
use strum::IntoEnumIterator as _;

#[test]
fn every_failure_code_has_its_severity_and_category() {
    let decided: Vec<_> = FailureCode::iter()
        .map(|code| {
            let signature = Signature {
                failure: Failure {
                    code,
                    error_class: "test".to_owned(),
                    upstream_status: Some(504),
                },
                request: RequestTraits::default(),
            };
            let opening = open(&FailedRun {
                tenant: TenantId::from_bits(1),
                run: RunId::from_bits(0x0199_0000_0000_0000_0000_0000_0000_0007),
                signature: &signature,
            });
            format!("{}\n  {opening:?}", code.as_str())
        })
        .collect();
    crate::golden(NAME, "failures", &decided);
}

#[test]
fn a_code_is_found_in_a_report() {
    assert_eq!(
        code_in("worker: execution_timeout after 30 s"),
        FailureCode::ExecutionTimeout
    );
    assert_eq!(code_in("RATE_LIMIT_EXCEEDED"), FailureCode::RateLimitExceeded);
    assert_eq!(code_in("it broke"), FailureCode::Unknown);
    for code in FailureCode::iter() {
        assert_eq!(code_in(code.as_str()), code);
    }
}
