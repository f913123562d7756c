//! Which providers are there, and what do their models cost?

use model::time::Timestamp;
use services::prices::{PriceBook, PriceOverride};
use workers::upstream::{AskUsage, ProviderKey, UpstreamKind, UpstreamSettings};

use super::{PROVIDER_KEY, USD};

/// Everybody lives at the same address, except for one that nobody can reach.
pub(crate) fn providers(base_url: &str) -> Vec<UpstreamSettings> {
    let one = |name: &str, kind, base_url: &str, models: &[&str]| UpstreamSettings {
        name: name.to_owned(),
        kind,
        base_url: base_url.to_owned(),
        api_key: ProviderKey::new(PROVIDER_KEY),
        provider: name.to_owned(),
        models: models.iter().map(|&model| model.to_owned()).collect(),
        ask_usage: match kind {
            _ if name == "strict" => AskUsage::Never,
            UpstreamKind::OpenaiCompatible => AskUsage::Limited,
            UpstreamKind::Openai | UpstreamKind::Anthropic => AskUsage::Always,
        },
    };
    vec![
        one("openai", UpstreamKind::Openai, base_url, &[]),
        one("anthropic", UpstreamKind::Anthropic, base_url, &[]),
        one("groq", UpstreamKind::OpenaiCompatible, base_url, &["llama-*"]),
        one("strict", UpstreamKind::OpenaiCompatible, base_url, &["strict-*"]),
        one("nowhere", UpstreamKind::Openai, "http://127.0.0.1:1", &["dead-*"]),
    ]
}

/// The table, and round prices for what only exists here.
pub(crate) fn prices() -> PriceBook {
    let one = |provider: &str, model: &str| PriceOverride {
        provider: provider.to_owned(),
        model_glob: model.to_owned(),
        effective_from: Timestamp::from_micros(0),
        input_nano_usd_per_mtok: USD,
        output_nano_usd_per_mtok: 2 * USD,
        cached_input_nano_usd_per_mtok: None,
        cache_write_nano_usd_per_mtok: None,
    };
    PriceBook::new(vec![one("nowhere", "dead-*"), one("openai", "round-*")]).unwrap()
}
