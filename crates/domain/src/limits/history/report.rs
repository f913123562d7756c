//! What is told about a limit over a history?

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use model::amounts::Amounts;
use model::id::RunId;
use model::limit::{Enforcement, Limit, LimitType};
use model::money::NanoUsd;
use model::run::Run;
use model::time::Timestamp;
use model::window::{Window, WindowSpec};

/// So many runs, and what they used in life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub runs: i64,
    /// What they cost, in nano-USD.
    pub cost: NanoUsd,
    /// Their input tokens.
    pub input_tokens: i64,
    /// Their output tokens.
    pub output_tokens: i64,
}

impl Tally {
    /// Counts a run. One that is still running has used nothing that is known.
    pub fn add(&mut self, run: &Run) {
        let used = run.used().unwrap_or(Amounts::ZERO);
        self.runs = self.runs.saturating_add(1);
        self.cost = NanoUsd(self.cost.0.saturating_add(used.cost.0));
        self.input_tokens = self.input_tokens.saturating_add(used.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(used.output_tokens);
    }
}

/// A run, and when it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Which run.
    pub run: RunId,
    /// When.
    pub at: Timestamp,
}

impl Mark {
    /// Where a run started.
    pub const fn of(run: &Run) -> Self {
        Self {
            run: run.id,
            at: run.started_at,
        }
    }
}

/// The most that would have been used at one time, had the limit refused nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peak {
    /// How much, in the unit of the limit.
    pub value: i64,
    /// The run with which it was reached, the first one if there were several.
    pub mark: Mark,
}

/// What would have happened in a day (UTC).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DaySum {
    /// The tenant's runs.
    pub looked_at: i64,
    /// What it would have refused.
    pub blocked: Tally,
    /// What would have passed it and gone on.
    pub warned: Tally,
    /// The most that would have been used.
    pub peak: Option<Peak>,
}

/// What would have happened in a window of a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowSum {
    /// The window, where it is whole.
    pub window: Window,
    /// What it would have refused.
    pub blocked: i64,
    /// What would have passed it and gone on.
    pub warned: i64,
    /// The most that would have been used.
    pub peak: Option<Peak>,
}

/// What is assumed, or cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Note {
    /// The counters begin with nothing when the history begins, as those of a new limit do.
    CountersBeganEmpty,
    /// What is held through the limits API is no run.
    HoldsWithoutRuns,
    /// Who waits may find room; here nobody waits.
    NobodyWaits,
    /// Who does not fit may be served something cheaper; here nobody is.
    NothingIsDegraded,
    /// It is known when a run has ended: none would have been refused.
    MeasuredAfterwards,
    /// What was measured is not on record.
    NotOnRecord,
    /// Some runs were refused by something else; what they would have used is not known.
    SomeWereRefusedBefore,
    /// Some runs are refused because nobody knew what they would cost.
    SomeHadNoPrice,
    /// Some runs have not ended; what was held for them counts.
    SomeAreRunning,
}

/// What a limit would have done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The tenant's runs.
    pub looked_at: i64,
    /// Those that it would have applied to, and that ran.
    pub applied_to: i64,
    /// Those that it would have applied to, had something else not refused them.
    pub refused_before: i64,
    /// Those of `blocked` that it would have refused because nobody knew what they would cost.
    pub unpriced: i64,
    /// Those of `applied_to` that have not ended.
    pub running: i64,
    /// What it would have refused.
    pub blocked: Tally,
    /// What would have passed it and gone on.
    pub warned: Tally,
    /// The first and the last run that would have been refused, or would have passed it.
    pub hits: Option<(Mark, Mark)>,
    /// The most that would have been used: a limit with this maximum would have refused nothing that had a price.
    pub peak: Option<Peak>,
    /// Day by day: the number of the day since 1970-01-01 (UTC).
    pub days: BTreeMap<i64, DaySum>,
    /// Window by window, by when they began; empty unless they are those of a calendar.
    pub windows: BTreeMap<i64, WindowSum>,
    enforcement: Enforcement,
    limit_type: LimitType,
    calendar: Option<WindowSpec>,
    counts: bool,
}

