//! Who says what: file, environment and command line, each as a flat list of settings.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Provider as _;
use figment::providers::{Format as _, Toml};
use figment::value::{Dict, Value};

use super::error::{ConfigError, Problem, Source};
use super::keys::{self, ENV_PREFIX, Found, Key};
use super::{PartialFlags, check};

/// What a setting is said to be.
#[derive(Debug, Clone)]
pub(super) enum Given {
    /// This value.
    Value(Value),
    /// What stands in this file.
    InFile(PathBuf),
}

/// The settings of one place, by path, and what is wrong with them.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub(super) settings: BTreeMap<String, (&'static Key, Given, Source)>,
    pub(super) problems: Vec<Problem>,
}

impl Layer {
    /// The settings of a file in TOML.
    pub(super) fn of_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let tables = Toml::string(&text).data().map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            message: place_and_cause(&error),
        })?;
        let mut layer = Self::default();
        for table in tables.into_values() {
            layer.table("", table, &Source::File(path.to_owned()));
        }
        Ok(layer)
    }

    /// The settings of the names that hosts and tools give: `DATABASE_URL`, `RUST_LOG`, `PORT`.
    /// `below` is what the file says: `PORT` alone means a platform that routes to us from outside.
    pub(super) fn of_well_known_env(pairs: &[(String, String)], below: &Self) -> Self {
        let mut layer = Self::default();
        for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
            let source = Source::Env(name.clone());
            match name.as_str() {
                "DATABASE_URL" => layer.text("database.url", value, source),
                "DATABASE_URL_FILE" => layer.text("database.url_file", value, source),
                "RUST_LOG" => layer.text("log.level", value, source),
                "PORT" => match (value.parse::<u16>(), below.settings.get("server.listen")) {
                    (Ok(port), None) => layer.text("server.listen", &format!("0.0.0.0:{port}"), source),
                    (Ok(port), Some((_, Given::Value(listen), _))) => {
                        let listen = listen.as_str().and_then(|text| text.parse::<SocketAddr>().ok());
                        if let Some(mut listen) = listen {
                            listen.set_port(port);
                            layer.text("server.listen", &listen.to_string(), source);
                        }
                    }
                    _ => layer.problem("server.listen", source, "expected a port from 0 to 65535"),
                },
                _ => {}
            }
        }
        layer
    }

    /// The settings of the names that begin with our prefix.
    pub(super) fn of_env(pairs: &[(String, String)]) -> Self {
        let mut layer = Self::default();
        for (name, value) in pairs {
            let source = Source::Env(name.clone());
            if let Some(path) = name.strip_prefix(ENV_PREFIX) {
                let path = path.to_lowercase().replace("__", ".");
                layer.text(&path, value, source);
            } else if let Some(meant) = meant_by(name) {
                let message = format!("`{name}` is not read; did you mean `{meant}`?");
                layer.problem(name, source, &message);
            }
        }
        layer
    }

    /// The settings of the command line.
    pub(super) fn of_flags(flags: &PartialFlags) -> Self {
        let mut layer = Self::default();
        let named = [
            ("server.listen", "listen", &flags.listen),
            ("server.metrics_listen", "metrics-listen", &flags.metrics_listen),
            ("database.url", "database-url", &flags.database_url),
            ("log.level", "log-level", &flags.log_level),
            ("log.format", "log-format", &flags.log_format),
        ];
        for (path, flag, value) in named {
            if let Some(value) = value {
                layer.text(path, value, Source::Flag(flag.to_owned()));
            }
        }
        for (path, value) in &flags.set {
            layer.text(path, value, Source::Flag("set".to_owned()));
        }
        layer
    }

    /// What is said when nobody else says anything.
    pub(super) fn of_defaults() -> Self {
        let mut layer = Self::default();
        for key in &keys::KEYS {
            if let Some(default) = key.default {
                layer.text(key.path, default, Source::Default);
            }
        }
        layer
    }

    /// Lays the other one on top of this one.
    pub(super) fn overlaid_with(mut self, upper: Self) -> Self {
        self.settings.extend(upper.settings);
        self.problems.extend(upper.problems);
        self
    }

    pub(super) fn problem(&mut self, path: &str, source: Source, message: &str) {
        self.problems.push(Problem {
            key: path.to_owned(),
            source,
            message: message.to_owned(),
        });
    }

    fn table(&mut self, prefix: &str, table: Dict, source: &Source) {
        for (name, value) in table {
            let path = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}.{name}")
            };
            match (keys::find(&path), value) {
                _ if name.contains('.') => self.unknown(&path, source.clone()),
                (Some(Found::Setting(key)), value) => self.value(path, key, untag_times(value), source),
                (Some(Found::FileOf(key)), value) => match value.as_str() {
                    Some(file) => self.in_file(&path, key, file, source.clone()),
                    None => self.problem(&path, source.clone(), "expected the name of a file"),
                },
                (Some(Found::Table), Value::Dict(_, inner)) => self.table(&path, inner, source),
                (Some(Found::Table), _) => self.problem(&path, source.clone(), "expected a table"),
                (None, _) => self.unknown(&path, source.clone()),
            }
        }
    }

    fn text(&mut self, path: &str, text: &str, source: Source) {
        match keys::find(path) {
            Some(Found::Setting(key)) => {
                self.value(path.to_owned(), key, check::from_text(&key.kind, text), &source);
            }
            Some(Found::FileOf(key)) => self.in_file(path, key, text, source),
            Some(Found::Table) => self.problem(path, source, "this is a table; set a key in it"),
            None => self.unknown(path, source),
        }
    }

    fn in_file(&mut self, path: &str, key: &'static Key, file: &str, source: Source) {
        let setting = path.strip_suffix("_file").unwrap_or(path).to_owned();
        self.insert(setting, key, Given::InFile(PathBuf::from(file)), source);
    }

    fn value(&mut self, path: String, key: &'static Key, value: Value, source: &Source) {
        self.insert(path, key, Given::Value(value), source.clone());
    }

    fn insert(&mut self, path: String, key: &'static Key, given: Given, source: Source) {
        if self.settings.contains_key(&path) {
            let message = "set twice in one place; a secret is given directly or by a file, not both";
            self.problem(&path, source.clone(), message);
        }
        self.settings.insert(path, (key, given, source));
    }

    fn unknown(&mut self, path: &str, source: Source) {
        let in_env = matches!(source, Source::Env(_));
        let spelled = |meant: String| if in_env { keys::env_name(&meant) } else { meant };
        let message = match keys::suggestion(path) {
            Some(meant) => format!("unknown key; did you mean `{}`?", spelled(meant)),
            None => "unknown key".to_owned(),
        };
        self.problem(path, source, &message);
    }
}

