//! Many at once: never over, never a false block, and the counters are the sum of the holds.
//!
//! The same storm and the same checks are put to variants that are wrong on purpose: where they pass those, the
//! checks prove nothing.

use std::sync::Arc;
use std::time::Duration;

use domain::settle::{Authority, End};
use model::amounts::Amounts;
use model::hold::{Hold, HoldItem, HoldStatus};
use model::id::{DecisionId, HoldId, LimitId, TenantId};
use model::limit::LimitType;
use model::time::{Clock as _, Timestamp};
use services::ledger::Ledger;
use store::counters::{Counter, CounterKey};
use store::{Db, StoreError};
use testkit::both_databases;
use testkit::db::TestDb;

use crate::books::{Books, decided, end, ended, settle};

const TASKS: usize = 64;

/// The limit of the storms, and what each request wants of it; it never fits exactly.
const MAX: i64 = 3_000;
const WISH: i64 = 7;

/// Who lets requests through.
trait Gate: Clone + Send + Sync + 'static {
    /// A hold for so many nano-USD, unless there is no room for it.
    fn ask(&self, tenant: TenantId, wish: i64) -> impl Future<Output = Option<HoldId>> + Send;

    /// Settles all of a hold, or releases it.
    fn end(&self, tenant: TenantId, hold: HoldId, how: End) -> impl Future<Output = ()> + Send;
}

/// The ledger itself.
#[derive(Clone)]
struct Real {
    books: Arc<Books>,
    ledger: Ledger,
}

impl Real {
    fn of(books: &Arc<Books>) -> Self {
        Self {
            books: Arc::clone(books),
            ledger: books.ledger.clone(),
        }
    }

    /// With connections of its own, as another process has them.
    fn another(books: &Arc<Books>) -> Self {
        Self {
            books: Arc::clone(books),
            ledger: books.another(),
        }
    }
}

impl Gate for Real {
    async fn ask(&self, tenant: TenantId, wish: i64) -> Option<HoldId> {
        let answer = decided(self.ledger.hold(self.books.wish(tenant, wish)).await);
        answer.hold.map(|hold| hold.id)
    }

    async fn end(&self, tenant: TenantId, hold: HoldId, how: End) {
        let ended = ended(self.ledger.end(end(tenant, hold, how, Authority::Client)).await);
        ended.unwrap();
    }
}

/// What a limit has settled and holds, read without a lock.
async fn sum(db: &Db, key: CounterKey) -> i64 {
    let counters = db
        .read(move |tx| store::counters::since(tx, &[key]))
        .await
        .unwrap();
    counters
        .iter()
        .map(|counter| counter.settled + counter.held)
        .sum()
}

/// Sabotaged: adds up in one transaction and inserts in another, without a lock on what was added up.
#[derive(Clone)]
struct SumThenInsert {
    books: Arc<Books>,
    db: Db,
    key: CounterKey,
}

impl SumThenInsert {
    fn of(books: &Arc<Books>, (owner, limit): (TenantId, LimitId)) -> Self {
        Self {
            books: Arc::clone(books),
            db: books.db.db(),
            key: books.key(owner, limit),
        }
    }

    /// A hold as the ledger would take it.
    fn taken(&self, tenant: TenantId, wish: i64) -> Hold {
        let now = self.books.clock.now();
        Hold {
            id: HoldId::generate(self.books.ids.as_ref()),
            tenant,
            status: HoldStatus::Pending,
            decision: DecisionId::generate(self.books.ids.as_ref()),
            run: None,
            subject: Arc::default(),
            requested: amounts(wish),
            settled: None,
            items: vec![HoldItem {
                owner: self.key.owner,
                limit: self.key.limit,
                counts: LimitType::CostUsd,
                window_start: self.key.window_start,
                amount: wish,
                settled: 0,
                carried: false,
            }],
            created_at: now,
            expires_at: now.plus_seconds(60),
            ended_at: None,
        }
    }
}

impl Gate for SumThenInsert {
    async fn ask(&self, tenant: TenantId, wish: i64) -> Option<HoldId> {
        if sum(&self.db, self.key).await + wish > MAX {
            return None;
        }
        // As long as a slow decision takes.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let (key, hold) = (self.key, self.taken(tenant, wish));
        let id = hold.id;
        let insert = self.db.locked(move |tx| {
            store::holds::insert(tx, std::slice::from_ref(&hold))?;
            store::counters::add(tx, &[delta(key, 0, wish)])
        });
        insert.await.unwrap();
        Some(id)
    }

    async fn end(&self, tenant: TenantId, hold: HoldId, how: End) {
        let (key, now) = (self.key, self.books.clock.now());
        let change = self.db.locked(move |tx| {
            let mut locked = store::holds::lock(tx, &[(tenant, hold)])?;
            let given: i64 = locked.iter_mut().map(|hold| closed(hold, how, now)).sum();
            store::holds::end(tx, &locked)?;
            let settled = if how == End::Release { 0 } else { given };
            store::counters::add(tx, &[delta(key, settled, -given)])?;
            Ok::<_, StoreError>(())
        });
        change.await.unwrap();
    }
}

/// Ends a hold in full, and says how much it held.
fn closed(hold: &mut Hold, how: End, now: Timestamp) -> i64 {
    let all = hold.items.iter().map(|item| item.amount).sum();
    hold.ended_at = Some(now);
    hold.status = HoldStatus::Released;
    if let End::Settle(used) = how {
        hold.status = HoldStatus::Settled;
        hold.settled = Some(used);
        for item in &mut hold.items {
            item.settled = item.amount;
        }
    }
    all
}

