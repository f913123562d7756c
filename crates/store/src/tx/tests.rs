//! What can only be seen from inside a transaction: what the engine says to a connection that is not given out.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use testkit::db::TestDb;

use super::sealed::Connected as _;
use crate::error::StoreError;
use crate::{Db, Settings};

/// A test's database, opened by the very crate under test.
fn open(home: &TestDb) -> Db {
    Db::open(&Settings::for_url(home.url()).unwrap()).unwrap()
}

testkit::both_databases! {
    async fn a_read_that_writes_is_refused_by_the_engine_itself(home: TestDb) {
        use crate::schema::tenants;
        let db = open(&home);
        for _ in 0..2 {
            let refused = db.read(|tx| {
                let frozen = diesel::update(tenants::table).set(tenants::state.eq("FROZEN"));
                Ok::<_, StoreError>(frozen.execute(tx.conn())?)
            });
            let refused = refused.await;
            assert!(matches!(refused, Err(StoreError::ReadOnly(_))), "{refused:?}");
        }
        for statement in ["DELETE FROM tenants", "CREATE TABLE mine (id INTEGER)", "DROP TABLE ops_events"] {
            let refused = db.read(move |tx| Ok::<_, StoreError>(tx.conn().batch_execute(statement)?)).await;
            assert!(matches!(refused, Err(StoreError::ReadOnly(_))), "{statement}: {refused:?}");
        }
        let frozen = tenants::table.filter(tenants::state.eq("FROZEN")).count();
        let frozen = db.read(move |tx| Ok::<i64, StoreError>(frozen.get_result(tx.conn())?)).await;
        assert_eq!(frozen.unwrap(), 0);
    }

    async fn retention_closes_its_gate_before_the_transaction_ends(home: TestDb) {
        let db = open(&home);
        let refused = db.write(|tx| {
            let error = "INSERT INTO infra_error_events (error_id, at, layer, component, error_class, severity, \
                message, context, envelope_version, created_at) \
                VALUES ('err_1', 5, 'L6', 'c', 'unknown', 'error', 'm', '{}', '1.0', 5)";
            tx.conn().batch_execute(error).map_err(StoreError::from)?;
            let cutoff = model::time::Timestamp::from_micros(5);
            assert_eq!(crate::retention::delete_infra_errors_before(tx, cutoff)?, 0);
            Ok::<_, StoreError>(tx.conn().batch_execute("DELETE FROM infra_error_events")?)
        });
        let refused = refused.await;
        assert!(matches!(refused, Err(StoreError::Constraint(_))), "{refused:?}");
    }
}
