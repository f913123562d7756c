//! One ledger, one thing after the other.

use domain::settle::{Authority, End};
use model::decision::Outcome;
use model::hold::HoldStatus;
use model::limit::LimitStatus;
use model::time::Clock as _;
use services::ledger::{Answer, Idempotency, Ledger, LedgerError};
use testkit::both_databases;
use testkit::clock::FixedClock;
use testkit::db::TestDb;

use crate::books::{Books, decided, end, ended, settle};

const DAY: i64 = 86_400;

fn render(answer: &Answer) -> (u16, String) {
    match answer {
        Answer::Decided(answer) => (200, format!("decided {}", answer.decision)),
        Answer::Ended(answer) => (
            200,
            format!("ended {} {}", answer.hold.id, answer.hold.status.as_str()),
        ),
        Answer::Renewed(hold) => (200, format!("renewed {}", hold.id)),
        Answer::Replayed(replay) => (replay.status, replay.body.clone()),
    }
}

fn key(operation: &'static str, key: &str, fingerprint: &str) -> Idempotency {
    Idempotency {
        operation,
        key: key.to_owned(),
        principal: "key_a".to_owned(),
        fingerprint: fingerprint.to_owned(),
        render,
    }
}

both_databases! {
    async fn a_request_that_does_not_fit_is_refused_and_holds_nothing(db: TestDb) {
        let books = Books::new(db);
        let tenant = books.tenant().await;
        let limit = books.limit(books.budget(tenant, 10)).await;
        let first = books.hold(tenant, 8).await.hold.unwrap();
        books.settle(tenant, first.id, 8).await.unwrap();
        let refused = books.hold(tenant, 5).await;
        assert_eq!((refused.output.outcome, refused.hold), (Outcome::Block, None));
        assert_eq!(books.hold(tenant, 2).await.output.outcome, Outcome::Warn);
        assert_eq!(books.counted(tenant, limit).await, (8, 2));
        books.balance().await;
    }

    async fn all_limits_are_held_or_none(db: TestDb) {
        let books = Books::new(db);
        let tenant = books.tenant().await;
        let wide = books.limit(books.budget(tenant, 100)).await;
        let narrow = books.limit(books.rate(tenant, 1, 60)).await;
        assert!(books.hold(tenant, 5).await.allowed());
        assert!(!books.hold(tenant, 5).await.allowed());
        assert_eq!(books.counted(tenant, wide).await, (0, 5));
        assert_eq!(books.counted(tenant, narrow).await, (0, 1));
        books.balance().await;
    }

    async fn a_changed_limit_is_seen_by_the_next_decision_here_and_elsewhere(db: TestDb) {
        let books = Books::new(db);
        let tenant = books.tenant().await;
        let mut limit = books.budget(tenant, 10);
        books.limit(limit.clone()).await;
        let elsewhere = books.another();
        assert!(!decided(elsewhere.hold(books.wish(tenant, 11)).await).allowed());
        limit.max = 20;
        let raised = limit.clone();
        books.db.write(move |tx| store::limits::update(tx, &raised)).await.unwrap();
        assert!(decided(elsewhere.hold(books.wish(tenant, 11)).await).allowed());
        assert!(!books.hold(tenant, 10).await.allowed());
        limit.status = LimitStatus::Disabled;
        books.db.write(move |tx| store::limits::update(tx, &limit)).await.unwrap();
        assert!(books.hold(tenant, 1_000).await.allowed());
    }

    async fn a_hold_ends_once_and_later_attempts_learn_how(db: TestDb) {
        let books = Books::new(db);
        let tenant = books.tenant().await;
        let limit = books.limit(books.budget(tenant, 10)).await;
        let hold = books.hold(tenant, 8).await.hold.unwrap();
        let settled = books.settle(tenant, hold.id, 3).await.unwrap();
        assert_eq!(settled.hold.status, HoldStatus::Settled);
        let again = books.settle(tenant, hold.id, 3).await;
        assert!(matches!(again, Err(LedgerError::HoldClosed(HoldStatus::Settled))), "{again:?}");
        let release = ended(books.ledger.end(end(tenant, hold.id, End::Release, Authority::Client)).await);
        assert!(matches!(release, Err(LedgerError::HoldClosed(HoldStatus::Settled))), "{release:?}");
        assert_eq!(books.counted(tenant, limit).await, (3, 0));
        let other = books.tenant().await;
        let foreign = books.settle(other, hold.id, 1).await;
        assert!(matches!(foreign, Err(LedgerError::HoldNotFound)), "{foreign:?}");
        books.balance().await;
    }

    async fn the_end_of_a_hold_is_not_all_that_is_known_of_its_counters(db: TestDb) {
        let books = Books::new(db);
        let tenant = books.tenant().await;
        books.limit(books.budget(tenant, 10)).await;
        books.limit(books.rate(tenant, 3, 60)).await;
        let first = books.hold(tenant, 4).await.hold.unwrap();
        books.hold(tenant, 4).await;
        // Somebody else writes: what the ledger remembers is no longer sure.
        books.tenant().await;
        books.settle(tenant, first.id, 4).await.unwrap();
        assert!(!books.hold(tenant, 5).await.allowed());
        assert!(books.hold(tenant, 1).await.allowed());
        assert!(!books.hold(tenant, 1).await.allowed(), "three requests are all there is");
        books.balance().await;
    }

    async fn a_client_that_settles_more_than_it_held_changes_nothing(db: TestDb) {
        let books = Books::new(db);
        let tenant = books.tenant().await;
        let limit = books.limit(books.budget(tenant, 10)).await;
        let hold = books.hold(tenant, 4).await.hold.unwrap();
        let more = books.settle(tenant, hold.id, 5).await;
        assert!(matches!(more, Err(LedgerError::ExceedsHold)), "{more:?}");
        assert_eq!(books.counted(tenant, limit).await, (0, 4));
        books.settle(tenant, hold.id, 4).await.unwrap();
        books.balance().await;
    }

    async fn a_hold_that_nobody_ends_expires_and_gives_its_room_back(db: TestDb) {
        let books = Books::new(db);
        let tenant = books.tenant().await;
        let limit = books.limit(books.budget(tenant, 10)).await;
        let hold = books.hold(tenant, 10).await.hold.unwrap();
        let expire = || books.ledger.end(end(tenant, hold.id, End::Expire, Authority::Gateway));
        assert!(matches!(ended(expire().await), Err(LedgerError::NotDue)));
        books.clock.advance_seconds(60);
        assert!(matches!(books.settle(tenant, hold.id, 1).await, Err(LedgerError::HoldExpired)));
        assert_eq!(ended(expire().await).unwrap().hold.status, HoldStatus::Expired);
        assert_eq!(books.counted(tenant, limit).await, (0, 0));
        // What the gateway spent all the same is counted.
        ended(books.ledger.end(end(tenant, hold.id, settle(7), Authority::Gateway)).await).unwrap();
        assert_eq!(books.counted(tenant, limit).await, (7, 0));
        books.balance().await;
    }

    async fn a_hold_belongs_to_the_window_in_which_it_was_taken(db: TestDb) {
        let books = Books::new(db);
        let tenant = books.tenant().await;
        let limit = books.limit(books.budget(tenant, 10)).await;
        let mut wish = books.wish(tenant, 10);
        wish.ttl_ms = 2 * DAY * 1000;
        let hold = decided(books.ledger.hold(wish).await).hold.unwrap();
        books.clock.advance_seconds(DAY.unsigned_abs().try_into().unwrap());
        assert!(books.hold(tenant, 10).await.allowed(), "the next day has a budget of its own");
        books.settle(tenant, hold.id, 9).await.unwrap();
        assert_eq!(books.counted(tenant, limit).await, (9, 10));
        assert!(!books.hold(tenant, 1).await.allowed(), "what was settled belongs to the day before");
        books.balance().await;
    }

    async fn a_rolling_window_lets_in_what_has_left_it(db: TestDb) {
        let books = Books::new(db);
        let tenant = books.tenant().await;
        books.limit(books.rate(tenant, 3, 60)).await;
        for _ in 0..3 {
            assert!(books.hold(tenant, 0).await.allowed());
            books.clock.advance_seconds(10);
        }
        let refused = books.hold(tenant, 0).await;
        let wait = refused.output.blocking[0].resets_at.unwrap();
        books.clock.set(wait.plus_millis(-1));
        assert!(!books.hold(tenant, 0).await.allowed());
        books.clock.set(wait);
        assert!(books.hold(tenant, 0).await.allowed());
        assert!(!books.hold(tenant, 0).await.allowed());
        books.balance().await;
    }

    async fn the_same_key_gets_the_same_answer_and_one_effect(db: TestDb) {
        let books = Books::new(db);
        let tenant = books.tenant().await;
        let limit = books.limit(books.budget(tenant, 100)).await;
        let wish = |fingerprint: &str| {
            let mut wish = books.wish(tenant, 10);
            wish.idempotency = Some(key("limits.check", "k1", fingerprint));
            wish
        };
        let first = decided(books.ledger.hold(wish("a")).await);
        let Answer::Replayed(replay) = books.ledger.hold(wish("a")).await.unwrap() else { panic!("not replayed") };
        assert_eq!(replay.body, format!("decided {}", first.decision));
        assert!(matches!(books.ledger.hold(wish("b")).await, Err(LedgerError::KeyReused(_))));
        let mut foreign = wish("a");
        foreign.idempotency.as_mut().unwrap().principal = "key_b".to_owned();
        assert!(matches!(books.ledger.hold(foreign).await, Err(LedgerError::KeyForeign)));
        assert_eq!(books.counted(tenant, limit).await, (0, 10));
        let hold = first.hold.unwrap();
        let mut settling = end(tenant, hold.id, settle(4), Authority::Client);
        settling.idempotency = Some(key("holds.settle", "k1", "a"));
        ended(books.ledger.end(settling.clone()).await).unwrap();
        let Answer::Replayed(replay) = books.ledger.end(settling).await.unwrap() else { panic!("not replayed") };
        assert_eq!(replay.body, format!("ended {} SETTLED", hold.id));
        assert_eq!(books.counted(tenant, limit).await, (4, 0));
        books.balance().await;
    }

    async fn fifty_copies_of_one_request_have_one_effect(db: TestDb) {
        let books = Books::new(db);
        let tenant = books.tenant().await;
        let limit = books.limit(books.budget(tenant, 100)).await;
        let elsewhere = books.another();
        let mut waiting = Vec::new();
        for number in 0..50 {
            let mut wish = books.wish(tenant, 10);
            wish.idempotency = Some(key("limits.check", "same", "a"));
            let ledger = if number % 2 == 0 { books.ledger.clone() } else { elsewhere.clone() };
            waiting.push(tokio::spawn(async move { render(&ledger.hold(wish).await.unwrap()).1 }));
        }
        let mut bodies = Vec::new();
        for task in waiting {
            bodies.push(task.await.unwrap());
        }
        bodies.dedup();
        assert_eq!(bodies.len(), 1, "{bodies:?}");
        assert_eq!(books.counted(tenant, limit).await, (0, 10));
        books.balance().await;
    }

    async fn what_a_node_took_whose_clock_is_ahead_counts_on_the_others(db: TestDb) {
        let books = Books::new(db);
        let tenant = books.tenant().await;
        books.limit(books.rate(tenant, 2, 60)).await;
        let ahead = FixedClock::at(books.clock.now().plus_seconds(5));
        let other = Ledger::new(books.db.open_again(), ahead, books.ids.clone());
        for _ in 0..2 {
            assert!(decided(other.hold(books.wish(tenant, 1)).await).allowed());
        }
        assert!(!books.hold(tenant, 1).await.allowed());
        books.balance().await;
    }

    async fn a_hold_that_expires_and_is_settled_late_in_one_batch_is_settled(db: TestDb) {
        let books = Books::new(db);
        let tenant = books.tenant().await;
        let limit = books.limit(books.budget(tenant, 100)).await;
        let first = books.hold(tenant, 1).await.hold.unwrap();
        let late = books.hold(tenant, 10).await.hold.unwrap();
        books.clock.advance_seconds(61);
        // While this hold is locked by somebody else, the batch that ends it stands still, and the next one fills.
        let (name, elsewhere) = ((tenant, first.id), books.db.open_again());
        let (locked, is_locked) = tokio::sync::oneshot::channel();
        let mut locked = Some(locked);
        let (unlock, unlocked) = std::sync::mpsc::channel::<()>();
        let locking = tokio::spawn(async move {
            let holding = elsewhere.locked(move |tx| {
                store::holds::lock(tx, &[name])?;
                locked.take().map(|locked| locked.send(()));
                unlocked.recv().unwrap();
                Ok::<(), store::StoreError>(())
            });
            holding.await.unwrap();
        });
        is_locked.await.unwrap();
        let release = async {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            unlock.send(()).unwrap();
        };
        let gateway = |hold, how| books.ledger.end(end(tenant, hold, how, Authority::Gateway));
        let (one, two, three, ()) = tokio::join!(
            gateway(first.id, End::Release),
            gateway(late.id, End::Expire),
            gateway(late.id, settle(7)),
            release
        );
        locking.await.unwrap();
        for answer in [one, two, three] {
            ended(answer).unwrap();
        }
        let found = books.db.read(move |tx| store::holds::find(tx, tenant, late.id)).await.unwrap();
        assert_eq!(found.map(|hold| hold.status), Some(HoldStatus::Settled));
        assert_eq!(books.counted(tenant, limit).await, (7, 0));
        books.balance().await;
    }
}