fn delta(key: CounterKey, settled: i64, held: i64) -> Counter {
    Counter { key, settled, held }
}

/// Sabotaged: keeps room for two more requests, to be on the safe side.
#[derive(Clone)]
struct Timid {
    real: Real,
    key: CounterKey,
    /// Nobody takes the room between the look and the hold.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Gate for Timid {
    async fn ask(&self, tenant: TenantId, wish: i64) -> Option<HoldId> {
        let _turn = self.turn.lock().await;
        if sum(&self.real.books.db, self.key).await + 3 * wish > MAX {
            return None;
        }
        self.real.ask(tenant, wish).await
    }

    async fn end(&self, tenant: TenantId, hold: HoldId, how: End) {
        self.real.end(tenant, hold, how).await;
    }
}

/// Every task asks until it is refused; each hold is settled, released or left open in turn. Returns how much was
/// let through for good and how much is still held.
async fn storm<G: Gate>(gates: &[G], tenant: TenantId) -> (i64, i64) {
    let mut waiting = Vec::new();
    for task in 0..TASKS {
        let gate = gates[task % gates.len()].clone();
        waiting.push(tokio::spawn(async move {
            let (mut used, mut open) = (0, 0);
            for turn in 0.. {
                let Some(hold) = gate.ask(tenant, WISH).await else {
                    break;
                };
                let how = match turn % 3 {
                    0 => Some(settle(WISH)),
                    1 => Some(End::Release),
                    _ => None,
                };
                match how {
                    Some(how) => {
                        gate.end(tenant, hold, how).await;
                        used += if how == End::Release { 0 } else { WISH };
                    }
                    None => open += WISH,
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

/// What is wrong with the books after a storm. They must be exactly full: nothing over, no room left that a request
/// was refused, and the counters the sum of the holds.
async fn wrong<G: Gate>(
    books: &Books,
    gate: &G,
    (tenant, limit): (TenantId, LimitId),
    (used, held): (i64, i64),
) -> Vec<&'static str> {
    let mut found = Vec::new();
    if books.counted(tenant, limit).await != (used, held) {
        found.push("what was let through is not what is counted");
    }
    if used + held > MAX {
        found.push("over the limit");
    }
    // A release may come after the last refusal, so ask once more for all the room that is left.
    let mut room = MAX - used - held;
    while room >= WISH {
        if gate.ask(tenant, WISH).await.is_none() {
            found.push("a false block");
            break;
        }
        room -= WISH;
    }
    if room < WISH && gate.ask(tenant, WISH).await.is_some() {
        found.push("let through without room");
    }
    if !books.ledger.verify().await.unwrap().mismatches.is_empty() {
        found.push("the counters are not the sum of the holds");
    }
    found
}

/// Books with one strict limit of [`MAX`].
async fn one_limit(db: TestDb) -> (Arc<Books>, TenantId, LimitId) {
    let books = Arc::new(Books::new(db));
    let tenant = books.tenant().await;
    let limit = books.limit(books.budget(tenant, MAX)).await;
    (books, tenant, limit)
}

both_databases! {
    async fn sixty_four_tasks_on_one_hot_limit_neither_pass_it_nor_are_refused_room(db: TestDb) {
        let (books, tenant, limit) = one_limit(db).await;
        let gates = [Real::of(&books)];
        let total = storm(&gates, tenant).await;
        assert_eq!(wrong(&books, &gates[0], (tenant, limit), total).await, [""; 0]);
    }

    async fn two_ledgers_of_their_own_share_one_limit_exactly(db: TestDb) {
        let (books, tenant, limit) = one_limit(db).await;
        books.limit(books.rate(tenant, 1_000_000, 60)).await;
        let gates = [Real::another(&books), Real::another(&books)];
        let total = storm(&gates, tenant).await;
        assert_eq!(wrong(&books, &gates[0], (tenant, limit), total).await, [""; 0]);
    }

    async fn the_checks_find_that_adding_up_first_and_inserting_afterwards_passes_the_limit(db: TestDb) {
        let (books, tenant, limit) = one_limit(db).await;
        let gates = [SumThenInsert::of(&books, (tenant, limit))];
        let total = storm(&gates, tenant).await;
        assert_eq!(wrong(&books, &gates[0], (tenant, limit), total).await, ["over the limit"]);
    }

    async fn the_checks_find_that_keeping_room_to_be_safe_blocks_falsely(db: TestDb) {
        let (books, tenant, limit) = one_limit(db).await;
        let gate = Timid { real: Real::of(&books), key: books.key(tenant, limit), turn: Arc::default() };
        let total = storm(std::slice::from_ref(&gate), tenant).await;
        assert_eq!(wrong(&books, &gate, (tenant, limit), total).await, ["a false block"]);
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

impl Books {
    /// The counter of a daily limit today.
    fn key(&self, owner: TenantId, limit: LimitId) -> CounterKey {
        let window = self.budget(owner, 1).window.window_at(self.clock.now());
        CounterKey {
            owner,
            limit,
            window_start: window.start.as_micros(),
        }
    }
}

fn amounts(nano: i64) -> Amounts {
    let End::Settle(amounts) = settle(nano) else {
        panic!("settling is settling");
    };
    amounts
}
