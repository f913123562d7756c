//! How do the parts become one process?
//!
//! Everything that the layers below take from outside is made here, once: the clock, the ids, the database, the
//! prices and the way to the providers.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use domain::rates::AuthorityRates;
use infra::clock::{RandomIds, SystemClock};
use infra::config::{
    AskUsage, AuthorityRatesConfig, Config, DatabaseConfig, ForDevelopment, PricesConfig, UpstreamConfig,
    UpstreamKind, WebhooksConfig,
};
use infra::sigv4::Scope;
use services::Context;
use services::gateway::{Gateway, GatewaySettings, OutputCap, OutputCaps};
use services::identity::{IdentitySettings, RateTable};
use services::ledger::RoomSettings;
use services::prices::{FloorPrice, PriceBook, PriceOverride};
use services::webhooks::Post;
use store::Db;
use workers::upstream::{ProviderKey, Timeouts, UpstreamPool, UpstreamSettings};
use workers::webhooks::{Reach, Sender};

/// What a provider without a key is sent; whoever needs none ignores it.
const NO_KEY: &str = "none";

/// Many times what a commit takes. Beyond it the store is in trouble, which a client need not wait for.
const SETTLE_WAIT: Duration = Duration::from_secs(1);

/// How the store opens the configured database.
pub(crate) fn store_settings(database: &DatabaseConfig) -> Result<store::Settings> {
    let mut settings = store::Settings::for_url(database.url.expose())?;
    settings.read_connections = database.read_connections;
    settings.write_connections = database.write_connections;
    settings.ledger_lanes = database.ledger_lanes;
    settings.queue_depth = database.queue_depth;
    settings.batch_max = database.batch_max;
    settings.commit_group_max = settings.commit_group_max.min(database.batch_max);
    settings.statement_timeout = database.statement_timeout;
    settings.lock_timeout = database.lock_timeout;
    Ok(settings)
}

/// Brings the schema up to date; returns the names of the migrations that were missing.
pub(crate) fn migrate(config: &Config) -> Result<Vec<String>> {
    let settings = store_settings(&config.database)?;
    store::migrate::run(&settings).context("the database could not be brought up to date")
}

/// Refuses a database whose schema is not that of this program, and changes nothing.
pub(crate) fn refuse_other_schema(config: &Config) -> Result<()> {
    let status = store::migrate::status(&store_settings(&config.database)?);
    status
        .and_then(|status| status.refuse_other())
        .context("the database does not fit this program")
}

/// The database and everything that works on it. The schema must be up to date.
pub(crate) fn context(config: &Config) -> Result<Context> {
    let db = Db::open(&store_settings(&config.database)?).context("the database could not be opened")?;
    let prices = Arc::new(prices(&config.prices)?);
    let gateway = Gateway::new(upstreams(config)?, gateway_settings(config));
    Ok(Context::new(
        db,
        Arc::new(SystemClock::new()),
        Arc::new(RandomIds::new()),
        prices,
        gateway,
    )
    .with_environment(config.server.environment)
    .with_identity(identity(config)?)
    .with_post(post(&config.webhooks)?)
    .with_archive_after_days(i64::from(config.incidents.archive_after_days))
    .with_streams(config.incidents.streams_max))
}

/// The way to those who are sent messages.
fn post(config: &WebhooksConfig) -> Result<Post> {
    let reach = Reach {
        http: config.plain_http == ForDevelopment::Allow,
        private: config.private_addresses == ForDevelopment::Allow,
    };
    let sender = Sender::new(reach).context("the client for webhooks could not be built")?;
    Ok(Post::new(Some(sender)))
}

/// How signed requests are treated.
fn identity(config: &Config) -> Result<IdentitySettings> {
    let rates = |of: AuthorityRatesConfig| AuthorityRates {
        mutations: of.mutations_per_minute,
        reads: of.reads_per_minute,
        burst: of.burst,
    };
    let master_key = config.secrets.master_key();
    Ok(IdentitySettings {
        master_key: master_key.context("the master key cannot be used")?,
        scope: Scope {
            region: config.signing.region.clone(),
            service: config.signing.service.clone(),
        },
        rates: RateTable {
            auto_engine: rates(config.rates.auto_engine),
            human_operator: rates(config.rates.human_operator),
            on_call_sre: rates(config.rates.on_call_sre),
            emergency_override: rates(config.rates.emergency_override),
        },
        failures_per_minute: config.signing.failures_per_minute,
    })
}

