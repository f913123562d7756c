//! Is the configuration what flag, environment and file say, in this order?

mod documentation;
mod exposure;

use std::collections::BTreeMap;
use std::io::Write as _;

use model::money::NanoUsd;
use proptest::prelude::*;
use tempfile::NamedTempFile;

use super::*;
use crate::secrets::Secret;
use crate::telemetry::LogFormat;

const MASTER_KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn load(text: &str, environment: &[(&str, &str)], flags: PartialFlags) -> Result<Config, ConfigError> {
    let file = file(text);
    let flags = PartialFlags {
        config_file: Some(file.path().to_owned()),
        ..flags
    };
    let owned = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load_from(&flags, owned)
}

fn with_env(environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    load("", environment, PartialFlags::default())
}

fn problems(result: Result<Config, ConfigError>) -> Vec<String> {
    match result {
        Err(ConfigError::Invalid { problems }) => {
            let shown = |p: &Problem| match &p.source {
                Source::File(_) => format!("{}: {} (file)", p.key, p.message),
                _ => p.to_string(),
            };
            problems.iter().map(shown).collect()
        }
        other => panic!("expected problems, got {other:?}"),
    }
}

#[test]
fn without_anything_said_the_defaults_hold() {
    let config = with_env(&[]).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.max_body_bytes, 1024 * 1024);
    assert_eq!(config.server.llm_max_body_bytes, 32 * 1024 * 1024);
    assert_eq!(config.server.shutdown_grace.as_secs(), 30);
    assert_eq!(config.server.keep_alive.as_secs(), 75);
    assert_eq!(config.database.url.expose(), "sqlite:./data/plimsoll.db");
    assert_eq!(config.gateway.hold_ttl_ms, 600_000);
    // As long as the official SDKs wait.
    assert_eq!(config.gateway.first_byte_timeout.as_secs(), 600);
    assert_eq!(config.log.format, LogFormat::Json);
    assert!(config.secrets.master_key().unwrap().is_none());
    assert!(config.upstreams.is_empty() && config.prices.overrides.is_empty());
    assert_eq!(config.prices.floor, None);
}

#[test]
fn flag_wins_over_environment_over_file_over_default() {
    let text = "[log]\nlevel = 'file'\n[server]\nworkers = 3\n[database]\nqueue_depth = 5\nledger_lanes = 6";
    let environment = [
        ("PLIMSOLL__LOG__LEVEL", "env"),
        ("RUST_LOG", "rust_log"),
        ("PLIMSOLL__SERVER__WORKERS", "4"),
        ("DATABASE_URL", "well_known.db"),
        ("PLIMSOLL__DATABASE__URL", "ours.db"),
    ];
    let flags = PartialFlags {
        log_level: Some("flag".to_owned()),
        ..PartialFlags::default()
    };
    let config = load(text, &environment, flags).unwrap();
    assert_eq!(config.log.level, "flag");
    assert_eq!(config.server.workers, 4);
    assert_eq!(config.database.queue_depth, 5);
    assert_eq!(config.database.read_connections, 4);
    assert_eq!(config.database.url.expose(), "ours.db");
    let set = vec![("database.ledger_lanes".to_owned(), "7".to_owned())];
    let config = load(
        text,
        &environment,
        PartialFlags {
            set,
            ..PartialFlags::default()
        },
    )
    .unwrap();
    assert_eq!(
        (config.log.level.as_str(), config.database.ledger_lanes),
        ("env", 7)
    );
}

