//! What was spent that is not usual, or not allowed?

use alloc::string::String;

use crate::id::{AnomalyId, IncidentId, LimitId, TenantId};
use crate::money::NanoUsd;
use crate::severity::Severity;
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// What kind of anomaly it is.
    AnomalyType {
        /// Two days or more each cost 140 % of what a day of the two weeks before cost.
        AbsoluteSpike,
        /// A day of the last week costs 125 % of what a day of the three weeks before cost, three days in a row.
        SustainedDrift,
        /// A budget is used to 80 %.
        BudgetWarning,
        /// A budget is used up.
        BudgetExceeded,
    }
}

wire_enum! {
    /// How bad it is.
    AnomalySeverity {
        /// 40 % and more above what is usual, or a budget that is used to 90 % and more.
        High,
        /// 25 % and more, or a budget that is used to 80 % and more.
        Medium,
        /// 15 % and more.
        Low,
    }
}

impl AnomalySeverity {
    /// The severity of an Incident that is this bad.
    pub const fn severity(self) -> Severity {
        match self {
            Self::High => Severity::Sev2,
            Self::Medium => Severity::Sev3,
            Self::Low => Severity::Sev4,
        }
    }
}

wire_enum! {
    /// Whose spending it is.
    AnomalyEntity {
        /// The tenant's.
        Tenant,
        /// An end user's.
        User,
        /// A product feature's.
        Feature,
        /// What a Limit counts.
        Limit,
    }
}

wire_enum! {
    /// What has most to do with it, today compared with yesterday.
    DerivedCause {
        /// More than 150 % of the share of requests that are retries.
        RetryLoop,
        /// A request has more than 130 % of the input tokens.
        PromptGrowth,
        /// More than 60 % was spent on one product feature.
        FeatureSurge,
        /// There are more than 130 % of the requests.
        TrafficGrowth,
    }
}

/// What is not usual, or not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of anomaly it is.
    pub anomaly_type: AnomalyType,
    /// How bad.
    pub severity: AnomalySeverity,
    /// Whose spending.
    pub entity: AnomalyEntity,
    /// Which user, feature or Limit; empty of the tenant itself.
    pub entity_id: String,
    /// What was spent.
    pub current: NanoUsd,
    /// What would have been usual; of a budget, what it allows.
    pub expected: NanoUsd,
    /// How far above that, in percent rounded down; of a budget, how much of it is used.
    pub deviation_pct: i64,
    /// From how many percent of what is expected on it is one.
    pub threshold_pct: i64,
    /// How many days in a row; 1 of a budget.
    pub days: i64,
    /// What has most to do with it, if anything has.
    pub derived_cause: Option<DerivedCause>,
}

/// An anomaly of one day. Found again on that day it is the same, with the latest figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    /// Its id.
    pub id: AnomalyId,
    /// Whose.
    pub tenant: TenantId,
    /// The day (UTC), as the number of days since 1970-01-01.
    pub day: i64,
    /// What was found.
    pub finding: Finding,
    /// The Limit, if it is about a budget.
    pub limit: Option<LimitId>,
    /// The Incident that it has led to.
    pub incident: Option<IncidentId>,
    /// When it was found first.
    pub detected_at: Timestamp,
    /// When it was found last.
    pub updated_at: Timestamp,
}

/// What somebody spent in a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpentInADay {
    /// The day (UTC), as the number of days since 1970-01-01.
    pub day: i64,
    /// Whose spending.
    pub entity: AnomalyEntity,
    /// Which user or feature; empty of the tenant itself.
    pub entity_id: String,
    /// Money.
    pub cost: NanoUsd,
    /// Cost records.
    pub requests: i64,
    /// Those of them that are retries.
    pub retries: i64,
    /// Input tokens.
    pub input_tokens: i64,
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use strum::IntoEnumIterator as _;

    use super::*;

    #[test]
    fn the_words_of_anomalies_do_not_change() {
        let words = |list: &mut dyn Iterator<Item = &'static str>| list.collect::<Vec<_>>().join(" ");
        assert_eq!(
            words(&mut AnomalyType::iter().map(AnomalyType::as_str)),
            "ABSOLUTE_SPIKE SUSTAINED_DRIFT BUDGET_WARNING BUDGET_EXCEEDED"
        );
        assert_eq!(
            words(&mut AnomalySeverity::iter().map(AnomalySeverity::as_str)),
            "HIGH MEDIUM LOW"
        );
        assert_eq!(
            words(&mut AnomalyEntity::iter().map(AnomalyEntity::as_str)),
            "TENANT USER FEATURE LIMIT"
        );
        assert_eq!(
            words(&mut DerivedCause::iter().map(DerivedCause::as_str)),
            "RETRY_LOOP PROMPT_GROWTH FEATURE_SURGE TRAFFIC_GROWTH"
        );
    }
}
