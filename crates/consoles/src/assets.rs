//! Which files do the consoles consist of?

use std::borrow::Cow;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "ui/dist"]
#[allow_missing = true]
struct Files;

/// A file of the consoles.
#[derive(Debug, Clone)]
pub struct Asset {
    /// Its bytes.
    pub bytes: Cow<'static, [u8]>,
    /// Its SHA-256, for `ETag`.
    pub sha256: [u8; 32],
}

/// The file at this path, if there is one.
pub fn asset(path: &str) -> Option<Asset> {
    Files::get(path).map(|file| Asset {
        bytes: file.data,
        sha256: file.metadata.sha256_hash(),
    })
}

/// Whether the consoles were built when the binary was.
pub fn is_built() -> bool {
    Files::get("index.html").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_served() {
        assert!(asset("../Cargo.toml").is_none());
        assert!(asset("no-such-file").is_none());
        assert_eq!(is_built(), asset("index.html").is_some());
    }
}
