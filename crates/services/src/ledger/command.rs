//! What may the ledger be asked, and what does it answer?

use std::sync::Arc;

use domain::limits::outcome::{RunBound, cutting};
use domain::limits::{BreachFact, CheckOutput};
use domain::settle::{Authority, End};
use model::amounts::Amounts;
use model::breach::Breach;
use model::cost::{CostSource, TokenUsage};
use model::decision::Outcome;
use model::event::OpsEvent;
use model::hold::{Hold, HoldStatus, Subject};
use model::id::{CostId, DecisionId, HoldId, KeyId, LimitId, TenantId};
use model::limit::{Limit, LimitType};
use model::run::{Operation, Run};
use model::time::Timestamp;
use store::StoreError;

pub use super::judged::{Born, Forbidden, Judged, Verdict};
pub use super::ruling::Ruling;

#[derive(Debug)]
pub(super) enum Command {
    Hold(Box<HoldCommand>),
    End(Box<EndCommand>),
    Renew(RenewCommand),
}

/// A request that wants to spend.
#[derive(Debug, Clone)]
pub struct HoldCommand {
    /// Whose limits.
    pub tenant: TenantId,
    /// Who and what it is for.
    pub subject: Arc<Subject>,
    /// The most it can use.
    pub amounts: Amounts,
    /// How many more LLM Runs it would be at one time; 1 for a single one.
    pub concurrency: i64,
    /// Whether the cost in `amounts` is known; if not, a strict money limit refuses.
    pub cost_known: bool,
    /// After how many milliseconds the hold ends by itself.
    pub ttl_ms: i64,
    /// The id the hold will have.
    pub hold: HoldId,
    /// The id the decision will have.
    pub decision: DecisionId,
    /// The LLM Run to record with the decision, if our gateway makes one.
    pub run: Option<NewRun>,
    /// The id that joins everything that happened for the request.
    pub correlation_id: String,
    /// How to answer the same request twice.
    pub idempotency: Option<Idempotency>,
    /// What the Policy Rules say of it; none if it is not judged by them.
    pub judged: Option<Box<Judged>>,
    /// Whether it can wait or take less; none if its first refusal is the last word.
    pub patience: Option<Patience>,
    /// What is to be served instead of what was asked for.
    pub instead: Option<Arc<Instead>>,
}

impl HoldCommand {
    /// Whether limits are asked at all: not if Policy Rules refuse it.
    pub(super) fn asks_limits(&self) -> bool {
        self.verdict()
            .is_none_or(|verdict| verdict.judgement.outcome != Outcome::Block)
    }

    /// What the Policy Rules have to say about it.
    pub(super) fn verdict(&self) -> Option<&Verdict> {
        self.judged.as_ref()?.verdict.as_ref()
    }
}

/// That a request can wait or take less. Until its last attempt a refusal that this may mend leaves no trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Its place in the order of arrival.
    pub place: u64,
    /// Whether this is the last attempt.
    pub last: bool,
}

/// What is served instead of what was asked for, because DEGRADE limits have no room for that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instead {
    /// The model that was asked for.
    pub asked_model: String,
    /// The model that is served.
    pub served_model: String,
    /// The cap of the output, in tokens, if it is lowered.
    pub output_tokens: Option<i64>,
    /// The limits that have no room for what was asked for, or that need a price which nobody knows.
    pub because: Vec<LimitId>,
    /// How what was asked for would have passed them. Recorded with the hold.
    pub breaches: Vec<BreachFact>,
}

impl Instead {
    /// What a decision snapshot says of it.
    pub(super) fn facts(&self) -> serde_json::Value {
        serde_json::json!({
            "asked_model": self.asked_model,
            "served_model": self.served_model,
            "output_tokens": self.output_tokens,
            "degraded_by": self.because,
        })
    }
}

/// How long a request has waited for room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waited {
    /// Milliseconds.
    pub ms: i64,
    /// Until when it would have waited.
    pub deadline: Timestamp,
}

/// The LLM Run that a hold is for.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its id.
    pub id: model::id::RunId,
    /// What was asked for.
    pub operation: Operation,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The names of the tools that the model may call, sorted, each once.
    pub tools: Vec<String>,
    /// The keyed hash of the input.
    pub input_fingerprint: Option<String>,
    /// The LLM Run that it is another attempt of, as the client says it.
    pub parent: Option<model::id::RunId>,
}

/// A threshold that an LLM Run turned out to be over.
#[derive(Debug, Clone)]
pub struct Passed {
    /// What is recorded.
    pub breach: Breach,
    /// Whether an alert fires with it.
    pub alert: bool,
}

/// The end of a hold.
#[derive(Debug, Clone)]
pub struct EndCommand {
    /// Whose hold.
    pub tenant: TenantId,
    /// Which hold.
    pub hold: HoldId,
    /// How it ends.
    pub end: End,
    /// Who says so.
    pub authority: Authority,
    /// The key that must have taken the hold; none if whoever may end it may end any.
    pub key: Option<KeyId>,
    /// What is to be recorded as cost, if it is settled.
    pub cost: Option<CostFacts>,
    /// How the LLM Run ended, if it was one of our gateway's.
    pub run: Option<Box<Run>>,
    /// What else happened.
    pub events: Vec<OpsEvent>,
    /// The thresholds that the LLM Run turned out to be over.
    pub passed: Vec<Passed>,
    /// What Policy Rules said about the answer, if they had something to say.
    pub ruling: Option<Box<Ruling>>,
    /// How to answer the same request twice.
    pub idempotency: Option<Idempotency>,
}

