//! Is a stored word that nobody knows reported with its place?

use model::id::{KeyId, LimitId, RunId};
use store::{Db, StoreError};
use testkit::db::TestDb;

use crate::support::raw::Raw;
use crate::support::samples::{ACME, add_limits, at, cost, hold, key, limit, run};

async fn add_all(db: &Db) {
    add_limits(db, 1).await;
    let write = db.write(|tx| store::keys::insert(tx, &key(3), "hash"));
    write.await.unwrap();
    let write = db.locked(|tx| {
        store::runs::insert(tx, &[run(1, at(0))])?;
        store::holds::insert(tx, &[hold(1)])?;
        store::costs::insert(tx, &[cost(1)])
    });
    write.await.unwrap();
}

fn place<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> (&'static str, &'static str) {
    match answer {
        Err(StoreError::Corrupt { table, column }) => (table, column),
        other => panic!("{other:?}"),
    }
}

testkit::both_databases! {
    async fn a_corrupt_word_names_its_table_and_column(db: TestDb) {
        add_all(&db).await;
        let damage = |sql: &str| Raw::to(&db).run(sql).unwrap();

        damage("UPDATE runs SET operation = 'teleport'");
        let found = db.read(|tx| store::runs::find(tx, ACME, RunId::from_bits(1))).await;
        assert_eq!(place(found), ("runs", "operation"));

        damage("UPDATE runs SET operation = 'chat', subject = '{'");
        let found = db.read(|tx| store::runs::find(tx, ACME, RunId::from_bits(1))).await;
        assert_eq!(place(found), ("runs", "subject"));

        damage("UPDATE limits SET zone = 'Middle/Earth'");
        let found = db.read(|tx| store::limits::active(tx, ACME)).await;
        assert_eq!(place(found), ("limits", "zone"));
        let found = db.read(|tx| store::limits::find(tx, ACME, LimitId::from_bits(1))).await;
        assert_eq!(place(found), ("limits", "zone"));

        damage("UPDATE api_keys SET scopes = 'LLM FLY'");
        let found = db.read(|tx| store::keys::find(tx, ACME, KeyId::from_bits(3))).await;
        assert_eq!(place(found), ("api_keys", "scopes"));

        damage("UPDATE holds SET items = '[{\"l\":1}]'");
        let found = db.read(|tx| store::holds::stretch(tx, None, 10)).await;
        assert_eq!(place(found), ("holds", "items"));

        damage("UPDATE holds SET items = '[]', decision_id = 'hold_00000000000000000000000001'");
        let found = db.locked(|tx| store::holds::lock(tx, &[(ACME, hold(1).id)])).await;
        assert_eq!(place(found), ("holds", "decision_id"));
    }

    async fn the_database_itself_refuses_words_that_it_can_know(db: TestDb) {
        add_all(&db).await;
        for sql in [
            "UPDATE runs SET status = 'lost'",
            "UPDATE limits SET enforcement = 'PLEAD'",
            "UPDATE limits SET limit_type = 'LOVE'",
            "UPDATE limits SET max_value = 0",
            "UPDATE api_keys SET status = 'ASLEEP'",
            "UPDATE holds SET status = 'SETTLED'",
            "UPDATE tenants SET state = 'THAWED'",
            "INSERT INTO infra_error_events (error_id, at, layer, component, error_class, severity, message, context, \
                envelope_version, created_at) VALUES ('err_1', 5, 'L6', 'c', 'infra.magic', 'error', 'm', '{}', '1.0', 5)",
        ] {
            Raw::to(&db).run(sql).expect_err(sql);
        }
        let too_fast = { let mut fast = key(4); fast.rpm = Some(u32::MAX); fast };
        let refused = db.write(move |tx| store::keys::insert(tx, &too_fast, "other")).await;
        assert!(matches!(refused, Err(StoreError::Constraint(_))), "{refused:?}");
        let mut too_long = limit(2);
        too_long.category = model::limit::LimitCategory::Rate;
        too_long.window = model::window::WindowSpec::Rolling { seconds: u32::MAX };
        let refused = db.write(move |tx| store::limits::insert(tx, &too_long)).await;
        assert!(matches!(refused, Err(StoreError::Constraint(_))), "{refused:?}");
    }
}
