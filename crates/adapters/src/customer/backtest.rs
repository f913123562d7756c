//! How is it shown what a Policy Rule would have done?

use domain::limits::history::{Mark, Tally};
use domain::policy::backtest::{DaySum, Example, Fates, Report};
use model::policy::{Definition, EnforcementMode};
use model::run::RunStatus;
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::history::{Looked, MarkView, NoteView, TallyView};

/// What a Policy Rule would have done to the recorded LLM Runs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BacktestView {
    /// BLOCK, WARN, LOG or `DRY_RUN`: only BLOCK refuses.
    #[schema(example = "BLOCK")]
    pub enforcement_mode: &'static str,
    /// Its condition.
    pub condition: Option<String>,
    /// How many days were asked for, today (UTC) included.
    pub days: i64,
    /// The first instant of the first day.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The last instant.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Whether there were more LLM Runs than are looked at: then the latest ones were, from `looked_at_from` on.
    pub truncated: bool,
    /// From when on LLM Runs were looked at.
    #[schema(value_type = String, format = DateTime)]
    pub looked_at_from: Timestamp,
    /// The tenant's LLM Runs.
    pub runs_looked_at: i64,
    /// Those that match.
    pub would_match: i64,
    /// Those of them that something else refused: matching them changes nothing.
    pub runs_refused_before: i64,
    /// Those of `would_match` that ran, and what became of them.
    pub matched: FatesView,
    /// LLM Runs that ran and would have been refused (BLOCK).
    pub would_block: i64,
    /// What became of them: those that succeeded would have been refused wrongly.
    pub blocked: FatesView,
    /// LLM Runs on which it could not be judged. A BLOCK Policy Rule refuses them, all others pass them over.
    pub errors: i64,
    /// Why, the first time.
    pub first_error: Option<String>,
    /// The first LLM Run that matches.
    pub first: Option<MarkView>,
    /// The last one.
    pub last: Option<MarkView>,
    /// Day by day (UTC), oldest first.
    pub by_day: Vec<BacktestDayView>,
    /// The latest LLM Runs that match, newest first, at most 20.
    pub examples: Vec<BacktestExampleView>,
    /// What is assumed, and what cannot be told.
    pub notes: Vec<NoteView>,
}

/// What became of LLM Runs, and what they used.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FatesView {
    /// All of them.
    pub runs: i64,
    /// Those that succeeded.
    pub succeeded: i64,
    /// Those that failed or crashed.
    pub failed: i64,
    /// Those that run, were broken off by the client, or were stopped.
    pub other: i64,
    /// What they used.
    #[serde(flatten)]
    pub used: TallyView,
}

impl From<Fates> for FatesView {
    fn from(fates: Fates) -> Self {
        let Fates {
            all,
            succeeded,
            failed,
        } = fates;
        let Tally { runs, .. } = all;
        Self {
            runs,
            succeeded,
            failed,
            other: runs.saturating_sub(succeeded).saturating_sub(failed),
            used: all.into(),
        }
    }
}

/// What would have happened in a day.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BacktestDayView {
    /// The first instant of the day (UTC).
    #[schema(value_type = String, format = DateTime)]
    pub day: Timestamp,
    /// The tenant's LLM Runs.
    pub runs_looked_at: i64,
    /// Those that match.
    pub would_match: i64,
    /// Those that would have been refused.
    pub would_block: i64,
    /// What became of them.
    pub blocked: FatesView,
}

/// An LLM Run that matches.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BacktestExampleView {
    /// Which LLM Run.
    #[schema(example = "run_01KB0000000000000000000000")]
    pub run_id: String,
    /// When it started.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What became of it.
    #[schema(example = "succeeded")]
    pub status: &'static str,
    /// What went wrong.
    pub error_code: Option<String>,
    /// The model asked for.
    pub model: Option<String>,
    /// The agent.
    pub agent_id: Option<String>,
    /// The project.
    pub project_id: Option<String>,
    /// What it cost in exact nano-USD; null if it cost nothing, or nobody knows.
    pub cost_nano_usd: Option<String>,
    /// Whether the Policy Rule would have refused it.
    pub would_block: bool,
    /// Whether the Policy Rule could not be judged on it.
    pub is_error: bool,
}

impl BacktestView {
    /// What the rule would have done.
    pub fn of(definition: Definition, looked: Looked, report: Report) -> Self {
        let mode = definition.mode;
        let mark = |mark: Mark| MarkView::of(mark.run, mark.at);
        let Report {
            looked_at,
            matched,
            refused_before,
            met,
            blocked,
            faults,
            first_fault,
            hits,
            examples,
            days,
        } = report;
        let cut = looked.cut_at.map(|_| NoteView::cut());
        Self {
            enforcement_mode: mode.as_str(),
            notes: cut
                .into_iter()
                .chain(notes(definition.condition.as_deref()))
                .collect(),
            condition: definition.condition,
            days: looked.days,
            from: looked.from,
            to: looked.until,
            truncated: looked.cut_at.is_some(),
            looked_at_from: looked.cut_at.unwrap_or(looked.from),
            runs_looked_at: looked_at,
            would_match: matched,
            runs_refused_before: refused_before,
            matched: met.into(),
            would_block: blocked.all.runs,
            blocked: blocked.into(),
            errors: faults,
            first_error: first_fault,
            first: hits.map(|(first, _)| mark(first)),
            last: hits.map(|(_, last)| mark(last)),
            by_day: days.into_iter().map(BacktestDayView::of).collect(),
            examples: examples
                .into_iter()
                .rev()
                .map(|example| BacktestExampleView::of(mode, example))
                .collect(),
        }
    }
}

impl BacktestDayView {
    fn of((day, sum): (i64, DaySum)) -> Self {
        let DaySum {
            looked_at,
            matched,
            blocked,
        } = sum;
        Self {
            day: Timestamp::start_of_day(day),
            runs_looked_at: looked_at,
            would_match: matched,
            would_block: blocked.all.runs,
            blocked: blocked.into(),
        }
    }
}

impl BacktestExampleView {
    fn of(mode: EnforcementMode, example: Example) -> Self {
        let Example {
            mark,
            status,
            error_code,
            subject,
            cost,
            is_fault,
        } = example;
        Self {
            run_id: mark.run.to_string(),
            at: mark.at,
            status: status.as_str(),
            error_code,
            model: subject.model.clone(),
            agent_id: subject.agent_id.clone(),
            project_id: subject.project_id.clone(),
            cost_nano_usd: cost.map(|cost| cost.0.to_string()),
            would_block: mode.refuses() && status != RunStatus::Blocked,
            is_error: is_fault,
        }
    }
}

/// What a condition asks about that may have been otherwise in life.
fn notes(condition: Option<&str>) -> impl Iterator<Item = NoteView> {
    let asks = |name: &str| condition.is_some_and(|text| text.contains(name));
    let estimates = asks("estimate.").then(|| {
        NoteView::new(
            "ESTIMATES_ARE_WHAT_WAS_HELD",
            "estimate.* is what was held for the LLM Run; where a DEGRADE Limit served something cheaper, what was held for that.",
        )
    });
    let failures = asks("failure.").then(|| {
        NoteView::new(
            "FAILURES_AS_THEY_WERE",
            "failure.* is what was on record when the LLM Run started. What a Policy Rule refuses cannot fail: with it there would have been fewer failures.",
        )
    });
    [estimates, failures].into_iter().flatten()
}
