//! Can anybody change what was recorded?

use store::{Db, StoreError, retention};
use testkit::db::TestDb;

use crate::support::CallerError;
use crate::support::raw::Raw;
use crate::support::samples::{add_spenders, at, cost, error};

async fn add_facts(db: &Db) {
    add_spenders(db, 1).await;
    db.locked(|tx| {
        let mut old = error(1);
        old.timestamp = at(-100);
        store::infra_errors::insert(tx, &[old, error(2)])?;
        store::costs::insert(tx, &[cost(1)])
    })
    .await
    .unwrap();
}

fn assert_closed(db: &TestDb) {
    let mut raw = Raw::to(db);
    for statement in [
        "UPDATE infra_error_events SET message = 'it was nothing'",
        "UPDATE cost_records SET cost = 0",
        "DELETE FROM infra_error_events",
        "DELETE FROM cost_records",
    ] {
        let refused = raw.run(statement).expect_err(statement).to_string();
        assert!(refused.contains("is append-only"), "{statement}: {refused}");
    }
    if db.is_shared() {
        for table in ["infra_error_events", "cost_records"] {
            let refused = raw.run(&format!("TRUNCATE {table}")).unwrap_err().to_string();
            assert!(refused.contains("is append-only"), "{table}: {refused}");
        }
    }
}

testkit::both_databases! {
    async fn facts_can_be_neither_changed_nor_deleted(db: TestDb) {
        add_facts(&db).await;
        assert_closed(&db);
        let mut raw = Raw::to(&db);
        assert_eq!((raw.count("infra_error_events"), raw.count("cost_records")), (2, 1));
    }

    async fn retention_deletes_what_is_older_and_nothing_else(db: TestDb) {
        add_facts(&db).await;
        let delete = |cutoff| db.write(move |tx| retention::delete_infra_errors_before(tx, cutoff));
        assert_eq!(delete(at(-100)).await.unwrap(), 0, "the cutoff itself stays");
        assert_eq!(delete(at(-99)).await.unwrap(), 1);
        let mut raw = Raw::to(&db);
        assert_eq!(raw.lines("SELECT error_id AS line FROM infra_error_events"), ["err_000000000002"]);
        assert_closed(&db);
    }

    async fn the_gate_is_closed_after_a_rollback(db: TestDb) {
        add_facts(&db).await;
        let refused = db.write(|tx| {
            retention::delete_infra_errors_before(tx, at(-99))?;
            Err::<(), _>(CallerError::Refused)
        });
        assert!(matches!(refused.await, Err(CallerError::Refused)));
        let panicked = db.write::<(), StoreError, _>(|tx| {
            retention::delete_infra_errors_before(tx, at(-99))?;
            panic!("a defect of the caller")
        });
        assert!(matches!(panicked.await, Err(StoreError::Panicked)));
        assert_eq!(Raw::to(&db).count("infra_error_events"), 2);
        assert_closed(&db);
        let again = db.write(|tx| retention::delete_infra_errors_before(tx, at(-99)));
        assert_eq!(again.await.unwrap(), 1);
    }
}
