//! Does the API keep its promises, over real HTTP and on both databases?

#[cfg(test)]
mod backtest;
#[cfg(test)]
mod bad_inputs;
#[cfg(test)]
mod control;
#[cfg(test)]
mod control_automation;
#[cfg(test)]
mod control_chain;
#[cfg(test)]
mod control_inputs;
#[cfg(test)]
mod control_listeners;
#[cfg(test)]
mod control_order;
#[cfg(test)]
mod control_promotion;
#[cfg(test)]
mod control_refusals;
#[cfg(test)]
mod control_signals;
#[cfg(test)]
mod control_storm;
#[cfg(test)]
mod correlated;
#[cfg(test)]
mod coverage;
#[cfg(test)]
mod coverage_tenants;
#[cfg(test)]
mod document;
#[cfg(test)]
mod endpoints;
#[cfg(test)]
mod handling;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod history;
#[cfg(test)]
mod holds;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod incidents;
#[cfg(test)]
mod incidents_anomalies;
#[cfg(test)]
mod incidents_breaches;
#[cfg(test)]
mod incidents_reads;
#[cfg(test)]
mod incidents_stream;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod keys_operators;
#[cfg(test)]
mod limits_told;
#[cfg(test)]
mod listed;
#[cfg(test)]
mod llm;
#[cfg(test)]
mod llm_answers;
#[cfg(test)]
mod log;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod patience;
#[cfg(test)]
mod platform;
#[cfg(test)]
mod policy_proposals;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod runtime;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod signers;
#[cfg(test)]
mod thresholds;
#[cfg(test)]
mod webhooks;
