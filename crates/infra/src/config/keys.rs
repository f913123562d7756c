//! Which settings exist, what may they be, and what are they when nobody says anything?
//!
//! The one list behind checks, defaults, suggestions, `describe` and docs/configuration.md. A `*`
//! stands for a name that the operator chooses.

use std::ops::RangeInclusive;

/// What stands before the name of a setting in the environment.
pub(super) const ENV_PREFIX: &str = "PLIMSOLL__";

/// One setting.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    pub(super) default: Option<&'static str>,
}

/// What a setting may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Whole(RangeInclusive<u64>),
    Text,
    OneOf(&'static [&'static str]),
    Address,
    HttpUrl,
    Filter,
    Texts,
    Usd,
    OutputCaps,
    PriceOverrides,
    DatabaseUrl,
    MasterKey,
    Secret,
}

impl Kind {
    /// Whether the value is never shown, and may stand in a file of its own.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self, Self::DatabaseUrl | Self::MasterKey | Self::Secret)
    }
}

const fn key(path: &'static str, kind: Kind, default: &'static str) -> Key {
    Key {
        path,
        kind,
        default: Some(default),
    }
}

const fn unset(path: &'static str, kind: Kind) -> Key {
    Key {
        path,
        kind,
        default: None,
    }
}

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const MIB: u64 = 1024 * 1024;

const fn millis(most: u64) -> Kind {
    Kind::Whole(1..=most)
}

/// How often something may happen in a minute, and how much more after a pause.
const RATE: Kind = Kind::Whole(1..=1_000_000);
const BURST: Kind = Kind::Whole(0..=1_000_000);

/// What nobody should want in production.
const REFUSE_OR_ALLOW: Kind = Kind::OneOf(&["refuse", "allow"]);

/// All of them, in reading order.
pub(super) static KEYS: [Key; 62] = [
    key("server.listen", Kind::Address, "127.0.0.1:8080"),
    key("server.metrics_listen", Kind::Address, "127.0.0.1:9090"),
    key(
        "server.metrics_exposure",
        Kind::OneOf(&["loopback", "network"]),
        "loopback",
    ),
    key("server.workers", Kind::Whole(0..=1024), "0"),
    key("server.max_body_bytes", Kind::Whole(1024..=64 * MIB), "1048576"),
    key(
        "server.llm_max_body_bytes",
        Kind::Whole(1024..=1024 * MIB),
        "33554432",
    ),
    key("server.request_timeout_ms", millis(10 * MINUTE_MS), "30000"),
    key("server.keep_alive_ms", millis(HOUR_MS), "75000"),
    key("server.shutdown_grace_ms", millis(10 * MINUTE_MS), "30000"),
    key("server.allowed_hosts", Kind::Texts, "[]"),
    key("server.environment", Kind::OneOf(&["live", "test"]), "live"),
    key("database.url", Kind::DatabaseUrl, "sqlite:./data/plimsoll.db"),
    key("database.read_connections", Kind::Whole(1..=256), "4"),
    key("database.write_connections", Kind::Whole(1..=256), "4"),
    key("database.ledger_lanes", Kind::Whole(1..=64), "2"),
    key("database.queue_depth", Kind::Whole(1..=1_000_000), "4096"),
    key("database.batch_max", Kind::Whole(1..=4096), "512"),
    key("database.statement_timeout_ms", millis(10 * MINUTE_MS), "30000"),
    key("database.lock_timeout_ms", millis(10 * MINUTE_MS), "5000"),
    key(
        "database.network_filesystem",
        Kind::OneOf(&["refuse", "allow"]),
        "refuse",
    ),
    key("log.format", Kind::OneOf(&["json", "pretty"]), "json"),
    key("log.level", Kind::Filter, "info"),
    unset("secrets.master_key", Kind::MasterKey),
    key("signing.region", Kind::Text, "us-east-1"),
    key("signing.service", Kind::Text, "execute-api"),
    key("signing.failures_per_minute", RATE, "60"),
    key("rates.auto_engine.mutations_per_minute", RATE, "100"),
    key("rates.auto_engine.reads_per_minute", RATE, "1000"),
    key("rates.auto_engine.burst", BURST, "10"),
    key("rates.human_operator.mutations_per_minute", RATE, "60"),
    key("rates.human_operator.reads_per_minute", RATE, "300"),
    key("rates.human_operator.burst", BURST, "5"),
    key("rates.on_call_sre.mutations_per_minute", RATE, "120"),
    key("rates.on_call_sre.reads_per_minute", RATE, "500"),
    key("rates.on_call_sre.burst", BURST, "10"),
    key("rates.emergency_override.mutations_per_minute", RATE, "30"),
    key("rates.emergency_override.reads_per_minute", RATE, "100"),
    key("rates.emergency_override.burst", BURST, "3"),
    key("webhooks.plain_http", REFUSE_OR_ALLOW, "refuse"),
    key("webhooks.private_addresses", REFUSE_OR_ALLOW, "refuse"),
    key("incidents.archive_after_days", Kind::Whole(1..=36_500), "90"),
    key("incidents.streams_max", Kind::Whole(1..=100_000), "1000"),
    key("gateway.connect_timeout_ms", millis(MINUTE_MS), "5000"),
    key("gateway.first_byte_timeout_ms", millis(HOUR_MS), "600000"),
    key("gateway.idle_timeout_ms", millis(HOUR_MS), "60000"),
    key("gateway.drain_timeout_ms", millis(HOUR_MS), "30000"),
    key("gateway.max_retries", Kind::Whole(0..=10), "2"),
    // Renewed every second while its call is on its way.
    key("gateway.hold_ttl_ms", Kind::Whole(3_000..=24 * HOUR_MS), "600000"),
    key(
        "gateway.default_output_tokens",
        Kind::Whole(1..=10_000_000),
        "4096",
    ),
    key("gateway.queue_per_limit", Kind::Whole(0..=100_000), "100"),
    key("gateway.queue_total", Kind::Whole(0..=100_000), "1000"),
    key("gateway.queue_poll_ms", millis(MINUTE_MS), "500"),
    key("gateway.output_caps", Kind::OutputCaps, "[]"),
    unset(
        "upstreams.*.kind",
        Kind::OneOf(&["openai", "anthropic", "openai_compatible"]),
    ),
    unset("upstreams.*.base_url", Kind::HttpUrl),
    unset("upstreams.*.api_key", Kind::Secret),
    unset("upstreams.*.models", Kind::Texts),
    unset("upstreams.*.provider", Kind::Text),
    unset(
        "upstreams.*.ask_usage",
        Kind::OneOf(&["always", "limited", "never"]),
    ),
    key("prices.overrides", Kind::PriceOverrides, "[]"),
    unset("prices.floor.input_usd_per_mtok", Kind::Usd),
    unset("prices.floor.output_usd_per_mtok", Kind::Usd),
];

