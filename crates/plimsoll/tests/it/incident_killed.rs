//! Is every Incident whole after the process was killed?
//!
//! Clients report Incidents and take them to their end; each notes what it was told. The process is killed (SIGKILL) at a
//! random moment and started again on the same database. What was acknowledged must be there; what was not is asked for
//! again under its idempotency key; and every Incident must be what its events say.

use std::sync::Arc;
use std::time::Duration;

use model::time::Clock as _;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::sigv4::TestSigner;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::harness::{Home, World};

const KILLS: u64 = 5;
const CLIENTS: u64 = 8;
const DONE: &str = "the bad deployment was rolled back";

/// The rates of an authority are for people, who are slower.
const CONFIGURATION: &str = "[secrets]\nmaster_key = \"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\"\n\
    [rates.on_call_sre]\nmutations_per_minute = 1000000\nreads_per_minute = 1000000\nburst = 1000\n";

/// Somebody who is on call, at this server.
#[derive(Clone)]
struct Signer {
    http: reqwest::Client,
    base_url: String,
    signer: Arc<TestSigner>,
}

impl Signer {
    /// A change that happens once however often it is asked for; `None` if nobody answers.
    async fn once(&self, method: Method, path: &str, body: &Value, key: &str) -> Option<Value> {
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

async fn check(home: Home) {
    let world = World::with(home, CONFIGURATION);
    let tenant = world.tenant("Harbour Freight").await.id;
    let create = [
        "principals",
        "create",
        "--tenant",
        &tenant,
        "--name",
        "pager",
        "--roles",
        "sre",
    ];
    let made = world.home.json(&create);
    let World {
        mut server,
        provider: _provider,
        home,
        operator: _,
    } = world;
    let mut signer = Signer {
        http: reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap(),
        base_url: server.base_url.clone(),
        signer: Arc::new(TestSigner {
            access_key: made["access_key_id"].as_str().unwrap().to_owned(),
            secret: made["secret_access_key"].as_str().unwrap().to_owned(),
        }),
    };
    let mut all = Vec::new();
    for round in 0..KILLS {
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(work(signer.clone(), round, number));
        }
        sleep(crate::killed::moment(round)).await;
        server.kill();
        let mut done: Vec<Intent> = clients.join_all().await.concat();
        server = home.serve();
        signer.base_url.clone_from(&server.base_url);
        compare(&home, &tenant, &done).await;
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
