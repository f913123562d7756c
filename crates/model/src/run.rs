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
    /// What is not on record of an LLM Run.
    LogGap {
        /// What was asked and answered: it is not kept.
        Content,
        /// Each call of the provider: only their number is kept.
        Attempts,
        /// What let it run or refused it.
        Decision,
        /// What was set aside for it.
        Hold,
        /// How it ended: it has not.
        End,
        /// More than is shown of a kind.
        TooMany,
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
    /// The LLM Run that this one is another attempt of, as the client says it; it may name none that is there.
    pub parent: Option<RunId>,
}

impl Run {
    /// What the request looked like, as far as a failure may depend on it.
    pub fn traits(&self) -> RequestTraits {
        RequestTraits::of(&self.subject, &self.tools, self.input_fingerprint.as_deref())
    }

    /// What it used for good; none as long as it runs. What was refused or released used nothing.
    pub fn used(&self) -> Option<Amounts> {
        self.completed_at?;
        let requests = self.estimated.requests;
        Some(match (self.usage, self.usage_source) {
            (Some(usage), _) => Amounts {
                cost: self.cost.unwrap_or_default(),
                input_tokens: usage.input,
                output_tokens: usage.output,
                requests,
            },
            (None, UsageSource::Estimated) => self.estimated,
            // To count tokens is a request, and nothing else.
            (None, _) if self.operation == Operation::CountTokens && self.status == RunStatus::Succeeded => {
                Amounts {
                    requests,
                    ..Amounts::ZERO
                }
            }
            (None, _) => Amounts::ZERO,
        })
    }

    /// The most that it could cost, as it was known when it was authorised; none if nobody knew. A run of a model that
    /// is free and of which nothing was settled cannot be told from one of a model without a price.
    pub fn estimated_cost(&self) -> Option<NanoUsd> {
        let is_known = self.operation == Operation::CountTokens
            || self.estimated.cost > NanoUsd::ZERO
            || self.cost.is_some();
        is_known.then_some(self.estimated.cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Amounts = Amounts {
        cost: NanoUsd(900),
        input_tokens: 70,
        output_tokens: 20,
        requests: 1,
    };

    fn run(status: RunStatus, usage_source: UsageSource) -> Run {
        let at = Timestamp::from_micros(5);
        Run {
            id: RunId::from_bits(1),
            tenant: TenantId::from_bits(1),
            status,
            operation: Operation::Chat,
            subject: Arc::default(),
            served_model: None,
            stream: false,
            decision: DecisionId::from_bits(1),
            hold: Some(HoldId::from_bits(1)),
            estimated: ASKED,
            usage: None,
            usage_source,
            cost: None,
            http_status: None,
            error_code: None,
            retries: 0,
            started_at: at,
            first_byte_at: None,
            completed_at: Some(at),
            correlation_id: String::new(),
            tools: Vec::new(),
            input_fingerprint: None,
            parent: None,
        }
    }

    #[test]
    fn what_a_run_used_is_what_was_settled_for_it() {
        let reported = Run {
            usage: Some(TokenUsage {
                input: 7,
                output: 2,
                ..TokenUsage::default()
            }),
            cost: Some(NanoUsd(90)),
            ..run(RunStatus::Succeeded, UsageSource::Provider)
        };
        let used = Amounts {
            cost: NanoUsd(90),
            input_tokens: 7,
            output_tokens: 2,
            requests: 1,
        };
        assert_eq!(reported.used(), Some(used));
        let estimated = run(RunStatus::Failed, UsageSource::Estimated);
        assert_eq!(estimated.used(), Some(ASKED));
        let released = run(RunStatus::Failed, UsageSource::None);
        assert_eq!(released.used(), Some(Amounts::ZERO));
        let open = Run {
            completed_at: None,
            ..run(RunStatus::Running, UsageSource::None)
        };
        assert_eq!(open.used(), None);
        let counted = Run {
            operation: Operation::CountTokens,
            ..run(RunStatus::Succeeded, UsageSource::None)
        };
        let one = Amounts {
            requests: 1,
            ..Amounts::ZERO
        };
        assert_eq!(counted.used(), Some(one));
    }

    #[test]
    fn a_cost_that_nobody_knew_is_not_zero() {
        let known = run(RunStatus::Failed, UsageSource::None);
        assert_eq!(known.estimated_cost(), Some(NanoUsd(900)));
        let free = Run {
            estimated: Amounts {
                cost: NanoUsd::ZERO,
                ..ASKED
            },
            ..known
        };
        assert_eq!(free.estimated_cost(), None);
        let settled = Run {
            cost: Some(NanoUsd::ZERO),
            ..free.clone()
        };
        assert_eq!(settled.estimated_cost(), Some(NanoUsd::ZERO));
        let counted = Run {
            operation: Operation::CountTokens,
            ..free
        };
        assert_eq!(counted.estimated_cost(), Some(NanoUsd::ZERO));
    }
}
