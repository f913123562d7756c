//! Which paths may nothing in a transaction name?

use serde::Deserialize;

use crate::config::Config;
use crate::model::Broken;

/// The rule whose options these are.
pub(super) const RULE: &str = "ARCH-INTENT-008";

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    /// `reqwest`, `std::net`, `workers::upstream`.
    never: Vec<String>,
}

pub(super) fn read(config: &Config) -> Result<Vec<String>, Broken> {
    config.options::<Options>(RULE).map(|options| options.never)
}

/// Whether a path is this one or lies under it.
pub(super) fn is_under(path: &str, prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}
