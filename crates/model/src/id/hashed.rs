//! Which ids are a whole hash of what they name?
//!
//! They are 64 lower-case hex digits, as the incident control plane has them on the wire.

use core::fmt;
use core::str::FromStr;

use crate::digest::{Digest, DigestError};

macro_rules! hashed_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Digest);

        impl $name {
            /// The id that is this hash.
            pub const fn of(digest: Digest) -> Self {
                Self(digest)
            }

            /// The hash that it is.
            pub const fn digest(self) -> Digest {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                text.parse().map(Self)
            }
        }
    )*};
}

hashed_ids! {
    /// A signal: see [`crate::signal::Signal`].
    SignalId;
    /// A signal in the words of the rules.
    NormalizedSignalId;
    /// A detection: see [`crate::detection::Detection`].
    DetectionId;
    /// What a candidate rests on: see [`crate::candidate::EvidenceBundle`].
    EvidenceId;
    /// Where the evidence came from: see [`crate::candidate::EvidenceGraph`].
    EvidenceGraphId;
    /// Which detections belong together, and by which rule.
    CorrelationKey;
    /// A candidate: see [`crate::candidate::Candidate`].
    CandidateId;
    /// What the promotion gate decided: see [`crate::promotion::PromotionDecision`].
    PromotionDecisionId;
}
