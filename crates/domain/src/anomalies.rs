//! Is what was spent not usual, or not allowed?
//!
//! Days are days of UTC. Whoever spent nothing before has nothing to be compared with: there is no finding.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use model::anomaly::{AnomalyEntity, AnomalySeverity, AnomalyType, DerivedCause, Finding, SpentInADay};
use model::money::NanoUsd;

/// How many days before today are looked at.
pub const HISTORY_DAYS: i64 = 40;
/// From how many percent of the baseline on a day is a spike.
pub const SPIKE_PCT: i64 = 140;
/// How many days in a row make one.
pub const SPIKE_DAYS: i64 = 2;
/// From how many percent of the baseline on a week drifts.
pub const DRIFT_PCT: i64 = 125;
/// How many days in a row that is found until it is one.
pub const DRIFT_DAYS: i64 = 3;
/// From how many percent on a budget is used up.
pub const EXCEEDED_PCT: i64 = 100;
/// From how many percent on it is warned of.
pub const WARNING_PCT: i64 = 80;
/// From how many percent on a warning is HIGH.
const HIGH_WARNING_PCT: i64 = 90;
/// The most days in a row that are counted.
const DAYS_MOST: i64 = 7;
/// From how many percent on of yesterday's something has grown.
const GROWTH_PCT: i64 = 130;
/// From how many percent on of yesterday's share of retries it is a loop.
const RETRY_PCT: i64 = 150;
/// More than so many percent of the money on one feature are a surge.
const SURGE_PCT: i64 = 60;

/// What a budget allows, and what was spent of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The id of the Limit.
    pub limit: String,
    /// What was spent in its window.
    pub spent: NanoUsd,
    /// What it allows.
    pub max: NanoUsd,
}

/// Everything the findings depend on.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Today, as the number of days since 1970-01-01.
    pub today: i64,
    /// What was spent on which day.
    pub days: &'a [SpentInADay],
    /// The budgets.
    pub budgets: &'a [Budget],
}

/// Everything that is not usual, or not allowed: budgets first, then by whose spending it is.
pub fn detect(input: &Input<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = input.budgets.iter().filter_map(of_budget).collect();
    let mut series: BTreeMap<(AnomalyEntity, &str), Series<'_>> = BTreeMap::new();
    for spent in input.days {
        let of = (spent.entity, spent.entity_id.as_str());
        series.entry(of).or_default().0.insert(spent.day, spent);
    }
    for ((entity, id), days) in &series {
        let spike = consecutive(SPIKE_PCT, |back| days.spike(input.today.saturating_sub(back)));
        let drift = consecutive(DRIFT_PCT, |back| days.drift(input.today.saturating_sub(back)));
        let is_tenant = *entity == AnomalyEntity::Tenant;
        let of_type = [
            (
                AnomalyType::AbsoluteSpike,
                SPIKE_PCT,
                spike.filter(|it| it.0 >= SPIKE_DAYS),
            ),
            (
                AnomalyType::SustainedDrift,
                DRIFT_PCT,
                drift.filter(|it| it.0 >= DRIFT_DAYS && is_tenant),
            ),
        ];
        for (anomaly_type, threshold_pct, found_days) in of_type {
            let Some((in_a_row, (current, expected))) = found_days else {
                continue;
            };
            let deviation_pct = percent(current, expected).saturating_sub(100);
            let Some(severity) = severity(deviation_pct) else {
                continue;
            };
            found.push(Finding {
                anomaly_type,
                severity,
                entity: *entity,
                entity_id: (*id).to_owned(),
                current,
                expected,
                deviation_pct,
                threshold_pct,
                days: in_a_row,
                derived_cause: cause(input, days, is_tenant),
            });
        }
    }
    found
}

fn of_budget(budget: &Budget) -> Option<Finding> {
    let used = (budget.max.0 > 0).then(|| percent(budget.spent, budget.max))?;
    let (anomaly_type, severity, threshold_pct) = match used {
        EXCEEDED_PCT.. => (AnomalyType::BudgetExceeded, AnomalySeverity::High, EXCEEDED_PCT),
        HIGH_WARNING_PCT.. => (AnomalyType::BudgetWarning, AnomalySeverity::High, WARNING_PCT),
        WARNING_PCT.. => (AnomalyType::BudgetWarning, AnomalySeverity::Medium, WARNING_PCT),
        _ => return None,
    };
    Some(Finding {
        anomaly_type,
        severity,
        entity: AnomalyEntity::Limit,
        entity_id: budget.limit.clone(),
        current: budget.spent,
        expected: budget.max,
        deviation_pct: used,
        threshold_pct,
        days: 1,
        derived_cause: None,
    })
}

