//! Is it told once in a window that a limit which lets pass was passed, and does an alert fire with it?

use std::sync::Arc;

use domain::settle::{Authority, End};
use model::audit::{Actor, AuditEntry, AuditEvent, EntityType};
use model::id::{HoldId, LimitId, TenantId};
use model::limit::{Enforcement, Limit, LimitCategory, LimitType};
use model::time::{Clock as _, Timestamp};
use model::window::{ResetPeriod, Weekday, WindowSpec};
use testkit::db::TestDb;

use crate::books::{Books, decided, end, ended, settle};

struct Told {
    books: Arc<Books>,
    tenant: TenantId,
}

impl Told {
    async fn new(db: TestDb) -> Self {
        let books = Arc::new(Books::new(db));
        let tenant = books.tenant().await;
        Self { books, tenant }
    }

    async fn limit(&self, enforcement: Enforcement, of: Limit) -> LimitId {
        self.books.limit(Limit { enforcement, ..of }).await
    }

    async fn takes(&self, nano: i64) -> HoldId {
        let answer = self.books.hold(self.tenant, nano).await;
        answer.hold.map(|hold| hold.id).unwrap()
    }

    async fn change(&self, limit: LimitId, max: i64) {
        let (tenant, now) = (self.tenant, self.books.clock.now());
        let changed = self.books.db.write(move |tx| {
            let known = store::limits::find(tx, tenant, limit)?;
            let changed = known.map(|known| Limit {
                max,
                updated_at: now,
                ..known
            });
            changed.map_or(Ok(()), |limit| store::limits::update(tx, &limit))
        });
        changed.await.unwrap();
    }

    async fn lets_go(&self, hold: HoldId) {
        let release = end(self.tenant, hold, End::Release, Authority::Client);
        ended(self.books.ledger.end(release).await).unwrap();
    }

    async fn breaches(&self, limit: LimitId) -> i64 {
        let (tenant, since) = (self.tenant, Timestamp::from_micros(0));
        let counted = self
            .books
            .db
            .read(move |tx| store::breaches::count(tx, tenant, limit, since));
        counted.await.unwrap()
    }

    /// The breaches of the limit in the audit ledger, newest first.
    async fn audited(&self, limit: LimitId) -> Vec<AuditEntry> {
        let filter = store::audit::Filter {
            entity_type: Some(EntityType::Limit),
            entity_id: Some(limit.to_string()),
            before: None,
        };
        let tenant = self.tenant;
        let found = self
            .books
            .db
            .read(move |tx| store::audit::list(tx, tenant, &filter, 100));
        let entries = found.await.unwrap().into_iter().map(|placed| placed.entry);
        entries
            .filter(|entry| entry.event == AuditEvent::LimitBreached)
            .collect()
    }

    /// What the timeline says of the limit, first to last.
    async fn events(&self, limit: LimitId) -> Vec<String> {
        let (tenant, id) = (self.tenant, limit.to_string());
        let events = self
            .books
            .db
            .read(move |tx| store::timeline::events_of(tx, tenant, &id));
        events.await.unwrap()
    }
}

