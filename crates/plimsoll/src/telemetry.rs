//! Where do the numbers of this process go?

use std::sync::Arc;

use anyhow::{Context as _, Result};
use infra::config::Config;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds in seconds: from a refusal (under a millisecond) to a long stream.
const SECONDS: [f64; 15] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0,
];

/// Where all metrics of the process are collected.
#[derive(Clone)]
pub(crate) struct Metrics(PrometheusHandle);

impl Metrics {
    /// Starts collecting; once per process.
    pub(crate) fn install() -> Result<Self> {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .context("the buckets of the metrics cannot be set")?
            .install_recorder()
            .context("the metrics cannot be collected")?;
        metrics::describe_gauge!("plimsoll_build_info", "1, with the version as a label");
        metrics::gauge!("plimsoll_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        metrics::describe_counter!("plimsoll_holds_expired_total", "Holds that nobody ended in time");
        Ok(Self(handle))
    }

    /// What `/metrics` answers.
    pub(crate) fn render(&self) -> Arc<dyn Fn() -> String + Send + Sync> {
        let handle = self.0.clone();
        Arc::new(move || handle.render())
    }

    /// Makes room: samples that wait are put into their buckets.
    pub(crate) fn tidy(&self) {
        self.0.run_upkeep();
    }
}

/// Sets up the logs as configured.
pub(crate) fn start_logs(config: &Config) -> Result<()> {
    infra::telemetry::init(config.log.format, &config.log.level).context("the logs cannot be set up")
}
