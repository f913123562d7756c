//! Is a Policy Rule or a Limit still what was decided?
//!
//! Every change of a definition is a version, and every version's hash covers its definition and the hash before it:
//!
//! `hash(n) = SHA-256("link/1", version n, SHA-256(canonical definition n), hash(n - 1))`, with `hash(0)` all zeros.
//!
//! The hash of the newest version is the `hash_root`. It is kept apart from the history, so that whoever rewrites the
//! history from some version on does not reach the root that was recorded.

use crate::digest::{Canonical, Digest};
use crate::permille::Permille;
use crate::wire::wire_enum;

wire_enum! {
    /// Whether a definition matches its chain of hashes.
    IntegrityStatus {
        /// Every version does.
        Verified,
        /// What applies now does, and at least half of the versions do.
        Degraded,
        /// What applies now does not, or less than half of the versions do.
        Failed,
    }
}

/// The least share of intact versions of a history that is only DEGRADED.
pub const DEGRADED_FROM: Permille = Permille::new(500);

/// The hash of a version.
pub fn link(previous: Digest, version: u32, definition: &Canonical) -> Digest {
    Canonical::new("link/1")
        .shown("version", version)
        .shown("definition", definition.digest())
        .shown("previous", previous)
        .digest()
}

/// One version as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVersion {
    /// Its number; the first is 1.
    pub version: u32,
    /// The definition that is stored for it.
    pub definition: Canonical,
    /// The hash that is stored for it.
    pub hash: Digest,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Integrity {
    /// The verdict.
    pub status: IntegrityStatus,
    /// Intact versions / all versions, rounded down to thousandths; 0.000 if what applies now is not intact.
    pub score: Permille,
    /// The hash of the newest version, computed anew from its definition and the hash stored before it.
    pub hash_root: Digest,
    /// The oldest version that does not match.
    pub first_broken: Option<u32>,
}

impl Integrity {
    /// What a definition has in the moment it is written: the chain has just been made.
    pub const fn fresh(hash_root: Digest) -> Self {
        Self {
            status: IntegrityStatus::Verified,
            score: Permille::ONE,
            hash_root,
            first_broken: None,
        }
    }

    /// What applies is not what this version, or one before it, says.
    #[must_use]
    pub fn failed_at(self, version: u32) -> Self {
        Self {
            status: IntegrityStatus::Failed,
            score: Permille::ZERO,
            first_broken: self.first_broken.or(Some(version)),
            ..self
        }
    }
}

/// Compares what applies now, and every version, with the chain. `history` is in the order of versions; `live` is the
/// definition that the engines are given; `recorded_root` is the `hash_root` that was written last.
///
/// A version is intact if its number follows, and its stored hash covers its definition and the hash stored before it.
/// One change by hand therefore breaks one version and not all after it.
pub fn assess(history: &[StoredVersion], live: &Canonical, recorded_root: Digest) -> Integrity {
    let mut previous = Digest::ZERO;
    let (mut intact, mut expected) = (0_u64, 1_u32);
    let (mut first_broken, mut root) = (None, Digest::ZERO);
    for stored in history {
        root = link(previous, stored.version, &stored.definition);
        if stored.version == expected && root == stored.hash {
            intact += 1;
        } else {
            first_broken = first_broken.or(Some(stored.version));
        }
        previous = stored.hash;
        expected = stored.version.saturating_add(1);
    }
    let newest = history.last();
    let current = newest.is_some_and(|stored| stored.hash == root && stored.definition == *live);
    if !current || root != recorded_root {
        return Integrity {
            status: IntegrityStatus::Failed,
            score: Permille::ZERO,
            hash_root: root,
            first_broken: first_broken.or(newest.map(|stored| stored.version)),
        };
    }
    let all = u64::try_from(history.len()).unwrap_or(u64::MAX);
    let score = Permille::of(intact, all);
    let status = match first_broken {
        None => IntegrityStatus::Verified,
        Some(_) if score >= DEGRADED_FROM => IntegrityStatus::Degraded,
        Some(_) => IntegrityStatus::Failed,
    };
    Integrity {
        status,
        score,
        hash_root: root,
        first_broken,
    }
}

#[cfg(test)]
mod tests;
