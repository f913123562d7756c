//! What would a limit have done to the LLM Runs that are on record?
//!
//! It is asked as if it had been made when the history begins: its counters begin with nothing. Every run takes its place
//! when it starts and gives back what it did not use when it ends, through [`check`] and [`settle::end`](crate::settle),
//! as in life; what the limit would have refused is not counted, and neither is what something else refused. Beside that
//! it is kept what would have been used had the limit refused nothing: the most of it is the least maximum that fits all.

mod book;
mod report;

use alloc::sync::Arc;
use alloc::vec::Vec;

use model::decision::Outcome;
use model::hold::{Hold, HoldItem, HoldStatus};
use model::id::HoldId;
use model::limit::{Limit, LimitCategory, LimitType};
use model::run::Run;
use model::time::Timestamp;

use self::book::Book;
use super::report::{APPROACHING, COST_UNKNOWN};
use super::{CheckInput, LimitState, applies, asked_for, check};

pub use self::report::{DaySum, Mark, Note, Peak, Report, Tally, WindowSum};

/// A limit that is asked about one run after the other.
#[derive(Debug, Clone)]
pub struct Replay {
    limit: Limit,
    /// As the limit would have counted.
    kept: Book,
    /// As it would have counted had it refused nothing.
    asked: Book,
    report: Report,
}

impl Replay {
    /// Begins a history of whole days (UTC) from `from` to `until`.
    pub fn new(limit: Limit, from: Timestamp, until: Timestamp) -> Self {
        let report = Report::new(&limit, from, until);
        Self {
            limit,
            kept: Book::default(),
            asked: Book::default(),
            report,
        }
    }

    /// What it has done so far.
    pub fn report(self) -> Report {
        self.report
    }

    /// Asks about one run. Runs come in the order in which they started.
    pub fn take(&mut self, run: &Run) {
        self.report.look_at(run);
        if !applies(&self.limit, &run.subject) {
            return;
        }
        if run.hold.is_none() {
            self.report.refused_before = self.report.refused_before.saturating_add(1);
            return;
        }
        self.report.apply_to(run);
        match measured(self.limit.limit_type, run) {
            Measured::Before => self.ask(run),
            Measured::After(value) => {
                if value > self.limit.max {
                    self.report.warn(run);
                }
                self.report.reach(run, value);
            }
            Measured::Unknown => {}
        }
    }

    fn ask(&mut self, run: &Run) {
        let (limit, now) = (&self.limit, run.started_at);
        let amounts = run.estimated;
        let requested = asked_for(limit.limit_type, &amounts, 1).unwrap_or_default();
        self.asked.advance(&limit.window, now);
        if requested > 0 {
            let after = self.asked.total().saturating_add(requested);
            self.report.reach(run, after);
            if limit.category != LimitCategory::Threshold {
                self.asked
                    .take(held(run, Vec::from([item(limit, now, requested)])), run);
            }
        }
        self.kept.advance(&limit.window, now);
        let state = LimitState {
            limit,
            counted: self.kept.counted(),
        };
        let output = check(&CheckInput {
            now,
            amounts,
            concurrency: 1,
            cost_known: run.estimated_cost().is_some(),
            limits: &[state],
            crowded: &[],
            degraded_by: &[],
        });
        if output.outcome == Outcome::Block {
            self.report.block(run, !output.unpriced.is_empty());
            return;
        }
        if output
            .warnings
            .iter()
            .any(|warning| ![APPROACHING, COST_UNKNOWN].contains(&warning.message_code))
        {
            self.report.warn(run);
        }
        self.kept.take(held(run, output.items), run);
    }
}

/// When it is known how a run relates to a limit.
enum Measured {
    /// Before it runs.
    Before,
    /// When it has ended, and then it was this.
    After(i64),
    /// It cannot be told of this run.
    Unknown,
}

fn measured(limit_type: LimitType, run: &Run) -> Measured {
    let since = |at: Option<Timestamp>| {
        at.map_or(Measured::Unknown, |at| {
            Measured::After(at.millis_since(run.started_at))
        })
    };
    match limit_type {
        // What never said anything was waited for until it ended, as it is measured when it runs.
        LimitType::LatencyMs => since(run.first_byte_at.or(run.completed_at)),
        LimitType::DurationMs => since(run.completed_at),
        LimitType::RetryCount => Measured::After(i64::from(run.retries)),
        LimitType::ErrorRatePct => Measured::Unknown,
        _ => Measured::Before,
    }
}

fn item(limit: &Limit, now: Timestamp, amount: i64) -> HoldItem {
    HoldItem {
        owner: limit.tenant,
        limit: limit.id,
        counts: limit.limit_type,
        window_start: limit.window.window_at(now).start.as_micros(),
        amount,
        settled: 0,
        carried: false,
    }
}

/// The hold that the run would have had.
fn held(run: &Run, items: Vec<HoldItem>) -> Hold {
    Hold {
        id: run.hold.unwrap_or(HoldId::from_bits(0)),
        tenant: run.tenant,
        status: HoldStatus::Pending,
        decision: run.decision,
        run: Some(run.id),
        subject: Arc::clone(&run.subject),
        requested: run.estimated,
        settled: None,
        items,
        created_at: run.started_at,
        // It ends with its run: who waits for an answer renews its hold.
        expires_at: run.completed_at.unwrap_or(run.started_at),
        ended_at: None,
    }
}

#[cfg(test)]
mod tests;