/// What a path names.
#[derive(Debug)]
pub(super) enum Found {
    /// A setting.
    Setting(&'static Key),
    /// The file that holds a secret setting; the path without `_file` names the setting.
    FileOf(&'static Key),
    /// A table of settings.
    Table,
}

/// What this path names, if anything.
pub(super) fn find(path: &str) -> Option<Found> {
    let named = |wanted: &str| KEYS.iter().find(|key| is(key, wanted));
    if let Some(key) = named(path) {
        return Some(Found::Setting(key));
    }
    if let Some(key) = path
        .strip_suffix("_file")
        .and_then(named)
        .filter(|key| key.kind.is_secret())
    {
        return Some(Found::FileOf(key));
    }
    let depth = path.split('.').count();
    let begins = |key: &Key| {
        key.path.split('.').count() > depth && path.split('.').zip(key.path.split('.')).all(matching)
    };
    KEYS.iter().any(begins).then_some(Found::Table)
}

/// The setting or table that was probably meant.
pub(super) fn suggestion(path: &str) -> Option<String> {
    let depth = path.split('.').count();
    let mut best: Option<(usize, String)> = None;
    for key in &KEYS {
        let file = key.kind.is_secret().then(|| format!("{}_file", key.path));
        for candidate in [Some(key.path.to_owned()), file].into_iter().flatten() {
            let candidate = with_names_of(path, &candidate, depth);
            let distance = strsim::damerau_levenshtein(path, &candidate);
            if best.as_ref().is_none_or(|(least, _)| distance < *least) {
                best = Some((distance, candidate));
            }
        }
    }
    let last = path.rsplit('.').next().unwrap_or(path);
    let elsewhere = || KEYS.iter().find(|key| key.path.rsplit('.').next() == Some(last));
    match best {
        Some((distance, candidate)) if distance <= 3 && distance * 3 <= path.len() => Some(candidate),
        _ => elsewhere().map(|key| key.path.replace('*', "<name>")),
    }
}

/// The name of a setting in the environment.
pub(super) fn env_name(path: &str) -> String {
    format!("{ENV_PREFIX}{}", path.to_uppercase().replace('.', "__"))
}

fn is(key: &Key, path: &str) -> bool {
    key.path.split('.').count() == path.split('.').count()
        && path.split('.').zip(key.path.split('.')).all(matching)
}

fn matching((given, wanted): (&str, &str)) -> bool {
    wanted == "*" && !given.is_empty() || wanted == given
}

/// The candidate cut to the depth of the path, with the operator's names in place of `*`.
fn with_names_of(path: &str, candidate: &str, depth: usize) -> String {
    let mut given = path.split('.');
    let segments = candidate.split('.').take(depth);
    let named = segments.map(|segment| match given.next() {
        Some(name) if segment == "*" => name,
        _ => segment,
    });
    named.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_setting_a_secret_file_a_table_or_nothing() {
        assert!(matches!(find("server.listen"), Some(Found::Setting(_))));
        assert!(matches!(find("upstreams.groq.api_key"), Some(Found::Setting(_))));
        assert!(matches!(
            find("upstreams.groq.api_key_file"),
            Some(Found::FileOf(_))
        ));
        assert!(matches!(find("database.url_file"), Some(Found::FileOf(_))));
        assert!(matches!(find("prices.floor"), Some(Found::Table)));
        assert!(matches!(find("upstreams.groq"), Some(Found::Table)));
        for nothing in [
            "",
            "server.listen.port",
            "server.listen_file",
            "upstreams.groq.x",
            "listen",
            "serve",
        ] {
            assert!(find(nothing).is_none(), "{nothing}");
        }
    }

    #[test]
    fn a_slip_is_answered_with_what_was_probably_meant() {
        for (path, expected) in [
            ("server.listn", Some("server.listen")),
            ("sever", Some("server")),
            ("upstreams.groq.api-key", Some("upstreams.groq.api_key")),
            ("upstreams.groq.apikey_file", Some("upstreams.groq.api_key_file")),
            ("database.queue_dpeth", Some("database.queue_depth")),
            ("server.level", Some("log.level")),
            ("gateway.base_url", Some("upstreams.<name>.base_url")),
            ("telemetry.otlp", None),
        ] {
            assert_eq!(suggestion(path).as_deref(), expected, "{path}");
        }
    }
}