#[test]
fn a_platforms_port_opens_to_the_outside_unless_the_file_names_an_address() {
    let listen = |text: &str, environment: &[(&str, &str)]| {
        load(text, environment, PartialFlags::default())
            .unwrap()
            .server
            .listen
            .to_string()
    };
    assert_eq!(listen("", &[("PORT", "3000")]), "0.0.0.0:3000");
    assert_eq!(
        listen("[server]\nlisten = '127.0.0.1:1'", &[("PORT", "3000")]),
        "127.0.0.1:3000"
    );
    let both = [("PORT", "3000"), ("PLIMSOLL__SERVER__LISTEN", "[::1]:4000")];
    assert_eq!(listen("", &both), "[::1]:4000");
    assert_eq!(listen("", &[("PORT", "")]), "127.0.0.1:8080");
    assert_eq!(problems(with_env(&[("PORT", "web")])).len(), 1);
}

#[test]
fn a_full_file_is_read() {
    let text = r#"
        [server]
        allowed_hosts = ["plimsoll.example"]
        [upstreams.openai]
        kind = "openai"
        api_key = "sk-1"
        [upstreams.local-vllm]
        kind = "openai_compatible"
        base_url = "http://127.0.0.1:8000/v1"
        models = ["llama-*"]
        [upstreams.claude]
        kind = "anthropic"
        api_key = "sk-2"
        provider = "aws"
        [prices.floor]
        input_usd_per_mtok = "1"
        output_usd_per_mtok = "2.5"
        [[prices.overrides]]
        provider = "openai"
        model = "gpt-4o*"
        effective_from = 2026-01-01T00:00:00Z
        input_usd_per_mtok = "0.15"
        output_usd_per_mtok = "0.60"
        cached_input_usd_per_mtok = "0.075"
    "#;
    let config = load(text, &[], PartialFlags::default()).unwrap();
    let shown: BTreeMap<_, _> = config
        .upstreams
        .iter()
        .map(|(name, u)| {
            (
                name.as_str(),
                (u.base_url.as_str(), u.provider.as_str(), u.models.len()),
            )
        })
        .collect();
    assert_eq!(shown["openai"], ("https://api.openai.com/v1", "openai", 0));
    assert_eq!(shown["claude"], ("https://api.anthropic.com", "aws", 0));
    assert_eq!(shown["local-vllm"], ("http://127.0.0.1:8000/v1", "local-vllm", 1));
    assert_eq!(config.upstreams["openai"].api_key, Some(Secret::new("sk-1")));
    assert_eq!(config.upstreams["local-vllm"].api_key, None);
    assert_eq!(config.upstreams["openai"].ask_usage, AskUsage::Always);
    assert_eq!(config.upstreams["local-vllm"].ask_usage, AskUsage::Limited);
    let price = &config.prices.overrides[0];
    assert_eq!(price.effective_from.to_string(), "2026-01-01T00:00:00.000Z");
    assert_eq!(price.cached_input_per_mtok, Some(NanoUsd(75_000_000)));
    assert_eq!(
        config.prices.floor.unwrap().output_per_mtok,
        NanoUsd(2_500_000_000)
    );
}

