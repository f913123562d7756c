//! Do too many LLM Runs fail?
//!
//! The share of `failed` and `crashed` ones among those that have ended by themselves, over the last seconds. What was
//! refused, broken off or stopped says nothing about failing. A share of a few says nothing either.

use model::limit::{Limit, Overrun};
use model::run::RunStatus;
use model::time::Timestamp;

use super::report::message_code;
use super::{CheckInput, CheckOutput, LimitReport};

/// Fewer LLM Runs than this have no share that means something: the limit is not passed, or not any more.
pub const RUNS_MIN: i64 = 20;
/// How far back it is measured where a limit does not say, in seconds.
pub const SECONDS_DEFAULT: u32 = 300;

/// How many LLM Runs have ended, and how many of them have failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failures {
    /// All of them.
    pub runs: i64,
    /// Those that have failed.
    pub failed: i64,
}

impl Failures {
    /// One more that has this status.
    pub fn count(&mut self, status: RunStatus) {
        let failed = match status {
            RunStatus::Succeeded => 0,
            RunStatus::Failed | RunStatus::Crashed => 1,
            _ => return,
        };
        self.runs = self.runs.saturating_add(1);
        self.failed = self.failed.saturating_add(failed);
    }

    /// The share of the failed ones in percent, rounded up: more than a whole number just when the share is.
    pub fn percent(self) -> i64 {
        let percent = i128::from(self.failed).saturating_mul(100);
        let share = percent.checked_div(i128::from(self.runs)).unwrap_or_default();
        let rest = percent.checked_rem(i128::from(self.runs)).unwrap_or_default();
        let up = share.saturating_add(i128::from(rest > 0));
        i64::try_from(up).unwrap_or(i64::MAX)
    }

    /// That the limit is passed; none if it is not. Equality passes, as everywhere.
    pub fn overrun(self, limit: &Limit, now: Timestamp) -> Option<Overrun> {
        let value = self.percent();
        (self.runs >= RUNS_MIN && value > limit.max_at(now)).then_some(Overrun {
            value,
            runs: self.runs,
            since: now,
        })
    }
}

/// How far back a limit is measured, in seconds.
pub fn seconds_of(limit: &Limit) -> u32 {
    limit.handling.measured_seconds.unwrap_or(SECONDS_DEFAULT)
}

/// Says of a request that too many of those before it have failed, and refuses it if the limit is strict. Who is served
/// something cheaper because of the limit passes it.
pub(super) fn weigh(input: &CheckInput<'_>, limit: &Limit, overrun: Overrun, output: &mut CheckOutput) {
    let max = limit.max_at(input.now);
    // What has been raised since is not passed any more.
    if overrun.value <= max {
        return;
    }
    let report = LimitReport {
        limit: limit.id,
        owner: limit.tenant,
        name: limit.name.clone(),
        category: limit.category,
        limit_type: limit.limit_type,
        scope: limit.scope,
        enforcement: limit.enforcement,
        max,
        settled: overrun.value,
        held: 0,
        requested: 0,
        resets_at: None,
        window_seconds: Some(seconds_of(limit).into()),
        message_code: message_code(limit),
    };
    let refuses = limit.enforcement.is_strict() && !input.degraded_by.contains(&limit.id);
    if refuses {
        output.blocking.push(report);
    } else {
        output.warnings.push(report);
    }
}
