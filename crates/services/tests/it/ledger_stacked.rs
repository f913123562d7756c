//! Do many clients at once keep limits that lie on top of each other: everyone's, the tenant's, its project's, agent's
//! and key's?

use std::sync::Arc;
use std::time::Duration;

use domain::settle::Authority;
use model::hold::Subject;
use model::id::{LimitId, TenantId};
use model::limit::{LimitCategory, LimitScope, LimitType};
use services::audit::Author;
use services::ledger::Answer;
use services::limits::{CheckRequest, Done, Owner};
use services::words::Draft;
use testkit::db::TestDb;

use crate::books::{draft, end, settle};
use crate::harness::World;

const CLIENTS: usize = 64;
/// Requests of each client, one after the other.
const EACH: usize = 4;
/// What each of them costs, in nano-USD.
const COST: i64 = 1_000;

/// A limit with room for so many requests, and the clients whom it applies to.
struct Stacked {
    owner: Owner,
    limit: LimitId,
    requests: i64,
    /// What one request takes of it.
    unit: i64,
    applies: fn(usize) -> bool,
}

fn money(requests: i64) -> Draft {
    draft(LimitCategory::Budget, LimitType::CostUsd, requests * COST)
}

/// Every third client has the key.
fn subject(world: &World, client: usize) -> Subject {
    Subject {
        project_id: Some(format!("project-{}", client % 2)),
        agent_id: Some(format!("agent-{}", client % 5)),
        feature: client.is_multiple_of(4).then(|| "answers".to_owned()),
        api_key_id: client.is_multiple_of(3).then_some(world.key.key.id),
        ..Subject::default()
    }
}

async fn stack(world: &World) -> Vec<Stacked> {
    type Applies = fn(usize) -> bool;
    let tenant = Owner::Tenant(world.tenant);
    let scoped = |scope, id: &str, requests| Draft {
        scope,
        scope_id: Some(id.to_owned()),
        ..money(requests)
    };
    let global = Draft {
        scope: LimitScope::Global,
        ..money(130)
    };
    let key = Draft {
        api_key_id: Some(world.key.key.id),
        ..money(20)
    };
    // The locks of rolling windows are others than those of calendar ones.
    let rate = draft(LimitCategory::Rate, LimitType::RequestsPerHour, 110);
    // Places are given back, so that there are enough in the end.
    let places = draft(LimitCategory::Budget, LimitType::ConcurrentRuns, 1_000);
    let feature = Draft {
        feature: Some("answers".to_owned()),
        ..money(40)
    };
    let all: [(Owner, Draft, i64, i64, Applies); 8] = [
        (Owner::Platform, global, 130, COST, |_| true),
        (tenant, money(120), 120, COST, |_| true),
        (
            tenant,
            scoped(LimitScope::Project, "project-0", 50),
            50,
            COST,
            |one| one.is_multiple_of(2),
        ),
        (tenant, scoped(LimitScope::Agent, "agent-1", 9), 9, COST, |one| {
            one % 5 == 1
        }),
        (tenant, key, 20, COST, |one| one.is_multiple_of(3)),
        (tenant, rate, 110, 1, |_| true),
        (tenant, places, 1, 1, |_| false),
        (tenant, feature, 40, COST, |one| one.is_multiple_of(4)),
    ];
    world.project("project-0").await;
    world.agent("agent-1").await;
    let mut stacked = Vec::new();
    for (owner, draft, requests, unit, applies) in all {
        let made =
            services::limits::create(&world.cx, owner, Author::system(), draft, None, |_| String::new());
        let limit = match made.await {
            Ok(Done::Now(limit, _)) => limit.id,
            other => panic!("no limit: {other:?}"),
        };
        stacked.push(Stacked {
            owner,
            limit,
            requests,
            unit,
            applies,
        });
    }
    stacked
}

/// Asks again and again, and spends what it may; gives how often that was, and whether it was ever refused.
async fn client(world: Arc<World>, number: usize) -> (i64, bool) {
    let (mut served, mut refused) = (0, false);
    for _ in 0..EACH {
        let request = CheckRequest {
            subject: subject(&world, number),
            ..world.check_request(COST)
        };
        let decided = match services::limits::check(&world.cx, request, String::new(), None).await {
            Ok(Answer::Decided(decided)) => decided,
            other => panic!("no decision: {other:?}"),
        };
        let Some(hold) = decided.hold else {
            refused = true;
            continue;
        };
        tokio::task::yield_now().await;
        let ended = end(world.tenant, hold.id, settle(COST), Authority::Client);
        world.cx.ledger.end(ended).await.unwrap();
        served += 1;
    }
    (served, refused)
}

/// What the counters of a limit have settled and hold, over all windows.
async fn counted(world: &World, owner: TenantId, limit: LimitId) -> (i64, i64) {
    let all = store::counters::CounterKey {
        owner,
        limit,
        window_start: i64::MIN,
    };
    let counters = world
        .cx
        .db
        .read(move |tx| store::counters::since(tx, &[all]))
        .await
        .unwrap();
    let settled = counters.iter().map(|counter| counter.settled).sum();
    (settled, counters.iter().map(|counter| counter.held).sum())
}

testkit::both_databases! {
    async fn sixty_four_clients_on_stacked_limits_pass_none_and_are_refused_by_full_ones_only(db: TestDb) {
        let world = Arc::new(World::new(db).await);
        let stacked = stack(&world).await;
        let tasks: Vec<_> = (0..CLIENTS).map(|one| tokio::spawn(client(Arc::clone(&world), one))).collect();
        let all = futures_util::future::join_all(tasks);
        let all = tokio::time::timeout(Duration::from_mins(2), all).await.expect("a deadlock");
        let clients: Vec<(i64, bool)> = all.into_iter().map(Result::unwrap).collect();

        let mut full = Vec::new();
        for limit in &stacked {
            let of_it = clients.iter().enumerate().filter(|(one, _)| (limit.applies)(*one));
            let served: i64 = of_it.map(|(_, (served, _))| served).sum();
            let counted = counted(&world, limit.owner.id(), limit.limit).await;
            assert_eq!(counted, (served * limit.unit, 0), "{}", limit.limit);
            assert!(served <= limit.requests, "{served} of {}", limit.requests);
            full.push(served == limit.requests);
        }
        assert!(full.contains(&true), "nothing was ever full");
        // Nothing was given back, so whoever was refused is under a limit that is full.
        for (one, (_, refused)) in clients.iter().enumerate() {
            let explained = stacked.iter().zip(&full).any(|(limit, full)| *full && (limit.applies)(one));
            assert!(!refused || explained, "client {one} was refused although there is room");
        }
        world.balanced().await;
    }
}