#[test]
fn an_upstream_can_be_set_up_by_the_environment_alone() {
    let config = with_env(&[
        ("PLIMSOLL__UPSTREAMS__OPENAI__KIND", "openai"),
        ("PLIMSOLL__UPSTREAMS__OPENAI__API_KEY", "12345"),
        ("PLIMSOLL__UPSTREAMS__OPENAI__MODELS", "gpt-*, o3"),
        ("KUBERNETES_PORT", "tcp://10.0.0.1:443"),
        ("PLIMSOLL_PORT", "tcp://10.0.0.2:8080"),
    ])
    .unwrap();
    let upstream = &config.upstreams["openai"];
    assert_eq!(upstream.models, ["gpt-*", "o3"]);
    assert_eq!(upstream.api_key, Some(Secret::new("12345")));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_what_was_meant() {
    let text =
        "listen = 'x'\n[server]\nlisten = 'here'\nworkers = -1\n[databse]\nurl = 'x'\n[log]\nlevel = 3";
    let environment = [
        ("PLIMSOLL__SERVER__LISTN", "127.0.0.1:1"),
        ("PLIMSOLL_SERVER_LISTEN", "127.0.0.1:1"),
        ("PLIMSOLL__DATABASE__URL", "mysql://root:s3cret@h/d"),
        ("PLIMSOLL__UPSTREAMS__GROQ__KIND", "openai_compatible"),
        ("PLIMSOLL__UPSTREAMS__X__API_KEY", "s3cret"),
        ("PLIMSOLL__GATEWAY__HOLD_TTL_MS", "1000"),
        ("PLIMSOLL__PRICES__FLOOR__INPUT_USD_PER_MTOK", "1"),
    ];
    let set = vec![("server".to_owned(), "1".to_owned())];
    let found = problems(load(
        text,
        &environment,
        PartialFlags {
            set,
            ..PartialFlags::default()
        },
    ));
    let expected = [
        "databse: unknown key; did you mean `database`? (file)",
        "listen: unknown key; did you mean `server.listen`? (file)",
        "server.listn: unknown key; did you mean `PLIMSOLL__SERVER__LISTEN`? (env PLIMSOLL__SERVER__LISTN)",
        "PLIMSOLL_SERVER_LISTEN: `PLIMSOLL_SERVER_LISTEN` is not read; did you mean \
         `PLIMSOLL__SERVER__LISTEN`? (env PLIMSOLL_SERVER_LISTEN)",
        "server: this is a table; set a key in it (flag --set)",
        "database.url: not a database that Plimsoll knows; expected postgres://…, postgresql://…, sqlite:PATH, \
         or a path that ends in .db or .sqlite (env PLIMSOLL__DATABASE__URL)",
        "gateway.hold_ttl_ms: expected a whole number from 3000 to 86400000 (env PLIMSOLL__GATEWAY__HOLD_TTL_MS)",
        "log.level: expected a text in quotes, found a number (file)",
        "server.listen: expected an address and a port such as 127.0.0.1:8080 (file)",
        "server.workers: expected a whole number from 0 to 1024 (file)",
        "upstreams.groq.base_url: missing: an openai_compatible upstream has no address of its own \
         (env PLIMSOLL__UPSTREAMS__GROQ__KIND)",
        "upstreams.x.kind: missing: say which API it speaks (env PLIMSOLL__UPSTREAMS__X__API_KEY)",
        "prices.floor.output_usd_per_mtok: missing: a floor has a price of input and of output \
         (env PLIMSOLL__PRICES__FLOOR__INPUT_USD_PER_MTOK)",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_secret_may_stand_in_a_file_and_the_higher_place_wins() {
    let key = file(&format!("{MASTER_KEY}\n"));
    let path = key.path().to_str().unwrap();
    let by_env = with_env(&[("PLIMSOLL__SECRETS__MASTER_KEY_FILE", path)]).unwrap();
    assert!(by_env.secrets.master_key().unwrap().is_some());
    assert!(by_env.describe().contains(&format!(
        "secrets.master_key = ***  (env PLIMSOLL__SECRETS__MASTER_KEY_FILE, read from {path})"
    )));

    let text = "[secrets]\nmaster_key_file = '/nowhere'";
    let overridden = load(
        text,
        &[("PLIMSOLL__SECRETS__MASTER_KEY", MASTER_KEY)],
        PartialFlags::default(),
    );
    assert_eq!(
        overridden.unwrap().secrets.master_key,
        Some(Secret::new(MASTER_KEY))
    );
    assert_eq!(problems(load(text, &[], PartialFlags::default())).len(), 1);

    let url = file("postgres://u:p@h/d");
    let by_file = with_env(&[("DATABASE_URL_FILE", url.path().to_str().unwrap())]).unwrap();
    assert_eq!(by_file.database.url.expose(), "postgres://u:p@h/d");

    let both = format!("[secrets]\nmaster_key = '{MASTER_KEY}'\nmaster_key_file = '{path}'");
    assert!(problems(load(&both, &[], PartialFlags::default()))[0].contains("not both"));
}

#[test]
fn a_file_that_was_named_must_exist_and_be_toml() {
    let flags = PartialFlags {
        config_file: Some("/nowhere.toml".into()),
        ..PartialFlags::default()
    };
    assert!(matches!(
        Config::load_from(&flags, []),
        Err(ConfigError::Read { .. })
    ));
    let named = [("PLIMSOLL_CONFIG".to_owned(), "/nowhere.toml".to_owned())];
    assert!(matches!(
        Config::load_from(&PartialFlags::default(), named),
        Err(ConfigError::Read { .. })
    ));
    let broken = load("[secrets]\nmaster_key = 's3cret", &[], PartialFlags::default()).unwrap_err();
    let text = format!("{broken} {broken:?}");
    assert!(text.contains("line 2") && !text.contains("s3cret"), "{text}");
    assert!(load("[log]\nlevel = 'a'\nlevel = 'b'", &[], PartialFlags::default()).is_err());
}

#[test]
fn every_key_can_be_set_in_a_file() {
    for key in &keys::KEYS {
        let path = key.path.replace('*', "x");
        let value = match (key.default, &key.kind) {
            (Some(default), _) => default.to_owned(),
            (None, keys::Kind::OneOf(words)) => (*words.last().unwrap()).to_owned(),
            (None, keys::Kind::HttpUrl) => "http://h".to_owned(),
            (None, keys::Kind::MasterKey) => MASTER_KEY.to_owned(),
            (None, _) => "1".to_owned(),
        };
        let others = "prices.floor.input_usd_per_mtok = '1'\nprices.floor.output_usd_per_mtok = '1'\n\
                      upstreams.x.kind = 'openai_compatible'\nupstreams.x.base_url = 'http://h'\n";
        let set = vec![(path, value)];
        load(
            others,
            &[],
            PartialFlags {
                set,
                ..PartialFlags::default()
            },
        )
        .unwrap();
    }
}

proptest! {
    #[test]
    fn no_secret_is_ever_shown(secret in "[a-zA-Z0-9/@:?=&%]{12,24}", by_query: bool) {
        let url = if by_query {
            format!("postgres://h/d?password={secret}")
        } else {
            format!("postgres://u:{secret}@h/d")
        };
        let key = base64_of(&secret);
        let environment = [
            ("DATABASE_URL", url.as_str()),
            ("PLIMSOLL__SECRETS__MASTER_KEY", &key),
            ("PLIMSOLL__UPSTREAMS__OPENAI__KIND", "openai"),
            ("PLIMSOLL__UPSTREAMS__OPENAI__API_KEY", &secret),
        ];
        let config = with_env(&environment).unwrap();
        let shown = format!("{}{config:?}", config.describe());
        prop_assert!(!shown.contains(&secret) && !shown.contains(&key), "{}", shown);
        prop_assert!(shown.contains("upstreams.openai.api_key = ***  (env PLIMSOLL__UPSTREAMS__OPENAI__API_KEY)"));

        let wrong = [
            ("DATABASE_URL", format!("mysql://u:{secret}@h")),
            ("PLIMSOLL__SECRETS__MASTER_KEY", secret.clone()),
            ("PLIMSOLL__UPSTREAMS__X__BASE_URL", format!("https://u:{secret}@h")),
            ("PLIMSOLL__UPSTREAMS__X__API_KEY", format!(" {secret}")),
        ];
        let wrong: Vec<_> = wrong.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let error = with_env(&wrong).unwrap_err();
        prop_assert!(!format!("{error} {error:?}").contains(&secret), "{}", error);
    }
}

fn base64_of(secret: &str) -> String {
    let mut bytes = [0; 32];
    bytes[..secret.len()].copy_from_slice(secret.as_bytes());
    crate::secrets::MasterKey::from_bytes(bytes)
        .to_base64()
        .expose()
        .to_owned()
}
