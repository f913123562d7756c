//! Which provider serves this request?

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderName, HeaderValue};
use model::run::Operation;
use url::Url;

use super::glob::ModelGlob;
use super::settings::{AskUsage, SettingsError, Timeouts, UpstreamKind, UpstreamSettings};

/// How long an unused connection is kept.
const POOL_IDLE: Duration = Duration::from_secs(90);
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// All providers, with one pool of connections.
#[derive(Debug)]
pub struct UpstreamPool {
    upstreams: Vec<Arc<Upstream>>,
}

/// One provider, ready to be called.
pub struct Upstream {
    name: String,
    provider: String,
    kind: UpstreamKind,
    ask_usage: AskUsage,
    base: Url,
    models: Vec<ModelGlob>,
    pub(super) key_header: (HeaderName, HeaderValue),
    pub(super) client: reqwest::Client,
    pub(super) timeouts: Timeouts,
    pub(super) max_retries: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Unlisted,
    Listed((bool, usize)),
}

impl UpstreamPool {
    /// Checks the settings and builds the client. No connection is made yet.
    ///
    /// The client uses no proxy, follows no redirect and keeps no cookie, so that the key of a provider
    /// goes nowhere but to the address that is configured for it.
    pub fn new(
        settings: &[UpstreamSettings],
        timeouts: Timeouts,
        max_retries: u32,
    ) -> Result<Self, SettingsError> {
        // Fails only if the process has a provider already, which is as good.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .tcp_nodelay(true)
            .tcp_keepalive(TCP_KEEPALIVE)
            .connect_timeout(timeouts.connect)
            .pool_idle_timeout(POOL_IDLE)
            .build()
            .map_err(SettingsError::Client)?;
        let mut names = BTreeSet::new();
        let mut upstreams = Vec::with_capacity(settings.len());
        for one in settings {
            if !names.insert(&one.name) {
                return Err(SettingsError::Duplicate {
                    name: one.name.clone(),
                });
            }
            upstreams.push(Arc::new(Upstream {
                name: one.name.clone(),
                provider: one.provider.clone(),
                kind: one.kind,
                ask_usage: one.ask_usage,
                base: base_url(one)?,
                models: one.models.iter().map(|glob| ModelGlob::new(glob)).collect(),
                key_header: key_header(one)?,
                client: client.clone(),
                timeouts,
                max_retries,
            }));
        }
        Ok(Self { upstreams })
    }

    /// The provider for this request: the pattern that says most wins, a provider without a list serves what
    /// nobody names, and among equals the first in the configuration.
    pub fn route(&self, operation: Operation, model: &str) -> Option<&Arc<Upstream>> {
        let mut best: Option<(&Arc<Upstream>, Weight)> = None;
        for upstream in self.upstreams.iter().filter(|u| u.speaks(operation)) {
            let Some(weight) = upstream.weight_of(model) else {
                continue;
            };
            if best.is_none_or(|(_, so_far)| weight > so_far) {
                best = Some((upstream, weight));
            }
        }
        best.map(|(upstream, _)| upstream)
    }

    /// All of them, in the order of the configuration.
    pub fn upstreams(&self) -> &[Arc<Upstream>] {
        &self.upstreams
    }
}

impl Upstream {
    /// What the operator calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name in price tables.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Which API it speaks.
    pub fn kind(&self) -> UpstreamKind {
        self.kind
    }

    /// When it is asked to say what a stream used.
    pub fn ask_usage(&self) -> AskUsage {
        self.ask_usage
    }

    /// The models it serves; none means all.
    pub fn models(&self) -> &[ModelGlob] {
        &self.models
    }

    fn speaks(&self, operation: Operation) -> bool {
        let anthropic = matches!(operation, Operation::Messages | Operation::CountTokens);
        anthropic == (self.kind == UpstreamKind::Anthropic)
    }

    /// How clearly it is meant for the model; `None` if it does not serve it.
    fn weight_of(&self, model: &str) -> Option<Weight> {
        if self.models.is_empty() {
            return Some(Weight::Unlisted);
        }
        let matching = self.models.iter().filter(|glob| glob.matches(model));
        matching.map(ModelGlob::weight).max().map(Weight::Listed)
    }

    /// Where this operation lives.
    pub(super) fn url(&self, operation: Operation) -> Url {
        let path = match operation {
            Operation::Chat => "chat/completions",
            Operation::TextCompletion => "completions",
            Operation::Embeddings => "embeddings",
            Operation::Responses => "responses",
            Operation::Messages => "messages",
            Operation::CountTokens => "messages/count_tokens",
        };
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path()));
        url
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("name", &self.name)
            .field("provider", &self.provider)
            .field("kind", &self.kind)
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

/// The address without a slash at its end and with the version where the SDKs would put it.
fn base_url(settings: &UpstreamSettings) -> Result<Url, SettingsError> {
    let refuse = || SettingsError::BaseUrl {
        name: settings.name.clone(),
    };
    let mut url = Url::parse(settings.base_url.trim()).ok().ok_or_else(refuse)?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
        return Err(refuse());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    let versioned = match settings.kind {
        UpstreamKind::Anthropic => path.ends_with("/v1"),
        UpstreamKind::Openai | UpstreamKind::OpenaiCompatible => !path.is_empty(),
    };
    url.set_path(&if versioned { path } else { format!("{path}/v1") });
    Ok(url)
}

fn key_header(settings: &UpstreamSettings) -> Result<(HeaderName, HeaderValue), SettingsError> {
    let key = settings.api_key.expose();
    let (name, text) = match settings.kind {
        UpstreamKind::Anthropic => (HeaderName::from_static("x-api-key"), key.to_owned()),
        UpstreamKind::Openai | UpstreamKind::OpenaiCompatible => {
            (header::AUTHORIZATION, format!("Bearer {key}"))
        }
    };
    let value = HeaderValue::from_str(&text)
        .ok()
        .filter(|_| !key.trim().is_empty());
    let mut value = value.ok_or_else(|| SettingsError::Key {
        name: settings.name.clone(),
    })?;
    value.set_sensitive(true);
    Ok((name, value))
}
