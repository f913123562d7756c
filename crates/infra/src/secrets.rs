//! How is a secret held, compared, hashed and made?

mod bearer;
mod sealed;
mod webhook;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::CtOutput;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::Rng as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

pub use bearer::{
    ApiKeySecret, KeyEnvironment, KeyFormatError, OperatorTokenSecret, ParsedKey, ParsedOperatorToken,
};
pub use sealed::{MasterKey, MasterKeyError, SealError, Sealed};
pub use webhook::WebhookSecret;

/// A text that never shows itself: not in logs, not in `{:?}`, not in a serialised form. Its memory
/// is wiped when it is dropped. Whoever needs the text says so with [`Secret::expose`].
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret out of the open.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq(self.expose().as_bytes(), other.expose().as_bytes())
    }
}

impl Eq for Secret {}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// The SHA-256 of these bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The SHA-256 of these bytes as 64 hex digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&sha256(bytes))
}

/// The HMAC-SHA-256 of these bytes under this key: for hashes of inputs that others could guess.
pub fn keyed_hash(key: &[u8], bytes: &[u8]) -> [u8; 32] {
    keyed_hash_of(key, &[bytes])
}

/// The same of these parts, one after the other, without putting them together.
pub fn keyed_hash_of(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of every length, so the empty arm is never taken.
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => {
            let mac = parts.iter().fold(mac, hmac::Mac::chain_update);
            mac.finalize().into_bytes().into()
        }
        Err(_invalid_length) => Sha256::digest(parts.concat()).into(),
    }
}

/// Whether the bytes are the same, in a time that does not tell where they differ.
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    let digest = |bytes| CtOutput::<Sha256>::new(Sha256::digest(bytes));
    digest(left) == digest(right)
}

/// Fresh key material from the operating system's generator.
#[expect(clippy::disallowed_methods, reason = "this is the one source of key material")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// The secret of an access key out of random bytes: 40 characters, as long as those of AWS, without any that a shell or a
/// configuration file would take for its own.
pub fn signing_secret(random: [u8; 30]) -> Secret {
    Secret::new(URL_SAFE_NO_PAD.encode(random))
}

/// Lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_the_published_ones() {
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        // RFC 4231, test case 2.
        assert_eq!(
            hex(&keyed_hash(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn equal_means_equal() {
        assert!(constant_time_eq(b"", b""));
        assert!(constant_time_eq(b"same", b"same"));
        assert!(!constant_time_eq(b"same", b"samf"));
        assert!(!constant_time_eq(b"same", b"same "));
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Secret::new("hunter2-hunter2");
        assert_eq!(
            format!("{secret:?} {:?}", Some(&secret)),
            "Secret(***) Some(Secret(***))"
        );
        assert_eq!(secret, Secret::new("hunter2-hunter2"));
        assert_ne!(secret, Secret::new("hunter2"));
    }

    #[test]
    fn a_signing_secret_is_forty_plain_characters() {
        let secret = signing_secret([0xff; 30]);
        assert_eq!(secret.expose(), "_".repeat(40));
        let other = signing_secret(random_bytes());
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(other.expose().len() == 40 && other.expose().chars().all(plain));
        assert_ne!(other, signing_secret(random_bytes()));
    }

    #[test]
    fn key_material_is_fresh_each_time() {
        assert_ne!(random_bytes::<32>(), random_bytes::<32>());
    }
}
