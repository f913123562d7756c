//! How is an LLM request authorised, held, served and settled?
//!
//! One path for every route: read what limits need from the body, hold the most it can cost, call the provider
//! under that hold, pass the answer through, settle with what it really used. Whatever becomes of the client,
//! the hold ends.

mod admit;
mod answers;
mod body;
mod books;
mod caps;
mod end;
mod ending;
mod estimate;
mod facts;
mod failures;
mod flight;
mod heard;
mod judge;
mod models;
mod output;
mod references;
mod ruled;
mod serve;
mod sift;
mod stream;
mod texts;
mod thresholds;
mod traits;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use model::id::{DecisionId, LimitId, RunId};
use model::money::NanoUsd;
use model::run::Operation;
use store::StoreError;
use workers::upstream::UpstreamPool;
use workers::upstream::pump::PumpStream;

use crate::auth::{AuthError, TenantActor};
use crate::ledger::{Forbidden, HoldAnswer, RoomSettings};

pub use self::caps::{OutputCap, OutputCaps};
pub use self::flight::Flights;
pub use self::models::models;
pub use self::serve::serve;
pub use workers::upstream::pump::Cut;

/// The way to the providers.
#[derive(Debug)]
pub struct Gateway {
    /// The providers as configured.
    pub upstreams: UpstreamPool,
    /// The rest of the configuration.
    pub settings: GatewaySettings,
    /// The requests that are on their way.
    pub flights: Flights,
}

impl Gateway {
    /// A gateway to these providers. Requests run on the runtime that is current here.
    pub fn new(upstreams: UpstreamPool, settings: GatewaySettings) -> Arc<Self> {
        Arc::new(Self {
            upstreams,
            settings,
            flights: Flights::new(),
        })
    }
}

/// How the gateway behaves.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// After how many milliseconds a hold ends by itself.
    pub hold_ttl_ms: i64,
    /// The output cap, in tokens, of a request that asks for none.
    pub default_output_tokens: i64,
    /// The most that some models can make.
    pub output_caps: OutputCaps,
    /// How long a provider is read on when its client is gone.
    pub drain_timeout: Duration,
    /// A client that takes nothing for so long counts as gone.
    pub stall_timeout: Duration,
    /// How long the end of an answer waits for its books. What is not settled by then is settled all the same, but
    /// the next request may not see it yet.
    pub settle_wait: Duration,
    /// The largest answer, in bytes, that is collected before it is passed on.
    pub answer_cap_bytes: usize,
    /// How many may wait for room under QUEUE limits.
    pub room: RoomSettings,
}

/// Who a request is attributed to, as its headers say.
#[derive(Debug, Clone, Default)]
pub struct Attribution {
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
    /// The LLM Run that this one is another attempt of.
    pub parent_run: Option<RunId>,
}

/// A request of an SDK.
#[derive(Debug, Clone)]
pub struct GatewayRequest {
    /// Who calls.
    pub actor: TenantActor,
    /// What for.
    pub operation: Operation,
    /// The body as it came.
    pub body: Bytes,
    /// The headers as they came.
    pub headers: HeaderMap,
    /// Who it is attributed to.
    pub attribution: Attribution,
    /// Fields that the caller says the model is told nothing about.
    pub unknown_fields: Vec<String>,
    /// The id that joins everything that happens for it.
    pub correlation_id: String,
    /// The W3C trace context for the provider.
    pub traceparent: Option<String>,
}

/// The answer of a provider on its way to the client.
#[derive(Debug)]
pub struct Served {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, as far as they may pass.
    pub headers: HeaderMap,
    /// Its body.
    pub body: ServedBody,
    /// The LLM Run.
    pub run: RunId,
    /// The decision that let it run.
    pub decision: DecisionId,
    /// What it cost, where that is known before the answer is given.
    pub cost: Option<NanoUsd>,
    /// What was decided, for the headers about limits.
    pub answer: Box<HoldAnswer>,
    /// Why the rest of a stream is withheld: known when the stream says so.
    pub withheld: Option<Arc<OnceLock<Forbidden>>>,
}

/// The body of an answer.
#[derive(Debug)]
pub enum ServedBody {
    /// All of it.
    Whole(Bytes),
    /// As it arrives.
    Stream(PumpStream),
}

/// Why a request is not served.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The body is not JSON.
    #[error("the body is not valid JSON: {0}")]
    Malformed(String),
    /// A field is not what it should be.
    #[error("`{field}`: {detail}")]
    Invalid {
        /// Which field.
        field: String,
        /// What is wrong with it.
        detail: String,
    },
    /// No provider serves this model.
    #[error("no configured provider serves the model `{0}`")]
    NoSuchModel(String),
    /// A limit has no room, or the cost is not known under a money limit.
    #[error("a limit refuses the request")]
    Refused(Box<HoldAnswer>),
    /// A Policy Rule refuses the request.
    #[error("a Policy Rule refuses the request")]
    Forbidden(Box<Forbidden>),
    /// The provider failed before it answered.
    #[error("the provider did not answer")]
    Upstream {
        /// A stable word for it.
        code: &'static str,
        /// The LLM Run that failed.
        run: RunId,
        /// The decision that let it run.
        decision: DecisionId,
    },
    /// The LLM Run was cut off before anything of it was passed on: it took longer than a limit gives it.
    #[error("a limit cut the LLM Run off")]
    CutOff {
        /// Which limit, and what people call it.
        limit: Option<(LimitId, String)>,
        /// The LLM Run.
        run: RunId,
        /// The decision that let it run.
        decision: DecisionId,
    },
    /// The key or the tenant was stopped while the request waited for room.
    #[error("the caller is let in no more")]
    Stopped(#[from] AuthError),
    /// Nobody can tell whether the request fits its limits.
    #[error("the limits cannot be enforced")]
    Unenforceable(#[from] StoreError),
}
