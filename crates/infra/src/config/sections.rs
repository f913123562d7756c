//! What does the rest of the product read, section by section?
//!
//! Plain values that passed every check. Their keys and defaults stand in `keys.rs`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use model::money::NanoUsd;
use model::time::Timestamp;
use serde::{Deserialize, Deserializer};

use super::check;
use crate::secrets::{KeyEnvironment, MasterKey, MasterKeyError, Secret};
use crate::telemetry::LogFormat;

/// Who may reach the listener of metrics and health, which asks for no credential and has no TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricsExposure {
    /// Programs of the same machine.
    Loopback,
    /// A network that the operator trusts.
    Network,
}

/// What becomes of an SQLite file on a file system of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkFilesystem {
    /// The server does not start.
    Refuse,
    /// It starts with a warning.
    Allow,
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where metrics and health are answered; not meant for the public.
    pub metrics_listen: SocketAddr,
    /// Who may reach that.
    pub metrics_exposure: MetricsExposure,
    /// Threads that serve requests; 0 means one for each core.
    pub workers: usize,
    /// The largest body of a request to our own API.
    pub max_body_bytes: usize,
    /// The largest body of a request to an LLM route.
    pub llm_max_body_bytes: usize,
    /// How long the headers of a request may take to arrive.
    #[serde(rename = "request_timeout_ms", deserialize_with = "millis")]
    pub request_timeout: Duration,
    /// How long a connection is kept on which nothing is asked.
    #[serde(rename = "keep_alive_ms", deserialize_with = "millis")]
    pub keep_alive: Duration,
    /// How long running requests may go on after the signal to stop.
    #[serde(rename = "shutdown_grace_ms", deserialize_with = "millis")]
    pub shutdown_grace: Duration,
    /// The values of `Host` that are answered; empty means all.
    pub allowed_hosts: Vec<String>,
    /// Which API keys open this installation.
    pub environment: KeyEnvironment,
}

/// The database.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// Which one; a secret, because it may contain a password.
    pub url: Secret,
    /// Connections for reading.
    pub read_connections: usize,
    /// Connections for writing (PostgreSQL; SQLite has exactly one).
    pub write_connections: usize,
    /// Lanes that batches are spread over (PostgreSQL; SQLite has exactly one).
    pub ledger_lanes: usize,
    /// Commands that may wait in one queue before the next is refused.
    pub queue_depth: usize,
    /// The most commands of the ledger in one transaction.
    pub batch_max: usize,
    /// The longest a statement may take (PostgreSQL).
    #[serde(rename = "statement_timeout_ms", deserialize_with = "millis")]
    pub statement_timeout: Duration,
    /// The longest a lock may be waited for.
    #[serde(rename = "lock_timeout_ms", deserialize_with = "millis")]
    pub lock_timeout: Duration,
    /// What becomes of an SQLite file on a file system of a network.
    pub network_filesystem: NetworkFilesystem,
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// For machines or for people.
    pub format: LogFormat,
    /// Which messages, as a filter: `info`, `info,plimsoll=debug`.
    pub level: String,
}

/// Secrets of the installation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretsConfig {
    /// What secrets at rest are encrypted under: 32 bytes in base64.
    pub master_key: Option<Secret>,
}

impl SecretsConfig {
    /// The master key, ready for use; none if there is none.
    pub fn master_key(&self) -> Result<Option<MasterKey>, MasterKeyError> {
        self.master_key.as_ref().map(MasterKey::from_base64).transpose()
    }
}

/// Signed requests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningConfig {
    /// The region that a signature has to be for.
    pub region: String,
    /// The service that a signature has to be for.
    pub service: String,
    /// How many signatures may be wrong in a minute, from one address with one access key.
    pub failures_per_minute: u32,
}

/// How often an authority may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityRatesConfig {
    /// Changes in a minute.
    pub mutations_per_minute: u32,
    /// Reads in a minute.
    pub reads_per_minute: u32,
    /// How many more of either after a pause.
    pub burst: u32,
}

/// How often each authority may do something.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatesConfig {
    /// `AUTO_ENGINE`
    pub auto_engine: AuthorityRatesConfig,
    /// `HUMAN_OPERATOR`
    pub human_operator: AuthorityRatesConfig,
    /// `ON_CALL_SRE`
    pub on_call_sre: AuthorityRatesConfig,
    /// `EMERGENCY_OVERRIDE`
    pub emergency_override: AuthorityRatesConfig,
}

/// What becomes of an address that only development needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForDevelopment {
    /// Nothing is sent there.
    Refuse,
    /// It is an address like others.
    Allow,
}

