//! `plimsoll migrate`: is the schema up to date?

use anyhow::Result;
use serde_json::json;

use super::quiet_config;
use crate::cli::Global;
use crate::{telemetry, wiring};

pub(crate) fn run(global: &Global) -> Result<()> {
    let config = quiet_config(global)?;
    telemetry::start_logs(&config)?;
    let backend = wiring::store_settings(&config.database)?.backend();
    let applied = wiring::migrate(&config)?;
    global
        .format()
        .result(&json!({"backend": backend, "applied": applied}), || {
            if applied.is_empty() {
                return format!("The schema of the {backend} database is up to date.\n");
            }
            format!("applied {}\n", applied.join("\napplied "))
        })
}
