//! How is it shown what a Limit would have done?

use domain::limits::history::{DaySum, Mark, Note, Peak, Report, Tally, WindowSum};
use model::limit::{Limit, LimitType};
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::history::{Looked, MarkView, NoteView, TallyView};
use crate::number::{Amount, percent_of};

/// What a Limit that nobody has made would have done to the recorded LLM Runs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LimitHistoryView {
    /// BUDGET, RATE or THRESHOLD.
    pub limit_category: &'static str,
    /// What it counts.
    #[schema(example = "COST_USD")]
    pub limit_type: &'static str,
    /// What it would do.
    #[schema(example = "BLOCK")]
    pub enforcement: &'static str,
    /// Limit Value: USD for money, otherwise a whole number.
    #[schema(value_type = f64, example = 50)]
    pub max_value: Amount,
    /// The exact Limit Value in nano-USD, for money.
    pub max_value_nano_usd: Option<String>,
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
    /// Those that it would have applied to, and that ran.
    pub runs_applied_to: i64,
    /// Those that it would have applied to, had something else not refused them; they count as nothing.
    pub runs_refused_before: i64,
    /// LLM Runs that it would have refused, or would not have let run as they were.
    pub would_block: i64,
    /// Those of them that it would have refused because nobody knew what they would cost.
    pub would_block_unpriced: i64,
    /// What the LLM Runs that it would have refused have used.
    pub blocked: TallyView,
    /// LLM Runs that would have passed the Limit Value and gone on.
    pub would_warn: i64,
    /// What the LLM Runs that would have passed it and gone on have used.
    pub warned: TallyView,
    /// The first LLM Run that it would have refused, or that would have passed it.
    pub first: Option<MarkView>,
    /// The last one.
    pub last: Option<MarkView>,
    /// The most that would have been used at one time, had it refused nothing.
    pub peak: Option<PeakView>,
    /// Day by day (UTC), oldest first.
    pub by_day: Vec<LimitHistoryDayView>,
    /// Window by window, oldest first (BUDGET); those in which no LLM Run started are left out.
    pub windows: Vec<LimitHistoryWindowView>,
    /// What is assumed, and what cannot be told.
    pub notes: Vec<NoteView>,
}

/// The most that would have been used at one time: a Limit with this Limit Value would have refused nothing.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PeakView {
    /// USD for money, otherwise a whole number.
    #[schema(value_type = f64, example = 42.5)]
    pub value: Amount,
    /// The same in exact nano-USD, for money.
    pub value_nano_usd: Option<String>,
    /// The same in whole percent of the Limit Value, rounded down; more than 100 where it would have been passed.
    pub utilization_pct: i64,
    /// The LLM Run with which it was reached.
    pub run_id: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// What would have happened in a day.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LimitHistoryDayView {
    /// The first instant of the day (UTC).
    #[schema(value_type = String, format = DateTime)]
    pub day: Timestamp,
    /// The tenant's LLM Runs.
    pub runs_looked_at: i64,
    /// LLM Runs that it would have refused.
    pub would_block: i64,
    /// What they have used.
    pub blocked: TallyView,
    /// LLM Runs that would have passed it and gone on.
    pub would_warn: i64,
    /// The most that would have been used at one time.
    pub peak: Option<PeakView>,
}

/// What would have happened in a window.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LimitHistoryWindowView {
    /// When it began; null if it always was.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub start: Option<Timestamp>,
    /// When it ended or will end; null if it never does.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub end: Option<Timestamp>,
    /// LLM Runs that it would have refused.
    pub would_block: i64,
    /// LLM Runs that would have passed it and gone on.
    pub would_warn: i64,
    /// The most that would have been used at one time.
    pub peak: Option<PeakView>,
}

