//! What did an Incident cost?
//!
//! Added up from the cost records of the LLM Runs that it is about and of those that tried again. What is not on record is
//! named and never taken for nothing.

use std::collections::{BTreeMap, BTreeSet};

use model::cost::CostGap;
use model::id::{IncidentId, RunId, TenantId};
use model::incident::Incident;
use model::money::NanoUsd;
use model::run::{Operation, Run, RunState, RunStatus, UsageSource};
use store::{StoreResult, Tx};

use super::failures::has_failed;
use super::{IncidentError, shown};
use crate::context::Context;

/// The most LLM Runs that are added up for one Incident.
pub const RUNS_MAX: usize = 1_000;

/// What LLM Runs cost together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many they are.
    pub runs: usize,
    /// What is known of their cost.
    pub cost: NanoUsd,
}

impl Sum {
    fn add(&mut self, cost: NanoUsd) {
        self.cost = NanoUsd(self.cost.0.saturating_add(cost.0));
    }

    fn and(mut self, other: Self) -> Self {
        self.runs += other.runs;
        self.add(other.cost);
        self
    }
}

/// What an Incident cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostImpact {
    /// Which.
    pub incident: IncidentId,
    /// The LLM Runs that failed.
    pub failed: Sum,
    /// The others that it is about: they hit its Limit, or somebody has named them in a report.
    pub other: Sum,
    /// The LLM Runs that tried again what one of those had tried, or an attempt after it.
    pub recovery: Sum,
    /// What would not have been paid if nothing had failed: what failed, and the attempts after that.
    pub savings: Sum,
    /// Whether one of the attempts succeeded.
    pub is_recovered: bool,
    /// What is not in the sums, and the LLM Runs that it is about.
    pub missing: BTreeMap<CostGap, Vec<RunId>>,
}

impl CostImpact {
    /// All of them together.
    pub fn total(&self) -> Sum {
        self.failed.and(self.recovery).and(self.other)
    }

    fn misses(&mut self, why: CostGap, run: Option<RunId>) {
        self.missing.entry(why).or_default().extend(run);
    }
}

/// What an Incident cost.
///
/// # Errors
/// [`IncidentError::NotFound`], also for one that nobody has approved.
pub async fn cost_impact(
    cx: &Context,
    tenant: TenantId,
    id: IncidentId,
) -> Result<CostImpact, IncidentError> {
    cx.db
        .read(move |tx| -> Result<CostImpact, IncidentError> {
            let incident = shown(store::incidents::find(tx, tenant, id)?)?;
            Ok(added_up(tx, &incident)?)
        })
        .await
}

fn added_up(tx: &mut impl Tx, incident: &Incident) -> StoreResult<CostImpact> {
    let tenant = incident.tenant;
    let mut impact = CostImpact {
        incident: incident.id,
        failed: Sum::default(),
        other: Sum::default(),
        recovery: Sum::default(),
        savings: Sum::default(),
        is_recovered: false,
        missing: BTreeMap::new(),
    };
    let mut linked = linked(tx, incident)?;
    if linked.is_empty() {
        impact.misses(CostGap::NoRun, None);
        return Ok(impact);
    }
    let room = RUNS_MAX.saturating_sub(linked.len());
    let mut attempts = attempts(tx, tenant, linked.keys().copied().collect(), room)?;
    if linked.len() + attempts.len() > RUNS_MAX {
        impact.misses(CostGap::TooMany, None);
    }
    while linked.len() > RUNS_MAX {
        linked.pop_last();
    }
    while attempts.len() > room {
        attempts.pop_last();
    }
    let all: Vec<RunId> = linked.keys().chain(&attempts).copied().collect();
    let costs = store::costs::of_runs(tx, tenant, &all)?;
    let runs = store::runs::find_all(tx, tenant, &all)?;
    let runs: BTreeMap<RunId, Run> = runs.into_iter().map(|run| (run.id, run)).collect();
    // First what it is about, then the attempts by their ids: what an attempt follows comes before it.
    let mut caused: BTreeSet<RunId> = BTreeSet::new();
    for id in all {
        let run = runs.get(&id);
        let said = linked.get(&id).copied();
        // Of one that is gone it is only known what was said of it then.
        let failed = said.is_some_and(|said| run.map_or(said, has_failed));
        let follows = said.is_none()
            && run
                .and_then(|run| run.parent)
                .is_some_and(|of| caused.contains(&of));
        if failed || follows {
            caused.insert(id);
        }
        let one = Sum {
            runs: 1,
            cost: costs.get(&id).copied().unwrap_or_default(),
        };
        let of = match said {
            None => &mut impact.recovery,
            Some(_) if failed => &mut impact.failed,
            Some(_) => &mut impact.other,
        };
        *of = of.and(one);
        if failed || follows {
            impact.savings = impact.savings.and(one);
        }
        if let (false, Some(why)) = (costs.contains_key(&id), unknown(run)) {
            impact.misses(why, Some(id));
        }
        let succeeded = run.is_some_and(|run| run.status == RunStatus::Succeeded);
        impact.is_recovered |= attempts.contains(&id) && succeeded;
    }
    Ok(impact)
}

