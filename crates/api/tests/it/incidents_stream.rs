//! Does a stream tell what happens, to whom it happened, and all of it?

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use model::id::TenantId;
use model::key::KeyScope;
use model::time::Clock as _;
use serde_json::Value;
use services::keys::KeyChange;
use services::tenants::TenantChange;
use testkit::db::TestDb;
use testkit::governance::{add_incidents, incident, resolved};
use tokio::time::timeout;

use crate::harness::{World, settings};

const PATIENCE: Duration = Duration::from_secs(20);

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Event {
    id: i64,
    kind: String,
    data: Value,
}

/// A client that listens.
struct Listener {
    response: reqwest::Response,
    text: String,
}

async fn ask(world: &World, key: &str, last: Option<&str>) -> reqwest::Response {
    let url = format!("http://{}/api/v1/incidents/stream", world.authority());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut call = client.get(url).bearer_auth(key);
    if let Some(last) = last {
        call = call.header("last-event-id", last);
    }
    timeout(PATIENCE, call.send()).await.unwrap().unwrap()
}

impl Listener {
    async fn start(world: &World, key: &str, last: Option<&str>) -> Self {
        let response = ask(world, key, last).await;
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            text: String::new(),
        }
    }

    async fn next(&mut self) -> Event {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
                if let Some(data) = field("data: ") {
                    return Event {
                        id: field("id: ").unwrap().parse().unwrap(),
                        kind: field("event: ").unwrap().to_owned(),
                        data: serde_json::from_str(data).unwrap(),
                    };
                }
                continue;
            }
            let chunk = timeout(PATIENCE, self.response.chunk())
                .await
                .expect("nothing came")
                .unwrap();
            self.text
                .push_str(std::str::from_utf8(&chunk.expect("it ended")).unwrap());
        }
    }

    /// Waits until the answer ends.
    async fn ends(&mut self) {
        while let Some(chunk) = timeout(PATIENCE, self.response.chunk())
            .await
            .expect("it goes on")
            .unwrap()
        {
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn some(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.next().await);
        }
        events
    }
}

/// Opens and ends an Incident: three events that customers are told of.
async fn happens(world: &World, tenant: TenantId, number: u128) {
    let whole = resolved(incident(tenant, number, world.clock.now()), world.clock.now());
    add_incidents(&world.cx.db, vec![whole]).await;
    services::outbox::place(&world.cx).await.unwrap();
}

/// Takes the right to listen from whoever has this key.
async fn loses(world: &World, how: &str, key: &str) {
    let by = services::audit::Author::system();
    if how == "tenant" {
        let frozen = TenantChange::Freeze { reason: None };
        services::tenants::change(&world.cx, by, world.tenant, frozen)
            .await
            .unwrap();
        return;
    }
    let actor = services::auth::tenant(&world.cx, key, KeyScope::Read)
        .await
        .unwrap();
    let change = match how {
        "revoke" => KeyChange::Revoke,
        _ => KeyChange::Freeze { reason: None },
    };
    services::keys::change(&world.cx, world.tenant, by, actor.key.id, change)
        .await
        .unwrap();
}

fn ids(events: &[Event]) -> Vec<i64> {
    events.iter().map(|event| event.id).collect()
}

