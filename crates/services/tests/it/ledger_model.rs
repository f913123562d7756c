//! Any history of commands, against a model that a child could check.
//!
//! The model keeps every hold in a list and adds up. After each command the ledger must have answered what the
//! model answers, and at the end its counters must be what the model adds up to.

use std::sync::Arc;

use domain::settle::{Authority, End};
use model::hold::HoldStatus;
use model::id::{HoldId, LimitId, TenantId};
use model::time::{Clock as _, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use services::ledger::LedgerError;
use testkit::db::TestDb;

use crate::books::{Books, decided, end, ended, settle};

const BUDGET: i64 = 50;
const PER_MINUTE: usize = 6;
const PLACES: usize = 4;
const TTL_MS: i64 = 60_000;

#[derive(Debug, Clone)]
enum Step {
    Hold(i64),
    /// Settle the n-th hold (counted round) with this share of it in percent, by the client or the gateway.
    Settle(usize, i64, bool),
    Release(usize),
    Expire(usize),
    Wait(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0_i64..20).prop_map(Step::Hold),
        3 => (any::<usize>(), 0_i64..130, any::<bool>()).prop_map(|(n, pct, gateway)| Step::Settle(n, pct, gateway)),
        2 => any::<usize>().prop_map(Step::Release),
        2 => any::<usize>().prop_map(Step::Expire),
        2 => prop_oneof![Just(1_u32), Just(25), Just(60), Just(90_000)].prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..40)
}

/// A hold in the model.
struct Entry {
    id: HoldId,
    at: Timestamp,
    amount: i64,
    status: HoldStatus,
    settled: i64,
}

impl Entry {
    fn counts(&self) -> i64 {
        match self.status {
            HoldStatus::Pending => self.amount,
            HoldStatus::Settled => self.settled,
            HoldStatus::Released | HoldStatus::Expired => 0,
        }
    }

    /// How many requests it counts for in the rate: one while it is open or settled.
    fn requests(&self) -> usize {
        usize::from(matches!(self.status, HoldStatus::Pending | HoldStatus::Settled))
    }

    fn same_day(&self, now: Timestamp) -> bool {
        self.at.as_micros() / 86_400_000_000 == now.as_micros() / 86_400_000_000
    }

    /// Whether its step of one second still overlaps the last minute.
    fn in_minute(&self, now: Timestamp) -> bool {
        now.as_micros() < (self.at.as_micros() / 1_000_000 + 1) * 1_000_000 + 60_000_000
    }
}

struct World<'a> {
    books: &'a Books,
    tenant: TenantId,
    budget: LimitId,
    rate: LimitId,
    places: LimitId,
    entries: Vec<Entry>,
}