/// Messages to those who want to be told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhooksConfig {
    /// Addresses without TLS.
    pub plain_http: ForDevelopment,
    /// Addresses of this machine and of private networks.
    pub private_addresses: ForDevelopment,
}

/// Incidents.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentsConfig {
    /// After how many days a closed one is archived.
    pub archive_after_days: u32,
    /// How many listen to this process at once, of all tenants.
    pub streams_max: usize,
}

/// Calls to providers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// Until a connection stands.
    #[serde(rename = "connect_timeout_ms", deserialize_with = "millis")]
    pub connect_timeout: Duration,
    /// From the request until the headers of the answer.
    #[serde(rename = "first_byte_timeout_ms", deserialize_with = "millis")]
    pub first_byte_timeout: Duration,
    /// The longest silence within an answer.
    #[serde(rename = "idle_timeout_ms", deserialize_with = "millis")]
    pub idle_timeout: Duration,
    /// How long an answer is still read for its usage when the client has gone.
    #[serde(rename = "drain_timeout_ms", deserialize_with = "millis")]
    pub drain_timeout: Duration,
    /// How often a failed call is tried again.
    pub max_retries: u32,
    /// After how long a hold is given back when the process that works under it is gone.
    pub hold_ttl_ms: i64,
    /// What is held for the answer when a request does not say how long it may be.
    pub default_output_tokens: u32,
    /// The most LLM Runs that wait for room under one QUEUE limit, in one process.
    pub queue_per_limit: usize,
    /// The most that wait in one process.
    pub queue_total: usize,
    /// After how long the first in line looks for room that other processes made.
    #[serde(rename = "queue_poll_ms", deserialize_with = "millis")]
    pub queue_poll: Duration,
    /// The most that some models can make.
    pub output_caps: Vec<OutputCap>,
}

/// The most that some models can make in one answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputCap {
    /// Whose models, as in the price table.
    pub provider: String,
    /// Which models; `*` stands for any text.
    pub model: String,
    /// Tokens.
    pub max_output_tokens: NonZeroU32,
}

/// Which API a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamKind {
    /// OpenAI itself.
    Openai,
    /// Anthropic itself, or what speaks its Messages API.
    Anthropic,
    /// What speaks OpenAI's API.
    OpenaiCompatible,
}

/// When a provider is asked to say what a stream used, although the client did not ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskUsage {
    /// With every stream.
    Always,
    /// Where a limit counts money or tokens.
    Limited,
    /// It would not understand.
    Never,
}

/// One provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamConfig {
    /// Which API it speaks.
    pub kind: UpstreamKind,
    /// Where it lives.
    pub base_url: String,
    /// What opens it; only an `openai_compatible` one may do without.
    pub api_key: Option<Secret>,
    /// Patterns of the models that it serves; empty means all.
    pub models: Vec<String>,
    /// What price tables call it.
    pub provider: String,
    /// When it is asked to say what a stream used.
    pub ask_usage: AskUsage,
}

/// Prices that differ from the price table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PricesConfig {
    /// Prices that replace or add to those of the table.
    pub overrides: Vec<PriceOverride>,
    /// The price of a model that has none; without it such a model is refused under a money limit.
    pub floor: Option<FloorPrice>,
}

/// The price of some models from some day on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceOverride {
    /// Whose models, as in the price table.
    pub provider: String,
    /// Which models; `*` stands for any text.
    pub model: String,
    /// From when on.
    pub effective_from: Timestamp,
    /// One million tokens of input.
    #[serde(rename = "input_usd_per_mtok", deserialize_with = "usd")]
    pub input_per_mtok: NanoUsd,
    /// One million tokens of output.
    #[serde(rename = "output_usd_per_mtok", deserialize_with = "usd")]
    pub output_per_mtok: NanoUsd,
    /// One million tokens of input that the provider had cached; none means the price of input.
    #[serde(
        rename = "cached_input_usd_per_mtok",
        default,
        deserialize_with = "optional_usd"
    )]
    pub cached_input_per_mtok: Option<NanoUsd>,
}

/// The price of a model that has none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FloorPrice {
    /// One million tokens of input.
    #[serde(rename = "input_usd_per_mtok", deserialize_with = "usd")]
    pub input_per_mtok: NanoUsd,
    /// One million tokens of output.
    #[serde(rename = "output_usd_per_mtok", deserialize_with = "usd")]
    pub output_per_mtok: NanoUsd,
}

/// The providers by the names that the operator gave them.
pub type Upstreams = BTreeMap<String, UpstreamConfig>;

fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

fn usd<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NanoUsd, D::Error> {
    let text = String::deserialize(deserializer)?;
    check::usd(&text).map_err(serde::de::Error::custom)
}

fn optional_usd<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NanoUsd>, D::Error> {
    usd(deserializer).map(Some)
}
