//! Does a budget keep what was spent of it when its window is changed?

use domain::limits::draft::Draft;
use domain::settle::{Authority, End};
use futures_util::future::join_all;
use model::amounts::Amounts;
use model::hold::Hold;
use model::id::LimitId;
use model::limit::{Limit, LimitCategory, LimitScope, LimitType};
use model::money::NanoUsd;
use model::window::ResetPeriod;
use services::Context;
use services::analytics::GroupBy;
use services::audit::Author;
use services::limits::{Change, CheckRequest, Done, Owner, Written};
use store::StoreResult;
use store::counters::CounterKey;
use testkit::both_databases;
use testkit::db::TestDb;
use tokio::sync::{mpsc, watch};

use crate::books::{decided, draft, end, ended};
use crate::harness::{World, tenant};

const DAY: u32 = 86_400;

fn budget(max: i64, period: ResetPeriod) -> Draft {
    Draft {
        reset_period: Some(period),
        ..draft(LimitCategory::Budget, LimitType::CostUsd, max)
    }
}

/// Changes the limit; whether more is used of it than it allows.
async fn changed(world: &World, owner: Owner, id: LimitId, change: Change) -> (Limit, bool) {
    let exceeded = |written: &Written| written.already_exceeded.to_string();
    match services::limits::update(&world.cx, owner, Author::system(), (id, change), None, exceeded).await {
        Ok(Done::Now(limit, exceeded)) => (limit, exceeded == "true"),
        other => panic!("not changed: {other:?}"),
    }
}

fn to(period: ResetPeriod) -> Change {
    Change {
        reset_period: Some(period),
        ..Change::default()
    }
}

impl World {
    fn owner(&self) -> Owner {
        Owner::Tenant(self.tenant)
    }

    async fn reset(&self, id: LimitId, period: ResetPeriod) {
        changed(self, self.owner(), id, to(period)).await;
        self.balanced().await;
    }

    async fn held(&self, nano: i64) -> Hold {
        held(&self.cx, self.check_request(nano))
            .await
            .expect("there was room")
    }

    async fn settled(&self, hold: &Hold, nano: i64) {
        settle(&self.cx, hold, nano, Authority::Client).await;
        self.balanced().await;
    }

    async fn spent(&self, nano: i64) {
        let hold = self.held(nano).await;
        self.settled(&hold, nano).await;
    }

    async fn fits(&self, nano: i64) -> bool {
        let wanted = self.check_request(nano);
        let simulated = services::limits::simulate(&self.cx, wanted, None, |_| String::new());
        matches!(simulated.await.unwrap(), Done::Now(output, _) if output.blocking.is_empty())
    }
}

async fn held(cx: &Context, request: CheckRequest) -> Option<Hold> {
    let checked = services::limits::check(cx, request, "req_test".to_owned(), None).await;
    decided(Ok(checked.unwrap())).hold
}

async fn settle(cx: &Context, hold: &Hold, nano: i64, authority: Authority) {
    let used = Amounts {
        cost: NanoUsd(nano),
        ..hold.requested
    };
    let command = end(hold.tenant, hold.id, End::Settle(used), authority);
    ended(cx.ledger.end(command).await).unwrap();
}

