//! What is the configuration when everybody has spoken, and is it sound as a whole?

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use figment::value::{Dict, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::describe::Line;
use super::error::{ConfigError, Problem, Source};
use super::keys::{self, Found, Key};
use super::layers::{Given, Layer};
use super::{Config, check};

/// A secret is short; a file that is not was named by mistake.
const MAX_SECRET_BYTES: usize = 64 * 1024;

struct Setting {
    key: &'static Key,
    value: Value,
    source: Source,
    file: Option<String>,
}

/// Reads the files of secrets, checks everything and builds the typed configuration.
pub(super) fn resolve(layer: Layer) -> Result<Config, ConfigError> {
    let Layer {
        settings,
        mut problems,
    } = layer;
    let mut resolved = BTreeMap::new();
    for (path, (key, given, source)) in settings {
        match read(given) {
            Ok((value, file)) => {
                let setting = Setting {
                    key,
                    value,
                    source,
                    file,
                };
                let found = check::problems(&key.kind, &setting.value).into_iter();
                problems.extend(found.map(|message| problem(&path, &setting.source, message)));
                resolved.insert(path, setting);
            }
            Err(message) => problems.push(problem(&path, &source, message)),
        }
    }
    complete_upstreams(&mut resolved, &mut problems);
    check_floor(&resolved, &mut problems);
    check_bounds(&resolved, &mut problems);
    if !problems.is_empty() {
        return Err(ConfigError::Invalid { problems });
    }
    let lines = lines(&resolved);
    let mut config: Config = Figment::from(Nested(&resolved)).extract().map_err(unforeseen)?;
    config.lines = lines;
    Ok(config)
}

fn problem(path: &str, source: &Source, message: String) -> Problem {
    Problem {
        key: path.to_owned(),
        source: source.clone(),
        message,
    }
}

/// The value, and the file it was read from.
fn read(given: Given) -> Result<(Value, Option<String>), String> {
    let path = match given {
        Given::Value(value) => return Ok((value, None)),
        Given::InFile(path) => path,
    };
    let shown = path.display().to_string();
    let text = secret_of(&path).map_err(|error| format!("the file {shown} could not be read: {error}"))?;
    Ok((Value::from(text), Some(shown)))
}

fn secret_of(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let limit = u64::try_from(MAX_SECRET_BYTES + 1).unwrap_or(u64::MAX);
    std::fs::File::open(path)?.take(limit).read_to_string(&mut text)?;
    if text.len() > MAX_SECRET_BYTES {
        return Err(std::io::Error::other("it is too long for a secret"));
    }
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Fills in what follows from an upstream's kind, and finds what does not.
fn complete_upstreams(settings: &mut BTreeMap<String, Setting>, problems: &mut Vec<Problem>) {
    let upstreams: BTreeMap<String, Source> = settings
        .iter()
        .filter_map(|(path, setting)| {
            let name = path.strip_prefix("upstreams.")?.split('.').next()?;
            Some((name.to_owned(), setting.source.clone()))
        })
        .collect();
    let broken: BTreeSet<String> = problems.iter().map(|problem| problem.key.clone()).collect();
    for (name, source) in upstreams {
        let at = |field: &str| format!("upstreams.{name}.{field}");
        let missing = |field: &str, why: &str| problem(&at(field), &source, format!("missing: {why}"));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        if name.len() > 64 || !name.chars().all(plain) {
            let message = "a name has at most 64 of a-z, 0-9, `_` and `-`".to_owned();
            problems.push(problem(&format!("upstreams.{name}"), &source, message));
        }
        let kind = settings
            .get(&at("kind"))
            .and_then(|setting| setting.value.as_str())
            .map(str::to_owned);
        let kind = kind.as_deref().filter(|_| !broken.contains(&at("kind")));
        if !settings.contains_key(&at("kind")) {
            problems.push(missing("kind", "say which API it speaks"));
        }
        let absent = |field: &str| !settings.contains_key(&at(field)) && !broken.contains(&at(field));
        if kind == Some("openai_compatible") && absent("base_url") {
            problems.push(missing(
                "base_url",
                "an openai_compatible upstream has no address of its own",
            ));
        }
        if matches!(kind, Some("openai" | "anthropic")) && absent("api_key") {
            problems.push(missing("api_key", "this provider answers nobody without a key"));
        }
        let (base_url, provider) = match kind {
            Some("openai") => (Some("https://api.openai.com/v1"), "openai"),
            Some("anthropic") => (Some("https://api.anthropic.com"), "anthropic"),
            _ => (None, name.as_str()),
        };
        if let Some(base_url) = base_url {
            fill(settings, at("base_url"), base_url);
        }
        // Not every server of its own takes a member that its client did not send.
        let ask_usage = if kind == Some("openai_compatible") {
            "limited"
        } else {
            "always"
        };
        fill(settings, at("ask_usage"), ask_usage);
        fill(settings, at("provider"), provider);
        fill(settings, at("models"), "[]");
    }
}

fn fill(settings: &mut BTreeMap<String, Setting>, path: String, text: &str) {
    if let Some(Found::Setting(key)) = keys::find(&path) {
        let value = check::from_text(&key.kind, text);
        settings.entry(path).or_insert(Setting {
            key,
            value,
            source: Source::Default,
            file: None,
        });
    }
}

fn check_floor(settings: &BTreeMap<String, Setting>, problems: &mut Vec<Problem>) {
    let (input, output) = (
        "prices.floor.input_usd_per_mtok",
        "prices.floor.output_usd_per_mtok",
    );
    for (given, other) in [(input, output), (output, input)] {
        if let (Some(setting), None) = (settings.get(given), settings.get(other)) {
            let message = "missing: a floor has a price of input and of output".to_owned();
            problems.push(problem(other, &setting.source, message));
        }
    }
}

/// Bounds between settings.
fn check_bounds(settings: &BTreeMap<String, Setting>, problems: &mut Vec<Problem>) {
    let source = |path: &str| settings.get(path).map_or(Source::Default, |s| s.source.clone());
    let address = |path: &str| settings.get(path).and_then(|s| s.value.as_str());
    let metrics = "server.metrics_listen";
    if let (Some(listen), Some(other)) = (address("server.listen"), address(metrics))
        && listen == other
        && !listen.ends_with(":0")
    {
        problems.push(problem(
            metrics,
            &source(metrics),
            "is the same as server.listen".to_owned(),
        ));
    }
    let reached = address(metrics)
        .and_then(|text| text.parse::<SocketAddr>().ok())
        .is_some_and(|listen| !listen.ip().is_loopback());
    if reached && address("server.metrics_exposure") == Some("loopback") {
        let message = "can be reached from other machines, without a credential and without TLS: choose an \
                       address of this machine, or say server.metrics_exposure = \"network\" if only a network \
                       that you trust reaches it";
        problems.push(problem(metrics, &source(metrics), message.to_owned()));
    }
}

fn lines(settings: &BTreeMap<String, Setting>) -> Vec<Line> {
    let mut lines = Vec::new();
    for key in &keys::KEYS {
        let mut unset = !key.path.contains('*');
        for (path, setting) in settings
            .iter()
            .filter(|(_, setting)| std::ptr::eq(setting.key, key))
        {
            unset = false;
            lines.push(Line::new(
                path,
                &setting.key.kind,
                &setting.value,
                &setting.source,
                setting.file.as_deref(),
            ));
        }
        if unset {
            lines.push(Line::unset(key.path));
        }
    }
    lines
}

/// The settings as figment wants them: a tree.
struct Nested<'a>(&'a BTreeMap<String, Setting>);

impl Provider for Nested<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named("settings")
    }

    fn data(&self) -> figment::Result<figment::value::Map<Profile, Dict>> {
        let mut tree = Dict::new();
        for (path, setting) in self.0 {
            insert(&mut tree, path, setting.value.clone());
        }
        Ok(Profile::Default.collect(tree))
    }
}

fn insert(tree: &mut Dict, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            tree.insert(path.to_owned(), value);
        }
        Some((table, rest)) => {
            if let Value::Dict(_, inner) = tree.entry(table.to_owned()).or_insert_with(|| Dict::new().into())
            {
                insert(inner, rest, value);
            }
        }
    }
}

/// Nothing gets here that the checks know; if something does, it is refused and not guessed.
fn unforeseen(errors: figment::Error) -> ConfigError {
    let problems = errors
        .into_iter()
        .map(|error| {
            let key = error.path.join(".");
            let secret =
                matches!(keys::find(&key), Some(Found::Setting(Key { kind, .. })) if kind.is_secret());
            let message = if secret {
                "cannot be read".to_owned()
            } else {
                error.kind.to_string()
            };
            problem(&key, &Source::Default, message)
        })
        .collect();
    ConfigError::Invalid { problems }
}