testkit::both_databases! {
    async fn who_comes_back_misses_nothing_and_hears_of_nobody_else(db: TestDb) {
        let world = World::new(db).await;
        let (theirs, their_key) = world.other_tenant("rival").await;
        happens(&world, world.tenant, 1).await;
        happens(&world, theirs, 7).await;
        let mut first = Listener::start(&world, &world.key, Some("0")).await;
        let seen = first.some(2).await;
        assert_eq!((ids(&seen), seen[0].kind.as_str(), seen[1].kind.as_str()), (vec![2, 3], "incident.created", "incident.state_changed"));
        drop(first);
        happens(&world, theirs, 8).await;
        happens(&world, world.tenant, 2).await;
        let mut again = Listener::start(&world, &world.key, Some("3")).await;
        let rest = again.some(4).await;
        assert_eq!(ids(&rest), [4, 6, 7, 8]);
        // What happens while somebody listens.
        happens(&world, theirs, 9).await;
        happens(&world, world.tenant, 3).await;
        let live = again.some(3).await;
        assert_eq!(ids(&live), [10, 11, 12]);
        let told: BTreeSet<String> = seen.iter().chain(&rest).chain(&live).map(|event| event.data["data"]["incident_id"].as_str().unwrap().to_owned()).collect();
        let ours: BTreeSet<String> = (1..=3).map(|number| incident(world.tenant, number, world.clock.now()).id().to_string()).collect();
        assert_eq!(told, ours);
        let mut them = Listener::start(&world, &their_key, Some("0")).await;
        assert_eq!(ids(&them.some(3).await), [2, 3, 4], "each tenant has places of its own");
    }

    async fn a_backlog_that_is_longer_than_a_page_is_told_without_a_gap(db: TestDb) {
        let world = World::new(db).await;
        for number in 1..=60 {
            happens(&world, world.tenant, number).await;
        }
        let mut late = Listener::start(&world, &world.key, Some("0")).await;
        let told = late.some(180).await;
        // Of every four events customers are told of all but the first.
        let expected: Vec<i64> = (1..=240).filter(|place| place % 4 != 1).collect();
        assert_eq!(ids(&told), expected);
    }

    async fn who_may_no_longer_listen_hears_no_more_after_a_second(db: TestDb) {
        let world = World::new(db).await;
        for (number, end) in (1..).zip(["revoke", "freeze", "tenant"]) {
            let key = world.key_with(&[KeyScope::Read]).await;
            let mut listener = Listener::start(&world, &key, None).await;
            happens(&world, world.tenant, number).await;
            listener.some(3).await;
            loses(&world, end, &key).await;
            let began = Instant::now();
            listener.ends().await;
            assert!(began.elapsed() < Duration::from_secs(5), "{end}: {:?}", began.elapsed());
        }
    }

    async fn who_does_not_say_where_hears_what_happens_from_now_on(db: TestDb) {
        let world = World::new(db).await;
        happens(&world, world.tenant, 1).await;
        let mut listener = Listener::start(&world, &world.key, None).await;
        happens(&world, world.tenant, 2).await;
        assert_eq!(ids(&listener.some(3).await), [6, 7, 8]);
    }

    async fn who_asks_for_what_is_not_kept_is_told(db: TestDb) {
        let world = World::new(db).await;
        happens(&world, world.tenant, 1).await;
        world.clock.advance_seconds(8 * 86_400);
        assert_eq!(services::outbox::sweep(&world.cx).await.unwrap(), 4);
        happens(&world, world.tenant, 2).await;
        let mut late = Listener::start(&world, &world.key, Some("1")).await;
        let events = late.some(2).await;
        assert_eq!((events[0].kind.as_str(), events[0].id, &events[0].data["not_kept_up_to"]), ("gap", 4, &4.into()));
        assert_eq!((events[1].kind.as_str(), events[1].id), ("incident.created", 6));
        let mut strange = Listener::start(&world, &world.key, Some("99")).await;
        let gap = strange.next().await;
        assert_eq!((gap.kind.as_str(), gap.id), ("gap", 8));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_listen_than_may_of_all_tenants() {
    let world = World::with_context(TestDb::sqlite(), settings(), |cx| cx.with_streams(2)).await;
    let (_, their_key) = world.other_tenant("rival").await;
    let one = Listener::start(&world, &world.key, None).await;
    let other = Listener::start(&world, &their_key, None).await;
    let refused = ask(&world, &their_key, None).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (503, &"2".parse().unwrap())
    );
    assert!(refused.text().await.unwrap().contains("too-many-streams"));
    drop((one, other));
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_of_a_tenant_listen_and_a_place_is_free_again_when_one_has_gone() {
    let world = World::new(TestDb::sqlite()).await;
    let (_, their_key) = world.other_tenant("rival").await;
    let mut listeners = Vec::new();
    for _ in 0..10 {
        listeners.push(Listener::start(&world, &world.key, None).await);
    }
    let refused = ask(&world, &world.key, None).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (429, &"2".parse().unwrap())
    );
    assert!(refused.text().await.unwrap().contains("rate-limited"));
    Listener::start(&world, &their_key, None).await;
    drop(listeners.pop());
    for number in 1..200 {
        // Who has gone is noticed when there is something to tell.
        happens(&world, world.tenant, number).await;
        if ask(&world, &world.key, None).await.status().as_u16() == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the place stays taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_none_is_refused() {
    let world = World::new(TestDb::sqlite()).await;
    let path = "/api/v1/incidents/stream";
    for wrong in ["x", "-1", "1.5", "99999999999999999999"] {
        world
            .get(path)
            .header("last-event-id", wrong)
            .send()
            .await
            .is(400, "invalid-header");
        let query = format!("{path}?last_event_id={wrong}");
        world.get(&query).send().await.is(400, "invalid-parameter");
    }
    world
        .get(&format!("{path}?since=1"))
        .send()
        .await
        .is(400, "invalid-parameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nothing_happens_for_15_seconds_a_comment_says_that_somebody_is_there() {
    let world = World::new(TestDb::sqlite()).await;
    let (key, began) = (world.key.clone(), tokio::time::Instant::now());
    let mut listener = Listener::start(&world, &key, None).await;
    while !listener.text.contains("\n\n: nothing has happened\n\n") {
        let chunk = timeout(PATIENCE, listener.response.chunk())
            .await
            .expect("nothing came")
            .unwrap();
        listener
            .text
            .push_str(std::str::from_utf8(&chunk.expect("it ended")).unwrap());
    }
    assert_eq!(listener.text, "retry: 2000\n\n: nothing has happened\n\n");
    assert!(
        began.elapsed() >= Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
}
