//! What may still let a refused request run?

use model::limit::Enforcement;

use super::{CheckOutput, LimitReport};

/// What may still let a refused request run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// To serve less of it than was asked for: at least one DEGRADE limit refuses, be it for want of a price, and nothing
    /// severer than QUEUE.
    Degrade,
    /// To wait: only QUEUE limits refuse, and each will have room for it.
    Wait,
}

impl CheckOutput {
    /// What refuses: for want of room, or for want of a price.
    pub fn refusing(&self) -> impl Iterator<Item = &LimitReport> {
        self.blocking.iter().chain(&self.unpriced)
    }

    /// What may still let the request run; none if it may run, or if nothing helps.
    pub fn remedy(&self) -> Option<Remedy> {
        let is = |enforcement| move |report: &LimitReport| report.enforcement == enforcement;
        let mends = |report: &LimitReport| is(Enforcement::Queue)(report) || is(Enforcement::Degrade)(report);
        if !self.refusing().all(mends) {
            return None;
        }
        if self.refusing().any(is(Enforcement::Degrade)) {
            return Some(Remedy::Degrade);
        }
        // No price comes by waiting.
        if self.blocking.is_empty() || !self.unpriced.is_empty() {
            return None;
        }
        // What is larger than the whole limit, or is measured by itself, fits no sooner for having waited.
        let helps = |report: &LimitReport| {
            let has_room_once = report.resets_at.is_some() || report.limit_type.is_given_back();
            has_room_once && report.requested <= report.max
        };
        self.blocking.iter().all(helps).then_some(Remedy::Wait)
    }
}