impl EndCommand {
    /// The id that joins everything that happened for the LLM Run; empty if there is none.
    pub(super) fn correlation_id(&self) -> &str {
        self.run.as_deref().map_or("", |run| run.correlation_id.as_str())
    }
}

/// A hold that somebody is at work under, and that must not expire meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenewCommand {
    /// Whose hold.
    pub tenant: TenantId,
    /// Which hold.
    pub hold: HoldId,
    /// After how many milliseconds from now it ends by itself.
    pub ttl_ms: i64,
}

/// What a cost record adds to the settled amounts and the subject of the hold.
#[derive(Debug, Clone)]
pub struct CostFacts {
    /// Its id.
    pub id: CostId,
    /// The model that is charged for, if it is not the one that was asked for.
    pub model: Option<String>,
    /// Tokens by class.
    pub usage: TokenUsage,
    /// Which price table it was computed with.
    pub price_version: Option<String>,
    /// Who reported it.
    pub source: CostSource,
    /// Whether it was tried before.
    pub is_retry: bool,
}

/// An idempotency key with what is needed to answer it for ever.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// Which operation; part of the key's name.
    pub operation: &'static str,
    /// The key.
    pub key: String,
    /// Who sends it.
    pub principal: String,
    /// A hash of the request.
    pub fingerprint: String,
    /// Makes the HTTP answer that is stored: its status and its body.
    pub render: fn(&Answer) -> (u16, String),
}

/// What the ledger answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// About a request.
    Decided(Box<HoldAnswer>),
    /// About the end of a hold.
    Ended(Box<EndAnswer>),
    /// A hold lives on.
    Renewed(Box<Hold>),
    /// What was answered before to the same key.
    Replayed(Replay),
}

impl Answer {
    /// Whether it is a refusal that is not the last word.
    pub fn is_provisional(&self) -> bool {
        matches!(self, Self::Decided(decided) if decided.provisional.is_some())
    }
}

/// An answer that was given before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The HTTP status.
    pub status: u16,
    /// The body, byte for byte.
    pub body: String,
}

/// A decision about a request.
#[derive(Debug, Clone)]
pub struct HoldAnswer {
    /// The decision's id.
    pub decision: DecisionId,
    /// The hold; none if the request is refused.
    pub hold: Option<Hold>,
    /// The LLM Run that was recorded.
    pub run: Option<Run>,
    /// What was decided.
    pub output: CheckOutput,
    /// When.
    pub at: Timestamp,
    /// What the Policy Rules said, in the words of the header; none if there are none.
    pub policy: Option<String>,
    /// The QUEUE and DEGRADE limits that refuse, if the refusal is not the last word: nothing is recorded of it.
    pub provisional: Option<Vec<Limit>>,
    /// The thresholds that the LLM Run is judged by when it has ended.
    pub bounds: Vec<RunBound>,
    /// What is served instead of what was asked for.
    pub instead: Option<Arc<Instead>>,
    /// How long it has waited, if it has.
    pub waited: Option<Waited>,
}

impl HoldAnswer {
    /// Whether the request may run.
    pub fn allowed(&self) -> bool {
        self.output.outcome != Outcome::Block
    }

    /// The limit that cuts the answer off when it takes too long, with its name.
    pub fn cuts_at_the_end(&self) -> Option<(LimitId, &str)> {
        let bound = cutting(&self.bounds, LimitType::DurationMs)?;
        Some((bound.limit, &bound.name))
    }
}

/// A hold that has ended.
#[derive(Debug, Clone)]
pub struct EndAnswer {
    /// The hold as it is now.
    pub hold: Hold,
    /// How much more was used than was held, per item in the unit of its limit.
    pub overruns: Vec<i64>,
}

/// Why the ledger cannot do what it is asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// Policy Rules refuse the request; that was written down.
    #[error("a Policy Rule refuses the request")]
    Forbidden(Box<Forbidden>),
    /// What governs has changed since the request was judged: it is to be judged again. Nothing was written.
    #[error("the request was judged by rules that apply no more")]
    Outdated,
    /// There is no such hold, or it is not the caller's.
    #[error("there is no such hold")]
    HoldNotFound,
    /// The hold has ended before, in this way.
    #[error("the hold has been closed")]
    HoldClosed(HoldStatus),
    /// The time of the hold was over.
    #[error("the hold has expired")]
    HoldExpired,
    /// More was used than was held.
    #[error("the settlement exceeds the hold")]
    ExceedsHold,
    /// The time of the hold is not over.
    #[error("the hold is not due")]
    NotDue,
    /// The key was used for another request, at this time.
    #[error("the idempotency key was used for another request")]
    KeyReused(Timestamp),
    /// The key was used by somebody else.
    #[error("the idempotency key belongs to another principal")]
    KeyForeign,
    /// The database failed.
    #[error("the ledger could not be read or written")]
    Store(#[from] StoreError),
}

impl From<domain::settle::Refusal> for LedgerError {
    fn from(refusal: domain::settle::Refusal) -> Self {
        use domain::settle::Refusal;
        match refusal {
            Refusal::Closed(status) => Self::HoldClosed(status),
            Refusal::Expired => Self::HoldExpired,
            Refusal::Exceeds => Self::ExceedsHold,
            Refusal::NotDue => Self::NotDue,
        }
    }
}
