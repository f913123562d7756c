//! How is it shown what an Incident cost?

use std::collections::BTreeMap;

use model::cost::CostGap;
use model::id::RunId;
use model::money::NanoUsd;
use serde::Serialize;
use utoipa::ToSchema;

/// LLM Runs that are named for each reason; the rest is counted.
const NAMED_MAX: usize = 10;

/// What an Incident cost: what is on record, and what is not.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CostImpactView {
    /// Which Incident.
    pub incident_id: String,
    /// Always USD.
    pub currency: &'static str,
    /// What all LLM Runs that it affected cost, in whole cents, rounded half up.
    pub total_cost_cents: i64,
    /// The same in exact nano-USD.
    pub total_cost_nano_usd: String,
    /// Of it, what the failed LLM Runs cost, in whole cents, rounded half up.
    pub failed_runs_cost_cents: i64,
    /// The same in exact nano-USD.
    pub failed_runs_cost_nano_usd: String,
    /// Of it, what the other LLM Runs cost that it is about, in whole cents, rounded half up.
    pub other_runs_cost_cents: i64,
    /// The same in exact nano-USD.
    pub other_runs_cost_nano_usd: String,
    /// Of it, what the attempts cost, in whole cents, rounded half up.
    pub recovery_cost_cents: i64,
    /// The same in exact nano-USD.
    pub recovery_cost_nano_usd: String,
    /// What would have been saved if the first LLM Run had been prevented, in whole cents, rounded half up: what failed, and
    /// the attempts, because nobody would have had to try again.
    pub estimated_savings_cents: i64,
    /// The same in exact nano-USD.
    pub estimated_savings_nano_usd: String,
    /// LLM Runs that failed, hit the Limit, were named in a report, or tried again.
    pub runs_affected: usize,
    /// LLM Runs that failed.
    pub failed_runs: usize,
    /// LLM Runs that it is about and that did not fail: they hit its Limit, or somebody has named them in a report.
    pub other_runs: usize,
    /// LLM Runs that named one of those, or an attempt after it, as their `parent_run_id`.
    pub recovery_attempts: usize,
    /// Whether one of the attempts succeeded.
    pub recovered: bool,
    /// Whether every cost is known. If not, it cost at least this.
    pub complete: bool,
    /// What is not in the sums, and why.
    pub missing: Vec<CostGapView>,
}

/// LLM Runs whose cost is not in a sum.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CostGapView {
    /// `NO_RUN`, GONE, `NOT_OVER`, UNSETTLED, UNPRICED or `TOO_MANY`.
    #[schema(example = "UNPRICED")]
    pub code: &'static str,
    /// What that means.
    pub detail: &'static str,
    /// How many there are, if anybody knows.
    pub runs: Option<usize>,
    /// The first ten of them.
    pub run_ids: Vec<String>,
}

impl CostGapView {
    fn of(gap: CostGap, runs: &[RunId]) -> Self {
        let is_known = gap != CostGap::TooMany;
        Self {
            code: gap.as_str(),
            detail: match gap {
                CostGap::NoRun => "The Incident is about no LLM Run.",
                CostGap::Gone => "They are not on record any more.",
                CostGap::NotOver => "They have not ended yet.",
                CostGap::Unsettled => {
                    "Their process went away before it could say what they used; the provider may have charged for them."
                }
                CostGap::Unpriced => "Nobody knows the price of what they used.",
                CostGap::TooMany => "There are more LLM Runs than are added up for one Incident: 1000.",
            },
            runs: is_known.then_some(runs.len()),
            run_ids: runs.iter().take(NAMED_MAX).map(ToString::to_string).collect(),
        }
    }
}

/// What is known of the cost of an Incident.
#[derive(Debug, Clone)]
pub struct Known {
    /// Which Incident.
    pub incident_id: String,
    /// How many LLM Runs failed, and what they cost.
    pub failed: (usize, NanoUsd),
    /// How many others it is about, and what they cost.
    pub other: (usize, NanoUsd),
    /// How many tried again, and what they cost.
    pub recovery: (usize, NanoUsd),
    /// All of them together.
    pub total: (usize, NanoUsd),
    /// What would not have been paid if nothing had failed.
    pub savings: NanoUsd,
    /// Whether one of the attempts succeeded.
    pub is_recovered: bool,
    /// What is not in the sums.
    pub missing: BTreeMap<CostGap, Vec<RunId>>,
}

impl From<Known> for CostImpactView {
    fn from(of: Known) -> Self {
        let Known {
            incident_id,
            failed: (failed_runs, failed),
            other: (other_runs, other),
            recovery: (recovery_attempts, recovery),
            total: (runs_affected, total),
            savings,
            is_recovered,
            missing,
        } = of;
        Self {
            incident_id,
            currency: "USD",
            total_cost_cents: total.to_cents_half_up(),
            total_cost_nano_usd: total.0.to_string(),
            failed_runs_cost_cents: failed.to_cents_half_up(),
            failed_runs_cost_nano_usd: failed.0.to_string(),
            other_runs_cost_cents: other.to_cents_half_up(),
            other_runs_cost_nano_usd: other.0.to_string(),
            recovery_cost_cents: recovery.to_cents_half_up(),
            recovery_cost_nano_usd: recovery.0.to_string(),
            estimated_savings_cents: savings.to_cents_half_up(),
            estimated_savings_nano_usd: savings.0.to_string(),
            runs_affected,
            failed_runs,
            other_runs,
            recovery_attempts,
            recovered: is_recovered,
            complete: missing.is_empty(),
            missing: missing
                .iter()
                .map(|(gap, runs)| CostGapView::of(*gap, runs))
                .collect(),
        }
    }
}
