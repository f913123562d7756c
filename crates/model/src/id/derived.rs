//! Which ids follow from what they name?
//!
//! Whoever sees the same facts arrives at the same id, so that one event told twice stays one.

use core::fmt;
use core::str::FromStr;

use super::{IdError, TenantId};
use crate::digest::{Canonical, Digest};

macro_rules! derived_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// What the text form starts with; 32 lower-case hex digits follow.
            pub const PREFIX: &'static str = $prefix;

            /// The id with these 128 bits.
            pub const fn from_bits(bits: u128) -> Self {
                Self(bits)
            }

            /// The 128 bits of the id.
            pub const fn bits(self) -> u128 {
                self.0
            }

            /// The first half of this hash as an id.
            pub fn of(digest: Digest) -> Self {
                Self(digest.head())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{:032x}", Self::PREFIX, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_hex(text, $prefix).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <alloc::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

derived_ids! {
    /// An Incident.
    IncidentId = "inc_";
    /// A kind of failure: see [`crate::incident::Signature`].
    SignatureId = "sig_";
}

impl IncidentId {
    /// The id of the incident of this tenant with this cause: what tells it from all others, such as the id of the
    /// LLM Run that failed.
    pub fn derive(tenant: TenantId, cause: &str) -> Self {
        let form = Canonical::new("incident/1")
            .shown("tenant", tenant)
            .text("cause", cause);
        Self::of(form.digest())
    }
}

fn parse_hex(text: &str, prefix: &'static str) -> Result<u128, IdError> {
    let rest = text.strip_prefix(prefix).ok_or(IdError::Prefix { prefix })?;
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if rest.len() != 32 || !rest.bytes().all(hex) {
        return Err(IdError::Hex { prefix });
    }
    u128::from_str_radix(rest, 16).ok().ok_or(IdError::Hex { prefix })
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn one_cause_of_one_tenant_has_one_incident() {
        let id = IncidentId::derive(TenantId::from_bits(1), "run_1");
        assert_eq!(id, IncidentId::derive(TenantId::from_bits(1), "run_1"));
        assert_ne!(id, IncidentId::derive(TenantId::from_bits(2), "run_1"));
        assert_ne!(id, IncidentId::derive(TenantId::from_bits(1), "run_2"));
        let text = id.to_string();
        assert_eq!((text.len(), text.parse()), (36, Ok(id)));
    }

    #[test]
    fn a_derived_id_has_one_spelling() {
        let text = IncidentId::from_bits(0xab).to_string();
        assert_eq!(text, "inc_000000000000000000000000000000ab");
        let hex = IdError::Hex { prefix: "inc_" };
        for bad in [
            text.to_uppercase().replace("INC", "inc"),
            text.replace('0', ""),
            text.replace("00a", "+0a"),
        ] {
            assert_eq!(bad.parse::<IncidentId>(), Err(hex.clone()), "{bad}");
        }
        assert_eq!(
            text.parse::<SignatureId>(),
            Err(IdError::Prefix { prefix: "sig_" })
        );
    }
}
