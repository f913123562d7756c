//! How does a secret rest in the database?
//!
//! Encrypted with AES-256-GCM under the installation's master key, with a random nonce, and bound to
//! where it belongs: opened in another row or for another tenant, it does not open. The record names
//! the key that sealed it, so that keys can be changed.
//!
//! A record is `1 | key id (4) | nonce (12) | ciphertext and tag`.

use std::fmt;

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{Secret, hex, keyed_hash, random_bytes};

const VERSION: u8 = 1;
const KEY_ID: usize = 4;
const NONCE: usize = 12;
const TAG: usize = 16;

/// The installation's master key. Everything secret at rest hangs on it.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

/// Why a text is not a master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyError {
    /// Not standard base64 with padding.
    #[error("the master key is not base64")]
    Encoding,
    /// Not 256 bits.
    #[error("the master key must be 32 bytes; make one with `openssl rand -base64 32`")]
    Length,
}

/// Why a record was not sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Longer than the cipher allows.
    #[error("the secret is too long to be sealed")]
    TooLong,
    /// Not a sealed record.
    #[error("not a sealed record")]
    Format,
    /// Sealed under another master key.
    #[error("the record was sealed under the master key {sealed_under}, not under {at_hand}")]
    OtherKey {
        /// The id of the key that sealed it.
        sealed_under: String,
        /// The id of the key that was to open it.
        at_hand: String,
    },
    /// Changed, or moved from where it belongs.
    #[error("the record was changed or does not belong here")]
    Tampered,
}

/// An encrypted secret with the id of its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl MasterKey {
    /// The key as configured: 32 bytes in base64.
    pub fn from_base64(text: &Secret) -> Result<Self, MasterKeyError> {
        let bytes = STANDARD
            .decode(text.expose().trim())
            .ok()
            .ok_or(MasterKeyError::Encoding)?;
        let bytes = Zeroizing::new(bytes);
        let key: [u8; 32] = bytes.as_slice().try_into().ok().ok_or(MasterKeyError::Length)?;
        Ok(Self::from_bytes(key))
    }

    /// The key with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key in the form of the configuration, for `plimsoll keys` to print once.
    pub fn to_base64(&self) -> Secret {
        Secret::new(STANDARD.encode(self.0.as_slice()))
    }

    /// What records call this key; it says nothing about the key.
    pub fn id(&self) -> String {
        hex(&self.id_bytes())
    }

    /// A key for one purpose, such as a tenant's input hashes; it says nothing about the master key.
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(keyed_hash(
            self.0.as_slice(),
            format!("plimsoll derived key\0{purpose}").as_bytes(),
        ))
    }

    /// Seals the text for one place. `place` is what the record belongs to, such as
    /// `upstreams/openai/api_key` or a table, tenant and row; only the same place opens it.
    pub fn seal(&self, plain: &[u8], place: &str) -> Result<Sealed, SealError> {
        self.seal_with(plain, place, random_bytes())
    }

    /// Opens a record at the place that it was sealed for.
    pub fn open(&self, sealed: &Sealed, place: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (header, rest) = sealed.0.split_at_checked(1 + KEY_ID).ok_or(SealError::Format)?;
        if header != self.header() {
            return Err(SealError::OtherKey {
                sealed_under: sealed.key_id(),
                at_hand: self.id(),
            });
        }
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>().ok_or(SealError::Format)?;
        let payload = Payload {
            msg: ciphertext,
            aad: &associated(header, place),
        };
        let plain = self.cipher().decrypt(&Nonce::from(*nonce), payload);
        plain.map(Zeroizing::new).ok().ok_or(SealError::Tampered)
    }

    fn seal_with(&self, plain: &[u8], place: &str, nonce: [u8; NONCE]) -> Result<Sealed, SealError> {
        let header = self.header();
        let payload = Payload {
            msg: plain,
            aad: &associated(&header, place),
        };
        let ciphertext = self.cipher().encrypt(&Nonce::from(nonce), payload);
        let ciphertext = ciphertext.ok().ok_or(SealError::TooLong)?;
        Ok(Sealed([header.as_slice(), &nonce, &ciphertext].concat()))
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&(*self.0).into())
    }

    fn id_bytes(&self) -> [u8; KEY_ID] {
        let [a, b, c, d, ..] = keyed_hash(self.0.as_slice(), b"plimsoll key id");
        [a, b, c, d]
    }

    fn header(&self) -> [u8; 1 + KEY_ID] {
        let [a, b, c, d] = self.id_bytes();
        [VERSION, a, b, c, d]
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

impl Sealed {
    /// The record as it rests in a column of bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A record out of a column of bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SealError> {
        let complete = bytes.len() >= 1 + KEY_ID + NONCE + TAG && bytes.first() == Some(&VERSION);
        if complete {
            Ok(Self(bytes))
        } else {
            Err(SealError::Format)
        }
    }

    /// The record as it rests in a column of text.
    pub fn to_text(&self) -> String {
        STANDARD.encode(&self.0)
    }

    /// A record out of a column of text.
    pub fn from_text(text: &str) -> Result<Self, SealError> {
        STANDARD
            .decode(text)
            .ok()
            .ok_or(SealError::Format)
            .and_then(Self::from_bytes)
    }

    /// The id of the master key that sealed it.
    pub fn key_id(&self) -> String {
        hex(self.0.get(1..=KEY_ID).unwrap_or_default())
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed(under {}, {} bytes)", self.key_id(), self.0.len())
    }
}

