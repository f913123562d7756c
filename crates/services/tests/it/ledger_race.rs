//! Many at once: never over, never a false block, and the counters are the sum of the holds.

use std::sync::Arc;

use domain::settle::{Authority, End};
use model::id::{LimitId, TenantId};
use services::ledger::Ledger;
use testkit::both_databases;
use testkit::db::TestDb;

use crate::books::{Books, decided, end, ended, settle};

const TASKS: usize = 64;

/// Every task asks until it is refused; each hold is settled, released or left open in turn. Returns how much was
/// let through for good and how much is still held.
async fn storm(books: &Arc<Books>, ledgers: &[Ledger], tenant: TenantId, wish: i64) -> (i64, i64) {
    let mut waiting = Vec::new();
    for task in 0..TASKS {
        let (books, ledger) = (Arc::clone(books), ledgers[task % ledgers.len()].clone());
        waiting.push(tokio::spawn(async move {
            let (mut used, mut open) = (0, 0);
            for turn in 0.. {
                let Some(hold) = decided(ledger.hold(books.wish(tenant, wish)).await).hold else {
                    break;
                };
                let how = match turn % 3 {
                    0 => Some(settle(wish)),
                    1 => Some(End::Release),
                    _ => None,
                };
                match how {
                    Some(how) => {
                        ended(ledger.end(end(tenant, hold.id, how, Authority::Client)).await).unwrap();
                        used += if how == End::Release { 0 } else { wish };
                    }
                    None => open += wish,
                }
            }
            (used, open)
        }));
    }
    let mut total = (0, 0);
    for task in waiting {
        let (used, held) = task.await.unwrap();
        total = (total.0 + used, total.1 + held);
    }
    total
}

/// Whether the books are exactly full: nothing over, and no room left that a request was refused.
async fn exactly_full(
    books: &Books,
    (tenant, limit): (TenantId, LimitId),
    max: i64,
    wish: i64,
    (used, held): (i64, i64),
) {
    assert_eq!(books.counted(tenant, limit).await, (used, held));
    assert!(used + held <= max, "over: {used} + {held} > {max}");
    // A release may come after the last refusal, so ask once more for all the room that is left.
    let mut room = max - used - held;
    while room >= wish {
        assert!(
            books.hold(tenant, wish).await.allowed(),
            "a false block with {room} left"
        );
        room -= wish;
    }
    assert!(!books.hold(tenant, wish).await.allowed());
    books.balance().await;
}

both_databases! {
    async fn sixty_four_tasks_on_one_hot_limit_neither_pass_it_nor_are_refused_room(db: TestDb) {
        let books = Arc::new(Books::new(db));
        let tenant = books.tenant().await;
        let limit = books.limit(books.budget(tenant, 3_000)).await;
        let total = storm(&books, std::slice::from_ref(&books.ledger), tenant, 7).await;
        exactly_full(&books, (tenant, limit), 3_000, 7, total).await;
    }

    async fn two_ledgers_of_their_own_share_one_limit_exactly(db: TestDb) {
        let books = Arc::new(Books::new(db));
        let tenant = books.tenant().await;
        let limit = books.limit(books.budget(tenant, 1_500)).await;
        books.limit(books.rate(tenant, 1_000_000, 60)).await;
        let total = storm(&books, &[books.another(), books.another()], tenant, 7).await;
        exactly_full(&books, (tenant, limit), 1_500, 7, total).await;
    }

    async fn many_tenants_at_once_are_each_exact(db: TestDb) {
        let books = Arc::new(Books::new(db));
        let mut all = Vec::new();
        for _ in 0..20 {
            let tenant = books.tenant().await;
            all.push((tenant, books.limit(books.budget(tenant, 100)).await));
        }
        let mut waiting = Vec::new();
        for (tenant, _) in all.clone().into_iter().cycle().take(20 * 30) {
            let books = Arc::clone(&books);
            waiting.push(tokio::spawn(async move { books.hold(tenant, 9).await.allowed() }));
        }
        let mut allowed = 0;
        for task in waiting {
            allowed += usize::from(task.await.unwrap());
        }
        assert_eq!(allowed, 20 * 11);
        for (tenant, limit) in all {
            assert_eq!(books.counted(tenant, limit).await, (0, 99));
        }
        books.balance().await;
    }

    async fn a_race_to_end_a_hold_has_one_winner(db: TestDb) {
        let books = Arc::new(Books::new(db));
        let tenant = books.tenant().await;
        let limit = books.limit(books.budget(tenant, 1_000)).await;
        let ledgers = [books.ledger.clone(), books.another()];
        for round in 0..40 {
            let hold = books.hold(tenant, 10).await.hold.unwrap();
            let mut waiting = Vec::new();
            for racer in 0..6 {
                let how = if (racer + round) % 2 == 0 { settle(10) } else { End::Release };
                let ledger = ledgers[racer % 2].clone();
                waiting.push(tokio::spawn(async move {
                    ended(ledger.end(end(tenant, hold.id, how, Authority::Client)).await).is_ok()
                }));
            }
            let mut winners = 0;
            for task in waiting {
                winners += u32::from(task.await.unwrap());
            }
            assert_eq!(winners, 1);
        }
        assert_eq!(books.counted(tenant, limit).await.1, 0);
        books.balance().await;
    }
}

/// The negative control: adding up first and inserting afterwards, without a lock, passes the limit. If this test
/// fails, the tests above prove nothing.
#[tokio::test(flavor = "multi_thread")]
async fn summing_first_and_inserting_afterwards_passes_the_limit() {
    let books = Arc::new(Books::new(TestDb::postgres()));
    let tenant = books.tenant().await;
    let limit = books.limit(books.budget(tenant, 100)).await;
    let window_start = books.clock_window();
    let key = store::counters::CounterKey {
        owner: tenant,
        limit,
        window_start,
    };
    let processes: Vec<_> = (0..8).map(|_| books.db.open_again()).collect();
    let mut waiting = Vec::new();
    for task in 0..TASKS {
        let db = processes[task % processes.len()].clone();
        waiting.push(tokio::spawn(async move {
            db.locked(move |tx| {
                let used: i64 = store::counters::since(tx, &[key])?
                    .iter()
                    .map(|c| c.settled + c.held)
                    .sum();
                if used + 10 > 100 {
                    return Ok(());
                }
                // As long as any real decision takes.
                std::thread::sleep(std::time::Duration::from_millis(2));
                let more = store::counters::Counter {
                    key,
                    settled: 0,
                    held: 10,
                };
                store::counters::add(tx, &[more])
            })
            .await
            .unwrap();
        }));
    }
    for task in waiting {
        task.await.unwrap();
    }
    let (_, held) = books.counted(tenant, limit).await;
    assert!(
        held > 100,
        "the sabotaged variant held {held} of 100: the race did not happen"
    );
}

impl Books {
    fn clock_window(&self) -> i64 {
        use model::time::Clock as _;
        self.budget(TenantId::PLATFORM, 1)
            .window
            .window_at(self.clock.now())
            .start
            .as_micros()
    }
}
