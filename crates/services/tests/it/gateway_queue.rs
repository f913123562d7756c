//! Does a request that finds no room under a QUEUE limit wait for it, in a fair order and for a bounded time?

use std::time::Duration;

use model::event::OpsEventType;
use model::id::HoldId;
use model::limit::{Enforcement, Handling, LimitCategory, LimitType};
use model::run::{Operation, RunStatus};
use serde_json::{Value, json};
use services::audit::Author;
use services::auth::AuthError;
use services::gateway::{GatewayError, Served};
use services::keys::KeyChange;
use services::ledger::Answer;
use services::words::Draft;
use testkit::db::TestDb;
use tokio::task::JoinHandle;

use crate::books::draft;
use crate::gateway::{PLAIN_COST, assert_ended, chat, served, worst_case};
use crate::harness::{Setup, World, read};

/// Nobody looks for room without having been told of it.
fn told_only() -> Setup {
    looking_every(Duration::from_mins(10))
}

fn looking_every(poll: Duration) -> Setup {
    let mut setup = Setup::default();
    setup.gateway.room.poll = poll;
    setup
}

/// A daily budget of money that makes requests wait for so long.
fn queue(nano: i64, queue_ms: i64) -> Draft {
    waiting(draft(LimitCategory::Budget, LimitType::CostUsd, nano), queue_ms)
}

fn waiting(draft: Draft, queue_ms: i64) -> Draft {
    Draft {
        enforcement: Enforcement::Queue,
        handling: Handling {
            queue_ms: Some(queue_ms),
            ..Handling::default()
        },
        ..draft
    }
}

fn request(user: &str) -> Value {
    chat(&json!({"max_tokens": 10, "user": user}))
}

fn most() -> i64 {
    worst_case(&request("a"), 10)
}

impl World {
    fn starts(&self, body: &Value) -> JoinHandle<Result<Served, GatewayError>> {
        let (cx, request) = (self.cx.clone(), self.request(Operation::Chat, body));
        tokio::spawn(async move { services::gateway::serve(&cx, request).await })
    }

