//! The customer's routes below `/api/v1`.

pub(crate) mod analytics;
pub(crate) mod backtest;
pub(crate) mod contract;
pub(crate) mod effectiveness;
pub(crate) mod holds;
pub(crate) mod incidents;
pub(crate) mod incidents_anomalies;
pub(crate) mod incidents_breaches;
pub(crate) mod incidents_learned;
pub(crate) mod incidents_list;
pub(crate) mod incidents_stream;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod limits_change;
pub(crate) mod limits_history;
pub(crate) mod limits_overrides;
pub(crate) mod preventions;
pub(crate) mod proposals;
pub(crate) mod rules;
pub(crate) mod rules_change;
pub(crate) mod run_logs;
pub(crate) mod runs;
pub(crate) mod runtime;
pub(crate) mod scopes;
pub(crate) mod webhooks;
pub(crate) mod webhooks_change;