both_databases! {
    async fn what_was_spent_and_is_held_today_is_kept_when_a_month_becomes_a_day(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(budget(100, ResetPeriod::Monthly)).await;
        world.spent(30).await;
        world.clock.advance_seconds(DAY);
        world.spent(20).await;
        let open = world.held(25).await;
        assert_eq!(world.usage(limit).await, (50, 25));
        let change = Change { max: Some(44), ..to(ResetPeriod::Daily) };
        let (_, exceeded) = changed(&world, world.owner(), limit, change).await;
        assert!(exceeded, "20 + 25 is more than 44");
        world.balanced().await;
        assert_eq!(world.usage(limit).await, (20, 25), "the spend of yesterday does not count");
        assert!(!world.fits(1).await && held(&world.cx, world.check_request(1)).await.is_none());
        world.settled(&open, 10).await;
        assert_eq!(world.usage(limit).await, (30, 0), "what was held before is settled in the new window");
        assert!(!world.fits(15).await);
        world.spent(14).await;
        assert_eq!(world.usage(limit).await, (44, 0));
    }

    async fn a_change_of_nothing_but_the_name_moves_nothing(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(budget(100, ResetPeriod::Monthly)).await;
        world.spent(30).await;
        let (holds, _open) = (world.holds().await.len(), world.held(5).await);
        world.reset(limit, ResetPeriod::Monthly).await;
        assert_eq!((world.holds().await.len(), world.usage(limit).await), (holds + 1, (30, 5)));
    }

    async fn whatever_was_spent_ever_counts_when_a_budget_never_resets_any_more(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(budget(100, ResetPeriod::Daily)).await;
        world.spent(30).await;
        let long = world.held(5).await;
        world.clock.advance_seconds(1);
        let released = world.held(7).await;
        world.reset(limit, ResetPeriod::None).await;
        assert_eq!(world.usage(limit).await, (30, 12));
        let release = end(world.tenant, released.id, End::Release, Authority::Client);
        ended(world.cx.ledger.end(release).await).unwrap();
        world.settled(&long, 4).await;
        world.clock.advance_seconds(DAY);
        world.spent(60).await;
        assert_eq!(world.usage(limit).await, (94, 0));
        assert!(world.fits(6).await && !world.fits(7).await);
        world.reset(limit, ResetPeriod::Daily).await;
        assert_eq!(world.usage(limit).await, (60, 0));
        world.reset(limit, ResetPeriod::Weekly).await;
        assert_eq!(world.usage(limit).await, (94, 0), "Saturday and Sunday are of one week");
    }

    async fn back_and_forth_every_window_says_what_was_spent_in_it(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(budget(1_000, ResetPeriod::Monthly)).await;
        world.spent(100).await;
        world.clock.advance_seconds(DAY);
        let first = world.held(7).await;
        world.reset(limit, ResetPeriod::Daily).await;
        world.spent(10).await;
        let second = world.held(8).await;
        assert_eq!(world.usage(limit).await, (10, 15));
        world.reset(limit, ResetPeriod::Monthly).await;
        assert_eq!(world.usage(limit).await, (110, 15));
        world.settled(&first, 6).await;
        world.reset(limit, ResetPeriod::Daily).await;
        assert_eq!(world.usage(limit).await, (16, 8));
        world.reset(limit, ResetPeriod::Monthly).await;
        world.reset(limit, ResetPeriod::Monthly).await;
        assert_eq!(world.usage(limit).await, (116, 8));
        world.settled(&second, 8).await;
        assert_eq!(world.usage(limit).await, (124, 0));
        world.clock.advance_seconds(DAY);
        world.reset(limit, ResetPeriod::Daily).await;
        assert_eq!(world.usage(limit).await, (0, 0));
        // The first of a month, which is the start of a day and of a month.
        world.clock.advance_seconds(8 * DAY);
        world.spent(3).await;
        world.reset(limit, ResetPeriod::Monthly).await;
        assert_eq!(world.usage(limit).await, (3, 0));
        world.clock.advance_seconds(DAY);
        world.spent(4).await;
        world.reset(limit, ResetPeriod::Daily).await;
        world.reset(limit, ResetPeriod::Monthly).await;
        assert_eq!(world.usage(limit).await, (7, 0));
    }

    async fn a_window_that_was_ahead_when_the_limit_left_its_kind_is_used_when_it_comes(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(budget(100, ResetPeriod::Weekly)).await;
        world.spent(10).await;
        world.reset(limit, ResetPeriod::Monthly).await;
        world.clock.advance_seconds(DAY);
        world.reset(limit, ResetPeriod::Daily).await;
        world.clock.advance_seconds(DAY);
        world.spent(20).await;
        assert_eq!(world.usage(limit).await, (20, 0), "Monday is a day of its own");
    }

    async fn a_hold_that_expired_before_the_change_is_settled_late_in_the_new_window(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(budget(100, ResetPeriod::Monthly)).await;
        let hold = world.held(30).await;
        world.clock.advance_seconds(120);
        assert_eq!(services::upkeep::expire_holds(&world.cx).await.unwrap(), 1);
        world.reset(limit, ResetPeriod::Daily).await;
        assert_eq!(world.usage(limit).await, (0, 0));
        settle(&world.cx, &hold, 30, Authority::Gateway).await;
        assert_eq!(world.usage(limit).await, (30, 0));
        world.balanced().await;
    }

    async fn a_hold_of_before_the_new_window_stays_where_it_was_taken(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(budget(100, ResetPeriod::Monthly)).await;
        let mut request = world.check_request(30);
        request.ttl_ms = 3 * 86_400_000;
        let long = held(&world.cx, request).await.unwrap();
        world.clock.advance_seconds(DAY);
        world.reset(limit, ResetPeriod::Daily).await;
        assert_eq!(world.usage(limit).await, (0, 0));
        world.reset(limit, ResetPeriod::None).await;
        assert_eq!(world.usage(limit).await, (0, 30));
        world.reset(limit, ResetPeriod::Daily).await;
        assert_eq!(world.usage(limit).await, (0, 0));
        world.settled(&long, 30).await;
        assert_eq!(world.usage(limit).await, (0, 0));
        world.reset(limit, ResetPeriod::Monthly).await;
        assert_eq!(world.usage(limit).await, (30, 0));
    }

    async fn a_global_limit_keeps_what_all_tenants_have_used(db: TestDb) {
        let world = World::new(db).await;
        let (rival, _, _) = tenant(&world.cx, "rival", None).await;
        let of_all = Draft { scope: LimitScope::Global, ..budget(100, ResetPeriod::Monthly) };
        let done = services::limits::create(&world.cx, Owner::Platform, Author::system(), of_all, None, |_| String::new()).await;
        let Ok(Done::Now(limit, _)) = done else { panic!("no limit: {done:?}") };
        let of_rival = |nano| CheckRequest { tenant: rival, ..world.check_request(nano) };
        world.spent(30).await;
        world.clock.advance_seconds(DAY);
        world.spent(20).await;
        let (own, foreign) = (world.held(5).await, held(&world.cx, of_rival(6)).await.unwrap());
        settle(&world.cx, &held(&world.cx, of_rival(10)).await.unwrap(), 10, Authority::Client).await;
        changed(&world, Owner::Platform, limit.id, to(ResetPeriod::Daily)).await;
        world.balanced().await;
        assert_eq!(world.usage(limit.id).await, (30, 11));
        world.settled(&own, 5).await;
        settle(&world.cx, &foreign, 6, Authority::Client).await;
        assert_eq!(world.usage(limit.id).await, (41, 0));
        changed(&world, Owner::Platform, limit.id, to(ResetPeriod::None)).await;
        assert_eq!(world.usage(limit.id).await, (71, 0));
        assert!(held(&world.cx, of_rival(30)).await.is_none() && held(&world.cx, of_rival(29)).await.is_some());
        world.balanced().await;
    }

    async fn what_is_carried_over_is_no_cost(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(budget(100, ResetPeriod::Monthly)).await;
        let hold = world.held(30).await;
        let used = Some((hold.requested, None));
        services::limits::settle_by_client(&world.cx, (world.tenant, world.key.key.id), hold.id, used, None).await.unwrap();
        let by_day = || services::analytics::costs(&world.cx, world.tenant, GroupBy::Day, None, None);
        let before = by_day().await.unwrap().groups;
        world.reset(limit, ResetPeriod::Daily).await;
        assert_eq!(by_day().await.unwrap().groups, before);
        let carried: Vec<_> = world.holds().await.into_iter().filter(|hold| hold.items.iter().any(|item| item.carried)).collect();
        let [carried] = &*carried else { panic!("one entry: {carried:?}") };
        assert_eq!((carried.requested, carried.settled, carried.run), (Amounts::ZERO, Some(Amounts::ZERO), None));
        let [item] = &*carried.items else { panic!("one item: {carried:?}") };
        assert_eq!((item.limit, item.amount, item.settled), (limit, 30, 30));
    }

    async fn many_that_spend_while_the_window_changes_never_pass_the_limit(db: TestDb) {
        let world = World::new(db).await;
        let (max, wish) = (4_200, 7);
        let limit = world.limit(budget(max, ResetPeriod::Monthly)).await;
        world.spent(100).await;
        let processes = [world.cx.clone(), world.another_process()];
        let ((begun, changes), (through, mut throughs)) = (watch::channel(0), mpsc::unbounded_channel());
        let mut spending = 48;
        let spend: Vec<_> = (0..spending).map(|task| {
            let (cx, request) = (processes[task % 2].clone(), world.check_request(wish));
            let (changes, through) = (changes.clone(), through.clone());
            tokio::spawn(async move { spend(&cx, &request, changes, through).await })
        }).collect();
        for period in [ResetPeriod::Daily, ResetPeriod::None, ResetPeriod::Weekly, ResetPeriod::Monthly].into_iter().cycle() {
            begun.send_modify(|begun| *begun += 1);
            changed(&world, world.owner(), limit, to(period)).await;
            // With a change under way at any time, some request would lose each of its tries.
            let before = spending;
            for _ in 0..before { spending -= usize::from(!throughs.recv().await.unwrap()); }
            if spending == 0 { break; }
        }
        let changes = *begun.borrow();
        assert!(changes > 3, "the window was changed {changes} times while they were spending");
        let (mut used, mut open) = (100, Vec::new());
        for (settled, left) in join_all(spend).await.into_iter().map(Result::unwrap) {
            used += settled;
            open.extend(left);
        }
        let held: i64 = open.iter().map(|hold| hold.requested.cost.0).sum();
        assert_eq!(world.usage(limit).await, (used, held));
        assert!(used + held <= max, "over: {used} + {held}");
        world.balanced().await;
        let mut room = max - used - held;
        while room >= wish {
            assert!(world.fits(wish).await, "a false block with {room} left");
            open.push(world.held(wish).await);
            room -= wish;
        }
        assert!(!world.fits(wish).await);
        for hold in open {
            settle(&world.cx, &hold, wish, Authority::Client).await;
        }
        assert_eq!(world.usage(limit).await, (max - room, 0));
        world.balanced().await;
    }
}

