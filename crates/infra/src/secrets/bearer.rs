//! What does a key or token of ours look like, and is this one complete?
//!
//! A prefix that secret scanners can look for, 30 random base62 characters (178 bits), and 6 that
//! repeat the CRC-32 of what stands before them. So a mistyped or cut key is told apart from a wrong
//! one without any look-up. The store keeps the SHA-256 of the whole text; a slow hash would add
//! nothing against 178 random bits.

use std::fmt;

use super::{Secret, sha256_hex};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BODY: usize = 30;
const CHECKSUM: usize = 6;
const OPERATOR_PREFIX: &str = "plim_ops_";

/// What an API key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyEnvironment {
    /// Production.
    Live,
    /// Trying things out.
    Test,
}

impl KeyEnvironment {
    /// What a key of this environment starts with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Live => "plim_live_",
            Self::Test => "plim_test_",
        }
    }
}

/// Why a text is not a key of ours. It says nothing about whether a key exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFormatError {
    /// Another kind of credential, or none.
    #[error("the key does not start with the expected prefix")]
    Prefix,
    /// Cut off, or something was pasted behind it.
    #[error("the key has the wrong length")]
    Length,
    /// A character that keys do not have.
    #[error("the key contains a character that keys do not have")]
    Alphabet,
    /// Mistyped.
    #[error("the checksum of the key does not match: it was mistyped or cut")]
    Checksum,
}

/// A new API key, shown to its owner once.
#[derive(Clone)]
pub struct ApiKeySecret {
    environment: KeyEnvironment,
    text: Secret,
}

/// An API key that is complete; whether it exists is for the store to say.
#[derive(Clone)]
pub struct ParsedKey(ApiKeySecret);

/// A new token of the people who run the installation, shown once.
#[derive(Clone)]
pub struct OperatorTokenSecret(Secret);

/// An operator token that is complete; whether it exists is for the store to say.
#[derive(Clone)]
pub struct ParsedOperatorToken(OperatorTokenSecret);

impl ApiKeySecret {
    /// A key out of 32 random bytes, as `random_bytes` gives them.
    pub fn generate(environment: KeyEnvironment, random: [u8; 32]) -> Self {
        let text = assemble(environment.prefix(), random);
        Self { environment, text }
    }

    /// Checks the form of a presented key: prefix, length, alphabet and checksum.
    pub fn parse(text: &str) -> Result<ParsedKey, KeyFormatError> {
        let environment = [KeyEnvironment::Live, KeyEnvironment::Test]
            .into_iter()
            .find(|environment| text.starts_with(environment.prefix()))
            .ok_or(KeyFormatError::Prefix)?;
        check(environment.prefix(), text)?;
        Ok(ParsedKey(Self {
            environment,
            text: Secret::new(text),
        }))
    }

    /// The whole key, for its owner's eyes.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// What it is for.
    pub fn environment(&self) -> KeyEnvironment {
        self.environment
    }

    /// What the store keeps: the SHA-256 of the whole key in hex.
    pub fn hash(&self) -> String {
        sha256_hex(self.expose().as_bytes())
    }

    /// The last four characters, by which people tell keys apart.
    pub fn last4(&self) -> &str {
        last4(&self.text)
    }
}

impl ParsedKey {
    /// What it is for.
    pub fn environment(&self) -> KeyEnvironment {
        self.0.environment
    }

    /// What the store looks it up by: the SHA-256 of the whole key in hex.
    pub fn hash(&self) -> String {
        self.0.hash()
    }

    /// The bytes of [`ParsedKey::hash`].
    pub fn digest(&self) -> [u8; 32] {
        super::sha256(self.0.expose().as_bytes())
    }

    /// The last four characters, by which people tell keys apart.
    pub fn last4(&self) -> &str {
        self.0.last4()
    }
}

impl OperatorTokenSecret {
    /// A token out of 32 random bytes, as `random_bytes` gives them.
    pub fn generate(random: [u8; 32]) -> Self {
        Self(assemble(OPERATOR_PREFIX, random))
    }

    /// Checks the form of a presented token: prefix, length, alphabet and checksum.
    pub fn parse(text: &str) -> Result<ParsedOperatorToken, KeyFormatError> {
        check(OPERATOR_PREFIX, text)?;
        Ok(ParsedOperatorToken(Self(Secret::new(text))))
    }

    /// The whole token, for its owner's eyes.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What the store keeps: the SHA-256 of the whole token in hex.
    pub fn hash(&self) -> String {
        sha256_hex(self.expose().as_bytes())
    }

    /// The last four characters, by which people tell tokens apart.
    pub fn last4(&self) -> &str {
        last4(&self.0)
    }
}

impl ParsedOperatorToken {
    /// What the store looks it up by: the SHA-256 of the whole token in hex.
    pub fn hash(&self) -> String {
        self.0.hash()
    }

    /// The last four characters, by which people tell tokens apart.
    pub fn last4(&self) -> &str {
        self.0.last4()
    }
}

macro_rules! hidden {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "(…{})"), self.last4())
            }
        }
    )*};
}

hidden! { ApiKeySecret ParsedKey OperatorTokenSecret ParsedOperatorToken }

fn assemble(prefix: &str, random: [u8; 32]) -> Secret {
    // Taking 30 base62 digits out of 256 random bits leaves a bias below 2^-77.
    let mut number = random;
    let unchecked: String = prefix
        .chars()
        .chain((0..BODY).map(|_| digit(divide(&mut number, 62))))
        .collect();
    Secret::new(format!("{unchecked}{}", checksum(&unchecked)))
}

