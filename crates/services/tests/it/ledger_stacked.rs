//! Do many clients of several tenants on two nodes at once keep limits that lie on top of each other: everyone's, the
//! tenant's, its project's, agent's and key's?

use std::sync::Arc;
use std::time::Duration;

use domain::settle::Authority;
use model::hold::Subject;
use model::id::{KeyId, LimitId, TenantId};
use model::limit::{LimitCategory, LimitScope, LimitType};
use services::audit::Author;
use services::context::Context;
use services::ledger::Answer;
use services::limits::{CheckRequest, Done, Owner};
use services::words::Draft;
use testkit::db::TestDb;
use tokio::sync::Barrier;

use crate::books::{draft, end, settle};
use crate::harness::{World, tenant};

const CLIENTS: usize = 64;
/// Tenants that have the clients by turns; a node has clients of each.
const TENANTS: usize = 3;
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
    /// Whose clients; all if it is everyone's.
    of: Option<usize>,
    applies: fn(usize) -> bool,
}

impl Stacked {
    fn meets(&self, client: usize) -> bool {
        self.of.is_none_or(|of| of == client % TENANTS) && (self.applies)(client / TENANTS)
    }
}

/// Two processes on one database, and the tenants with their keys.
struct Nodes {
    world: World,
    nodes: [Context; 2],
    tenants: Vec<(TenantId, KeyId)>,
}

impl Nodes {
    async fn new(db: TestDb) -> Self {
        let world = World::new(db).await;
        let nodes = [world.cx.clone(), world.another_process()];
        let mut tenants = vec![(world.tenant, world.key.key.id)];
        for name in ["bolt", "crane"] {
            let (id, actor, _) = tenant(&world.cx, name, None).await;
            tenants.push((id, actor.key.id));
        }
        assert_eq!(tenants.len(), TENANTS);
        Self {
            world,
            nodes,
            tenants,
        }
    }

    /// Every third client of a tenant has the key.
    fn request(&self, client: usize) -> CheckRequest {
        let ((tenant, key), nth) = (self.tenants[client % TENANTS], client / TENANTS);
        CheckRequest {
            tenant,
            subject: Subject {
                project_id: Some(format!("project-{}", nth % 2)),
                agent_id: Some(format!("agent-{}", nth % 5)),
                feature: nth.is_multiple_of(4).then(|| "answers".to_owned()),
                api_key_id: nth.is_multiple_of(3).then_some(key),
                ..Subject::default()
            },
            ..self.world.check_request(COST)
        }
    }

    async fn limited(
        &self,
        of: Option<usize>,
        (draft, requests, unit): (Draft, i64, i64),
        applies: fn(usize) -> bool,
    ) -> Stacked {
        let owner = of.map_or(Owner::Platform, |of| Owner::Tenant(self.tenants[of].0));
        let cx = &self.world.cx;
        let made = services::limits::create(cx, owner, Author::system(), draft, None, |_| String::new());
        let limit = match made.await {
            Ok(Done::Now(limit, _)) => limit.id,
            other => panic!("no limit: {other:?}"),
        };
        Stacked {
            owner,
            limit,
            requests,
            unit,
            of,
            applies,
        }
    }

    async fn stack(&self) -> Vec<Stacked> {
        let global = Draft {
            scope: LimitScope::Global,
            ..money(140)
        };
        let mut stacked = vec![self.limited(None, (global, 140, COST), |_| true).await];
        for (of, &(owner, key)) in self.tenants.iter().enumerate() {
            let (project, agent) = ("project-0".parse().unwrap(), "agent-1".parse().unwrap());
            let cx = &self.world.cx;
            services::tenants::create_project(cx, owner, project, None)
                .await
                .unwrap();
            services::tenants::create_agent(cx, owner, agent, None, None)
                .await
                .unwrap();
            for (made, applies) in of_tenant(key) {
                stacked.push(self.limited(Some(of), made, applies).await);
            }
        }
        stacked
    }
}

