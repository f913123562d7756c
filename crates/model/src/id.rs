//! Which ids exist, how are they written, and who may make one?
//!
//! An id is a ULID with a prefix per kind (`run_01J…`, `LIM-01J…`). Inside the process it is the
//! 128-bit number, so that passing one on costs nothing; the text form exists at the edges only.
//! Names that a customer chooses (projects, agents) are [`Slug`]s.

mod derived;
mod hashed;

use alloc::string::{String, ToString as _};
use core::fmt;
use core::str::FromStr;

pub use self::derived::{IncidentId, SignatureId};
pub use self::hashed::{
    CandidateId, CorrelationKey, DetectionId, EvidenceGraphId, EvidenceId, NormalizedSignalId,
    PromotionDecisionId, SignalId,
};

/// The source of new ids. The only implementation outside of tests is `infra::clock::RandomIds`.
pub trait IdGenerator: Send + Sync {
    /// The next ULID as its 128 bits: 48 bits of milliseconds, 80 bits of randomness, growing.
    fn next(&self) -> u128;
}

/// Why a text is not an id of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text does not start with the prefix of this kind of id.
    #[error("expected an id that starts with `{prefix}`")]
    Prefix {
        /// What it should have started with.
        prefix: &'static str,
    },
    /// The part behind the prefix is not a canonical ULID.
    #[error("expected 26 characters of Crockford base32 after `{prefix}`")]
    Ulid {
        /// The prefix of this kind.
        prefix: &'static str,
    },
    /// The part behind the prefix is not 32 lower-case hex digits.
    #[error("expected 32 lower-case hex digits after `{prefix}`")]
    Hex {
        /// The prefix of this kind.
        prefix: &'static str,
    },
    /// Not the id of an access key.
    #[error("expected `{prefix}` and 16 characters out of A to Z and 2 to 7")]
    AccessKey {
        /// The prefix of access keys.
        prefix: &'static str,
    },
    /// A customer-chosen name has a character or a length that names may not have.
    #[error("expected 1 to 64 characters out of letters, digits, `.`, `_` and `-`")]
    Slug,
}

macro_rules! ulid_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// What the text form starts with.
            pub const PREFIX: &'static str = $prefix;

            /// The id with these 128 bits, as an [`IdGenerator`] gives them.
            pub const fn from_bits(bits: u128) -> Self {
                Self(bits)
            }

            /// The 128 bits of the id.
            pub const fn bits(self) -> u128 {
                self.0
            }

            /// A new id.
            pub fn generate(ids: &dyn IdGenerator) -> Self {
                Self(ids.next())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // Written at once: ids are written more often than anything else.
                let mut buffer = [0; $prefix.len() + ulid::ULID_LEN];
                f.write_str(written($prefix, self.0, &mut buffer))
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
                parse_ulid(text, $prefix).map(Self)
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

/// The prefix and the ULID, in a buffer that is as long as both.
fn written<'a>(prefix: &str, bits: u128, buffer: &'a mut [u8]) -> &'a str {
    let (start, end) = buffer.split_at_mut(prefix.len());
    start.copy_from_slice(prefix.as_bytes());
    if let Ok(end) = end.try_into() {
        ulid::Ulid(bits).array_to_str(end);
    }
    core::str::from_utf8(buffer).unwrap_or_default()
}

ulid_ids! {
    /// A customer of the installation.
    TenantId = "tnt_";
    /// An API key's public name; never the secret.
    KeyId = "key_";
    /// A credential of the people who run the installation.
    OperatorId = "op_";
    /// Somebody who signs requests.
    PrincipalId = "prn_";
    /// One LLM Run.
    RunId = "run_";
    /// One hold on the limits.
    HoldId = "hold_";
    /// One decision about a request.
    DecisionId = "dec_";
    /// A Limit, in the form of the frozen console contract.
    LimitId = "LIM-";
    /// One cost record.
    CostId = "cr_";
    /// One cost anomaly.
    AnomalyId = "ca_";
    /// One ops event.
    EventId = "evt_";
    /// One breach of a limit.
    BreachId = "brc_";
    /// One override of a Limit.
    OverrideId = "ovr_";
    /// One entry of the audit ledger.
    AuditId = "aud_";
    /// One entry of the timeline.
    TimelineId = "tl_";
    /// A Policy Rule, in the form of the frozen console contract.
    RuleId = "PR-";
    /// A proposal to make, change or retire a Policy Rule.
    ProposalId = "prop_";
    /// One enforcement of a Policy Rule.
    EnforcementId = "enf_";
    /// One LLM Run that a Policy Rule kept from failing again.
    PreventionId = "prev_";
    /// Somebody who is sent messages.
    WebhookId = "whk_";
    /// One message to one of them.
    DeliveryId = "whd_";
}

impl TenantId {
    /// The owner of what belongs to the installation itself, such as GLOBAL limits.
    pub const PLATFORM: Self = Self(0);
}

fn parse_ulid(text: &str, prefix: &'static str) -> Result<u128, IdError> {
    let rest = text.strip_prefix(prefix).ok_or(IdError::Prefix { prefix })?;
    let parsed = ulid::Ulid::from_string(rest)
        .ok()
        .ok_or(IdError::Ulid { prefix })?;
    let mut buffer = [0; ulid::ULID_LEN];
    // Crockford decoding forgives case and look-alikes; one id must have one spelling.
    if parsed.array_to_str(&mut buffer) == rest {
        Ok(parsed.0)
    } else {
        Err(IdError::Ulid { prefix })
    }
}

/// A name that a customer chose, used as an id: a project, an agent, a feature.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Slug(String);

impl Slug {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if (1..=64).contains(&text.len()) && text.chars().all(allowed) {
            Ok(Self(text.to_string()))
        } else {
            Err(IdError::Slug)
        }
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de> serde::Deserialize<'de> for Slug {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <alloc::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_with_its_prefix_and_read_back() {
        let id = LimitId::from_bits(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let text = id.to_string();
        assert_eq!(text, "LIM-014D2PF2DBSQQG28T5CY4TQKFF");
        assert_eq!(text.parse(), Ok(id));
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let text = RunId::from_bits(7).to_string();
        assert_eq!(text.parse::<HoldId>(), Err(IdError::Prefix { prefix: "hold_" }));
    }

    #[test]
    fn a_second_spelling_of_an_id_is_refused() {
        let lower = RunId::from_bits(0xabcd).to_string().to_lowercase();
        assert_eq!(lower.parse::<RunId>(), Err(IdError::Ulid { prefix: "run_" }));
        assert_eq!("run_".parse::<RunId>(), Err(IdError::Ulid { prefix: "run_" }));
    }

    #[test]
    fn a_slug_holds_only_what_fits_a_header_and_a_path() {
        assert!("search-team.eu_1".parse::<Slug>().is_ok());
        for bad in ["", "with space", "a/b", "ü", &"x".repeat(65)] {
            assert_eq!(bad.parse::<Slug>(), Err(IdError::Slug), "{bad}");
        }
    }
}
