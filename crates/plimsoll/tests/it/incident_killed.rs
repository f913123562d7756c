//! Is every Incident whole after the process was killed?
//!
//! Clients report Incidents and take them to their end; each notes what it was told. The process is killed (SIGKILL) at a
//! random moment and started again on the same database. What was acknowledged must be there; what was not is asked for
//! again under its idempotency key. After each start every Incident must be what its events say, and none half written;
//! the audit ledger and the outbox have neither a hole nor anything twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::id::TenantId;
use model::time::Clock as _;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::sigv4::TestSigner;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::harness::{Home, World};

const KILLS: u64 = 12;
const CLIENTS: u64 = 8;
const DONE: &str = "the bad deployment was rolled back";

/// The rates of an authority are for people, who are slower.
pub(crate) const CONFIGURATION: &str = "[secrets]\nmaster_key = \"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\"\n\
    [rates.on_call_sre]\nmutations_per_minute = 1000000\nreads_per_minute = 1000000\nburst = 1000\n";

/// Somebody who is on call, at this server.
#[derive(Clone)]
pub(crate) struct Signer {
    http: reqwest::Client,
    base_url: String,
    signer: Arc<TestSigner>,
}

impl Signer {
    /// Somebody of this tenant, with a key that was made now.
    pub(crate) fn of(home: &Home, base_url: &str, tenant: &str) -> Self {
        let create = [
            "principals",
            "create",
            "--tenant",
            tenant,
            "--name",
            "pager",
            "--roles",
            "sre",
        ];
        let made = home.json(&create);
        Self {
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(30))
                .build()
                .unwrap(),
            base_url: base_url.to_owned(),
            signer: Arc::new(TestSigner {
                access_key: made["access_key_id"].as_str().unwrap().to_owned(),
                secret: made["secret_access_key"].as_str().unwrap().to_owned(),
            }),
        }
    }

    /// What is read; `None` if nobody answers.
    pub(crate) async fn reads(&self, path: &str) -> Option<Value> {
        let now = infra::clock::SystemClock::new().now();
        let mut request = self.http.get(format!("{}{path}", self.base_url));
        for (name, value) in self.signer.sign(now, ("GET", path), &[], b"") {
            request = request.header(name, value);
        }
        let answer = request.send().await.ok()?;
        let (status, text) = (answer.status().as_u16(), answer.text().await.ok()?);
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).ok()
    }

    /// A change that happens once however often it is asked for; `None` if nobody answers.
    pub(crate) async fn once(&self, method: Method, path: &str, body: &Value, key: &str) -> Option<Value> {
        let (body, now) = (body.to_string(), infra::clock::SystemClock::new().now());
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let signed = self
            .signer
            .sign(now, (method.as_str(), path), &headers, body.as_bytes());
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base_url))
            .body(body);
        for (name, value) in signed {
            request = request.header(name, value);
        }
        let answer = request.send().await.ok()?;
        let (status, text) = (answer.status().as_u16(), answer.text().await.ok()?);
        // A server that stops, or cannot be reached, has not answered; everything else is an answer.
        assert!([200, 201, 503].contains(&status), "{path} {status}: {text}");
        (status != 503).then(|| serde_json::from_str(&text).unwrap())
    }
}

/// An Incident and how far its client was told that it has come.
#[derive(Debug, Clone)]
struct Intent {
    name: String,
    id: Option<String>,
    state: usize,
}

const STATES: [&str; 4] = ["OPEN", "MITIGATING", "RESOLVED", "CLOSED"];

impl Intent {
    /// Does what is not acknowledged yet; false if the server did not answer.
    async fn advance(&mut self, signer: &Signer) -> bool {
        let authority = json!({"authorityType": "ON_CALL_SRE"});
        if self.id.is_none() {
            let body = json!({
                "service": "api-gateway", "severity": "SEV1", "title": self.name, "authority": authority,
            });
            let Some(made) = signer.once(Method::POST, "/incidents", &body, &self.name).await else {
                return false;
            };
            assert_eq!(made["state"], "OPEN");
            self.id = Some(made["incidentId"].as_str().unwrap().to_owned());
        }
        let id = self.id.clone().unwrap();
        while let Some(state) = STATES.get(self.state + 1) {
            let mut body = json!({"newState": state, "authority": authority});
            if *state == "RESOLVED" {
                body["resolutionSummary"] = json!(DONE);
                body["resolutionType"] = json!("FIXED");
            }
            if *state == "CLOSED" {
                body["postMortemRef"] = json!("https://wiki.example/pm-7");
            }
            let (path, key) = (format!("/incidents/{id}/state"), format!("{}-{state}", self.name));
            let Some(taken) = signer.once(Method::PATCH, &path, &body, &key).await else {
                return false;
            };
            assert_eq!(taken["state"], *state);
            self.state += 1;
        }
        true
    }
}