impl World<'_> {
    async fn step(&mut self, step: &Step) {
        match step {
            Step::Wait(seconds) => self.books.clock.advance_seconds(*seconds),
            Step::Hold(amount) => self.hold(*amount).await,
            Step::Settle(n, pct, gateway) => {
                let Some(index) = self.pick(*n) else { return };
                let used = self.entries[index].amount * pct / 100;
                let authority = if *gateway {
                    Authority::Gateway
                } else {
                    Authority::Client
                };
                self.end(index, settle(used), authority).await;
            }
            Step::Release(n) => {
                let Some(index) = self.pick(*n) else { return };
                self.end(index, End::Release, Authority::Client).await;
            }
            Step::Expire(n) => {
                let Some(index) = self.pick(*n) else { return };
                self.end(index, End::Expire, Authority::Gateway).await;
            }
        }
    }

    fn pick(&self, n: usize) -> Option<usize> {
        n.checked_rem(self.entries.len())
    }

    async fn hold(&mut self, amount: i64) {
        let now = self.books.clock.now();
        let used: i64 = self
            .entries
            .iter()
            .filter(|e| e.same_day(now))
            .map(Entry::counts)
            .sum();
        let requests: usize = self
            .entries
            .iter()
            .filter(|e| e.in_minute(now))
            .map(Entry::requests)
            .sum();
        let is_open = |e: &&Entry| e.status == HoldStatus::Pending;
        let open = self.entries.iter().filter(is_open).count();
        let fits = (amount == 0 || used + amount <= BUDGET) && requests < PER_MINUTE && open < PLACES;
        let mut wish = self.books.wish(self.tenant, amount);
        wish.ttl_ms = TTL_MS;
        let answer = decided(self.books.ledger.hold(wish).await);
        assert_eq!(
            answer.allowed(),
            fits,
            "{used} used, {requests} requests, {open} open, {amount} wanted"
        );
        if let Some(hold) = answer.hold {
            let entry = Entry {
                id: hold.id,
                at: now,
                amount,
                status: HoldStatus::Pending,
                settled: 0,
            };
            self.entries.push(entry);
        }
    }

    async fn end(&mut self, index: usize, how: End, authority: Authority) {
        let now = self.books.clock.now();
        let entry = &mut self.entries[index];
        let over = now >= entry.at.plus_millis(TTL_MS);
        let used = match how {
            End::Settle(amounts) => amounts.cost.0,
            End::Release | End::Expire => 0,
        };
        let gateway = authority == Authority::Gateway;
        let settles = matches!(how, End::Settle(_));
        let expected = match (entry.status, how) {
            (HoldStatus::Settled | HoldStatus::Released, _) => Err("closed"),
            (HoldStatus::Expired, _) if settles && gateway => Ok(HoldStatus::Settled),
            (HoldStatus::Expired, _) => Err("expired"),
            (HoldStatus::Pending, End::Expire) if over => Ok(HoldStatus::Expired),
            (HoldStatus::Pending, End::Expire) => Err("not due"),
            (HoldStatus::Pending, _) if over && !gateway => Err("expired"),
            (HoldStatus::Pending, End::Settle(_)) if !gateway && used > entry.amount && entry.amount > 0 => {
                Err("exceeds")
            }
            (HoldStatus::Pending, End::Settle(_)) => Ok(HoldStatus::Settled),
            (HoldStatus::Pending, End::Release) => Ok(HoldStatus::Released),
        };
        let answer = ended(
            self.books
                .ledger
                .end(end(self.tenant, entry.id, how, authority))
                .await,
        );
        let said = match answer {
            Ok(answer) => Ok(answer.hold.status),
            Err(LedgerError::HoldClosed(_)) => Err("closed"),
            Err(LedgerError::HoldExpired) => Err("expired"),
            Err(LedgerError::ExceedsHold) => Err("exceeds"),
            Err(LedgerError::NotDue) => Err("not due"),
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(said, expected, "{how:?} by {authority:?}");
        if let Ok(status) = expected {
            entry.status = status;
            entry.settled = used;
        }
    }

    /// At the end the counters are what the model adds up to.
    async fn check(&self) {
        let sum = |status: HoldStatus, pick: fn(&Entry) -> i64| {
            self.entries
                .iter()
                .filter(|e| e.status == status)
                .map(pick)
                .sum::<i64>()
        };
        let expected = (
            sum(HoldStatus::Settled, |e| e.settled),
            sum(HoldStatus::Pending, |e| e.amount),
        );
        assert_eq!(self.books.counted(self.tenant, self.budget).await, expected);
        let expected = (sum(HoldStatus::Settled, |_| 1), sum(HoldStatus::Pending, |_| 1));
        assert_eq!(self.books.counted(self.tenant, self.rate).await, expected);
        // Of places nothing is ever used up.
        let expected = (0, sum(HoldStatus::Pending, |_| 1));
        assert_eq!(self.books.counted(self.tenant, self.places).await, expected);
        self.books.balance().await;
    }
}

fn any_history_is_what_the_model_says(db: TestDb, cases: u32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let books = Arc::new(Books::new(db));
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&steps(), |steps| {
        runtime.block_on(async {
            let tenant = books.tenant().await;
            let budget = books.limit(books.budget(tenant, BUDGET)).await;
            let rate = books
                .limit(books.rate(tenant, i64::try_from(PER_MINUTE).unwrap(), 60))
                .await;
            let places = i64::try_from(PLACES).unwrap();
            let places = books.limit(books.places(tenant, places)).await;
            let mut world = World {
                books: &books,
                tenant,
                budget,
                rate,
                places,
                entries: Vec::new(),
            };
            for step in &steps {
                world.step(step).await;
            }
            world.check().await;
        });
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn any_history_on_sqlite_is_what_the_model_says() {
    any_history_is_what_the_model_says(TestDb::sqlite(), 150);
}

#[test]
fn any_history_on_postgres_is_what_the_model_says() {
    any_history_is_what_the_model_says(TestDb::postgres(), 60);
}
