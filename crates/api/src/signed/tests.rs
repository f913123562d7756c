//! Is a request taken on the wire only as it was signed, and is every refusal told so that a client can be mended?
//!
//! The route of these tests is registered here: it does with a signed request what every route has to do.

mod clients;
mod refused;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, Json};
use actix_web::{App, HttpRequest, HttpServer};
use infra::clock::SystemClock;
use infra::secrets::MasterKey;
use model::authority::AuthorityType;
use model::principal::{PrincipalAction, PrincipalRole};
use model::time::{Clock, Timestamp};
use serde_json::{Value, json};
use services::Context;
use services::audit::Author;
use services::gateway::{Gateway, GatewaySettings, OutputCaps};
use services::identity::IdentitySettings;
use services::prices::PriceBook;
use services::principals::{Issued, NewPrincipal};
use testkit::clock::FixedClock;
use testkit::db::TestDb;
use testkit::ids::CountingIds;
use testkit::sigv4::TestSigner;
use testkit::upstream::Scripted;

use super::*;
use crate::middleware::around;
use crate::middleware::claims::Claims;

/// What a route does: ask what the sender may, change something under the signature, and answer.
async fn handle(
    request: HttpRequest,
    state: Data<State>,
    SignedRequest { signed, body }: SignedRequest,
) -> Result<Json<Value>, IncidentError> {
    let action = match request.method().as_str() {
        "GET" => PrincipalAction::Read,
        "POST" => PrincipalAction::Create,
        _ => PrincipalAction::Transition,
    };
    signed.require(action)?;
    if body.starts_with(b"glass") {
        signed.claim(action, AuthorityType::EmergencyOverride)?;
    }
    principals::admit(&state.cx, &signed, action, None)?;
    if action.is_mutation() {
        principals::spend(&state.cx, &signed).await?;
    }
    Ok(Json(json!({ "arn": signed.arn(), "bytes": body.len() })))
}

/// A server with a principal of each kind.
struct World {
    cx: Context,
    clock: Arc<FixedClock>,
    addr: SocketAddr,
    issued: Issued,
    client: reqwest::Client,
    _upstream: Scripted,
    _db: TestDb,
}

impl World {
    async fn new() -> Self {
        let clock = FixedClock::start();
        let now: Arc<dyn Clock> = Arc::<FixedClock>::clone(&clock);
        Self::at(now, clock).await
    }

    /// With the time of the wall: other programs know no other.
    async fn now() -> Self {
        Self::at(Arc::new(SystemClock::new()), FixedClock::start()).await
    }

    async fn at(now: Arc<dyn Clock>, clock: Arc<FixedClock>) -> Self {
        let (db, upstream) = (TestDb::sqlite(), Scripted::synthetic());
        let long = Duration::from_secs(2);
        let gateway = Gateway::new(
            testkit::providers::pool(&upstream),
            GatewaySettings {
                hold_ttl_ms: 600_000,
                default_output_tokens: 4096,
                output_caps: OutputCaps::default(),
                drain_timeout: long,
                stall_timeout: long,
                settle_wait: long,
                answer_cap_bytes: 1024,
                room: services::ledger::RoomSettings::default(),
            },
        );
        let prices = Arc::new(PriceBook::new(Vec::new()).unwrap());
        let cx = Context::new(db.db(), now, CountingIds::start(), prices, gateway).with_identity(
            IdentitySettings {
                master_key: Some(MasterKey::from_bytes([7; 32])),
                ..IdentitySettings::default()
            },
        );
        let issued = principal(&cx, "acme", PrincipalRole::Operator).await;
        Self {
            addr: serve(&cx),
            cx,
            clock,
            issued,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            _upstream: upstream,
            _db: db,
        }
    }

    fn time(&self) -> Timestamp {
        self.clock.now()
    }

    fn signer(&self) -> TestSigner {
        signer(&self.issued)
    }