async fn work(signer: Signer, round: u64, client: u64) -> Vec<Intent> {
    let mut all = Vec::new();
    for number in 0.. {
        let mut intent = Intent {
            name: format!("r{round}-c{client}-n{number}"),
            id: None,
            state: 0,
        };
        let goes_on = intent.advance(&signer).await;
        all.push(intent);
        if !goes_on {
            break;
        }
    }
    all
}

/// What was acknowledged is there.
async fn compare(home: &Home, tenant: &str, intents: &[Intent]) {
    let db = home.open();
    let tenant = tenant.parse().unwrap();
    for intent in intents {
        let Some(id) = &intent.id else { continue };
        let id = id.parse().unwrap();
        let found = db
            .read(move |tx| store::incidents::find(tx, tenant, id))
            .await
            .unwrap();
        let found = found.unwrap_or_else(|| panic!("{intent:?} is lost"));
        let at = STATES
            .iter()
            .position(|state| *state == found.state.as_str())
            .unwrap();
        assert!(at >= intent.state, "{intent:?} is {at}");
    }
}

/// Every Incident is what its events say and was opened as a whole, each of its events is in the outbox once, and neither
/// outbox nor audit ledger has a hole. Nobody works meanwhile.
async fn whole(home: &Home, tenant: &str) {
    let (db, tenant) = (home.open(), tenant.parse::<TenantId>().unwrap());
    // Everything that is committed gets its place, also what a killed process has left.
    let mut waiting = usize::MAX;
    for _ in 0..3_000 {
        waiting = db
            .read(|tx| store::outbox::unplaced(tx, None, 10))
            .await
            .unwrap()
            .len();
        if waiting == 0 {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(waiting, 0, "messages without a place");
    let mut told: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut place = 0;
    loop {
        let page = db
            .read(move |tx| store::outbox::after(tx, tenant, place, 500))
            .await
            .unwrap();
        for placed in &page {
            place += 1;
            assert_eq!(placed.place, place, "the outbox has a hole");
            told.entry(placed.message.incident.to_string())
                .or_default()
                .push(placed.message.seq);
        }
        if page.is_empty() {
            break;
        }
    }
    let events: usize = told.values().map(Vec::len).sum();
    for (incident, seqs) in &told {
        let all: Vec<i64> = (1..=i64::try_from(seqs.len()).unwrap()).collect();
        assert_eq!(
            seqs, &all,
            "{incident} was told with a hole, twice or out of order"
        );
        assert!(seqs.len() >= 2, "{incident} is half written");
    }
    let found = home.json(&["replay", "incident", "--all"]);
    let counts = (json!(told.len()), json!(events), json!(true));
    assert_eq!(
        (
            found["incidents"].clone(),
            found["events"].clone(),
            found["agrees"].clone()
        ),
        counts,
        "{found}"
    );
    let mut seq = 0;
    loop {
        let page = db
            .read(move |tx| store::audit::after(tx, tenant, seq, 500))
            .await
            .unwrap();
        for entry in &page {
            seq += 1;
            assert_eq!(entry.seq, seq, "the audit ledger has a hole");
        }
        if page.is_empty() {
            break;
        }
    }
}

async fn check(home: Home) {
    let world = World::with(home, CONFIGURATION);
    let tenant = world.tenant("Harbour Freight").await.id;
    let World {
        mut server,
        provider: _provider,
        home,
        operator: _,
    } = world;
    let mut signer = Signer::of(&home, &server.base_url, &tenant);
    let mut all = Vec::new();
    let plan = crate::killed::Plan::new(KILLS);
    for round in 0..plan.kills {
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(work(signer.clone(), round, number));
        }
        sleep(plan.moment(round)).await;
        server.kill();
        let mut done: Vec<Intent> = clients.join_all().await.concat();
        server = home.serve();
        signer.base_url.clone_from(&server.base_url);
        compare(&home, &tenant, &done).await;
        whole(&home, &tenant).await;
        for intent in &mut done {
            assert!(intent.advance(&signer).await, "{intent:?}");
        }
        all.extend(done);
    }
    assert!(all.len() > 20, "only {} Incidents", all.len());
    compare(&home, &tenant, &all).await;
    let found = home.json(&["replay", "incident", "--all"]);
    let expected = (json!(all.len()), json!(all.len() * 5));
    assert_eq!(
        (found["incidents"].clone(), found["events"].clone()),
        expected,
        "no Incident twice, no event lost: {found}"
    );
    assert_eq!(server.terminate().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_of_incidents_survives_a_kill_on_sqlite() {
    check(Home::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_of_incidents_survives_a_kill_on_postgres() {
    check(Home::postgres()).await;
}
