//! `plimsoll version`: which program is this?

use anyhow::Result;
use infra::config::PricesConfig;
use serde_json::json;

use crate::cli::Global;
use crate::wiring;

/// The SQLite that is built in; a test holds it to what the library writes into its files.
pub(crate) const SQLITE: &str = "3.53.2";

pub(crate) fn run(global: &Global) -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let prices = wiring::prices(&PricesConfig::default())?;
    let table = prices.version();
    global.format().result(
        &json!({"version": version, "sqlite": SQLITE, "price_table": table}),
        || format!("plimsoll {version}\nSQLite {SQLITE}\nprices {table}\n"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stated_sqlite_is_the_one_that_is_built_in() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("v.db");
        let settings = store::Settings::for_url(file.to_str().unwrap()).unwrap();
        store::migrate::run(&settings).unwrap();
        let found = crate::commands::doctor::sqlite_that_wrote(&file).unwrap();
        assert_eq!(found.to_string(), SQLITE);
    }
}
