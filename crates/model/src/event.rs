//! What happened, in the fifteen words of the ops event stream?

use alloc::string::String;

use crate::id::{EventId, TenantId};
use crate::money::NanoUsd;
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// The canonical event types. The list is closed.
    OpsEventType {
        /// Any API request.
        ApiCallReceived,
        /// A policy violation became an incident.
        IncidentCreated,
        /// Somebody opened an incident.
        IncidentViewed,
        /// Somebody replayed.
        ReplayExecuted,
        /// Somebody exported.
        ExportGenerated,
        /// Somebody verified a certificate.
        CertVerified,
        /// A policy check completed.
        PolicyEvaluated,
        /// A policy or a limit refused a request.
        PolicyBlocked,
        /// A provider was called.
        LlmCallMade,
        /// A provider call failed.
        LlmCallFailed,
        /// A resource of the installation crossed its threshold.
        InfraLimitHit,
        /// A customer began to pay.
        SubscriptionStarted,
        /// A customer stopped paying.
        SubscriptionCancelled,
        /// A kill switch was pulled.
        FreezeActivated,
        /// Somebody logged in. Nobody can yet: credentials come with each request.
        Login,
    }
}

/// One ops event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpsEvent {
    /// Its id.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// For whom; none for events of the platform itself.
    pub tenant: Option<TenantId>,
    /// What.
    pub event_type: OpsEventType,
    /// The customer's own user.
    pub user_id: Option<String>,
    /// The conversation.
    pub session_id: Option<String>,
    /// The kind of thing it is about.
    pub entity_type: Option<&'static str>,
    /// The thing it is about.
    pub entity_id: Option<String>,
    /// 1 to 5, 5 worst.
    pub severity: Option<i32>,
    /// How long it took, in milliseconds.
    pub latency_ms: Option<i64>,
    /// What it cost.
    pub cost: Option<NanoUsd>,
    /// The rest, as a JSON object.
    pub metadata: String,
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use strum::IntoEnumIterator as _;

    use super::*;

    #[test]
    fn there_are_exactly_fifteen_types() {
        let words = OpsEventType::iter().map(OpsEventType::as_str).collect::<Vec<_>>();
        assert_eq!(
            words.join(" "),
            "API_CALL_RECEIVED INCIDENT_CREATED INCIDENT_VIEWED REPLAY_EXECUTED EXPORT_GENERATED CERT_VERIFIED \
             POLICY_EVALUATED POLICY_BLOCKED LLM_CALL_MADE LLM_CALL_FAILED INFRA_LIMIT_HIT SUBSCRIPTION_STARTED \
             SUBSCRIPTION_CANCELLED FREEZE_ACTIVATED LOGIN"
        );
    }
}