/// Lets the database go: what waits is still written, then its threads end.
pub(crate) fn close(cx: Context) {
    drop(cx);
}

fn gateway_settings(config: &Config) -> GatewaySettings {
    let gateway = &config.gateway;
    GatewaySettings {
        hold_ttl_ms: gateway.hold_ttl_ms,
        default_output_tokens: i64::from(gateway.default_output_tokens),
        output_caps: OutputCaps::new(gateway.output_caps.iter().map(output_cap).collect()),
        drain_timeout: gateway.drain_timeout,
        stall_timeout: gateway.idle_timeout,
        settle_wait: SETTLE_WAIT,
        answer_cap_bytes: config.server.llm_max_body_bytes,
        room: RoomSettings {
            per_limit: gateway.queue_per_limit,
            total: gateway.queue_total,
            poll: gateway.queue_poll,
        },
    }
}

fn output_cap(cap: &infra::config::OutputCap) -> OutputCap {
    OutputCap {
        provider: cap.provider.clone(),
        model_glob: cap.model.clone(),
        max_output_tokens: i64::from(cap.max_output_tokens.get()),
    }
}

/// The prices of the built-in table and of the configuration.
pub(crate) fn prices(config: &PricesConfig) -> Result<PriceBook> {
    let overrides = config.overrides.iter().map(|entry| PriceOverride {
        provider: entry.provider.clone(),
        model_glob: entry.model.clone(),
        effective_from: entry.effective_from,
        input_nano_usd_per_mtok: entry.input_per_mtok.0,
        output_nano_usd_per_mtok: entry.output_per_mtok.0,
        cached_input_nano_usd_per_mtok: entry.cached_input_per_mtok.map(|price| price.0),
        cache_write_nano_usd_per_mtok: None,
    });
    let floor = config.floor.as_ref().map(|floor| FloorPrice {
        input_per_mtok: floor.input_per_mtok,
        output_per_mtok: floor.output_per_mtok,
    });
    let book = PriceBook::new(overrides.collect()).context("the price overrides cannot be used")?;
    Ok(book.with_floor(floor))
}

/// The way to the configured providers.
pub(crate) fn upstreams(config: &Config) -> Result<UpstreamPool> {
    let settings: Vec<_> = config
        .upstreams
        .iter()
        .map(|(name, upstream)| upstream_settings(name, upstream))
        .collect();
    let timeouts = Timeouts {
        connect: config.gateway.connect_timeout,
        first_byte: config.gateway.first_byte_timeout,
        idle: config.gateway.idle_timeout,
    };
    UpstreamPool::new(&settings, timeouts, config.gateway.max_retries).context("the upstreams cannot be used")
}

fn upstream_settings(name: &str, upstream: &UpstreamConfig) -> UpstreamSettings {
    UpstreamSettings {
        name: name.to_owned(),
        kind: match upstream.kind {
            UpstreamKind::Openai => workers::upstream::UpstreamKind::Openai,
            UpstreamKind::Anthropic => workers::upstream::UpstreamKind::Anthropic,
            UpstreamKind::OpenaiCompatible => workers::upstream::UpstreamKind::OpenaiCompatible,
        },
        base_url: upstream.base_url.clone(),
        api_key: ProviderKey::new(upstream.api_key.as_ref().map_or(NO_KEY, |key| key.expose())),
        provider: upstream.provider.clone(),
        models: upstream.models.clone(),
        ask_usage: match upstream.ask_usage {
            AskUsage::Always => workers::upstream::AskUsage::Always,
            AskUsage::Limited => workers::upstream::AskUsage::Limited,
            AskUsage::Never => workers::upstream::AskUsage::Never,
        },
    }
}
