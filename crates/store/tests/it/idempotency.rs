//! Is the first answer to a key the answer for ever?

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use store::idempotency::{StoredAnswer, find, insert};
use store::{Db, StoreError};
use testkit::db::TestDb;

use crate::support::samples::{ACME, at};
use crate::support::soon;

fn answer(key: &str, body: &str) -> StoredAnswer {
    StoredAnswer {
        tenant: ACME,
        operation: "limits.create".to_owned(),
        key: key.to_owned(),
        principal: "key_1".to_owned(),
        fingerprint: "abc".to_owned(),
        status: 201,
        body: body.to_owned(),
        created_at: at(0),
    }
}

testkit::both_databases! {
    async fn an_answer_is_found_byte_for_byte(db: TestDb) {
        let given = answer("k", "{ \"a\" : 1.0,\n\"ü\":\"\\u0000\" }");
        let stored = given.clone();
        db.write(move |tx| insert(tx, &stored)).await.unwrap();
        let found = db.read(|tx| find(tx, ACME, "limits.create", "k")).await.unwrap();
        assert_eq!(found, Some(given));
        for (operation, key) in [("limits.update", "k"), ("limits.create", "K")] {
            let other = db.read(move |tx| find(tx, ACME, operation, key)).await.unwrap();
            assert_eq!(other, None, "{operation} {key}");
        }
    }

    async fn a_second_answer_is_refused_and_the_first_stays(db: TestDb) {
        db.write(|tx| insert(tx, &answer("k", "first"))).await.unwrap();
        let second = db.write(|tx| insert(tx, &answer("k", "second"))).await;
        assert!(matches!(second, Err(StoreError::Contention(_))), "{second:?}");
        let found = db.read(|tx| find(tx, ACME, "limits.create", "k")).await.unwrap();
        assert_eq!(found.unwrap().body, "first");
    }

    async fn an_answer_that_may_not_be_stored_is_refused(db: TestDb) {
        let refused = db.write(|tx| insert(tx, &StoredAnswer { status: 503, ..answer("k", "later") })).await;
        assert!(matches!(refused, Err(StoreError::Constraint(_))), "{refused:?}");
    }
}

/// What a service does: looks for an answer, and gives one if there is none.
async fn once(db: Db, name: &'static str, meet: Arc<Barrier>, tries: Arc<AtomicUsize>) -> String {
    let work = db.write(move |tx| {
        tries.fetch_add(1, Ordering::SeqCst);
        if let Some(stored) = find(tx, ACME, "limits.create", "k")? {
            return Ok::<_, StoreError>(stored.body);
        }
        // Both have found nothing before either goes on.
        meet.wait();
        insert(tx, &answer("k", name))?;
        Ok(name.to_owned())
    });
    work.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_answer_one_key_at_once_give_one_answer() {
    let db = TestDb::postgres();
    for _ in 0..5 {
        let (meet, tries) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
        let (left, right) = (db.db(), db.open_again());
        let both = async {
            tokio::join!(
                once(left, "left", Arc::clone(&meet), Arc::clone(&tries)),
                once(right, "right", Arc::clone(&meet), Arc::clone(&tries)),
            )
        };
        let (one, other) = soon(both).await;
        assert_eq!(one, other);
        assert_eq!(
            tries.load(Ordering::SeqCst),
            3,
            "the one that lost runs once more"
        );
        crate::support::raw::Raw::to(&db)
            .run("DELETE FROM idempotency_keys")
            .unwrap();
    }
}