/// The LLM Runs that the Incident is about, each with whether the product has said that it failed; one more than are added
/// up if there are more.
pub(super) fn linked(tx: &mut impl Tx, incident: &Incident) -> StoreResult<BTreeMap<RunId, bool>> {
    store::incidents::linked(tx, incident.tenant, incident.id, RUNS_MAX.saturating_add(1))
}

/// The LLM Runs that tried again what these had tried, and those that tried again after them; one more than `most` if there
/// are more. What an Incident is about itself is none.
pub(super) fn attempts(
    tx: &mut impl Tx,
    tenant: TenantId,
    linked: BTreeSet<RunId>,
    most: usize,
) -> StoreResult<BTreeSet<RunId>> {
    let (mut found, mut known) = (BTreeSet::new(), linked);
    let mut last: Vec<RunId> = known.iter().copied().collect();
    // A run names one that began before it, as far as our own ids go; what a client makes up must not go round in circles.
    while !last.is_empty() && found.len() <= most {
        let left = i64::try_from(most.saturating_sub(found.len()).saturating_add(1)).unwrap_or(i64::MAX);
        last = store::runs::after(tx, tenant, &last, &known, left)?;
        known.extend(&last);
        found.extend(&last);
    }
    Ok(found)
}

/// Why a run without a cost record has none; nothing if that is because it used nothing.
fn unknown(run: Option<&Run>) -> Option<CostGap> {
    let Some(run) = run else {
        return Some(CostGap::Gone);
    };
    if run.status.state() == RunState::Live {
        return Some(CostGap::NotOver);
    }
    if run.status == RunStatus::Crashed {
        return Some(CostGap::Unsettled);
    }
    let is_free = run.operation == Operation::CountTokens;
    (run.usage_source != UsageSource::None && !is_free).then_some(CostGap::Unpriced)
}

#[cfg(test)]
mod tests {
    use model::time::Timestamp;
    use testkit::history::Spent;

    use super::*;

    fn run(status: RunStatus, usage_source: UsageSource) -> Run {
        let at = Timestamp::from_micros(5);
        let spent = Spent {
            at,
            lasted_ms: 0,
            asked: 0,
            cost: 0,
        };
        Run {
            status,
            usage_source,
            ..testkit::history::run(TenantId::from_bits(1), 1, spent)
        }
    }

    #[test]
    fn a_run_without_a_cost_record_is_free_only_if_it_used_nothing() {
        let cases = [
            (RunStatus::Failed, UsageSource::None, None),
            (RunStatus::Blocked, UsageSource::None, None),
            (RunStatus::Running, UsageSource::None, Some(CostGap::NotOver)),
            (RunStatus::Crashed, UsageSource::None, Some(CostGap::Unsettled)),
            (RunStatus::Failed, UsageSource::Estimated, Some(CostGap::Unpriced)),
            (
                RunStatus::Succeeded,
                UsageSource::Provider,
                Some(CostGap::Unpriced),
            ),
        ];
        for (status, source, expected) in cases {
            assert_eq!(
                unknown(Some(&run(status, source))),
                expected,
                "{status:?} {source:?}"
            );
        }
        let counted = Run {
            operation: Operation::CountTokens,
            ..run(RunStatus::Succeeded, UsageSource::Provider)
        };
        assert_eq!(unknown(Some(&counted)), None);
        assert_eq!(unknown(None), Some(CostGap::Gone));
    }
}
