//! How is this process configured?
//!
//! Read once, at the start, into one typed value: the command line wins over the environment, the
//! environment over the file, the file over the defaults. What is not known is refused by name, and
//! everything that is wrong is said at once. docs/configuration.md lists every key.

mod check;
mod describe;
mod error;
mod keys;
mod layers;
mod resolve;
mod sections;

use std::path::{Path, PathBuf};

use figment::providers::Env;
use serde::Deserialize;

use describe::Line;
use layers::Layer;

pub use error::{ConfigError, Problem, Source};
pub use sections::{
    AskUsage, AuthorityRatesConfig, DatabaseConfig, FloorPrice, ForDevelopment, GatewayConfig,
    IncidentsConfig, LogConfig, MetricsExposure, NetworkFilesystem, OutputCap, PriceOverride, PricesConfig,
    RatesConfig, SecretsConfig, ServerConfig, SigningConfig, UpstreamConfig, UpstreamKind, Upstreams,
    WebhooksConfig,
};

/// The file that is read when nobody names one; it need not exist.
const DEFAULT_FILE: &str = "plimsoll.toml";

/// The environment variable that names the file.
const FILE_VARIABLE: &str = "PLIMSOLL_CONFIG";

/// The configuration of the process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The HTTP server.
    pub server: ServerConfig,
    /// The database.
    pub database: DatabaseConfig,
    /// Logs.
    pub log: LogConfig,
    /// Secrets of the installation.
    #[serde(default)]
    pub secrets: SecretsConfig,
    /// Signed requests.
    pub signing: SigningConfig,
    /// How often each authority may do something.
    pub rates: RatesConfig,
    /// Messages to those who want to be told.
    pub webhooks: WebhooksConfig,
    /// Incidents.
    pub incidents: IncidentsConfig,
    /// Calls to providers.
    pub gateway: GatewayConfig,
    /// The providers.
    #[serde(default)]
    pub upstreams: Upstreams,
    /// Prices that differ from the price table.
    pub prices: PricesConfig,
    #[serde(skip)]
    lines: Vec<Line>,
}

/// What the command line says; texts, because they are checked with everything else.
#[derive(Clone, Default)]
pub struct PartialFlags {
    /// `--config`: the file; it must exist.
    pub config_file: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--metrics-listen`
    pub metrics_listen: Option<String>,
    /// `--database-url`
    pub database_url: Option<String>,
    /// `--log-level`
    pub log_level: Option<String>,
    /// `--log-format`
    pub log_format: Option<String>,
    /// `--set key=value`, for every other setting by its path.
    pub set: Vec<(String, String)>,
}

impl Config {
    /// Reads the command line's part, the environment and the file.
    pub fn load(flags: &PartialFlags) -> Result<Self, ConfigError> {
        let process = Env::raw().lowercase(false);
        Self::load_from(
            flags,
            process.iter().map(|(name, value)| (name.to_string(), value)),
        )
    }

    /// The same with an environment of the caller's choice.
    pub fn load_from(
        flags: &PartialFlags,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let environment: Vec<(String, String)> = environment.into_iter().collect();
        let named = environment
            .iter()
            .find(|(name, value)| name == FILE_VARIABLE && !value.is_empty());
        let named = flags
            .config_file
            .clone()
            .or_else(|| named.map(|(_, path)| PathBuf::from(path)));
        let file = match named {
            Some(path) => Layer::of_file(&path)?,
            None if Path::new(DEFAULT_FILE).exists() => Layer::of_file(Path::new(DEFAULT_FILE))?,
            None => Layer::default(),
        };
        let well_known = Layer::of_well_known_env(&environment, &file);
        let layers = Layer::of_defaults()
            .overlaid_with(file)
            .overlaid_with(well_known)
            .overlaid_with(Layer::of_env(&environment))
            .overlaid_with(Layer::of_flags(flags));
        resolve::resolve(layers)
    }

    /// What is in force, one `key = value  (source)` per line, secrets as `***`.
    pub fn describe(&self) -> String {
        describe::describe(&self.lines)
    }
}

#[cfg(test)]
mod tests;