/// A process that has read the limit before the change, and gets to the counter after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_overtaken_by_a_change_is_decided_in_the_new_window() {
    let world = World::new(TestDb::postgres()).await;
    let limit = world.limit(budget(100, ResetPeriod::Monthly)).await;
    world.spent(30).await;
    let early = world.held(10).await;
    let owner = world.tenant;
    let all = CounterKey {
        owner,
        limit,
        window_start: i64::MIN,
    };
    let (locked, is_locked) = tokio::sync::oneshot::channel();
    let (mut locked, (unlock, wait)) = (Some(locked), std::sync::mpsc::channel::<()>());
    let (somebody, wait) = (world.db.open_again(), std::sync::Mutex::new(wait));
    let holding = tokio::spawn(async move {
        let hold = somebody.locked(move |tx| -> StoreResult<()> {
            let keys: Vec<_> = store::counters::since(tx, &[all])?
                .iter()
                .map(|counter| counter.key)
                .collect();
            store::counters::lock(tx, &keys)?;
            locked.take().unwrap().send(()).unwrap();
            wait.lock().unwrap().recv().unwrap();
            Ok(())
        });
        hold.await.unwrap();
    });
    is_locked.await.unwrap();
    let change = changed(&world, world.owner(), limit, to(ResetPeriod::Daily));
    let (first, second) = (world.another_process(), world.another_process());
    let after = async {
        let a_moment = || tokio::time::sleep(std::time::Duration::from_millis(300));
        a_moment().await;
        let taken = tokio::spawn({
            let request = world.check_request(5);
            async move { held(&first, request).await }
        });
        let settled = tokio::spawn(async move { settle(&second, &early, 9, Authority::Client).await });
        a_moment().await;
        unlock.send(()).unwrap();
        settled.await.unwrap();
        taken.await.unwrap().expect("there was room")
    };
    let (_, taken) = tokio::join!(change, after);
    holding.await.unwrap();
    assert_eq!(world.usage(limit).await, (39, 5));
    world.settled(&taken, 4).await;
    assert_eq!(world.usage(limit).await, (43, 0));
}

/// Asks until it is refused; each hold is settled, released or left open in turn, and each five begin with one more change
/// of the window: it says when it is through with them, and whether it goes on. How much was settled, and what is open.
async fn spend(
    cx: &Context,
    request: &CheckRequest,
    mut changes: watch::Receiver<usize>,
    through: mpsc::UnboundedSender<bool>,
) -> (i64, Vec<Hold>) {
    let (mut used, mut open) = (0, Vec::new());
    for turn in 0.. {
        if turn > 0 && turn % 5 == 0 {
            through.send(true).unwrap();
        }
        changes.wait_for(|begun| *begun > turn / 5).await.unwrap();
        let Some(hold) = held(cx, request.clone()).await else {
            through.send(false).unwrap();
            break;
        };
        match turn % 5 {
            0 => {
                settle(cx, &hold, hold.requested.cost.0, Authority::Client).await;
                used += hold.requested.cost.0;
            }
            1 => open.push(hold),
            _ => {
                let release = end(hold.tenant, hold.id, End::Release, Authority::Client);
                ended(cx.ledger.end(release).await).unwrap();
            }
        }
    }
    (used, open)
}