/// The variable that was meant by one whose underscores are not quite right. Others that begin with
/// `PLIMSOLL_` are let be: Kubernetes sets `PLIMSOLL_PORT` and more for a service of that name.
fn meant_by(name: &str) -> Option<String> {
    let squeezed = |text: &str| text.replace("__", "_");
    let fixed = keys::KEYS.iter().filter(|key| !key.path.contains('*'));
    let names = fixed.map(|key| keys::env_name(key.path));
    names.into_iter().find(|known| squeezed(known) == squeezed(name))
}

/// A time without quotes, which TOML knows and JSON does not, as a text.
fn untag_times(value: Value) -> Value {
    match value {
        Value::Array(tag, items) => Value::Array(tag, items.into_iter().map(untag_times).collect()),
        Value::Dict(tag, mut table) => match table.remove("$__toml_private_datetime") {
            Some(time) if table.is_empty() => time,
            _ => Value::Dict(
                tag,
                table
                    .into_iter()
                    .map(|(name, value)| (name, untag_times(value)))
                    .collect(),
            ),
        },
        other => other,
    }
}

/// The first and the last line of what the parser says; between them it shows the text of the file.
fn place_and_cause(error: &figment::Error) -> String {
    let text = error.kind.to_string();
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    match (lines.next(), lines.next_back()) {
        (Some(place), Some(cause)) => format!("{place}: {cause}"),
        (Some(only), None) => only.to_owned(),
        _ => "unreadable".to_owned(),
    }
}