fn associated(header: &[u8], place: &str) -> Vec<u8> {
    [header, place.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: [u8; 32] = [3; 32];

    proptest! {
        #[test]
        fn what_was_sealed_opens_at_its_place_only(plain: Vec<u8>, place: String, other: String, key: [u8; 32]) {
            let key = MasterKey::from_bytes(key);
            let sealed = key.seal(&plain, &place).unwrap();
            let opened = key.open(&sealed, &place).unwrap();
            prop_assert_eq!(opened.as_slice(), plain.as_slice());
            let stored = Sealed::from_text(&sealed.to_text()).unwrap();
            prop_assert_eq!(&stored, &sealed);
            prop_assert_eq!(&Sealed::from_bytes(sealed.as_bytes().to_vec()).unwrap(), &sealed);
            if other != place {
                prop_assert_eq!(key.open(&stored, &other).err(), Some(SealError::Tampered));
            }
        }

        #[test]
        fn every_flipped_bit_is_refused(plain in prop::collection::vec(any::<u8>(), 0..40)) {
            let key = MasterKey::from_bytes(KEY);
            let sealed = key.seal(&plain, "here").unwrap();
            for bit in 0..sealed.as_bytes().len() * 8 {
                let mut bytes = sealed.as_bytes().to_vec();
                bytes[bit / 8] ^= 1 << (bit % 8);
                let opened = Sealed::from_bytes(bytes).and_then(|changed| key.open(&changed, "here"));
                prop_assert!(opened.is_err(), "bit {}", bit);
            }
        }

        #[test]
        fn every_cut_is_refused(plain in prop::collection::vec(any::<u8>(), 0..40)) {
            let key = MasterKey::from_bytes(KEY);
            let sealed = key.seal(&plain, "here").unwrap();
            for end in 0..sealed.as_bytes().len() {
                let cut = Sealed::from_bytes(sealed.as_bytes()[..end].to_vec());
                prop_assert!(cut.and_then(|cut| key.open(&cut, "here")).is_err());
            }
        }
    }

    #[test]
    fn one_secret_sealed_twice_gives_two_records() {
        let key = MasterKey::from_bytes(KEY);
        assert_ne!(key.seal(b"x", "here").unwrap(), key.seal(b"x", "here").unwrap());
    }

    #[test]
    fn another_master_key_is_told_apart_from_a_changed_record() {
        let (old, new) = (MasterKey::from_bytes(KEY), MasterKey::from_bytes([4; 32]));
        let sealed = old.seal(b"x", "here").unwrap();
        let expected = SealError::OtherKey {
            sealed_under: old.id(),
            at_hand: new.id(),
        };
        assert_eq!(new.open(&sealed, "here").err(), Some(expected));
        assert_eq!(sealed.key_id(), old.id());
    }

    #[test]
    fn a_master_key_is_32_bytes_of_base64() {
        let key = MasterKey::from_bytes(KEY);
        let read = MasterKey::from_base64(&key.to_base64()).unwrap();
        assert_eq!(read.id(), key.id());
        for (bad, error) in [
            ("not base64!", MasterKeyError::Encoding),
            ("", MasterKeyError::Length),
            ("AAAA", MasterKeyError::Length),
        ] {
            assert_eq!(
                MasterKey::from_base64(&Secret::new(bad)).err(),
                Some(error),
                "{bad}"
            );
        }
    }

    #[test]
    fn keys_for_two_purposes_differ_and_stay_the_same() {
        let key = MasterKey::from_bytes(KEY);
        assert_eq!(*key.derive("input-hash/tnt_1"), *key.derive("input-hash/tnt_1"));
        assert_ne!(*key.derive("input-hash/tnt_1"), *key.derive("input-hash/tnt_2"));
        assert!(!format!("{key:?}").contains(key.to_base64().expose()));
    }
}
