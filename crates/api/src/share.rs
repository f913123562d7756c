//! How is a share or a confidence read from JSON?

use model::permille::Permille;
use serde::Deserialize;
use serde::de::Error as _;

/// A number from 0.000 to 1.000, written as a JSON number or as text, without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share(pub(crate) Permille);

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
        // Only what begins like this is repeated to the client (see `body`).
        raw.get()
            .trim_matches('"')
            .parse()
            .map(Self)
            .map_err(|_too_large| D::Error::custom("expected a number from 0.000 to 1.000"))
    }
}