impl Report {
    pub(super) fn new(limit: &Limit, from: Timestamp, until: Timestamp) -> Self {
        let calendar = match &limit.window {
            WindowSpec::Calendar { .. } => Some(limit.window.clone()),
            WindowSpec::Rolling { .. } | WindowSpec::PerRun => None,
        };
        Self {
            looked_at: 0,
            applied_to: 0,
            refused_before: 0,
            unpriced: 0,
            running: 0,
            blocked: Tally::default(),
            warned: Tally::default(),
            hits: None,
            peak: None,
            days: (from.day()..=until.day())
                .map(|day| (day, DaySum::default()))
                .collect(),
            windows: BTreeMap::new(),
            enforcement: limit.enforcement,
            limit_type: limit.limit_type,
            calendar,
            counts: limit.window != WindowSpec::PerRun,
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

    pub(super) fn apply_to(&mut self, run: &Run) {
        self.applied_to = self.applied_to.saturating_add(1);
        let running = i64::from(run.completed_at.is_none());
        self.running = self.running.saturating_add(running);
    }

    pub(super) fn block(&mut self, run: &Run, is_unpriced: bool) {
        self.unpriced = self.unpriced.saturating_add(i64::from(is_unpriced));
        self.blocked.add(run);
        self.day(run).blocked.add(run);
        if let Some(window) = self.window(run) {
            window.blocked = window.blocked.saturating_add(1);
        }
        self.hit(run);
    }

    pub(super) fn warn(&mut self, run: &Run) {
        self.warned.add(run);
        self.day(run).warned.add(run);
        if let Some(window) = self.window(run) {
            window.warned = window.warned.saturating_add(1);
        }
        self.hit(run);
    }

    fn hit(&mut self, run: &Run) {
        let mark = Mark::of(run);
        let first = self.hits.map_or(mark, |(first, _)| first);
        self.hits = Some((first, mark));
    }

    /// So much would have been used with this run, had nothing been refused.
    pub(super) fn reach(&mut self, run: &Run, value: i64) {
        let peak = Peak {
            value,
            mark: Mark::of(run),
        };
        let higher = |known: Option<Peak>| match known {
            Some(known) if known.value >= value => Some(known),
            _ => Some(peak),
        };
        self.peak = higher(self.peak);
        let day = self.day(run);
        day.peak = higher(day.peak);
        if let Some(window) = self.window(run) {
            window.peak = higher(window.peak);
        }
    }

    fn window(&mut self, run: &Run) -> Option<&mut WindowSum> {
        let window = self.calendar.as_ref()?.window_at(run.started_at);
        let sum = || WindowSum {
            window,
            blocked: 0,
            warned: 0,
            peak: None,
        };
        Some(self.windows.entry(window.start.as_micros()).or_insert_with(sum))
    }

    /// What is assumed, and what cannot be told.
    pub fn notes(&self) -> Vec<Note> {
        let is_measured = self.limit_type.amount_of(&Amounts::ZERO).is_none();
        [
            (self.counts, Note::CountersBeganEmpty),
            (self.counts, Note::HoldsWithoutRuns),
            (self.enforcement == Enforcement::Queue, Note::NobodyWaits),
            (self.enforcement == Enforcement::Degrade, Note::NothingIsDegraded),
            (is_measured, Note::MeasuredAfterwards),
            (self.limit_type == LimitType::ErrorRatePct, Note::NotOnRecord),
            (self.refused_before > 0, Note::SomeWereRefusedBefore),
            (self.unpriced > 0, Note::SomeHadNoPrice),
            (self.running > 0, Note::SomeAreRunning),
        ]
        .into_iter()
        .filter_map(|(holds, note)| holds.then_some(note))
        .collect()
    }
}
