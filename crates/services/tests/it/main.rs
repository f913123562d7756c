//! The tests of the services on real databases.

#[cfg(test)]
mod automation;
#[cfg(test)]
mod books;
#[cfg(test)]
mod credentials_audit;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod gateway_answers;
#[cfg(test)]
mod gateway_bounds;
#[cfg(test)]
mod gateway_clients;
#[cfg(test)]
mod gateway_degrade;
#[cfg(test)]
mod gateway_enforcements;
#[cfg(test)]
mod gateway_faults;
#[cfg(test)]
mod gateway_models;
#[cfg(test)]
mod gateway_queue;
#[cfg(test)]
mod gateway_recordings;
#[cfg(test)]
mod gateway_refusals;
#[cfg(test)]
mod gateway_renewal;
#[cfg(test)]
mod gateway_requests;
#[cfg(test)]
mod gateway_rules;
#[cfg(test)]
mod gateway_store;
#[cfg(test)]
mod gateway_streams;
#[cfg(test)]
mod gateway_texts;
#[cfg(test)]
mod gateway_thresholds;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod incidents;
#[cfg(test)]
mod incidents_again;
#[cfg(test)]
mod incidents_anomalies;
#[cfg(test)]
mod incidents_archive;
#[cfg(test)]
mod incidents_behind;
#[cfg(test)]
mod incidents_breaches;
#[cfg(test)]
mod incidents_costs;
#[cfg(test)]
mod incidents_pipeline;
#[cfg(test)]
mod incidents_promotion;
#[cfg(test)]
mod incidents_reads;
#[cfg(test)]
mod incidents_replay;
#[cfg(test)]
mod incidents_report;
#[cfg(test)]
mod incidents_signals;
#[cfg(test)]
mod incidents_table;
#[cfg(test)]
mod integrity_by_hand;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod journal_errors;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod ledger_model;
#[cfg(test)]
mod ledger_places;
#[cfg(test)]
mod ledger_race;
#[cfg(test)]
mod ledger_scans;
#[cfg(test)]
mod ledger_stacked;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod limits_failures;
#[cfg(test)]
mod limits_history;
#[cfg(test)]
mod limits_overrides;
#[cfg(test)]
mod limits_passings;
#[cfg(test)]
mod limits_window;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod policies_backtest;
#[cfg(test)]
mod principals;
#[cfg(test)]
mod principals_rates;
#[cfg(test)]
mod proposals;
#[cfg(test)]
mod unreadable;
#[cfg(test)]
mod webhooks;
#[cfg(test)]
mod webhooks_bounds;