    /// Sends what was signed, and reads the answer.
    async fn send(&self, sent: Sent) -> Answer {
        let url = format!("http://{}{}", self.addr, sent.uri);
        let method = sent.method.parse().unwrap();
        let mut request = self.client.request(method, url).body(sent.body);
        for (name, value) in &sent.headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.unwrap();
        let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
        let header = |name: &str| {
            let value = answer.headers().get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        let (challenge, retry_after) = (header("www-authenticate"), header("retry-after"));
        let request_id = header("x-request-id").unwrap();
        let json: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        if status != StatusCode::OK {
            assert_eq!(json["error"]["requestId"], request_id, "{json}");
            plain(json["error"]["message"].as_str().unwrap());
        }
        Answer {
            status: status.as_u16(),
            challenge,
            retry_after,
            json,
        }
    }
}

/// A message says what the problem is, and neither what to do nor what is inside.
fn plain(message: &str) {
    let lower = message.to_lowercase();
    for word in [
        "try ",
        "consider",
        "suggest",
        "should",
        "recommended",
        "table",
        "sql",
        "store",
        "panick",
    ] {
        assert!(!lower.contains(word), "{message}");
    }
    assert!(
        message.ends_with('.') && message.starts_with(|c: char| !c.is_lowercase()),
        "{message}"
    );
}

async fn principal(cx: &Context, tenant: &str, role: PrincipalRole) -> Issued {
    let tenant = match services::tenants::by_name(cx, tenant).await {
        Ok(tenant) => tenant,
        Err(_) => services::tenants::create(cx, Author::system(), tenant)
            .await
            .unwrap(),
    };
    let new = NewPrincipal {
        name: role.as_str().parse().unwrap(),
        roles: vec![role],
    };
    principals::create(cx, tenant.id, Author::system(), new)
        .await
        .unwrap()
}

fn signer(issued: &Issued) -> TestSigner {
    TestSigner {
        access_key: issued.key.id.to_string(),
        secret: issued.secret.expose().to_owned(),
    }
}

/// Serves the route on a free port, until the test ends.
fn serve(cx: &Context) -> SocketAddr {
    let settings = crate::Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        workers: 1,
        native_body_bytes: 1024 * 1024,
        llm_body_bytes: 1024 * 1024,
        request_timeout: Duration::from_secs(5),
        keep_alive: Duration::from_secs(5),
        shutdown_grace: Duration::from_secs(1),
        allowed_hosts: Vec::new(),
    };
    let state = State {
        cx: cx.clone(),
        settings: Arc::new(settings),
        claims: Claims::default(),
    };
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::new(state.clone()))
            .wrap(from_fn(around))
            .route("/incidents{tail:.*}", web::to(handle))
    });
    let server = server
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
    let addr = server.addrs()[0];
    tokio::spawn(server.run());
    addr
}

/// What goes over the wire; a test changes it after it was signed.
#[derive(Clone)]
struct Sent {
    method: &'static str,
    uri: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Sent {
    fn new(signer: &TestSigner, at: Timestamp, (method, uri): (&'static str, &str), body: &[u8]) -> Self {
        let given = [("content-type", "application/json"), ("idempotency-key", "k-1")];
        Self {
            method,
            uri: uri.to_owned(),
            headers: signer.sign(at, (method, uri), &given, body),
            body: body.to_vec(),
        }
    }

    fn header(&mut self, name: &str) -> &mut String {
        let found = self.headers.iter_mut().find(|(header, _)| header == name);
        &mut found.unwrap().1
    }

    fn replaced(&mut self, from: &str, to: &str) {
        let header = self.header("authorization");
        assert!(header.contains(from), "{header}");
        *header = header.replacen(from, to, 1);
    }
}

struct Answer {
    status: u16,
    challenge: Option<String>,
    retry_after: Option<String>,
    json: Value,
}

impl Answer {
    fn code(&self) -> (u16, &str) {
        (self.status, self.json["error"]["code"].as_str().unwrap_or("OK"))
    }
}
