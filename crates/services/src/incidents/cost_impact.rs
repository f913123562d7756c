//! What did an Incident cost?
//!
//! Added up from the cost records of the LLM Runs that failed and of those that tried again. What is not on record is
//! named and never taken for nothing.

use std::collections::{BTreeMap, BTreeSet};

use model::cost::CostGap;
use model::id::{IncidentId, RunId, TenantId};
use model::incident::Incident;
use model::money::NanoUsd;
use model::run::{Operation, Run, RunState, RunStatus, UsageSource};
use store::{StoreResult, Tx};

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
}

/// What an Incident cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostImpact {
    /// Which.
    pub incident: IncidentId,
    /// The LLM Runs that failed.
    pub failed: Sum,
    /// The LLM Runs that tried again what one of those had failed at, or an attempt after it.
    pub recovery: Sum,
    /// Whether one of the attempts succeeded.
    pub is_recovered: bool,
    /// What is not in the sums, and the LLM Runs that it is about.
    pub missing: BTreeMap<CostGap, Vec<RunId>>,
}

impl CostImpact {
    /// Both together: what would not have been paid if the first LLM Run had been prevented.
    pub fn total(&self) -> Sum {
        let mut total = self.failed;
        total.runs += self.recovery.runs;
        total.add(self.recovery.cost);
        total
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
        recovery: Sum::default(),
        is_recovered: false,
        missing: BTreeMap::new(),
    };
    let mut failed = failed(tx, incident)?;
    if failed.is_empty() {
        impact.misses(CostGap::NoRun, None);
        return Ok(impact);
    }
    let attempts = attempts(tx, tenant, &failed, RUNS_MAX.saturating_sub(failed.len()))?;
    if failed.len() + attempts.len() > RUNS_MAX {
        impact.misses(CostGap::TooMany, None);
    }
    let attempts: BTreeSet<RunId> = attempts
        .into_iter()
        .take(RUNS_MAX.saturating_sub(failed.len()))
        .collect();
    while failed.len() > RUNS_MAX {
        failed.pop_last();
    }
    let all: Vec<RunId> = failed.union(&attempts).copied().collect();
    let costs = store::costs::of_runs(tx, tenant, &all)?;
    let runs = store::runs::find_all(tx, tenant, &all)?;
    let runs: BTreeMap<RunId, Run> = runs.into_iter().map(|run| (run.id, run)).collect();
    for id in all {
        let is_attempt = attempts.contains(&id);
        let of = if is_attempt {
            &mut impact.recovery
        } else {
            &mut impact.failed
        };
        of.runs += 1;
        if let Some(cost) = costs.get(&id) {
            of.add(*cost);
        } else if let Some(why) = unknown(runs.get(&id)) {
            impact.misses(why, Some(id));
        }
        let succeeded = runs
            .get(&id)
            .is_some_and(|run| run.status == RunStatus::Succeeded);
        impact.is_recovered |= is_attempt && succeeded;
    }
    Ok(impact)
}

/// The LLM Runs that the Incident is about: the one that it comes from and those in which it happened again.
pub(super) fn failed(tx: &mut impl Tx, incident: &Incident) -> StoreResult<BTreeSet<RunId>> {
    let most = i64::try_from(RUNS_MAX).unwrap_or(i64::MAX);
    let again = store::incidents::occurred(tx, incident.tenant, incident.id, most)?;
    // What happened again may be a signal of somebody else.
    let again = again
        .iter()
        .filter_map(|occurrence| occurrence.signal_id.parse().ok());
    Ok(incident.creation.run.into_iter().chain(again).collect())
}

/// The LLM Runs that tried again, and those that tried again after them; one more than `most` if there are more.
pub(super) fn attempts(
    tx: &mut impl Tx,
    tenant: TenantId,
    failed: &BTreeSet<RunId>,
    most: usize,
) -> StoreResult<BTreeSet<RunId>> {
    let mut found = BTreeSet::new();
    let mut last: Vec<RunId> = failed.iter().copied().collect();
    // A run names one that began before it, as far as our own ids go; what a client makes up must not go round in circles.
    while !last.is_empty() && found.len() <= most {
        let left = i64::try_from(most.saturating_sub(found.len()).saturating_add(1)).unwrap_or(i64::MAX);
        let next = store::runs::after(tx, tenant, &last, left)?;
        last = next
            .into_iter()
            .map(|(_, run)| run)
            .filter(|run| !failed.contains(run) && found.insert(*run))
            .collect();
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
