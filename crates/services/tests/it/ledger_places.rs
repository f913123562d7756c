//! Do never more LLM Runs go on at one time than there are places, and is every place given back?

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::settle::{Authority, End};
use model::id::TenantId;
use model::limit::{Enforcement, Limit};
use services::ledger::{HoldCommand, Ledger};
use testkit::db::TestDb;

use crate::books::{Books, decided, end, ended, settle};

const CLIENTS: usize = 64;
const EACH: usize = 6;
const PLACES: i64 = 5;

/// How many go on now, and how many did at most.
#[derive(Default)]
struct Gauge {
    now: AtomicI64,
    most: AtomicI64,
}

impl Gauge {
    fn begin(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
    }

    /// Said before the hold ends, so that what is counted here is never more than what goes on.
    fn finish(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Asks again and again; says how often it was let through.
async fn client(books: Arc<Books>, ledger: Ledger, tenant: TenantId, gauge: Arc<Gauge>) -> usize {
    let mut served = 0;
    for turn in 0..EACH {
        let answer = decided(ledger.hold(books.wish(tenant, 1)).await);
        let Some(hold) = answer.hold else {
            assert_eq!(
                answer.output.blocking[0].message_code,
                "CONCURRENT_RUN_LIMIT_EXCEEDED"
            );
            tokio::task::yield_now().await;
            continue;
        };
        gauge.begin();
        tokio::task::yield_now().await;
        gauge.finish();
        let how = if turn % 2 == 0 { settle(1) } else { End::Release };
        ended(ledger.end(end(tenant, hold.id, how, Authority::Client)).await).unwrap();
        served += 1;
    }
    served
}

/// Every client at once, each on one of the ledgers; says how many went on at most.
async fn storm(books: &Arc<Books>, ledgers: &[Ledger], tenant: TenantId) -> i64 {
    let gauge = Arc::new(Gauge::default());
    let mut waiting = Vec::new();
    for number in 0..CLIENTS {
        let ledger = ledgers[number % ledgers.len()].clone();
        waiting.push(tokio::spawn(client(
            Arc::clone(books),
            ledger,
            tenant,
            Arc::clone(&gauge),
        )));
    }
    let mut served = 0;
    for task in waiting {
        served += task.await.unwrap();
    }
    assert!(
        served >= usize::try_from(PLACES).unwrap(),
        "only {served} were let through"
    );
    gauge.most.load(Ordering::SeqCst)
}

fn several(books: &Books, tenant: TenantId, concurrency: i64) -> HoldCommand {
    HoldCommand {
        concurrency,
        ..books.wish(tenant, 1)
    }
}

testkit::both_databases! {
    async fn sixty_four_clients_never_take_more_places_than_there_are(db: TestDb) {
        let books = Arc::new(Books::new(db));
        let tenant = books.tenant().await;
        let limit = books.limit(books.places(tenant, PLACES)).await;
        let most = storm(&books, std::slice::from_ref(&books.ledger), tenant).await;
        assert!((1..=PLACES).contains(&most), "{most} at one time");
        assert_eq!(books.counted(tenant, limit).await, (0, 0));
        books.balance().await;
    }

    async fn two_processes_share_the_places_exactly(db: TestDb) {
        let books = Arc::new(Books::new(db));
        let tenant = books.tenant().await;
        let limit = books.limit(books.places(tenant, PLACES)).await;
        // Other locks are taken with it.
        books.limit(books.rate(tenant, 1_000_000, 60)).await;
        let most = storm(&books, &[books.another(), books.another()], tenant).await;
        assert!((1..=PLACES).contains(&most), "{most} at one time");
        // All of them are there again, and no more.
        for _ in 0..PLACES {
            assert!(books.hold(tenant, 1).await.allowed());
        }
        assert!(!books.hold(tenant, 1).await.allowed());
        assert_eq!(books.counted(tenant, limit).await, (0, PLACES));
        books.balance().await;
    }

    async fn whoever_is_gone_gives_its_place_back_when_its_hold_expires(db: TestDb) {
        let books = Books::new(db);
        let tenant = books.tenant().await;
        let limit = books.limit(books.places(tenant, 1)).await;
        let gone = books.hold(tenant, 1).await.hold.unwrap();
        assert!(!books.hold(tenant, 1).await.allowed());
        books.clock.advance_seconds(61);
        ended(books.ledger.end(end(tenant, gone.id, End::Expire, Authority::Gateway)).await).unwrap();
        let next = books.hold(tenant, 1).await.hold.unwrap();
        // It comes back and says what it has used: that takes no place, although the only one is taken.
        ended(books.ledger.end(end(tenant, gone.id, settle(1), Authority::Gateway)).await).unwrap();
        assert_eq!(books.counted(tenant, limit).await, (0, 1));
        books.settle(tenant, next.id, 1).await.unwrap();
        assert_eq!(books.counted(tenant, limit).await, (0, 0));
        books.balance().await;
    }

    async fn so_many_at_one_time_take_as_many_places_and_none_takes_none(db: TestDb) {
        let books = Books::new(db);
        let tenant = books.tenant().await;
        let limit = books.limit(books.places(tenant, 5)).await;
        let three = decided(books.ledger.hold(several(&books, tenant, 3)).await);
        assert_eq!(three.output.headroom.requests, Some(2));
        assert!(!decided(books.ledger.hold(several(&books, tenant, 3)).await).allowed());
        assert!(decided(books.ledger.hold(several(&books, tenant, 2)).await).allowed());
        assert!(decided(books.ledger.hold(several(&books, tenant, 0)).await).allowed());
        assert_eq!(books.counted(tenant, limit).await, (0, 5));
        books.settle(tenant, three.hold.unwrap().id, 1).await.unwrap();
        assert_eq!(books.counted(tenant, limit).await, (0, 2));
        books.balance().await;
    }

    async fn full_places_are_no_incident_and_what_lets_pass_is_told_once_a_day(db: TestDb) {
        let books = Books::new(db);
        let tenant = books.tenant().await;
        let strict = books.limit(books.places(tenant, 3)).await;
        let alert = Limit { enforcement: Enforcement::Alert, ..books.places(tenant, 1) };
        let alert = books.limit(alert).await;
        for _ in 0..4 {
            books.hold(tenant, 1).await;
        }
        let breaches = |limit| {
            let since = model::time::Timestamp::from_micros(0);
            books.db.read(move |tx| store::breaches::count(tx, tenant, limit, since))
        };
        assert_eq!((breaches(strict).await.unwrap(), breaches(alert).await.unwrap()), (1, 1));
        let (looked_at, _) = books.db.read(|tx| store::breaches::unexplained(tx, None, 10)).await.unwrap();
        // Places that are full are part of how it works, as rates are.
        assert!(looked_at.iter().all(|breach| breach.as_ref().unwrap().limit != strict), "{looked_at:?}");
    }
}
