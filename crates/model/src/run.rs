//! What is an LLM Run?

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::amounts::Amounts;
use crate::cost::TokenUsage;
use crate::hold::Subject;
use crate::id::{DecisionId, HoldId, RunId, TenantId};
use crate::incident::RequestTraits;
use crate::money::NanoUsd;
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    "snake_case";
    /// Where an LLM Run stands.
    RunStatus {
        /// Waits for its turn.
        Queued,
        /// Authorised and on its way.
        Running,
        /// Waits for another attempt.
        Retry,
        /// The provider answered in full.
        Succeeded,
        /// The provider failed or answered with an error.
        Failed,
        /// The client hung up.
        Aborted,
        /// Stopped by a rule while it ran.
        Halted,
        /// The process that served it went away.
        Crashed,
        /// Refused before it ran.
        Blocked,
    }
}

impl RunStatus {
    /// LIVE while something may still happen, COMPLETED after that.
    pub const fn state(self) -> RunState {
        match self {
            Self::Queued | Self::Running | Self::Retry => RunState::Live,
            Self::Succeeded | Self::Failed | Self::Aborted | Self::Halted | Self::Crashed | Self::Blocked => {
                RunState::Completed
            }
        }
    }
}

wire_enum! {
    /// Whether something may still happen to an LLM Run.
    RunState {
        /// It may.
        Live,
        /// It is over.
        Completed,
    }
}

wire_enum! {
    /// Where the token counts of a run come from.
    UsageSource {
        /// The provider said so.
        Provider,
        /// The provider said nothing; the hold was taken as used.
        Estimated,
        /// Nothing was used.
        None,
    }
}

wire_enum! {
    "snake_case";
    /// What the client asked the provider for, in the words of OpenTelemetry's `gen_ai.operation.name`
    /// where it has one.
    Operation {
        /// `POST /v1/chat/completions`.
        Chat,
        /// `POST /v1/completions`.
        TextCompletion,
        /// `POST /v1/embeddings`.
        Embeddings,
        /// `POST /v1/responses`.
        Responses,
        /// `POST /v1/messages`.
        Messages,
        /// `POST /v1/messages/count_tokens`.
        CountTokens,
    }
}

/// An LLM Run as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Whose run it is.
    pub tenant: TenantId,
    /// Where it stands.
    pub status: RunStatus,
    /// What was asked for.
    pub operation: Operation,
    /// Who and what it is for.
    pub subject: Arc<Subject>,
    /// The model that answered, in the provider's words.
    pub served_model: Option<String>,
    /// Whether the answer was streamed.
    pub stream: bool,
    /// The decision that let it run or refused it.
    pub decision: DecisionId,
    /// The hold it ran under; none if it was refused.
    pub hold: Option<HoldId>,
    /// What was held for it.
    pub estimated: Amounts,
    /// What it used, by class.
    pub usage: Option<TokenUsage>,
    /// Where `usage` comes from.
    pub usage_source: UsageSource,
    /// What it cost.
    pub cost: Option<NanoUsd>,
    /// The HTTP status the client saw.
    pub http_status: Option<u16>,
    /// A stable word for what went wrong.
    pub error_code: Option<String>,
    /// Upstream attempts beyond the first.
    pub retries: u32,
    /// When it was authorised or refused.
    pub started_at: Timestamp,
    /// When its first byte arrived.
    pub first_byte_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// The id that joins everything that happened for one request.
    pub correlation_id: String,
    /// The names of the tools that the model may call, sorted, each once.
    pub tools: Vec<String>,
    /// The keyed hash of the input; none if nobody took it.
    pub input_fingerprint: Option<String>,
}

impl Run {
    /// What the request looked like, as far as a failure may depend on it.
    pub fn traits(&self) -> RequestTraits {
        RequestTraits::of(&self.subject, &self.tools, self.input_fingerprint.as_deref())
    }
}