testkit::both_databases! {
    async fn what_swings_around_the_maximum_is_told_once_in_a_day(db: TestDb) {
        let told = Told::new(db).await;
        let warn = told.limit(Enforcement::Warn, told.books.budget(told.tenant, 10)).await;
        told.takes(8).await;
        for _ in 0..5 {
            let hold = told.takes(8).await;
            told.lets_go(hold).await;
        }
        assert_eq!(told.breaches(warn).await, 1);
        assert_eq!(told.events(warn).await, ["limit_breached"]);
        told.books.clock.advance_seconds(86_400);
        let hold = told.takes(8).await;
        assert_eq!(told.breaches(warn).await, 1, "the new day has begun with nothing");
        told.takes(8).await;
        told.lets_go(hold).await;
        told.takes(8).await;
        assert_eq!(told.breaches(warn).await, 2);
        told.books.balance().await;
    }

    async fn a_maximum_that_is_lowered_below_what_is_used_is_told_with_the_next_run_and_once(db: TestDb) {
        let told = Told::new(db).await;
        let budget = told.books.budget(told.tenant, 20);
        let alert = told.limit(Enforcement::Alert, budget).await;
        told.takes(15).await;
        assert_eq!(told.breaches(alert).await, 0);
        for (max, breaches) in [(10, 1), (14, 2), (100, 2)] {
            told.books.clock.advance_seconds(1);
            told.change(alert, max).await;
            told.takes(1).await;
            told.takes(1).await;
            assert_eq!(told.breaches(alert).await, breaches, "{max}");
        }
        assert_eq!(told.events(alert).await, ["limit_breached", "alert_fired", "limit_breached", "alert_fired"]);
    }

    async fn an_alert_fires_once_in_a_window_however_many_pass_at_once(db: TestDb) {
        let told = Told::new(db).await;
        let alert = told.limit(Enforcement::Alert, told.books.budget(told.tenant, 1_000)).await;
        let ledgers = [told.books.ledger.clone(), told.books.another()];
        let mut waiting = Vec::new();
        for number in 0..64 {
            let (books, tenant) = (Arc::clone(&told.books), told.tenant);
            let ledger = ledgers[number % ledgers.len()].clone();
            waiting.push(tokio::spawn(async move {
                // All of them pass it, and each gives everything back.
                let hold = decided(ledger.hold(books.wish(tenant, 1_001)).await).hold.unwrap();
                ended(ledger.end(end(tenant, hold.id, End::Release, Authority::Client)).await).unwrap();
            }));
        }
        for task in waiting {
            task.await.unwrap();
        }
        assert_eq!(told.breaches(alert).await, 1);
        assert_eq!(told.events(alert).await, ["limit_breached", "alert_fired"]);
        told.books.balance().await;
    }

    async fn of_a_rate_it_is_told_again_when_a_whole_window_is_over(db: TestDb) {
        let told = Told::new(db).await;
        let rate = Limit {
            category: LimitCategory::Rate,
            limit_type: LimitType::CostUsd,
            window: WindowSpec::Rolling { seconds: 60 },
            ..told.books.budget(told.tenant, 10)
        };
        let alert = told.limit(Enforcement::Alert, rate).await;
        let passes = || async {
            let hold = told.takes(11).await;
            told.lets_go(hold).await;
        };
        passes().await;
        told.books.clock.advance_seconds(59);
        passes().await;
        assert_eq!(told.breaches(alert).await, 1);
        told.books.clock.advance_seconds(2);
        passes().await;
        passes().await;
        assert_eq!(told.breaches(alert).await, 2);
        assert_eq!(told.events(alert).await, ["limit_breached", "alert_fired", "limit_breached", "alert_fired"]);
    }

    async fn what_refuses_is_told_every_time_and_fires_no_alert(db: TestDb) {
        let told = Told::new(db).await;
        let block = told.limit(Enforcement::Block, told.books.budget(told.tenant, 10)).await;
        for _ in 0..2 {
            assert!(!told.books.hold(told.tenant, 11).await.allowed());
        }
        assert_eq!(told.events(block).await, ["limit_breached", "limit_breached"]);
        let hold = told.takes(10).await;
        ended(told.books.ledger.end(end(told.tenant, hold, settle(10), Authority::Client)).await).unwrap();
        assert_eq!(told.breaches(block).await, 2);
    }

    async fn more_than_was_held_passes_an_alert_once_in_a_window(db: TestDb) {
        let told = Told::new(db).await;
        let alert = told.limit(Enforcement::Alert, told.books.budget(told.tenant, 10)).await;
        let block = told.limit(Enforcement::Block, told.books.budget(told.tenant, 20)).await;
        for _ in 0..3 {
            let hold = told.takes(1).await;
            ended(told.books.ledger.end(end(told.tenant, hold, settle(7), Authority::Gateway)).await).unwrap();
        }
        assert_eq!((told.breaches(alert).await, told.breaches(block).await), (1, 1));
        assert_eq!(told.events(alert).await, ["limit_breached", "alert_fired"]);
        assert_eq!(told.events(block).await, ["limit_breached"]);
        told.books.balance().await;
    }

    async fn a_window_that_is_over_is_told_of_once_too_though_the_next_one_was_passed_before(db: TestDb) {
        let told = Told::new(db).await;
        let alert = told.limit(Enforcement::Alert, told.books.budget(told.tenant, 10)).await;
        let settles = async |hold, nano| {
            let late = end(told.tenant, hold, settle(nano), Authority::Gateway);
            ended(told.books.ledger.end(late).await).unwrap();
        };
        let midnight = Timestamp::start_of_day(told.books.clock.now().day()).plus_seconds(86_400);
        let mut passed = 0;
        // Both with nothing before, and with what was told of an earlier day.
        for day in 0..2 {
            let begins = midnight.plus_seconds(day * 86_400);
            told.books.clock.set(begins.plus_seconds(-10));
            let (first, second) = (told.takes(1).await, told.takes(1).await);
            told.books.clock.set(begins.plus_seconds(5));
            told.takes(11).await;
            passed += 1;
            assert_eq!(told.breaches(alert).await, passed, "of the new day");
            told.books.clock.set(begins.plus_seconds(10));
            settles(first, 12).await;
            // What the second day ends with has passed it before, and was told.
            passed += i64::from(day == 0);
            assert_eq!(told.breaches(alert).await, passed, "of the day before");
            settles(second, 2).await;
            told.takes(1).await;
            assert_eq!(told.breaches(alert).await, passed, "and no more of either");
        }
        assert_eq!(told.events(alert).await, ["limit_breached", "alert_fired"].repeat(3));
        told.books.balance().await;
    }

    async fn two_windows_that_are_passed_in_one_batch_are_both_told(db: TestDb) {
        let told = Told::new(db).await;
        let alert = told.limit(Enforcement::Alert, told.books.budget(told.tenant, 10)).await;
        let midnight = Timestamp::start_of_day(told.books.clock.now().day()).plus_seconds(86_400);
        told.books.clock.set(midnight.plus_seconds(-10));
        let hold = told.takes(1).await;
        told.books.clock.set(midnight.plus_seconds(5));
        let late = end(told.tenant, hold, settle(12), Authority::Gateway);
        let (ended_late, _) = tokio::join!(told.books.ledger.end(late), told.takes(11));
        ended(ended_late).unwrap();
        assert_eq!(told.breaches(alert).await, 2);
        assert_eq!(told.events(alert).await.len(), 4);
    }

    async fn the_audit_ledger_has_the_first_breach_of_a_limit_in_a_day_however_many_are_refused(db: TestDb) {
        let told = Told::new(db).await;
        let block = told.limit(Enforcement::Block, told.books.budget(told.tenant, 10)).await;
        let warn = told.limit(Enforcement::Warn, told.books.budget(told.tenant, 5)).await;
        let ledgers = [told.books.ledger.clone(), told.books.another()];
        for day in 1..=2 {
            let mut waiting = Vec::new();
            for number in 0..64 {
                let (books, tenant) = (Arc::clone(&told.books), told.tenant);
                let ledger = ledgers[number % ledgers.len()].clone();
                waiting.push(tokio::spawn(async move { decided(ledger.hold(books.wish(tenant, 11)).await).allowed() }));
            }
            for task in waiting {
                assert!(!task.await.unwrap());
            }
            assert_eq!((told.breaches(block).await, told.audited(block).await.len()), (64 * day, usize::try_from(day).unwrap()));
            told.books.clock.advance_seconds(86_400);
        }
        assert_eq!(told.audited(warn).await, [], "nothing of it was ever used");
        told.takes(6).await;
        let entry = told.audited(warn).await.pop().unwrap();
        assert_eq!((entry.actor, entry.at), (Actor::SYSTEM, told.books.clock.now()));
        let after: serde_json::Value = serde_json::from_str(&entry.after.unwrap()).unwrap();
        assert_eq!((&after["breach_type"], &after["value"], &after["limit_value"]), (&"BREACHED".into(), &6.into(), &5.into()));
    }

    async fn a_window_that_begins_within_a_day_has_an_entry_of_its_own(db: TestDb) {
        let told = Told::new(db).await;
        let zone = "Asia/Kolkata".parse().unwrap();
        let window = WindowSpec::Calendar { period: ResetPeriod::Daily, zone, week_start: Weekday::Monday };
        let limit = told.limit(Enforcement::Block, Limit { window, ..told.books.budget(told.tenant, 10) }).await;
        let now = told.books.clock.now();
        let midnight = Timestamp::start_of_day(now.day()).plus_seconds(86_400);
        told.books.clock.set(midnight);
        let mut entries = Vec::new();
        // Midnight in Kolkata is half past six in the evening (UTC).
        for _hour in 0..25 {
            assert!(!told.books.hold(told.tenant, 11).await.allowed());
            entries.push(told.audited(limit).await.len());
            told.books.clock.advance_seconds(3_600);
        }
        let expected = [vec![1; 19], vec![2; 5], vec![3]].concat();
        assert_eq!(entries, expected);
    }
}
