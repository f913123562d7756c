//! What is told about a Policy Rule over a history?

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;

use model::hold::Subject;
use model::money::NanoUsd;
use model::run::{Run, RunStatus};
use model::time::Timestamp;

use crate::limits::history::{Mark, Tally};

/// The most examples that are kept.
pub const EXAMPLES_MAX: usize = 20;

/// What became of runs in life, and what they used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fates {
    /// All of them, and what they used.
    pub all: Tally,
    /// Those that succeeded: what refusing them would have kept from somebody.
    pub succeeded: i64,
    /// Those that failed or crashed.
    pub failed: i64,
}

impl Fates {
    fn add(&mut self, run: &Run) {
        self.all.add(run);
        match run.status {
            RunStatus::Succeeded => self.succeeded = self.succeeded.saturating_add(1),
            RunStatus::Failed | RunStatus::Crashed => self.failed = self.failed.saturating_add(1),
            _ => {}
        }
    }
}

/// What would have happened in a day (UTC).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DaySum {
    /// The tenant's runs.
    pub looked_at: i64,
    /// Those that match.
    pub matched: i64,
    /// Those that would have been refused.
    pub blocked: Fates,
}

/// A run that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Which, and when it started.
    pub mark: Mark,
    /// What became of it.
    pub status: RunStatus,
    /// What went wrong.
    pub error_code: Option<String>,
    /// Who and what it was for.
    pub subject: Arc<Subject>,
    /// What it cost; none if it cost nothing, or nobody knows.
    pub cost: Option<NanoUsd>,
    /// Whether the rule could not be judged on it, and refuses for that.
    pub is_fault: bool,
}

/// What a rule would have done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The tenant's runs.
    pub looked_at: i64,
    /// Those that match.
    pub matched: i64,
    /// Those of `matched` that something else refused.
    pub refused_before: i64,
    /// Those of `matched` that ran.
    pub met: Fates,
    /// Those of `met` that would have been refused: all of them, or none, by the mode of the rule.
    pub blocked: Fates,
    /// Runs on which the rule could not be judged.
    pub faults: i64,
    /// Why, the first time.
    pub first_fault: Option<String>,
    /// The first and the last run of `matched`.
    pub hits: Option<(Mark, Mark)>,
    /// The latest runs of `matched`, oldest first.
    pub examples: VecDeque<Example>,
    /// Day by day: the number of the day since 1970-01-01 (UTC).
    pub days: BTreeMap<i64, DaySum>,
}

impl Report {
    pub(super) fn new(from: Timestamp, until: Timestamp) -> Self {
        let days = (from.day()..=until.day()).map(|day| (day, DaySum::default()));
        Self {
            days: days.collect(),
            ..Self::default()
        }
    }

    fn day(&mut self, run: &Run) -> &mut DaySum {
        self.days.entry(run.started_at.day()).or_default()
    }

    pub(super) fn look_at(&mut self, run: &Run) {
        self.looked_at = self.looked_at.saturating_add(1);
        let day = self.day(run);
        day.looked_at = day.looked_at.saturating_add(1);
    }

    pub(super) fn fail(&mut self, detail: &str) {
        self.faults = self.faults.saturating_add(1);
        self.first_fault.get_or_insert_with(|| detail.into());
    }

    pub(super) fn meet(&mut self, run: &Run, refuses: bool, is_fault: bool) {
        let mark = Mark::of(run);
        self.matched = self.matched.saturating_add(1);
        self.hits = Some((self.hits.map_or(mark, |(first, _)| first), mark));
        let day = self.day(run);
        day.matched = day.matched.saturating_add(1);
        if run.status == RunStatus::Blocked {
            self.refused_before = self.refused_before.saturating_add(1);
        } else {
            self.met.add(run);
            if refuses {
                self.blocked.add(run);
                self.day(run).blocked.add(run);
            }
        }
        if self.examples.len() == EXAMPLES_MAX {
            self.examples.pop_front();
        }
        self.examples.push_back(Example {
            mark,
            status: run.status,
            error_code: run.error_code.clone(),
            subject: Arc::clone(&run.subject),
            cost: run.cost,
            is_fault,
        });
    }
}
