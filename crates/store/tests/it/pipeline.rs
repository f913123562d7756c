//! Is what led to an Incident, or did not, kept as it was?

use model::id::TenantId;
use testkit::db::TestDb;
use testkit::governance;

use crate::policies::incident_of_run;
use crate::support::raw::Raw;
use crate::support::samples::{ACME, add_acme, add_spenders, cost, limit};

/// One row of each table, as short as it can be.
fn rows(tenant: TenantId) -> [(&'static str, String); 4] {
    [
        (
            "signals",
            format!("'{tenant}', 's', 'LIMIT', 'BUDGET_BREACHED', 'llm', 'SEV2', 1, 1, 'c', '{{}}'"),
        ),
        (
            "detections",
            format!(
                "'{tenant}', 'd', 's', 'budget-breached', 'LIMIT', 'BUDGET_BREACHED', 'llm', 'HIGH', 'LIM-1', 1, 1, '{{}}'"
            ),
        ),
        (
            "candidates",
            format!("'{tenant}', 'c', 'd', 'e', 'budget-breach', 'llm', 'SEV2', 1, '{{}}', '{{}}', '{{}}'"),
        ),
        (
            "promotion_decisions",
            format!("'{tenant}', 'p', 'c', 'REJECT', 'STALE_CANDIDATE', 'budget-breaches', NULL, 1, '{{}}'"),
        ),
    ]
}

/// A breach that is called `b`.
async fn add_breach(db: &TestDb) {
    db.write(|tx| store::limits::insert(tx, &limit(1))).await.unwrap();
    Raw::to(db)
        .run(&format!(
            "INSERT INTO limit_breaches (tenant_id, id, limit_owner, limit_id, decision_id, breach_type, value_at_breach, \
             limit_value, breached_at) VALUES ('{ACME}', 'b', '{ACME}', '{}', 'd', 'BREACHED', 1, 1, 1)",
            limit(1).id
        ))
        .unwrap();
}

testkit::both_databases! {
    async fn nothing_that_led_to_an_incident_is_changed_or_deleted_by_hand(db: TestDb) {
        add_spenders(&db, 1).await;
        add_breach(&db).await;
        let history = governance::resolved(incident_of_run(1), crate::support::samples::at(6)).history();
        db.write(move |tx| store::incidents::append(tx, &history)).await.unwrap();
        let mut raw = Raw::to(&db);
        for (table, row) in rows(ACME) {
            raw.run(&format!("INSERT INTO {table} VALUES ({row})")).unwrap();
        }
        let run = format!("'{ACME}', '{}', 'b', NULL, 1", incident_of_run(1).id());
        raw.run(&format!("INSERT INTO incident_breaches VALUES ({run})")).unwrap();
        for table in ["signals", "detections", "candidates", "promotion_decisions", "incident_runs", "incident_breaches"] {
            for statement in [
                format!("UPDATE {table} SET tenant_id = tenant_id"),
                format!("DELETE FROM {table}"),
                raw.pick(&format!("DELETE FROM {table} WHERE 1"), &format!("TRUNCATE {table} CASCADE")).to_owned(),
            ] {
                let refused = raw.run(&statement).expect_err(&statement).to_string();
                assert!(refused.contains("is append-only"), "{statement}: {refused}");
            }
            assert_eq!(raw.count(table), 1, "{table}");
        }
    }

    async fn the_costs_of_an_incident_are_those_of_the_runs_that_it_is_about(db: TestDb) {
        add_spenders(&db, 3).await;
        add_breach(&db).await;
        db.locked(|tx| store::costs::insert(tx, &[cost(1), cost(2), cost(3)])).await.unwrap();
        let history = incident_of_run(1).history();
        db.write(move |tx| store::incidents::append(tx, &history)).await.unwrap();
        let run = cost(2).run.unwrap();
        let id = incident_of_run(1).id();
        Raw::to(&db).run(&format!("INSERT INTO incident_breaches VALUES ('{ACME}', '{id}', 'b', '{run}', 1)")).unwrap();
        let of = |tenant| db.read(move |tx| store::costs::of_incident(tx, tenant, id));
        assert_eq!(of(ACME).await.unwrap(), [cost(1), cost(2)]);
        assert_eq!(of(TenantId::from_bits(9)).await.unwrap(), []);
    }

    async fn what_follows_from_nothing_is_not_written(db: TestDb) {
        add_acme(&db).await;
        let mut raw = Raw::to(&db);
        for (table, row) in rows(ACME).into_iter().skip(1) {
            assert!(raw.run(&format!("INSERT INTO {table} VALUES ({row})")).is_err(), "{table}");
        }
    }
}
