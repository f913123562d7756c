//! How is it shown what a Policy Rule has prevented?

use model::money::NanoUsd;
use model::permille::Permille;
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::number::Thousandths;

/// What a Policy Rule has prevented in the last days.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EffectivenessView {
    /// Which Policy Rule.
    pub rule_id: String,
    /// LLM Runs that it kept from running.
    pub prevented_count: i64,
    /// LLM Runs whose answer it withheld: they were paid for.
    pub mitigated_count: i64,
    /// LLM Runs that it met and that failed all the same.
    pub failed_count: i64,
    /// When it last kept one from running.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_prevented_at: Option<Timestamp>,
    /// How often Incidents were about the same failure in as many days before it was made.
    pub incidents_before: i64,
    /// How often they were since it was made.
    pub incidents_after: i64,
    /// What failing would have cost those that did not run, without false positives; in whole cents, rounded half up.
    pub estimated_cost_saved_cents: i64,
    /// The same in exact nano-USD.
    pub estimated_cost_saved_nano_usd: String,
    /// Preventions that people have called false positives.
    pub false_positive_count: i64,
    /// The share of what it met or missed that it rightly kept from running: prevented without false positives, of
    /// prevented, mitigated, failed and Incidents after; null if there was nothing.
    #[schema(value_type = Option<f64>, example = 1.0)]
    pub effectiveness_rate: Option<Thousandths>,
    /// The days that are looked back over, today (UTC) included.
    pub window_days: i64,
    /// Day by day, oldest first.
    pub trend: Vec<EffectivenessDayView>,
}

/// What a Policy Rule has prevented in a day.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EffectivenessDayView {
    /// The first instant of the day (UTC).
    #[schema(value_type = String, format = DateTime)]
    pub day: Timestamp,
    /// LLM Runs that it kept from running.
    pub prevented_count: i64,
    /// LLM Runs whose answer it withheld: they were paid for.
    pub mitigated_count: i64,
    /// LLM Runs that it met and that failed all the same.
    pub failed_count: i64,
    /// What failing would have cost those that did not run, without false positives; in exact nano-USD.
    pub estimated_cost_saved_nano_usd: String,
}

/// What a window or a day adds up to.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// LLM Runs that did not run.
    pub prevented: i64,
    /// LLM Runs that did less harm.
    pub mitigated: i64,
    /// LLM Runs that failed all the same.
    pub failed: i64,
    /// What failing would have cost.
    pub saved: NanoUsd,
}

/// What is known of a rule in a window.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Which rule.
    pub rule_id: String,
    /// All of it.
    pub counted: Counted,
    /// When it last kept one from running.
    pub last_prevented_at: Option<Timestamp>,
    /// How often Incidents were about the same failure, before and after.
    pub incidents: (i64, i64),
    /// Preventions that people have called false positives.
    pub false_positives: i64,
    /// How often it was right.
    pub rate: Option<Permille>,
    /// How many days.
    pub window_days: i64,
    /// Day by day.
    pub trend: Vec<(Timestamp, Counted)>,
}

impl From<Measured> for EffectivenessView {
    fn from(of: Measured) -> Self {
        let Measured {
            rule_id,
            counted,
            last_prevented_at,
            incidents,
            false_positives,
            rate,
            window_days,
            trend,
        } = of;
        let day = |(day, counted): (Timestamp, Counted)| EffectivenessDayView {
            day,
            prevented_count: counted.prevented,
            mitigated_count: counted.mitigated,
            failed_count: counted.failed,
            estimated_cost_saved_nano_usd: counted.saved.0.to_string(),
        };
        Self {
            rule_id,
            prevented_count: counted.prevented,
            mitigated_count: counted.mitigated,
            failed_count: counted.failed,
            last_prevented_at,
            incidents_before: incidents.0,
            incidents_after: incidents.1,
            estimated_cost_saved_cents: counted.saved.to_cents_half_up(),
            estimated_cost_saved_nano_usd: counted.saved.0.to_string(),
            false_positive_count: false_positives,
            effectiveness_rate: rate.map(Thousandths),
            window_days,
            trend: trend.into_iter().map(day).collect(),
        }
    }
}

/// A prevention that somebody has called a false positive.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FalsePositiveView {
    /// Which prevention.
    #[schema(example = "prev_01KB0000000000000000000000")]
    pub prevention_id: String,
    /// True.
    pub false_positive: bool,
}