    async fn until_waiting(&self, count: usize) {
        for _ in 0..1_000 {
            if self.cx.ledger.waiting() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!(
            "{} wait after five seconds, and not {count}",
            self.cx.ledger.waiting()
        );
    }

    async fn takes(&self, nano: i64) -> HoldId {
        let request = self.check_request(nano);
        match services::limits::check(&self.cx, request, String::new(), None)
            .await
            .unwrap()
        {
            Answer::Decided(answer) => answer.hold.unwrap().id,
            other => panic!("expected a decision, got {other:?}"),
        }
    }

    async fn lets_go(&self, hold: HoldId) {
        let who = (self.tenant, self.key.key.id);
        services::limits::settle_by_client(&self.cx, who, hold, None, None)
            .await
            .unwrap();
    }

    /// Who was served, in the order in which the provider saw them.
    fn served_users(&self) -> Vec<String> {
        let seen = self.upstream.requests();
        let user = |body: &str| {
            serde_json::from_str::<Value>(body).unwrap()["user"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        seen.iter().map(|seen| user(&seen.body)).collect()
    }

    /// Who was served, in the order in which they were let in: they may reach the provider in another.
    async fn let_in(&self) -> Vec<String> {
        let mut holds = self.holds().await;
        holds.sort_by_key(|hold| hold.id);
        let users = holds.iter().filter_map(|hold| hold.subject.end_user.clone());
        let users: Vec<_> = users.collect();
        assert_eq!(self.upstream.request_count(), users.len());
        users
    }
}

testkit::both_databases! {
    async fn who_is_frozen_while_waiting_is_not_served(db: TestDb) {
        let world = World::with(db, told_only()).await;
        world.limit(queue(most(), 20_000)).await;
        let hold = world.takes(1).await;
        let waits = world.starts(&request("a"));
        world.until_waiting(1).await;
        let freeze = KeyChange::Freeze { reason: Some("leaked".to_owned()) };
        services::keys::change(&world.cx, world.tenant, Author::system(), world.key.key.id, freeze).await.unwrap();
        world.lets_go(hold).await;
        let refused = waits.await.unwrap();
        let reason = match refused {
            Err(GatewayError::Stopped(AuthError::KeyFrozen(reason))) => reason,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("it was served"),
        };
        assert_eq!((reason.as_deref(), world.upstream.request_count()), (Some("leaked"), 0));
        assert_eq!(world.cx.ledger.waiting(), 0);
        world.balanced().await;
    }

    async fn it_waits_until_a_hold_ends_and_its_waiting_leaves_no_trace(db: TestDb) {
        let world = World::with(db, told_only()).await;
        let limit = world.limit(queue(most(), 20_000)).await;
        let hold = world.takes(1).await;
        let started = world.starts(&request("a"));
        world.until_waiting(1).await;
        assert_eq!((world.holds().await.len(), world.upstream.request_count()), (1, 0));
        world.lets_go(hold).await;
        let served_now = started.await.unwrap().unwrap();
        let waited = served_now.answer.waited.unwrap();
        assert_eq!(waited.deadline, world.now().plus_millis(20_000));
        let got = read(served_now).await;
        assert_ended(&world, got.run, served(PLAIN_COST)).await;
        assert_eq!(world.breaches(limit).await, 0);
        assert_eq!(world.events(OpsEventType::PolicyBlocked).await, 0);
        assert_eq!(world.cx.ledger.waiting(), 0);
    }

    async fn who_finds_no_place_waits_until_another_llm_run_ends(db: TestDb) {
        let world = World::with(db, told_only()).await;
        let limit = world.limit(waiting(draft(LimitCategory::Budget, LimitType::ConcurrentRuns, 1), 20_000)).await;
        let hold = world.takes(1).await;
        let first = world.starts(&request("a"));
        world.until_waiting(1).await;
        let second = world.starts(&request("b"));
        world.until_waiting(2).await;
        assert_eq!((world.usage(limit).await, world.upstream.request_count()), ((0, 1), 0));
        world.lets_go(hold).await;
        // The end of the first one makes room for the second.
        read(first.await.unwrap().unwrap()).await;
        read(second.await.unwrap().unwrap()).await;
        assert_eq!(world.served_users(), ["a", "b"]);
        assert_eq!((world.usage(limit).await, world.breaches(limit).await), ((0, 0), 0));
        world.all_ended().await;
    }

    async fn who_finds_no_place_in_time_is_refused_and_may_try_again(db: TestDb) {
        let world = World::with(db, looking_every(Duration::from_millis(10))).await;
        world.limit(waiting(draft(LimitCategory::Budget, LimitType::ConcurrentRuns, 1), 100)).await;
        world.takes(1).await;
        let answer = world.refused(Operation::Chat, &request("a")).await;
        let retry = answer.output.retry();
        assert!(answer.waited.is_some() && retry.helps && retry.at.is_none());
    }

    async fn what_finds_no_room_in_time_is_refused_and_recorded_once(db: TestDb) {
        let world = World::with(db, looking_every(Duration::from_millis(10))).await;
        let limit = world.limit(queue(most(), 150)).await;
        world.takes(1).await;
        let answer = world.refused(Operation::Chat, &request("a")).await;
        let waited = answer.waited.unwrap();
        assert!(waited.ms >= 150, "{waited:?}");
        assert_eq!(waited.deadline, world.now().plus_millis(150));
        let run = world.run(answer.run.unwrap().id).await;
        assert_eq!(run.status, RunStatus::Blocked);
        assert_eq!(world.breaches(limit).await, 1);
        assert_eq!(world.events(OpsEventType::PolicyBlocked).await, 1);
        assert_eq!((world.cx.ledger.waiting(), world.upstream.request_count()), (0, 0));
    }

    async fn the_shortest_wait_of_the_limits_that_refuse_is_the_longest_that_it_waits(db: TestDb) {
        let world = World::with(db, told_only()).await;
        world.limit(queue(most(), 60_000)).await;
        let tokens = request("a").to_string().len() + 1_024 + 10;
        let tokens = draft(LimitCategory::Budget, LimitType::TokensTotal, i64::try_from(tokens).unwrap());
        world.limit(waiting(tokens, 120)).await;
        world.takes(1).await;
        let answer = world.refused(Operation::Chat, &request("a")).await;
        assert_eq!(answer.waited.unwrap().deadline, world.now().plus_millis(120));
    }

    async fn under_a_limit_that_refuses_outright_nobody_waits(db: TestDb) {
        let world = World::with(db, told_only()).await;
        world.limit(queue(most(), 60_000)).await;
        world.budget(most()).await;
        world.takes(1).await;
        assert_eq!(world.refused(Operation::Chat, &request("a")).await.waited, None);
    }

    async fn what_can_never_fit_does_not_wait(db: TestDb) {
        let world = World::with(db, told_only()).await;
        world.limit(queue(most() - 1, 60_000)).await;
        let answer = world.refused(Operation::Chat, &request("a")).await;
        assert_eq!((answer.waited, answer.output.blocking.len()), (None, 1));
    }

    async fn a_check_of_the_api_does_not_wait_and_does_not_overtake_who_does(db: TestDb) {
        let world = World::with(db, told_only()).await;
        world.limit(queue(most(), 20_000)).await;
        let hold = world.takes(1).await;
        let started = world.starts(&request("a"));
        world.until_waiting(1).await;
        // There would be room for one more nano-USD.
        let check = services::limits::check(&world.cx, world.check_request(1), String::new(), None);
        let Answer::Decided(answer) = check.await.unwrap() else { panic!("no decision") };
        assert_eq!(answer.output.blocking[0].enforcement, Enforcement::Queue);
        assert!(answer.hold.is_none() && answer.output.blocking[0].resets_at.is_some());
        world.lets_go(hold).await;
        started.await.unwrap().unwrap();
    }

    async fn they_are_served_in_the_order_in_which_they_came(db: TestDb) {
        let world = World::with(db, told_only()).await;
        world.limit(queue(most() + 20 * PLAIN_COST, 20_000)).await;
        let hold = world.takes(20 * PLAIN_COST + 1).await;
        let mut started = Vec::new();
        let users = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
        for (place, user) in users.iter().enumerate() {
            started.push(world.starts(&request(user)));
            world.until_waiting(place + 1).await;
        }
        world.lets_go(hold).await;
        // Many fit at once then: the turn goes from one to the next all the same.
        for one in started {
            read(one.await.unwrap().unwrap()).await;
        }
        assert_eq!(world.let_in().await, users);
        world.all_ended().await;
    }

    async fn a_newcomer_for_whom_there_is_room_lines_up_behind_who_waits(db: TestDb) {
        let world = World::with(db, told_only()).await;
        let small = chat(&json!({"max_tokens": 1, "user": "b"}));
        let room = worst_case(&small, 1);
        world.limit(queue(most() + room, 20_000)).await;
        let hold = world.takes(most()).await;
        let first = world.starts(&request("a"));
        world.until_waiting(1).await;
        let second = world.starts(&small);
        world.until_waiting(2).await;
        assert_eq!(world.upstream.request_count(), 0);
        world.lets_go(hold).await;
        for one in [first, second] {
            read(one.await.unwrap().unwrap()).await;
        }
        assert_eq!(world.let_in().await, ["a", "b"]);
    }

    async fn no_more_wait_than_may_and_the_next_is_refused_at_once(db: TestDb) {
        let mut setup = told_only();
        setup.gateway.room.per_limit = 2;
        let world = World::with(db, setup).await;
        let limit = world.limit(queue(most(), 60_000)).await;
        let hold = world.takes(1).await;
        let waiting = [world.starts(&request("a")), world.starts(&request("b"))];
        world.until_waiting(2).await;
        let answer = world.refused(Operation::Chat, &request("c")).await;
        assert_eq!(answer.waited, None);
        assert_eq!((world.breaches(limit).await, world.cx.ledger.waiting()), (1, 2));
        world.lets_go(hold).await;
        world.cx.ledger.stop_waiting();
        for one in waiting {
            drop(one.await.unwrap());
        }
    }

    async fn who_hangs_up_leaves_the_line_and_nothing_behind(db: TestDb) {
        let world = World::with(db, told_only()).await;
        let limit = world.limit(queue(most(), 60_000)).await;
        let hold = world.takes(1).await;
        let leaves = world.starts(&request("a"));
        world.until_waiting(1).await;
        let stays = world.starts(&request("b"));
        world.until_waiting(2).await;
        leaves.abort();
        world.until_waiting(1).await;
        assert_eq!((world.breaches(limit).await, world.holds().await.len()), (0, 1));
        world.lets_go(hold).await;
        read(stays.await.unwrap().unwrap()).await;
        assert_eq!(world.served_users(), ["b"]);
    }

    async fn it_is_served_when_the_window_has_moved(db: TestDb) {
        let world = World::with(db, looking_every(Duration::from_millis(20))).await;
        let rate = draft(LimitCategory::Rate, LimitType::RequestsPerMinute, 1);
        world.limit(waiting(rate, 20_000)).await;
        world.call(Operation::Chat, &request("a")).await;
        let started = world.starts(&request("b"));
        world.until_waiting(1).await;
        world.clock.advance_seconds(62);
        read(started.await.unwrap().unwrap()).await;
        assert_eq!(world.served_users(), ["a", "b"]);
    }

    async fn who_waits_does_not_keep_the_process_from_stopping(db: TestDb) {
        let world = World::with(db, told_only()).await;
        let limit = world.limit(queue(most(), 60_000)).await;
        world.takes(1).await;
        let started = world.starts(&request("a"));
        world.until_waiting(1).await;
        world.cx.ledger.stop_waiting();
        assert!(world.cx.gateway.flights.landed(Duration::from_secs(10)).await);
        let Err(GatewayError::Refused(answer)) = started.await.unwrap() else {
            panic!("nobody may be served without room");
        };
        assert!(answer.waited.is_some());
        assert_eq!(world.breaches(limit).await, 1);
    }
}
