//! What happened, in the order in which a person reads it?

use alloc::string::String;

use crate::id::{TenantId, TimelineId};
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// Which part of the product something happened in.
    SourceDomain {
        /// LLM Runs.
        Activity,
        /// Incidents.
        Incidents,
        /// Policy Rules and proposals.
        Policies,
        /// Limits.
        Limits,
        /// Costs.
        Analytics,
        /// Keys.
        Connectivity,
        /// Audit.
        Logs,
    }
}

/// One entry of the timeline. The words of `event_type` may grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// Its id.
    pub id: TimelineId,
    /// Whose.
    pub tenant: TenantId,
    /// When.
    pub at: Timestamp,
    /// Where.
    pub source: SourceDomain,
    /// What, such as `limit_created`.
    pub event_type: &'static str,
    /// To which thing.
    pub entity_id: String,
    /// What else it has to do with, as a JSON object of ids.
    pub related: String,
    /// What people read.
    pub summary: String,
    /// What else is known, as a JSON object.
    pub data: String,
    /// The id that joins everything that happened for one request.
    pub correlation_id: String,
}
