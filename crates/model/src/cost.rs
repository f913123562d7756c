//! What was used and what did it cost?

use alloc::string::String;
use alloc::sync::Arc;

use crate::hold::Subject;
use crate::id::{CostId, HoldId, RunId, TenantId};
use crate::money::NanoUsd;
use crate::time::Timestamp;
use crate::wire::wire_enum;

/// Tokens by class. The classes below `input` and `output` are parts of them, never added to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TokenUsage {
    /// All tokens sent, whatever their class.
    pub input: i64,
    /// Of `input`: read from the provider's cache.
    pub cache_read: i64,
    /// Of `input`: written to the provider's cache.
    pub cache_write: i64,
    /// Of `input`: audio.
    pub input_audio: i64,
    /// All tokens made, whatever their class.
    pub output: i64,
    /// Of `output`: reasoning.
    pub reasoning: i64,
    /// Of `output`: audio.
    pub output_audio: i64,
}

wire_enum! {
    /// Who reported a cost.
    CostSource {
        /// Our own gateway measured it.
        Gateway,
        /// The caller of the limits API settled it.
        Sdk,
    }
}

wire_enum! {
    /// Why the cost of LLM Runs is not in a sum.
    CostGap {
        /// There is no LLM Run that could have cost anything.
        NoRun,
        /// They are not on record any more.
        Gone,
        /// They have not ended.
        NotOver,
        /// Their process went away before it could say what they used.
        Unsettled,
        /// Nobody knows the price of what they used.
        Unpriced,
        /// They are more than are added up.
        TooMany,
    }
}

/// One cost record: a fact, never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostRecord {
    /// Its id.
    pub id: CostId,
    /// Whose money.
    pub tenant: TenantId,
    /// The LLM Run, if there is one.
    pub run: Option<RunId>,
    /// The hold that was settled.
    pub hold: HoldId,
    /// Who and what it is attributed to.
    pub subject: Arc<Subject>,
    /// The model that is charged for.
    pub model: Option<String>,
    /// Tokens by class.
    pub usage: TokenUsage,
    /// The cost.
    pub cost: NanoUsd,
    /// Which price table or floor it was computed with; none if the caller stated the cost.
    pub price_version: Option<String>,
    /// Who reported it.
    pub source: CostSource,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// Whether it is that of something that was tried before: by the client, as it says, or by us.
    pub is_retry: bool,
}
