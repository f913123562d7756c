//! Does the ledger find its rows by their keys, whatever the planner has seen of the tables?
//!
//! PostgreSQL alone has a planner that changes its mind: an empty or small table it would rather read whole, and it
//! would go on doing so while the table grows. Its own statistics say what was read in which way.

use std::time::Duration;

use domain::settle::{Authority, End};
use futures_util::future::join_all;
use model::hold::Hold;
use model::id::TenantId;
use services::ledger::{Idempotency, Ledger};
use testkit::db::{TableActivity, TestDb};

use crate::books::{Books, decided, end, ended, settle};

/// Holds that are taken and ended.
const HOLDS: u64 = 400;

/// Tables that grow with traffic, and that the ledger looks into.
const LOOKED_INTO: [&str; 3] = ["holds", "idempotency_keys", "limit_counters"];

/// One request, from its hold to its end.
async fn one(books: &Books, ledger: &Ledger, (tenant, number): (TenantId, u64)) {
    let mut wish = books.wish(tenant, 5);
    wish.idempotency = Some(Idempotency {
        operation: "limits.check",
        key: number.to_string(),
        principal: "key_a".to_owned(),
        fingerprint: "f".to_owned(),
        render: |_| (200, String::new()),
    });
    let hold: Hold = decided(ledger.hold(wish).await).hold.unwrap();
    let how = if number.is_multiple_of(3) {
        End::Release
    } else {
        settle(4)
    };
    let command = end(tenant, hold.id, how, Authority::Client);
    ended(ledger.end(command).await).unwrap();
}

/// What was done to the tables, once the connections of the ledger have told everything they did to the holds.
async fn told(db: &TestDb) -> Vec<(&'static str, TableActivity)> {
    for _ in 0..400 {
        let tables = db.table_activity();
        let holds = tables["holds"];
        if (holds.inserted, holds.updated) == (HOLDS, HOLDS) {
            return LOOKED_INTO.map(|table| (table, tables[table])).to_vec();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the statistics do not say that {HOLDS} holds were taken and ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_of_holds_and_ends_read_no_table_from_end_to_end() {
    let books = Books::new(TestDb::postgres());
    let mut tenants = Vec::new();
    for _ in 0..5 {
        let tenant = books.tenant().await;
        books.limit(books.budget(tenant, 1_000_000)).await;
        books.limit(books.rate(tenant, 1_000_000, 60)).await;
        tenants.push(tenant);
    }
    let ledger = books.another();
    // The first finds the tables empty, the others find them growing.
    let requests: Vec<_> = tenants.into_iter().cycle().zip(0..HOLDS).collect();
    let (alone, together) = requests.split_at(20);
    for request in alone {
        one(&books, &ledger, *request).await;
    }
    join_all(together.iter().map(|request| one(&books, &ledger, *request))).await;
    // Closes its connections, and with that they tell what they did.
    drop(ledger);
    for (table, done) in told(&books.db).await {
        assert!(done.inserted > 0, "{table} was not used");
        assert_eq!(
            done.sequential_scans, 0,
            "{table} was read from end to end: {done:?}"
        );
    }
}
