//! What may a customer see?

pub mod analytics;
pub mod backtest;
pub mod checks;
pub mod cost_impact;
pub mod effectiveness;
pub mod history;
pub mod incident_anomalies;
pub mod incident_breaches;
pub mod incidents;
pub mod keys;
pub mod labels;
pub mod learnings;
pub mod limit_history;
pub mod limits;
pub mod overrides;
pub mod patterns;
pub mod policies;
pub mod preventions;
pub mod projections;
pub mod proposals;
pub mod run_logs;
pub mod runs;
pub mod scopes;
pub mod webhooks;
