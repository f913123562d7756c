//! What is measured of reports, changes and reads that come at the same time, each at its own rate?

use std::sync::Arc;
use std::time::Duration;

use super::lives::{Changes, Lives, Reads, Reports, STATES};
use super::stage::Stage;
use crate::Outcome;
use crate::open::{Answers, OpenLoop, Schedule, ms};

/// How many reports, and how many changes, may wait for their answers at the same time.
const WRITERS: usize = 64;

/// How long an Incident stays in each state.
const STAYS: Duration = Duration::from_secs(1);

/// The most that the 99th percentile may be, in milliseconds.
const GOAL: f64 = 100.0;

/// A load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// Incidents per minute.
    pub(super) per_minute: u32,
    /// Reads per second.
    pub(super) reads: u32,
    /// Connections that read.
    pub(super) connections: usize,
    pub(super) warm_up: Duration,
    pub(super) lasts: Duration,
}

/// What came of it.
pub(super) struct Lanes {
    pub(super) reports: Answers,
    pub(super) changes: Answers,
    pub(super) reads: Answers,
}

impl Load {
    fn distance(&self) -> Duration {
        Duration::from_mins(1) / self.per_minute.max(1)
    }

    /// How many of what comes at this distance come in this time.
    fn within(time: Duration, distance: Duration) -> u64 {
        u64::try_from(time.as_nanos() / distance.as_nanos().max(1)).unwrap_or(u64::MAX)
    }

    /// When which Incident goes to which state.
    fn changes(&self, count: u64) -> Vec<(Duration, u64, usize)> {
        let mut due = Vec::new();
        for number in 0..count {
            let reported = self.distance() * u32::try_from(number).unwrap_or(u32::MAX);
            for (state, stays) in (0..STATES.len()).zip(1..) {
                due.push((reported + STAYS * stays, number, state));
            }
        }
        due.sort_unstable();
        due
    }

    pub(super) async fn run(&self, stage: &Stage) -> Outcome<Lanes> {
        let whole = self.warm_up + self.lasts;
        let count = Self::within(whole, self.distance());
        let lives = Lives::new(&stage.people, count)?;
        let (addr, reading) = (stage.server.addr, Schedule::per_second(self.reads));
        let changes = self.changes(count);
        let reports = OpenLoop {
            addr,
            ask: Arc::new(Reports(Arc::clone(&lives))),
            schedule: Schedule::Every(self.distance()),
            count,
            warm_up: Self::within(self.warm_up, self.distance()),
            connections: WRITERS,
        };
        let changing = OpenLoop {
            addr,
            ask: Arc::new(Changes {
                lives: Arc::clone(&lives),
                order: changes
                    .iter()
                    .map(|(_, number, state)| (*number, *state))
                    .collect(),
            }),
            schedule: Schedule::At(Arc::new(changes.iter().map(|(due, ..)| *due).collect())),
            count: u64::try_from(changes.len())?,
            warm_up: u64::try_from(changes.iter().filter(|(due, ..)| *due < self.warm_up).count())?,
            connections: WRITERS,
        };
        let second = Duration::from_secs(1) / self.reads.max(1);
        let reads = OpenLoop {
            addr,
            ask: Arc::new(Reads(lives)),
            schedule: reading,
            count: Self::within(whole, second),
            warm_up: Self::within(self.warm_up, second),
            connections: self.connections,
        };
        let (reports, changes, reads) = tokio::try_join!(reports.run(), changing.run(), reads.run())?;
        Ok(Lanes {
            reports,
            changes,
            reads,
        })
    }
}

impl Lanes {
    /// By name.
    pub(super) fn each(&self) -> [(&'static str, &Answers); 3] {
        [
            ("reports", &self.reports),
            ("changes", &self.changes),
            ("reads", &self.reads),
        ]
    }

    /// Whether everything was answered right, and 99 of 100 answers of each kind in time.
    pub(super) fn hold(&self) -> bool {
        let holds = |answers: &Answers| answers.wrong == 0 && ms(&answers.latency, 99.0) < GOAL;
        self.each().iter().all(|(_, answers)| holds(answers))
    }

    /// What was wrong, if anything was.
    pub(super) fn complaint(&self) -> Option<String> {
        let of = |(name, answers): &(&str, &Answers)| {
            let complaint = answers.complaint.as_ref()?;
            Some(format!("{} {name} failed: {complaint}", answers.wrong))
        };
        self.each().iter().find_map(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_incident_is_taken_to_its_end_a_second_apart() {
        let load = Load {
            per_minute: 120,
            reads: 1,
            connections: 1,
            warm_up: Duration::ZERO,
            lasts: Duration::from_secs(1),
        };
        assert_eq!(Load::within(load.lasts, load.distance()), 2);
        let half = |halves: u32| Duration::from_millis(500) * halves;
        let expected = [(2, 0, 0), (3, 1, 0), (4, 0, 1), (5, 1, 1), (6, 0, 2), (7, 1, 2)];
        let expected = expected.map(|(halves, number, state)| (half(halves), number, state));
        assert_eq!(load.changes(2), expected);
    }
}
