//! Is everything that an Incident, a cost or a run refers to found from both ends?
//!
//! One line for each link that was missing: what carries it, and what the database holds it to. `key` is a foreign key with
//! an index, `index` is an index alone: what the hot path writes is not checked against what it refers to.

use testkit::db::TestDb;

use crate::catalogue::{foreign_keys, indexes};
use crate::support::raw::Raw;

/// What it is a link from and to, what holds it (`key` or `index`), the table, and its columns.
const LINKS: [(&str, &str, &str, &str); 15] = [
    ("runs to incidents", "index", "incident_runs", "tenant_id,run_id"),
    (
        "runs to incidents",
        "key",
        "incident_runs",
        "tenant_id,incident_id incidents",
    ),
    (
        "cost_records to incidents",
        "index",
        "cost_records",
        "tenant_id,run_id",
    ),
    (
        "cost_records to policy_rules",
        "index",
        "policy_enforcements",
        "tenant_id,run_id",
    ),
    (
        "cost_records to policy_rules",
        "key",
        "policy_enforcements",
        "rule_owner,rule_id policy_rules",
    ),
    (
        "cost_anomalies to incidents",
        "key",
        "cost_anomalies",
        "tenant_id,incident_id incidents",
    ),
    (
        "cost_anomalies to limits",
        "key",
        "cost_anomalies",
        "tenant_id,limit_id limits",
    ),
    (
        "limit_breaches to incidents",
        "index",
        "incident_breaches",
        "tenant_id,breach_id",
    ),
    (
        "limit_breaches to incidents",
        "key",
        "incident_breaches",
        "tenant_id,incident_id incidents",
    ),
    (
        "limit_breaches to limits",
        "key",
        "limit_breaches",
        "limit_owner,limit_id limits",
    ),
    (
        "policy_proposals to incidents",
        "key",
        "policy_proposals",
        "tenant_id,triggering_incident_id incidents",
    ),
    (
        "policy_proposals to policy_rules",
        "key",
        "policy_proposals",
        "tenant_id,target_rule_id policy_rules",
    ),
    (
        "prevention_records to incidents",
        "key",
        "prevention_records",
        "tenant_id,original_incident_id incidents",
    ),
    (
        "prevention_records to policy_rules",
        "key",
        "prevention_records",
        "tenant_id,rule_id policy_rules",
    ),
    (
        "incidents to their events",
        "key",
        "incident_events",
        "tenant_id,incident_id incidents",
    ),
];

testkit::both_databases! {
    async fn every_link_between_domains_is_there_and_is_found_by_an_index(db: TestDb) {
        let mut raw = Raw::to(&db);
        let (indexes, keys) = (indexes(&mut raw), foreign_keys(&mut raw));
        for (link, holds, table, said) in LINKS {
            let (columns, target) = said.split_once(' ').unwrap_or((said, ""));
            let wanted: Vec<&str> = columns.split(',').collect();
            let leads = |index: &(String, Vec<String>)| index.0 == table && index.1.iter().map(String::as_str).take(wanted.len()).eq(wanted.iter().copied());
            assert!(indexes.iter().any(leads), "{link}: no index of {table} begins with {columns}");
            let is_key = |line: &String| line.starts_with(&format!("{table} {columns} {target} "));
            assert_eq!(keys.iter().any(is_key), holds == "key", "{link}: {table} {said}: {keys:?}");
        }
    }
}