impl LimitHistoryView {
    /// What the limit would have done.
    pub fn of(limit: &Limit, looked: Looked, report: Report) -> Self {
        let notes = notes(&report, looked);
        let unit = (limit.limit_type, limit.max);
        let max_value = Amount::of(limit.limit_type, limit.max);
        let mark = |mark: Mark| MarkView::of(mark.run, mark.at);
        Self {
            limit_category: limit.category.as_str(),
            limit_type: limit.limit_type.as_str(),
            enforcement: limit.enforcement.as_str(),
            max_value,
            max_value_nano_usd: max_value.nano_usd(),
            days: looked.days,
            from: looked.from,
            to: looked.until,
            truncated: looked.cut_at.is_some(),
            looked_at_from: looked.cut_at.unwrap_or(looked.from),
            runs_looked_at: report.looked_at,
            runs_applied_to: report.applied_to,
            runs_refused_before: report.refused_before,
            would_block: report.blocked.runs,
            would_block_unpriced: report.unpriced,
            blocked: report.blocked.into(),
            would_warn: report.warned.runs,
            warned: report.warned.into(),
            first: report.hits.map(|(first, _)| mark(first)),
            last: report.hits.map(|(_, last)| mark(last)),
            peak: report.peak.map(|peak| PeakView::of(unit, peak)),
            by_day: report
                .days
                .into_iter()
                .map(|day| LimitHistoryDayView::of(unit, day))
                .collect(),
            windows: report
                .windows
                .into_values()
                .map(|window| LimitHistoryWindowView::of(unit, &window))
                .collect(),
            notes,
        }
    }
}

impl PeakView {
    fn of((limit_type, max): (LimitType, i64), peak: Peak) -> Self {
        let Peak { value, mark } = peak;
        let amount = Amount::of(limit_type, value);
        Self {
            value: amount,
            value_nano_usd: amount.nano_usd(),
            utilization_pct: percent_of(value, max),
            run_id: mark.run.to_string(),
            at: mark.at,
        }
    }
}

impl LimitHistoryDayView {
    fn of(unit: (LimitType, i64), (day, sum): (i64, DaySum)) -> Self {
        let DaySum {
            looked_at,
            blocked,
            warned: Tally { runs: would_warn, .. },
            peak,
        } = sum;
        Self {
            day: Timestamp::start_of_day(day),
            runs_looked_at: looked_at,
            would_block: blocked.runs,
            blocked: blocked.into(),
            would_warn,
            peak: peak.map(|peak| PeakView::of(unit, peak)),
        }
    }
}

impl LimitHistoryWindowView {
    fn of(unit: (LimitType, i64), sum: &WindowSum) -> Self {
        let WindowSum {
            window,
            blocked,
            warned,
            peak,
        } = *sum;
        Self {
            start: window.end.map(|_| window.start),
            end: window.end,
            would_block: blocked,
            would_warn: warned,
            peak: peak.map(|peak| PeakView::of(unit, peak)),
        }
    }
}

fn notes(report: &Report, looked: Looked) -> Vec<NoteView> {
    let cut = looked.cut_at.map(|_| NoteView::cut());
    let told = report
        .notes()
        .into_iter()
        .map(|note| NoteView::new(note.into(), detail(note)));
    cut.into_iter().chain(told).collect()
}

/// A note in words.
const fn detail(note: Note) -> &'static str {
    match note {
        Note::CountersBeganEmpty => {
            "The counters begin with nothing at looked_at_from, as those of a new Limit do: in a window that had begun before, less is counted than was used."
        }
        Note::HoldsWithoutRuns => {
            "What was held with POST /api/v1/limits/check is not an LLM Run and is not counted here; a Limit would count it."
        }
        Note::NobodyWaits => {
            "A QUEUE Limit lets an LLM Run wait for room. Nobody waits here: some of would_block would have run later."
        }
        Note::NothingIsDegraded => {
            "A DEGRADE Limit serves something cheaper. Here nothing is: some of would_block would have run with another model or a lower cap."
        }
        Note::MeasuredAfterwards => {
            "This is known when an LLM Run has ended: nothing would have been refused, and what passed the Limit Value is in would_warn. A consequence of ABORT would have ended it earlier."
        }
        Note::NotOnRecord => {
            "A share of failures is not on record LLM Run by LLM Run: nothing can be told of it."
        }
        Note::SomeWereRefusedBefore => {
            "Some LLM Runs were refused by something else. They used nothing and count as nothing; what they would have used is not known."
        }
        Note::SomeHadNoPrice => {
            "Some LLM Runs would have been refused because nobody knew what they would cost; a free LLM Run of which nothing was used looks the same."
        }
        Note::SomeAreRunning => {
            "Some LLM Runs have not ended: what is held for them counts, and what they will use is not in any sum."
        }
    }
}
