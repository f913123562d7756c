//! Is everything that was acknowledged still there after the process was killed?
//!
//! Clients hold and settle; each notes what it was told. The process is killed (SIGKILL) at a random moment and
//! started again on the same database, again and again. What was acknowledged must be there; what was not is
//! asked for again with its idempotency key, and must then have happened exactly once.

use std::io::Write as _;
use std::time::{Duration, Instant};

use model::hold::HoldStatus;
use model::id::{HoldId, TenantId};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::upstream::Fault;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::harness::{Client, Home, Tenant, World, chat};

const KILLS: u64 = 5;
/// How often it is killed instead, for whoever has the time.
const KILLS_WANTED: &str = "PLIMSOLL_KILLS";
/// The seed of the moments: the one that a test printed when it failed.
const SEED: &str = "PLIMSOLL_SEED";
const CLIENTS: u64 = 12;

/// What each hold sets aside, in nano-USD; a settlement takes less.
const HELD: i64 = 1_000_000;

/// The longest until all holds that were left open have expired: their time to live and the expiry's period.
const EXPIRED_WITHIN: Duration = Duration::from_mins(1);

/// One hold and what its client meant to do with it.
#[derive(Debug, Clone)]
struct Intent {
    /// The idempotency keys are made of it.
    name: String,
    /// What to settle; `None` leaves the hold to expire.
    settle: Option<i64>,
    /// What was acknowledged: the hold's id.
    held: Option<String>,
    settled: bool,
}

impl Intent {
    fn new(round: u64, client: u64, number: i64) -> Self {
        Self {
            name: format!("r{round}-c{client}-n{number}"),
            settle: (number % 4 != 3).then_some(number * 7_919 % HELD),
            held: None,
            settled: false,
        }
    }

    /// Does what is not acknowledged yet; false if the server did not answer.
    async fn advance(&mut self, client: &Client) -> bool {
        if self.held.is_none() {
            let ttl = if self.settle.is_some() { 600 } else { 1 };
            let body = json!({"estimated_cost_nano_usd": HELD, "ttl_seconds": ttl});
            let Some(answer) = once(client, "/api/v1/limits/check", &body, &self.name).await else {
                return false;
            };
            self.held = Some(answer["hold_id"].as_str().unwrap().to_owned());
        }
        if let (Some(cost), Some(hold), false) = (self.settle, &self.held, self.settled) {
            let path = format!("/api/v1/holds/{hold}/settle");
            let body = json!({"cost_nano_usd": cost});
            let Some(answer) = once(client, &path, &body, &self.name).await else {
                return false;
            };
            assert_eq!(answer["settled_nano_usd"], json!(cost.to_string()), "{self:?}");
            self.settled = true;
        }
        true
    }
}

/// A call that happens once however often it is made; `None` if nobody answers.
async fn once(client: &Client, path: &str, body: &Value, key: &str) -> Option<Value> {
    let headers = [("idempotency-key", key)];
    let reply = client.call(Method::POST, path, Some(body), &headers).await.ok()?;
    Some(reply.expect(200))
}

/// A client that works until the server is gone.
async fn work(client: Client, round: u64, number: u64) -> Vec<Intent> {
    let mut intents = Vec::new();
    loop {
        let next = i64::try_from(intents.len()).unwrap();
        let mut intent = Intent::new(round, number, next);
        let alive = intent.advance(&client).await;
        intents.push(intent);
        if !alive {
            return intents;
        }
    }
}

