//! How is an LLM Run shown?

use std::sync::Arc;

use model::cost::{CostRecord, TokenUsage};
use model::money::NanoUsd;
use model::run::Run;
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::number::Usd;

/// Tokens by class; the smaller classes are parts of the larger ones.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TokensView {
    /// All tokens sent.
    pub input_tokens: i64,
    /// Of them, read from the provider's cache.
    pub cache_read_tokens: i64,
    /// Of them, written to the provider's cache.
    pub cache_write_tokens: i64,
    /// Of them, audio.
    pub input_audio_tokens: i64,
    /// All tokens made.
    pub output_tokens: i64,
    /// Of them, reasoning.
    pub reasoning_tokens: i64,
    /// Of them, audio.
    pub output_audio_tokens: i64,
}

impl From<TokenUsage> for TokensView {
    fn from(usage: TokenUsage) -> Self {
        let TokenUsage {
            input,
            cache_read,
            cache_write,
            input_audio,
            output,
            reasoning,
            output_audio,
        } = usage;
        Self {
            input_tokens: input,
            cache_read_tokens: cache_read,
            cache_write_tokens: cache_write,
            input_audio_tokens: input_audio,
            output_tokens: output,
            reasoning_tokens: reasoning,
            output_audio_tokens: output_audio,
        }
    }
}

/// An LLM Run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunView {
    /// Its id.
    pub run_id: String,
    /// queued, running, retry, succeeded, failed, aborted, halted, crashed or blocked.
    pub status: &'static str,
    /// LIVE or COMPLETED.
    pub state: &'static str,
    /// What was asked for.
    pub operation: &'static str,
    /// The provider.
    pub provider: Option<String>,
    /// The model that was asked for.
    pub model: Option<String>,
    /// The model that answered.
    pub served_model: Option<String>,
    /// The key that made it.
    pub api_key_id: Option<String>,
    /// The project.
    pub project_id: Option<String>,
    /// The agent.
    pub agent_id: Option<String>,
    /// The product feature.
    pub feature: Option<String>,
    /// The conversation.
    pub session_id: Option<String>,
    /// The customer's own user.
    pub end_user: Option<String>,
    /// Whether the answer was streamed.
    pub stream: bool,
    /// The names of the tools that the model might call, sorted.
    pub tools: Vec<String>,
    /// The keyed hash of the input: the same for the same input of the same tenant.
    pub input_fingerprint: Option<String>,
    /// The LLM Run that this one is another attempt of, as `x-plimsoll-parent-run-id` said; it may name none that is there.
    pub parent_run_id: Option<String>,
    /// The decision that let it run or refused it.
    pub decision_id: String,
    /// The hold it ran under.
    pub hold_id: Option<String>,
    /// What was held, in exact nano-USD: the most it could cost; 0 if it was refused, because nothing was held.
    pub held_nano_usd: String,
    /// What it used.
    pub usage: Option<TokensView>,
    /// PROVIDER, ESTIMATED or NONE: where `usage` and the cost come from.
    pub usage_source: &'static str,
    /// What it cost, in USD.
    #[schema(value_type = Option<f64>)]
    pub cost_usd: Option<Usd>,
    /// What it cost, in exact nano-USD.
    pub cost_nano_usd: Option<String>,
    /// What it cost, in whole cents, rounded half up.
    pub cost_cents: Option<i64>,
    /// The HTTP status of the provider.
    pub http_status: Option<u16>,
    /// A stable word for what went wrong.
    pub error_code: Option<String>,
    /// Upstream attempts beyond the first.
    pub retries: u32,
    /// When it was authorised or refused.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When its first byte arrived.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_byte_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_at: Option<Timestamp>,
    /// From start to end, in milliseconds.
    pub duration_ms: Option<i64>,
    /// The id that joins everything that happened for the request.
    pub request_id: String,
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        let Run {
            id,
            tenant: _,
            status,
            operation,
            subject,
            served_model,
            stream,
            decision,
            hold,
            estimated,
            usage,
            usage_source,
            cost,
            http_status,
            error_code,
            retries,
            started_at,
            first_byte_at,
            completed_at,
            correlation_id,
            tools,
            input_fingerprint,
            parent,
        } = run;
        let subject = Arc::unwrap_or_clone(subject);
        let held = hold.map_or(NanoUsd::ZERO, |_| estimated.cost);
        Self {
            run_id: id.to_string(),
            status: status.as_str(),
            state: status.state().as_str(),
            operation: operation.as_str(),
            provider: subject.provider,
            model: subject.model,
            served_model,
            api_key_id: subject.api_key_id.map(|id| id.to_string()),
            project_id: subject.project_id,
            agent_id: subject.agent_id,
            feature: subject.feature,
            session_id: subject.session_id,
            end_user: subject.end_user,
            stream,
            tools,
            input_fingerprint,
            parent_run_id: parent.map(|id| id.to_string()),
            decision_id: decision.to_string(),
            hold_id: hold.map(|id| id.to_string()),
            held_nano_usd: held.0.to_string(),
            usage: usage.map(Into::into),
            usage_source: usage_source.as_str(),
            cost_usd: cost.map(Usd),
            cost_nano_usd: cost.map(|cost| cost.0.to_string()),
            cost_cents: cost.map(NanoUsd::to_cents_half_up),
            http_status,
            error_code,
            retries,
            started_at,
            first_byte_at,
            completed_at,
            duration_ms: completed_at.map(|end| end.millis_since(started_at)),
            request_id: correlation_id,
        }
    }
}

