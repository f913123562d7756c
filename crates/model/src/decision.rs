//! What was decided about a request, and on what?

use alloc::string::String;

use crate::id::{DecisionId, HoldId, RunId, TenantId};
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// What a decision says, from mild to severe.
    Outcome {
        /// It may run.
        Allow,
        /// It may run, and there is something to be said about it.
        Warn,
        /// It may not run.
        Block,
    }
}

/// A decision with everything it was taken on, so that it can be taken again offline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionSnapshot {
    /// Its id.
    pub id: DecisionId,
    /// Whose request.
    pub tenant: TenantId,
    /// Which engine decided.
    pub engine: &'static str,
    /// Which version of it.
    pub engine_version: &'static str,
    /// What it said.
    pub outcome: Outcome,
    /// The LLM Run it is about.
    pub run: Option<RunId>,
    /// The hold it led to.
    pub hold: Option<HoldId>,
    /// SHA-256 of `input`, in hex.
    pub input_hash: String,
    /// The engine's input as JSON, without any content of the request.
    pub input: String,
    /// The engine's output as JSON.
    pub output: String,
    /// The id that joins everything that happened for one request.
    pub correlation_id: String,
    /// When.
    pub created_at: Timestamp,
}
