//! Which provider is it, where does it live, and what opens it?

use std::fmt;
use std::time::Duration;

/// Which API a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamKind {
    /// OpenAI itself.
    Openai,
    /// Anthropic itself, or what speaks its Messages API.
    Anthropic,
    /// What speaks OpenAI's API: Groq, Mistral, vLLM and many others.
    OpenaiCompatible,
}

/// When a provider is asked to say what a stream used, although the client did not ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskUsage {
    /// With every stream.
    Always,
    /// Where a limit counts money or tokens.
    Limited,
    /// It would not understand.
    Never,
}

/// The key that opens a provider. It never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderKey(String);

impl ProviderKey {
    /// The key as configured.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ProviderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProviderKey(…)")
    }
}

/// One provider as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// What the operator calls it.
    pub name: String,
    /// Which API it speaks.
    pub kind: UpstreamKind,
    /// Where it lives, as the provider's SDKs want it: `https://api.openai.com/v1`,
    /// `https://api.anthropic.com`. A missing `/v1` is added where the SDKs would.
    pub base_url: String,
    /// What opens it.
    pub api_key: ProviderKey,
    /// Its name in price tables and in OpenTelemetry's `gen_ai.provider.name`: `openai`, `groq`.
    pub provider: String,
    /// Patterns of the models it serves; none means all.
    pub models: Vec<String>,
    /// When it is asked to say what a stream used.
    pub ask_usage: AskUsage,
}

/// How long a provider may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// From the request until the headers of the answer; an answer that is not streamed takes all its time
    /// here.
    pub first_byte: Duration,
    /// The longest silence within an answer.
    pub idle: Duration,
}

/// Why the upstreams cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not an address that can be called.
    #[error("upstream `{name}`: the base URL must be http(s) without user, query or fragment")]
    BaseUrl {
        /// Which upstream.
        name: String,
    },
    /// The key has characters that no HTTP header can carry, or none at all.
    #[error("upstream `{name}`: the API key is empty or has characters that a header cannot carry")]
    Key {
        /// Which upstream.
        name: String,
    },
    /// Two upstreams go by one name.
    #[error("upstream `{name}` is configured twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The HTTP client could not be built.
    #[error("the HTTP client could not be built")]
    Client(#[source] reqwest::Error),
}
