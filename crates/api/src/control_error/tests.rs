//! Does an error show what a client needs, and nothing of the inside?

use actix_web::body::to_bytes;
use model::digest::Digest;
use model::id::{CandidateId, EvidenceId, PromotionDecisionId, TenantId};
use model::promotion::{Promoter, PromotionDecision, RejectionCode};
use model::severity::Severity;
use model::time::Timestamp;
use model::verdict::Verdict;
use services::incidents::IncidentError as Cause;

use super::*;

async fn shown(error: IncidentError) -> (u16, Value, bool) {
    let response = error.error_response();
    let status = response.status().as_u16();
    let waits = response.headers().contains_key(RETRY_AFTER);
    let body = to_bytes(response.into_body()).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap(), waits)
}

#[tokio::test]
async fn without_the_store_it_is_503_and_nothing_of_the_inside_is_shown() {
    for (error, status, code, waits) in [
        (StoreError::Overloaded, 503, "SERVICE_UNAVAILABLE", true),
        (StoreError::Panicked, 500, "INTERNAL_ERROR", false),
        (
            StoreError::Corrupt {
                table: "incidents",
                column: "body",
            },
            500,
            "INTERNAL_ERROR",
            false,
        ),
    ] {
        let told = format!("{error:?}");
        let (got, body, retry) = shown(error.into()).await;
        assert_eq!(
            (got, &body["error"]["code"], retry),
            (status, &json!(code), waits),
            "{told}"
        );
        let text = body.to_string().to_lowercase();
        for inside in [
            "incidents",
            "sql",
            "postgres",
            "diesel",
            "panicked",
            "column",
            "src/",
        ] {
            assert!(!text.contains(inside), "{told}: {text}");
        }
    }
}

#[tokio::test]
async fn a_fault_of_ours_in_a_body_that_is_asked_for_is_told_in_the_shape_of_this_api() {
    for (status, code) in [
        (413, "PAYLOAD_TOO_LARGE"),
        (408, "REQUEST_TIMEOUT"),
        (415, "UNSUPPORTED_MEDIA_TYPE"),
        (422, "INVALID_REQUEST"),
        (503, "SERVICE_UNAVAILABLE"),
        (507, "SERVICE_UNAVAILABLE"),
        (500, "INTERNAL_ERROR"),
    ] {
        let (got, body, _) = shown(ApiError::new(status, "a-slug", "A title", "What is wrong.").into()).await;
        assert_eq!(body["error"]["code"], code, "{status}");
        assert!(
            got == status || (status, got) == (422, 400) || (status, got) == (507, 503),
            "{status}: {got}"
        );
        assert!(
            body["error"]["requestId"].is_string() && body.get("type").is_none(),
            "{body}"
        );
    }
}

#[tokio::test]
async fn what_the_gate_does_not_let_through_is_told_with_the_code_of_the_gate() {
    let at = Timestamp::from_micros(0);
    let decision = PromotionDecision {
        id: PromotionDecisionId::of(Digest::ZERO),
        tenant: TenantId::from_bits(1),
        request_id: String::new(),
        candidate_id: CandidateId::of(Digest::ZERO),
        evidence_id: EvidenceId::of(Digest::ZERO),
        decision: Verdict::Reject,
        reason: "Candidate already promoted".to_owned(),
        rejection_code: Some(RejectionCode::DuplicateCandidate),
        incident_id: None,
        severity: Severity::Sev2,
        policy: serde_json::from_value(json!({ "id": "promotions-by-hand", "version": "1.0.0" })).unwrap(),
        authority: Promoter {
            authority_type: model::authority::AuthorityType::OnCallSre,
            authority_id: "somebody".to_owned(),
            session_id: None,
            justification: None,
        },
        confidence_score: None,
        confidence_band: None,
        evidence_window: None,
        request_context_hash: Digest::ZERO,
        decision_hash: Digest::ZERO,
        steps: Vec::new(),
        gate_version: "v1.0.0".to_owned(),
        evaluated_at: at,
        decided_at: at,
    };
    let (status, body, waits) = shown(Cause::NotLetThrough(Box::new(decision)).into()).await;
    assert_eq!((status, waits), (409, false));
    assert_eq!(body["error"]["code"], "PROMOTION_REFUSED");
    assert_eq!(
        body["error"]["message"],
        "The gate does not let the Incident through: Candidate already promoted."
    );
    assert_eq!(
        body["error"]["details"],
        json!({ "verdict": "REJECT", "rejectionCode": "DUPLICATE_CANDIDATE" })
    );
}