fn money(requests: i64) -> Draft {
    draft(LimitCategory::Budget, LimitType::CostUsd, requests * COST)
}

type Applies = fn(usize) -> bool;

/// The limits of one tenant, with the requests that there is room for and what one takes.
fn of_tenant(key: KeyId) -> [((Draft, i64, i64), Applies); 7] {
    let scoped = |scope, id: &str, requests| Draft {
        scope,
        scope_id: Some(id.to_owned()),
        ..money(requests)
    };
    let of_key = Draft {
        api_key_id: Some(key),
        ..money(14)
    };
    // The locks of rolling windows are others than those of calendar ones.
    let rate = draft(LimitCategory::Rate, LimitType::RequestsPerHour, 50);
    // Places are given back, so that there are enough in the end.
    let places = draft(LimitCategory::Budget, LimitType::ConcurrentRuns, 1_000);
    let feature = Draft {
        feature: Some("answers".to_owned()),
        ..money(16)
    };
    [
        ((money(60), 60, COST), |_| true),
        ((scoped(LimitScope::Project, "project-0", 30), 30, COST), |one| {
            one.is_multiple_of(2)
        }),
        ((scoped(LimitScope::Agent, "agent-1", 5), 5, COST), |one| {
            one % 5 == 1
        }),
        ((of_key, 14, COST), |one| one.is_multiple_of(3)),
        ((rate, 50, 1), |_| true),
        ((places, 1, 1), |_| false),
        ((feature, 16, COST), |one| one.is_multiple_of(4)),
    ]
}

/// Asks with all others at once, again and again, and spends what it may; gives how often that was, and whether it was ever
/// refused. The node changes with every client of a tenant, so that both have clients of each.
async fn client(nodes: Arc<Nodes>, together: Arc<Barrier>, number: usize) -> (i64, bool) {
    let (mut served, mut refused) = (0, false);
    let cx = &nodes.nodes[(number / TENANTS) % 2];
    for _ in 0..EACH {
        let request = nodes.request(number);
        let tenant = request.tenant;
        together.wait().await;
        let decided = match services::limits::check(cx, request, String::new(), None).await {
            Ok(Answer::Decided(decided)) => decided,
            other => panic!("no decision: {other:?}"),
        };
        let Some(hold) = decided.hold else {
            refused = true;
            continue;
        };
        let ended = end(tenant, hold.id, settle(COST), Authority::Client);
        cx.ledger.end(ended).await.unwrap();
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
        let nodes = Arc::new(Nodes::new(db).await);
        let (world, together) = (&nodes.world, Arc::new(Barrier::new(CLIENTS)));
        let stacked = nodes.stack().await;
        let start = |one| tokio::spawn(client(Arc::clone(&nodes), Arc::clone(&together), one));
        let tasks: Vec<_> = (0..CLIENTS).map(start).collect();
        let all = futures_util::future::join_all(tasks);
        let all = tokio::time::timeout(Duration::from_mins(2), all).await.expect("a deadlock");
        let clients: Vec<(i64, bool)> = all.into_iter().map(Result::unwrap).collect();

        let mut full = Vec::new();
        for limit in &stacked {
            let of_it = clients.iter().enumerate().filter(|(one, _)| limit.meets(*one));
            let served: i64 = of_it.map(|(_, (served, _))| served).sum();
            let counted = counted(world, limit.owner.id(), limit.limit).await;
            assert_eq!(counted, (served * limit.unit, 0), "{}", limit.limit);
            assert!(served <= limit.requests, "{served} of {}", limit.requests);
            full.push(served == limit.requests);
        }
        assert!(full.contains(&true), "nothing was ever full");
        // Nothing was given back, so whoever was refused is under a limit that is full.
        for (one, (_, refused)) in clients.iter().enumerate() {
            let explained = stacked.iter().zip(&full).any(|(limit, full)| *full && limit.meets(one));
            assert!(!refused || explained, "client {one} was refused although there is room");
        }
        world.balanced().await;
    }
}
