//! How does the incident control plane say no?

use model::authority::JustificationError;
use model::incident::{EdgeError, IncidentState, Refusal};
use serde_json::{Value, json};
use services::incidents::IncidentError as Cause;
use services::once::OnceError;

use crate::control_error::{IncidentError, sentence};
use crate::idempotency;

impl From<Cause> for IncidentError {
    fn from(error: Cause) -> Self {
        match error {
            Cause::NotFound => Self::not_found(),
            Cause::Refused(refusal) => refusal.into(),
            Cause::Outdated { id, expected, actual } => Self::new(
                409,
                "CONFLICT",
                format!("The Incident is of version {actual}, not {expected}."),
            )
            .with(json!({ "incidentId": id, "expectedVersion": expected, "actualVersion": actual })),
            Cause::SwitchedOff => Self::switched_off(),
            Cause::UnknownRun => Self::new(
                400,
                "VALIDATION_ERROR",
                "The body is not valid: metadata.runId is no LLM Run of the tenant.",
            ),
            Cause::NotLetThrough(decision) => Self::new(
                409,
                "PROMOTION_REFUSED",
                format!("The gate does not let the Incident through: {}.", decision.reason),
            )
            .with(json!({ "verdict": decision.decision, "rejectionCode": decision.rejection_code })),
            Cause::NotNoticed => Self::new(500, "INTERNAL_ERROR", "An unexpected error occurred."),
            Cause::Spent(error) => error.into(),
            Cause::TooOften(error) => error.into(),
            Cause::Once(error) => error.into(),
            Cause::Store(error) => error.into(),
        }
    }
}

impl From<OnceError> for IncidentError {
    fn from(error: OnceError) -> Self {
        if !matches!(error, OnceError::Store(_)) {
            idempotency::count("conflict");
        }
        match error {
            OnceError::Reused(of) => Self::new(
                409,
                "IDEMPOTENCY_CONFLICT",
                format!("The idempotency key was used for another request at {}.", of.at),
            )
            .with(json!({
                "idempotencyKey": of.key,
                "existingIncidentId": incident_of(&of.answer),
                "expectedHash": of.expected,
                "actualHash": of.actual,
            })),
            OnceError::Foreign => Self::new(
                403,
                "UNAUTHORIZED",
                "The idempotency key was used by another principal.",
            ),
            OnceError::Store(error) => error.into(),
        }
    }
}

/// The Incident that an answer of this API was about; null if it was about none.
fn incident_of(answer: &str) -> Value {
    let said: Value = serde_json::from_str(answer).unwrap_or_default();
    said.get("incidentId").cloned().unwrap_or_default()
}

impl From<Refusal> for IncidentError {
    fn from(refusal: Refusal) -> Self {
        let message = sentence(&refusal.to_string());
        match refusal {
            Refusal::Edge(EdgeError::Illegal { from, to }) => Self::illegal(from, to),
            Refusal::Edge(EdgeError::Unauthorized {
                by,
                to,
                severity,
                required,
            }) => Self::new(403, "UNAUTHORIZED", message).with(json!({
                "authorityType": by, "targetState": to, "severity": severity, "requiredAuthority": required,
            })),
            Refusal::Justification(error) => error.into(),
            Refusal::MissingResolution => Self::new(400, "MISSING_RESOLUTION", message),
            Refusal::ResolutionImmutable => Self::new(409, "RESOLUTION_IMMUTABLE", message),
            Refusal::MissingPostMortem => Self::new(400, "MISSING_POST_MORTEM", message),
            Refusal::MissingReason => Self::new(400, "MISSING_REASON", message),
            Refusal::NotPromoted => Self::new(409, "ILLEGAL_TRANSITION", message),
            Refusal::RetentionNotReached { retention_days } => {
                Self::new(409, "RETENTION_NOT_REACHED", message)
                    .with(json!({ "retentionDays": retention_days }))
            }
            Refusal::OutOfPlace(state) => Self::new(409, "ILLEGAL_TRANSITION", message)
                .with(json!({ "currentState": state, "allowedTransitions": state.next() })),
        }
    }
}

impl From<JustificationError> for IncidentError {
    fn from(error: JustificationError) -> Self {
        let code = match error {
            JustificationError::Missing => "MISSING_JUSTIFICATION",
            JustificationError::Length => "INVALID_JUSTIFICATION",
        };
        Self::new(400, code, sentence(&error.to_string()))
    }
}

impl IncidentError {
    pub(crate) fn not_found() -> Self {
        Self::new(404, "INCIDENT_NOT_FOUND", "There is no such Incident.")
    }

    pub(crate) fn illegal(from: IncidentState, to: IncidentState) -> Self {
        let legal: Vec<_> = from.next().iter().map(|state| state.as_str()).collect();
        let message = if from.is_terminal() {
            format!("Illegal transition: {} is a terminal state.", from.as_str())
        } else {
            format!(
                "Illegal transition from {} to {}. Legal transitions: {}.",
                from.as_str(),
                to.as_str(),
                legal.join(", ")
            )
        };
        Self::new(409, "ILLEGAL_TRANSITION", message)
            .with(json!({ "currentState": from, "targetState": to, "allowedTransitions": legal }))
    }
}
