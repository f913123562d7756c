//! Is everything that an Incident, a cost or a run refers to found from both ends?
//!
//! One line for each link that was missing: what carries it, and what the database holds it to. Each is a foreign key with an
//! index.

use model::cost::CostRecord;
use model::id::{KeyId, RunId, TenantId};
use store::StoreError;
use testkit::db::TestDb;

use crate::catalogue::{foreign_keys, indexes};
use crate::policies::incident_of_run;
use crate::support::raw::Raw;
use crate::support::samples::{add_spenders, cost};

/// What it is a link from and to, the table that has it, its columns and what they refer to.
const LINKS: [(&str, &str, &str); 19] = [
    ("runs to incidents", "incident_runs", "tenant_id,run_id runs"),
    (
        "runs to incidents",
        "incident_runs",
        "tenant_id,incident_id incidents",
    ),
    (
        "incidents to the run that they come from",
        "incidents",
        "tenant_id,llm_run_id runs",
    ),
    (
        "cost_records to incidents",
        "cost_records",
        "tenant_id,run_id runs",
    ),
    (
        "cost_records to api_keys",
        "cost_records",
        "tenant_id,api_key_id api_keys",
    ),
    (
        "cost_records to policy_rules",
        "policy_enforcements",
        "tenant_id,run_id runs",
    ),
    (
        "cost_records to policy_rules",
        "policy_enforcements",
        "rule_owner,rule_id policy_rules",
    ),
    (
        "cost_anomalies to incidents",
        "cost_anomalies",
        "tenant_id,incident_id incidents",
    ),
    (
        "cost_anomalies to limits",
        "cost_anomalies",
        "tenant_id,limit_id limits",
    ),
    (
        "limit_breaches to incidents",
        "incident_breaches",
        "tenant_id,breach_id limit_breaches",
    ),
    (
        "limit_breaches to incidents",
        "incident_breaches",
        "tenant_id,incident_id incidents",
    ),
    (
        "runs that hit a limit to incidents",
        "incident_breaches",
        "tenant_id,run_id runs",
    ),
    (
        "limit_breaches to limits",
        "limit_breaches",
        "limit_owner,limit_id limits",
    ),
    (
        "policy_proposals to incidents",
        "policy_proposals",
        "tenant_id,triggering_incident_id incidents",
    ),
    (
        "policy_proposals to policy_rules",
        "policy_proposals",
        "tenant_id,target_rule_id policy_rules",
    ),
    (
        "prevention_records to incidents",
        "prevention_records",
        "tenant_id,original_incident_id incidents",
    ),
    (
        "prevention_records to runs",
        "prevention_records",
        "tenant_id,blocked_run_id runs",
    ),
    (
        "prevention_records to policy_rules",
        "prevention_records",
        "tenant_id,rule_id policy_rules",
    ),
    (
        "incidents to their events",
        "incident_events",
        "tenant_id,incident_id incidents",
    ),
];

testkit::both_databases! {
    async fn every_link_between_domains_is_held_by_the_database_and_found_by_an_index(db: TestDb) {
        let mut raw = Raw::to(&db);
        let (indexes, keys) = (indexes(&mut raw), foreign_keys(&mut raw));
        for (link, table, said) in LINKS {
            let (columns, target) = said.split_once(' ').unwrap();
            let wanted: Vec<&str> = columns.split(',').collect();
            let leads = |index: &(String, Vec<String>)| index.0 == table && index.1.iter().map(String::as_str).take(wanted.len()).eq(wanted.iter().copied());
            assert!(indexes.iter().any(leads), "{link}: no index of {table} begins with {columns}");
            let is_key = |line: &String| line.starts_with(&format!("{table} {columns} {target} "));
            assert!(keys.iter().any(is_key), "{link}: {table} {said}: {keys:?}");
        }
    }

    async fn nothing_refers_to_what_is_not_on_record(db: TestDb) {
        add_spenders(&db, 1).await;
        let refused = |wrong: CostRecord| db.locked(move |tx| store::costs::insert(tx, std::slice::from_ref(&wrong)));
        let unpaid = refused(CostRecord { run: Some(RunId::from_bits(9)), ..cost(1) }).await;
        assert!(matches!(unpaid, Err(StoreError::ForeignKey(_))), "{unpaid:?}");
        let mut of_nobody = cost(1);
        std::sync::Arc::make_mut(&mut of_nobody.subject).api_key_id = Some(KeyId::from_bits(9));
        let of_nobody = refused(of_nobody).await;
        assert!(matches!(of_nobody, Err(StoreError::ForeignKey(_))), "{of_nobody:?}");
        // Another tenant's are not on record either.
        let foreign = refused(CostRecord { tenant: TenantId::from_bits(2), ..cost(1) }).await;
        assert!(matches!(foreign, Err(StoreError::ForeignKey(_))), "{foreign:?}");
        let history = incident_of_run(9).history();
        let unheard = db.write(move |tx| store::incidents::append(tx, &history)).await;
        assert!(matches!(unheard, Err(StoreError::ForeignKey(_))), "{unheard:?}");
        refused(cost(1)).await.unwrap();
        let mut raw = Raw::to(&db);
        for parent in ["runs", "api_keys"] {
            assert!(raw.run(&format!("DELETE FROM {parent}")).is_err(), "{parent} is referred to");
        }
    }
}