fn check(prefix: &str, text: &str) -> Result<(), KeyFormatError> {
    let rest = text.strip_prefix(prefix).ok_or(KeyFormatError::Prefix)?;
    if !rest.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(KeyFormatError::Alphabet);
    }
    if rest.len() != BODY + CHECKSUM {
        return Err(KeyFormatError::Length);
    }
    match text.split_at_checked(prefix.len() + BODY) {
        Some((unchecked, sum)) if checksum(unchecked) == sum => Ok(()),
        _ => Err(KeyFormatError::Checksum),
    }
}

/// The CRC-32 in base62, most significant digit first, padded with zeros to six digits.
fn checksum(unchecked: &str) -> String {
    let mut crc = crc32fast::hash(unchecked.as_bytes()).to_be_bytes();
    let digits: Vec<char> = (0..CHECKSUM).map(|_| digit(divide(&mut crc, 62))).collect();
    digits.into_iter().rev().collect()
}

/// Divides a big-endian number in place and returns the remainder.
fn divide(number: &mut [u8], divisor: u32) -> u32 {
    number.iter_mut().fold(0, |rest, byte| {
        let dividend = rest << 8 | u32::from(*byte);
        // The quotient fits: the rest of the digit before is smaller than the divisor.
        *byte = u8::try_from(dividend / divisor).unwrap_or(u8::MAX);
        dividend % divisor
    })
}

fn digit(value: u32) -> char {
    let index = usize::try_from(value).unwrap_or(0);
    ALPHABET.get(index).copied().map_or('0', char::from)
}

fn last4(secret: &Secret) -> &str {
    let text = secret.expose();
    text.get(text.len().saturating_sub(4)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn environments() -> impl Strategy<Value = KeyEnvironment> {
        prop_oneof![Just(KeyEnvironment::Live), Just(KeyEnvironment::Test)]
    }

    proptest! {
        #[test]
        fn a_generated_key_parses_and_keeps_its_hash(environment in environments(), random: [u8; 32]) {
            let key = ApiKeySecret::generate(environment, random);
            prop_assert_eq!(key.expose().len(), 46);
            let parsed = ApiKeySecret::parse(key.expose()).unwrap();
            prop_assert_eq!(parsed.environment(), environment);
            prop_assert_eq!(parsed.hash(), key.hash());
            prop_assert!(key.expose().ends_with(parsed.last4()));
            prop_assert!(OperatorTokenSecret::parse(key.expose()).is_err());
        }

        #[test]
        fn every_change_of_one_character_is_refused(random: [u8; 32], at in 0..46usize, to in "[ -~]") {
            let key = ApiKeySecret::generate(KeyEnvironment::Live, random);
            let mut changed = key.expose().to_owned();
            changed.replace_range(at..=at, &to);
            prop_assume!(changed != key.expose());
            prop_assert!(ApiKeySecret::parse(&changed).is_err());
        }

        #[test]
        fn every_cut_and_every_swap_of_neighbours_is_refused(random: [u8; 32], at in 10..45usize) {
            let token = OperatorTokenSecret::generate(random);
            prop_assert!(OperatorTokenSecret::parse(token.expose().get(..at - 1).unwrap()).is_err());
            let mut swapped: Vec<char> = token.expose().chars().collect();
            swapped.swap(at - 2, at - 1);
            let swapped: String = swapped.into_iter().collect();
            prop_assert_eq!(OperatorTokenSecret::parse(&swapped).is_ok(), swapped == token.expose());
        }

        #[test]
        fn no_text_makes_the_parser_fail_otherwise(text: String) {
            let _either = (ApiKeySecret::parse(&text).is_ok(), OperatorTokenSecret::parse(&text).is_ok());
        }
    }

    #[test]
    fn the_format_is_frozen() {
        let key = ApiKeySecret::generate(KeyEnvironment::Test, [7; 32]);
        // Computed independently, with Python's integers and zlib.crc32.
        assert_eq!(key.expose(), "plim_test_1FPc9b5c5QdpH4zZv03tchG8AluSK91KdJ5p");
        let zero = ApiKeySecret::generate(KeyEnvironment::Live, [0; 32]);
        assert!(
            zero.expose()
                .starts_with("plim_live_000000000000000000000000000000")
        );
    }

    #[test]
    fn the_refusal_says_what_is_wrong() {
        for (text, error) in [
            ("", KeyFormatError::Prefix),
            ("sk-proj-abc", KeyFormatError::Prefix),
            ("PLIM_LIVE_000000000000000000000000000000", KeyFormatError::Prefix),
            ("plim_live_", KeyFormatError::Length),
            ("plim_live_ä", KeyFormatError::Alphabet),
            (
                "plim_live_000000000000000000000000000000000000",
                KeyFormatError::Checksum,
            ),
        ] {
            assert_eq!(ApiKeySecret::parse(text).err(), Some(error), "{text}");
        }
    }

    #[test]
    fn debug_shows_the_last_four_characters_only() {
        let key = ApiKeySecret::generate(KeyEnvironment::Test, [7; 32]);
        assert_eq!(format!("{key:?}"), format!("ApiKeySecret(…{})", key.last4()));
        assert_eq!(key.last4().len(), 4);
    }
}