/// A piece of the list of LLM Runs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunPageView {
    /// Newest first.
    pub items: Vec<RunView>,
    /// Whether there are more.
    pub has_more: bool,
    /// What to send as `cursor` for the next piece.
    pub next_cursor: Option<String>,
}

/// One cost record.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CostRecordView {
    /// Its id.
    pub cost_id: String,
    /// The model that is charged for.
    pub model: Option<String>,
    /// The provider.
    pub provider: Option<String>,
    /// The key.
    pub api_key_id: Option<String>,
    /// Tokens by class.
    pub usage: TokensView,
    /// The cost in USD.
    #[schema(value_type = f64)]
    pub cost_usd: Usd,
    /// The cost in exact nano-USD.
    pub cost_nano_usd: String,
    /// Which prices it was computed with: the release of the price table with a hash of the configured overrides, or
    /// the floor (`floor/tenant:…`, `floor/configured:…`) of a model that has none.
    pub price_version: Option<String>,
    /// GATEWAY or SDK: who reported it.
    pub source: &'static str,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<CostRecord> for CostRecordView {
    fn from(record: CostRecord) -> Self {
        let CostRecord {
            id,
            tenant: _,
            run: _,
            hold: _,
            subject,
            model,
            usage,
            cost,
            price_version,
            source,
            created_at,
            is_retry: _,
        } = record;
        let subject = Arc::unwrap_or_clone(subject);
        Self {
            cost_id: id.to_string(),
            model,
            provider: subject.provider,
            api_key_id: subject.api_key_id.map(|id| id.to_string()),
            usage: usage.into(),
            cost_usd: Usd(cost),
            cost_nano_usd: cost.0.to_string(),
            price_version,
            source: source.as_str(),
            created_at,
        }
    }
}

/// What an LLM Run cost.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunCostView {
    /// Which run.
    pub run_id: String,
    /// USD.
    #[schema(value_type = f64)]
    pub total_cost_usd: Usd,
    /// Exact nano-USD.
    pub total_cost_nano_usd: String,
    /// Whole cents, rounded half up.
    pub total_cost_cents: i64,
    /// Tokens sent.
    pub input_tokens: i64,
    /// Tokens made.
    pub output_tokens: i64,
    /// What it adds up.
    pub records: Vec<CostRecordView>,
}

impl RunCostView {
    /// Adds the records of a run up.
    pub fn of(run_id: String, records: Vec<CostRecord>) -> Self {
        let total = |pick: fn(&CostRecord) -> i64| records.iter().map(pick).fold(0, i64::saturating_add);
        let cost = NanoUsd(total(|record| record.cost.0));
        Self {
            run_id,
            total_cost_usd: Usd(cost),
            total_cost_nano_usd: cost.0.to_string(),
            total_cost_cents: cost.to_cents_half_up(),
            input_tokens: total(|record| record.usage.input),
            output_tokens: total(|record| record.usage.output),
            records: records.into_iter().map(Into::into).collect(),
        }
    }
}
