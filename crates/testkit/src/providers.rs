//! Which providers does a test configure?
//!
//! The scripted upstream in two roles: OpenAI's and Anthropic's.

use std::time::Duration;

use workers::upstream::{AskUsage, ProviderKey, Timeouts, UpstreamKind, UpstreamPool, UpstreamSettings};

use crate::upstream::Scripted;

/// The key that a provider is sent, so that a test can look for it where it must not be.
pub const PROVIDER_KEY: &str = "sk-the-key-of-the-provider";

/// A model that is served and that no price table knows.
pub const UNPRICED_MODEL: &str = "mystery-1";

/// A pool whose `gpt-*`, `text-embedding-*` and `mystery-*` go to OpenAI and whose `claude-*` go to Anthropic,
/// both of which are this upstream. Nothing is tried twice, and nothing is waited for longer than two seconds.
pub fn pool(upstream: &Scripted) -> UpstreamPool {
    let provider = |name: &str, kind, models: &[&str]| UpstreamSettings {
        name: name.to_owned(),
        kind,
        base_url: upstream.base_url().to_owned(),
        api_key: ProviderKey::new(PROVIDER_KEY),
        provider: name.to_owned(),
        models: models.iter().map(|&glob| glob.to_owned()).collect(),
        ask_usage: AskUsage::Always,
    };
    let settings = [
        provider(
            "openai",
            UpstreamKind::Openai,
            &["gpt-*", "text-embedding-*", "mystery-*"],
        ),
        provider("anthropic", UpstreamKind::Anthropic, &["claude-*"]),
    ];
    // An answer has as long as the connection and its first byte may take together.
    let timeouts = Timeouts {
        connect: Duration::from_secs(1),
        first_byte: Duration::from_secs(1),
        idle: Duration::from_secs(2),
    };
    UpstreamPool::new(&settings, timeouts, 0).unwrap_or_else(|error| panic!("no pool of providers: {error}"))
}
