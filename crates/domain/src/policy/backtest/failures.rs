//! Which failures were on record at any instant of a history?

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString as _};

use model::digest::Digest;
use model::id::RunId;
use model::incident::Signature;
use model::run::{Run, RunStatus};
use model::time::Timestamp;

use super::super::context::FailureContext;
use crate::incidents::failure;

/// More than so many are not counted in life.
const COUNTED_MAX: i64 = 1_000;

/// The failures of requests that look the same.
#[derive(Debug, Clone)]
struct OnRecord {
    /// The one that started last.
    latest: Failed,
    count: i64,
}

#[derive(Debug, Clone)]
struct Failed {
    started: (Timestamp, RunId),
    of: Signature,
    id: String,
    family: String,
}

impl Failed {
    fn of(run: &Run) -> Self {
        let of = Signature {
            failure: failure(run.status, run.error_code.as_deref(), run.http_status),
            request: run.traits(),
        };
        Self {
            started: (run.started_at, run.id),
            id: of.id().to_string(),
            family: of.family().to_string(),
            of,
        }
    }
}

/// What is on record, and what will be.
#[derive(Debug, Clone, Default)]
pub(super) struct Failures {
    known: BTreeMap<Digest, OnRecord>,
    recalled: BTreeSet<Digest>,
    /// By when they are on record: when they ended.
    coming: BTreeMap<(Timestamp, RunId), (Digest, Failed)>,
}

impl Failures {
    pub(super) fn recall(&mut self, traits: Digest, latest: Option<(&Run, i64)>) {
        if !self.recalled.insert(traits) {
            return;
        }
        if let Some((run, count)) = latest {
            self.add(traits, Failed::of(run), count);
        }
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, now: Timestamp) {
        while let Some(entry) = self.coming.first_entry() {
            let (at, _) = *entry.key();
            if at > now {
                break;
            }
            let (traits, failed) = entry.remove();
            self.add(traits, failed, 1);
        }
    }

    /// If the run failed, that is on record when it has ended.
    pub(super) fn happened(&mut self, traits: Digest, run: &Run) {
        let failed = matches!(run.status, RunStatus::Failed | RunStatus::Crashed);
        if let Some(at) = run.completed_at.filter(|_| failed) {
            self.coming.insert((at, run.id), (traits, Failed::of(run)));
        }
    }

    fn add(&mut self, traits: Digest, failed: Failed, count: i64) {
        let Some(known) = self.known.get_mut(&traits) else {
            let latest = failed;
            self.known.insert(traits, OnRecord { latest, count });
            return;
        };
        known.count = known.count.saturating_add(count);
        if failed.started > known.latest.started {
            known.latest = failed;
        }
    }

    /// What is on record of requests with these traits.
    pub(super) fn of(&self, traits: &Digest) -> Option<FailureContext<'_>> {
        let OnRecord { latest, count } = self.known.get(traits)?;
        let failure = &latest.of.failure;
        Some(FailureContext {
            code: failure.code.as_str(),
            class: &failure.error_class,
            status: i64::from(failure.upstream_status.unwrap_or_default()),
            signature: &latest.id,
            family: &latest.family,
            count: (*count).min(COUNTED_MAX),
        })
    }
}