/// Every acknowledgement is true: the hold is there, with its state.
async fn compare(db: &store::Db, tenant: &str, intents: &[Intent]) {
    let tenant: TenantId = tenant.parse().unwrap();
    let known = intents.to_vec();
    let wrong = db
        .read(move |tx| -> store::StoreResult<Vec<String>> {
            let mut wrong = Vec::new();
            for intent in &known {
                let Some(id) = &intent.held else { continue };
                let id: HoldId = id.parse().unwrap();
                let found = store::holds::find(tx, tenant, id)?;
                let right = found.as_ref().is_some_and(|hold| {
                    let settled = hold.settled.map(|amounts| amounts.cost.0);
                    match (hold.status, intent.settle) {
                        (HoldStatus::Settled, Some(cost)) => settled == Some(cost),
                        (HoldStatus::Pending, Some(_)) => !intent.settled,
                        (HoldStatus::Pending | HoldStatus::Expired, None) => true,
                        _ => false,
                    }
                });
                if !right {
                    wrong.push(format!("{intent:?}: {found:?}"));
                }
            }
            Ok(wrong)
        })
        .await
        .unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn nothing_is_held(tenant: &Tenant) -> i64 {
    let began = Instant::now();
    loop {
        let (settled, held) = tenant.used().await;
        if held == 0 {
            return settled;
        }
        assert!(began.elapsed() < EXPIRED_WITHIN, "{held} is still held");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn check(home: Home) {
    let world = World::with(home, "");
    let tenant = world.tenant("Harbour Freight").await;
    tenant.budget(json!(1_000_000), "NONE").await;
    let World {
        server,
        provider: _provider,
        home,
        operator: _,
    } = world;
    let (mut server, mut all, mut client) = (server, Vec::new(), tenant.client.clone());
    let mut told = 0;
    let plan = Plan::new(KILLS);
    for round in 0..plan.kills {
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(work(client.clone(), round, number));
        }
        sleep(plan.moment(round)).await;
        server.kill();
        let mut done: Vec<Intent> = clients.join_all().await.concat();
        told += done.iter().filter(|intent| intent.held.is_some()).count();

        server = home.serve();
        client = client.at(&server.base_url);
        let db = home.open();
        compare(&db, &tenant.id, &done).await;
        for intent in &mut done {
            assert!(intent.advance(&client).await, "{intent:?}");
        }
        compare(&db, &tenant.id, &done).await;
        all.extend(done);
    }
    assert!(told > 0, "nothing was acknowledged before a kill");

    let tenant = Tenant { client, ..tenant };
    let settled = nothing_is_held(&tenant).await;
    let meant: i64 = all.iter().filter_map(|intent| intent.settle).sum();
    assert_eq!(settled, meant, "settled exactly once");
    let db = home.open();
    compare(&db, &tenant.id, &all).await;
    assert_eq!(home.verify_ledger(), u64::try_from(all.len()).unwrap());
    assert_eq!(server.terminate().0, 0);
}

/// An LLM Run whose process is killed while the provider thinks.
async fn check_run(home: Home) {
    let patience = "[gateway]\nconnect_timeout_ms = 500\nmax_retries = 0\nhold_ttl_ms = 3000";
    let world = World::with(home, patience);
    let tenant = world.tenant("Harbour Freight").await;
    tenant.budget(json!(10), "NONE").await;
    world.provider.fault(Fault::Delay { ms: 30_000 });
    let client = tenant.client.clone();
    let call = tokio::spawn(async move {
        let body = chat();
        let path = "/v1/chat/completions";
        client.call(Method::POST, path, Some(&body), &[]).await.is_err()
    });
    let World {
        server,
        provider,
        home,
        operator: _,
    } = world;
    assert!(tokio::task::block_in_place(
        || provider.wait_until(|p| p.request_count() == 1)
    ));
    server.kill();
    assert!(call.await.unwrap(), "nobody can have answered");

    let server = home.serve();
    let client = tenant.client.at(&server.base_url);
    let run = async || client.get("/api/v1/runs").await.expect(200)["items"][0].clone();
    let left = run().await;
    assert!(
        left["run_id"].is_string(),
        "it was written down before it ran: {left}"
    );
    let tenant = Tenant {
        client: client.clone(),
        ..tenant
    };
    assert_eq!(nothing_is_held(&tenant).await, 0);
    let ended = run().await;
    assert_eq!(ended["run_id"], left["run_id"]);
    assert_eq!(
        (&ended["status"], &ended["state"]),
        (&json!("crashed"), &json!("COMPLETED"))
    );
    assert_eq!(
        (&ended["error_code"], &ended["cost_nano_usd"]),
        (&json!("hold_expired"), &Value::Null)
    );
    home.verify_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_process_was_killed_ends_as_crashed_with_its_hold_on_sqlite() {
    check_run(Home::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_process_was_killed_ends_as_crashed_with_its_hold_on_postgres() {
    check_run(Home::postgres()).await;
}

/// How often the process is killed, and when: at moments that follow from a seed.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) kills: u64,
    seed: u64,
}

impl Plan {
    /// So many kills, unless whoever runs the test wants another number. A test that fails shows the seed.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests have no configuration; how long they may take is for whoever runs them to say"
    )]
    pub(crate) fn new(kills: u64) -> Self {
        let wanted = |name: &str| {
            let text = std::env::var(name).ok()?;
            Some(
                text.parse()
                    .unwrap_or_else(|_| panic!("{name}={text} is no number")),
            )
        };
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let plan = Self {
            kills: wanted(KILLS_WANTED).unwrap_or(kills),
            seed: wanted(SEED).unwrap_or_else(|| u64::from(now.subsec_nanos())),
        };
        writeln!(
            std::io::stderr(),
            "{KILLS_WANTED}={} {SEED}={}",
            plan.kills,
            plan.seed
        )
        .unwrap();
        plan
    }

    /// How long the server lives in a round: 20 to 720 ms.
    pub(crate) fn moment(&self, round: u64) -> Duration {
        // SplitMix64.
        let step = round.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.seed.wrapping_add(step);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_millis(20 + (bits ^ (bits >> 31)) % 700)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_on_sqlite() {
    check(Home::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_on_postgres() {
    check(Home::postgres()).await;
}
