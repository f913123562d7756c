//! What is an access key called?

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use crate::id::{IdError, PrincipalId, TenantId};
use crate::time::Timestamp;

const PREFIX: &str = "PLIM";
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const DIGITS: usize = 16;
const BITS: usize = 5;

/// The public name of an access key: `PLIM` and 16 characters of base32, as long as those of AWS, so that every program
/// that signs for AWS takes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessKeyId(u128);

impl AccessKeyId {
    /// The name with these 80 bits.
    pub fn from_bytes(bytes: [u8; 10]) -> Self {
        Self(bytes.iter().fold(0, |bits, byte| bits << 8 | u128::from(*byte)))
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |place: usize| {
            let index = usize::try_from(self.0 >> (place * BITS) & 0x1f).unwrap_or_default();
            ALPHABET.get(index).copied().map_or('A', char::from)
        };
        let digits: String = (0..DIGITS).rev().map(digit).collect();
        write!(f, "{PREFIX}{digits}")
    }
}

impl fmt::Debug for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AccessKeyId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let refused = IdError::AccessKey { prefix: PREFIX };
        let digits = text.strip_prefix(PREFIX).filter(|rest| rest.len() == DIGITS);
        let value = |digit: u8| ALPHABET.iter().zip(0u8..).find(|(letter, _)| **letter == digit);
        let bits = digits.and_then(|digits| {
            digits.bytes().try_fold(0u128, |bits, digit| {
                value(digit).map(|(_, value)| bits << BITS | u128::from(value))
            })
        });
        bits.map(Self).ok_or(refused)
    }
}

/// One access key of a principal; the secret is not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Its public name.
    pub id: AccessKeyId,
    /// Whose tenant.
    pub tenant: TenantId,
    /// Whose key.
    pub principal: PrincipalId,
    /// The last four characters of the secret, to tell keys apart.
    pub last4: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn a_name_is_written_in_base32_and_read_back() {
        for (bytes, text) in [
            ([0; 10], "PLIMAAAAAAAAAAAAAAAA"),
            ([0xff; 10], "PLIM7777777777777777"),
            // RFC 4648: base32 of "foobarfoob".
            (*b"foobarfoob", "PLIMMZXW6YTBOJTG633C"),
        ] {
            let id = AccessKeyId::from_bytes(bytes);
            assert_eq!(id.to_string(), text);
            assert_eq!(text.parse(), Ok(id));
        }
    }

    #[test]
    fn a_name_has_one_spelling() {
        for bad in [
            "",
            "PLIM",
            "PLIMAAAAAAAAAAAAAAA",
            "PLIMAAAAAAAAAAAAAAAAA",
            "plimAAAAAAAAAAAAAAAA",
            "PLIMaAAAAAAAAAAAAAAA",
            "PLIM1AAAAAAAAAAAAAAA",
            "AKIAAAAAAAAAAAAAAAAA",
            "PLIM\u{c4}AAAAAAAAAAAAAA",
        ] {
            let refused = IdError::AccessKey { prefix: "PLIM" };
            assert_eq!(bad.parse::<AccessKeyId>(), Err(refused), "{bad}");
        }
    }
}