/// How many days in a row, the last of them today, are at or above so many percent of what is expected; with what was
/// spent and what was expected on the last.
fn consecutive(
    pct: i64,
    on: impl Fn(i64) -> Option<(NanoUsd, NanoUsd)>,
) -> Option<(i64, (NanoUsd, NanoUsd))> {
    let is_above = |(current, expected): &(NanoUsd, NanoUsd)| {
        let (current, expected) = (i128::from(current.0), i128::from(expected.0));
        current.saturating_mul(100) >= expected.saturating_mul(i128::from(pct))
    };
    let last = on(0).filter(is_above)?;
    let more = (1..DAYS_MOST).take_while(|back| on(*back).as_ref().is_some_and(is_above));
    let more = i64::try_from(more.count()).unwrap_or(DAYS_MOST);
    Some((more.saturating_add(1), last))
}

/// What one spent on which day.
#[derive(Default)]
struct Series<'a>(BTreeMap<i64, &'a SpentInADay>);

impl Series<'_> {
    /// What was spent from one day to another, both included, and on how many of them something was.
    fn sum(&self, from: i64, to: i64) -> (i128, i128) {
        let costs = self.0.range(from..=to).map(|(_, spent)| i128::from(spent.cost.0));
        costs.filter(|cost| *cost > 0).fold((0, 0), |(sum, days), cost| {
            (i128::saturating_add(sum, cost), i128::saturating_add(days, 1))
        })
    }

    /// What a day cost on which something was spent; none if there was no such day.
    fn baseline(&self, from: i64, to: i64) -> Option<NanoUsd> {
        let (sum, days) = self.sum(from, to);
        let a_day = sum.checked_div(days)?;
        i64::try_from(a_day).ok().filter(|cost| *cost > 0).map(NanoUsd)
    }

    /// What was spent on this day, and what a day of the two weeks before cost.
    fn spike(&self, day: i64) -> Option<(NanoUsd, NanoUsd)> {
        let current = self.0.get(&day)?.cost;
        let baseline = self.baseline(day.saturating_sub(14), day.saturating_sub(2))?;
        Some((current, baseline))
    }

    /// What a day of the week that ends with this one cost, and what a day of the three weeks before cost.
    fn drift(&self, day: i64) -> Option<(NanoUsd, NanoUsd)> {
        let (sum, _) = self.sum(day.saturating_sub(6), day);
        let current = i64::try_from(sum.checked_div(7)?).ok().map(NanoUsd)?;
        let baseline = self.baseline(day.saturating_sub(28), day.saturating_sub(8))?;
        Some((current, baseline))
    }
}

/// What of what is expected, in percent rounded down.
fn percent(current: NanoUsd, expected: NanoUsd) -> i64 {
    let scaled = i128::from(current.0).saturating_mul(100);
    let pct = scaled.checked_div(i128::from(expected.0)).unwrap_or(0);
    i64::try_from(pct).unwrap_or(i64::MAX)
}

const fn severity(deviation_pct: i64) -> Option<AnomalySeverity> {
    match deviation_pct {
        40.. => Some(AnomalySeverity::High),
        25.. => Some(AnomalySeverity::Medium),
        15.. => Some(AnomalySeverity::Low),
        _ => None,
    }
}

/// What has most to do with it: the first that holds.
fn cause(input: &Input<'_>, of: &Series<'_>, is_tenant: bool) -> Option<DerivedCause> {
    let (today, yesterday) = (of.0.get(&input.today)?, of.0.get(&input.today.saturating_sub(1)));
    let grew_by = |pct: i64, now: (i64, i64), before: (i64, i64)| {
        // now.0 / now.1 against before.0 / before.1, without a fraction.
        let now_side = i128::from(now.0)
            .saturating_mul(i128::from(before.1))
            .saturating_mul(100);
        let before_side = i128::from(before.0).saturating_mul(i128::from(now.1));
        before.0 > 0 && before.1 > 0 && now_side > before_side.saturating_mul(i128::from(pct))
    };
    let grew = |now, before| grew_by(GROWTH_PCT, now, before);
    let retries = |spent: &SpentInADay| (spent.retries, spent.requests);
    if yesterday.is_some_and(|before| grew_by(RETRY_PCT, retries(today), retries(before))) {
        return Some(DerivedCause::RetryLoop);
    }
    let tokens = |spent: &SpentInADay| (spent.input_tokens, spent.requests);
    if yesterday.is_some_and(|before| grew(tokens(today), tokens(before))) {
        return Some(DerivedCause::PromptGrowth);
    }
    let on_features = input.days.iter();
    let most = on_features
        .filter(|spent| spent.day == input.today && spent.entity == AnomalyEntity::Feature)
        .map(|spent| spent.cost)
        .max();
    let share = |part: NanoUsd| i128::from(part.0).saturating_mul(100);
    let surges = i128::from(today.cost.0).saturating_mul(i128::from(SURGE_PCT));
    if is_tenant && most.is_some_and(|most| share(most) > surges) {
        return Some(DerivedCause::FeatureSurge);
    }
    let requests = |spent: &SpentInADay| (spent.requests, 1);
    yesterday
        .is_some_and(|before| grew(requests(today), requests(before)))
        .then_some(DerivedCause::TrafficGrowth)
}

#[cfg(test)]
mod tests;
