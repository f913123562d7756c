//! What is a hash taken over, and how is it written?
//!
//! A definition is hashed in its canonical form: a list of named fields in a fixed order, each with the length of its
//! value in front. No value can therefore look like two, and whoever has the fields and SHA-256 can check the hash.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use sha2::{Digest as _, Sha256};

/// A SHA-256 hash; 64 lower-case hex digits as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// The text is not 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 lower-case hex digits")]
pub struct DigestError;

impl Digest {
    /// What stands before the first version of a chain.
    pub const ZERO: Self = Self([0; 32]);

    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 16 bytes as a number, big end first: what derived ids are made of.
    pub fn head(&self) -> u128 {
        self.0
            .iter()
            .take(16)
            .fold(0, |head, byte| (head << 8) | u128::from(*byte))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(DigestError);
        }
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let (high, low) = digit(*high).zip(digit(*low)).ok_or(DigestError)?;
            *byte = (high << 4) | low;
        }
        Ok(Self(bytes))
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <alloc::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The canonical form of something: one line `name:length:value` per field, `name:-` for one that has no value. The
/// length is in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canonical(Vec<u8>);

impl Canonical {
    /// The form of this kind of thing. The kind carries a version (`rule/1`), raised when the fields change.
    pub fn new(kind: &str) -> Self {
        Self(format!("{kind}\n").into_bytes())
    }

    /// With one more field.
    #[must_use]
    pub fn text(mut self, name: &str, value: &str) -> Self {
        let field = format!("{name}:{}:{value}\n", value.len());
        self.0.extend_from_slice(field.as_bytes());
        self
    }

    /// With one more field that may have no value.
    #[must_use]
    pub fn optional(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            return self.text(name, value);
        }
        self.0.extend_from_slice(format!("{name}:-\n").as_bytes());
        self
    }

    /// With one more field, written as text.
    #[must_use]
    pub fn shown(self, name: &str, value: impl fmt::Display) -> Self {
        self.text(name, &format!("{value}"))
    }

    /// With a list: its length first, then each entry as a field.
    #[must_use]
    pub fn list(self, name: &str, values: &[String]) -> Self {
        let counted = self.shown(name, values.len());
        values.iter().fold(counted, |form, value| form.text(name, value))
    }

    /// The form that was stored as these bytes.
    pub const fn stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its hash.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn a_hash_is_written_in_hex_and_read_back() {
        let digest = Digest::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse(), Ok(digest));
        assert_eq!(digest.head(), 0xba78_16bf_8f01_cfea_4141_40de_5dae_2223);
        for bad in [
            "",
            "ab",
            &text.to_uppercase(),
            &text.replace('a', "g"),
            &format!("{text}00"),
        ] {
            assert_eq!(bad.parse::<Digest>(), Err(DigestError), "{bad}");
        }
    }

    #[test]
    fn no_two_lists_of_fields_have_one_canonical_form() {
        let form = |values: &[&str]| {
            let values: Vec<_> = values.iter().map(|value| String::from(*value)).collect();
            Canonical::new("x/1").list("l", &values).optional("o", None)
        };
        assert_eq!(form(&["a"]).as_bytes(), b"x/1\nl:1:1\nl:1:a\no:-\n");
        assert_ne!(form(&["a", "b"]), form(&["ab"]));
        assert_ne!(form(&["a\nl:1:b"]), form(&["a", "b"]));
        assert_ne!(
            form(&[]),
            Canonical::new("x/1").list("l", &[]).optional("o", Some("-"))
        );
    }
}
