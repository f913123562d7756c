//! Which mode of a Policy Rule does a client mean?

use std::str::FromStr;

use model::policy::EnforcementMode;
use serde::Deserialize;
use serde::de::IntoDeserializer as _;

/// BLOCK, WARN, LOG or `DRY_RUN`. AUDIT is an older word for LOG: it is read, and never written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mode(pub(crate) EnforcementMode);

const ALIAS: &str = "AUDIT";

impl FromStr for Mode {
    type Err = <EnforcementMode as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = if text == ALIAS { "LOG" } else { text };
        word.parse().map(Self)
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == ALIAS {
            return Ok(Self(EnforcementMode::Log));
        }
        EnforcementMode::deserialize(text.into_deserializer()).map(Self)
    }
}
