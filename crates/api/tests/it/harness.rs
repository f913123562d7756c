//! What does every test talk to?
//!
//! The real server on a free port of 127.0.0.1, with a clock that stands still and ids that count, in front of a
//! provider that answers by itself.

use std::sync::Arc;
use std::time::Duration;

use api::Settings;
use api::server::Running;
use infra::secrets::MasterKey;
use model::id::TenantId;
use model::key::KeyScope;
use reqwest::Method;
use serde_json::Value;
use services::Context;
use services::audit::Author;
use services::gateway::{Gateway, GatewaySettings, OutputCaps};
use services::identity::IdentitySettings;
use services::keys::{Maker, NewKey};
use services::prices::PriceBook;
use testkit::clock::FixedClock;
use testkit::db::TestDb;
use testkit::ids::CountingIds;
use testkit::upstream::Scripted;

/// Every scope there is.
pub(crate) const ALL: [KeyScope; 3] = [KeyScope::Llm, KeyScope::Read, KeyScope::Manage];

/// An installation with one operator and one tenant, which has one key with all scopes.
pub(crate) struct World {
    pub(crate) cx: Context,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) upstream: Scripted,
    pub(crate) operator: String,
    pub(crate) tenant: TenantId,
    pub(crate) key: String,
    server: Running,
    client: reqwest::Client,
    /// Last, so that everything that uses it is gone before it goes.
    pub(crate) db: TestDb,
}

/// The settings of the tests: small enough that every bound is reached at once.
pub(crate) fn settings() -> Settings {
    Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        workers: 1,
        native_body_bytes: 64 * 1024,
        llm_body_bytes: 128 * 1024,
        request_timeout: Duration::from_secs(30),
        keep_alive: Duration::from_secs(75),
        shutdown_grace: Duration::from_secs(1),
        allowed_hosts: Vec::new(),
    }
}

impl World {
    pub(crate) async fn new(db: TestDb) -> Self {
        Self::with(db, settings()).await
    }

    pub(crate) async fn with(db: TestDb, settings: Settings) -> Self {
        Self::with_context(db, settings, |cx| cx).await
    }

    /// The same with a context that is changed before the server starts.
    pub(crate) async fn with_context(
        db: TestDb,
        settings: Settings,
        changed: impl FnOnce(Context) -> Context,
    ) -> Self {
        let upstream = Scripted::synthetic();
        let clock = FixedClock::start();
        let gateway = Gateway::new(
            testkit::providers::pool(&upstream),
            GatewaySettings {
                hold_ttl_ms: 600_000,
                default_output_tokens: 4096,
                output_caps: OutputCaps::default(),
                drain_timeout: Duration::from_secs(2),
                stall_timeout: Duration::from_secs(2),
                settle_wait: Duration::from_secs(20),
                answer_cap_bytes: 1024 * 1024,
                room: services::ledger::RoomSettings::default(),
            },
        );
        let prices = Arc::new(PriceBook::new(Vec::new()).unwrap());
        let now: Arc<dyn model::time::Clock> = Arc::<FixedClock>::clone(&clock);
        let identity = IdentitySettings {
            master_key: Some(MasterKey::from_bytes([7; 32])),
            ..IdentitySettings::default()
        };
        let cx = Context::new(db.db(), now, CountingIds::start(), prices, gateway).with_identity(identity);
        let cx = changed(cx);
        let operator = services::tenants::bootstrap(&cx).await.unwrap().unwrap();
        let tenant = services::tenants::create(&cx, Author::system(), "acme")
            .await
            .unwrap()
            .id;
        let key = make_key(&cx, tenant, &ALL).await;
        let server = api::server::start(cx.clone(), settings).unwrap();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        Self {
            cx,
            clock,
            upstream,
            operator: operator.expose().to_owned(),
            tenant,
            key,
            server,
            client,
            db,
        }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn authority(&self) -> String {
        self.server.addr().to_string()
    }

    /// A new key of the tenant with these scopes.
    pub(crate) async fn key_with(&self, scopes: &[KeyScope]) -> String {
        make_key(&self.cx, self.tenant, scopes).await
    }

    /// A new tenant with a key that has all scopes.
    pub(crate) async fn other_tenant(&self, name: &str) -> (TenantId, String) {
        let tenant = services::tenants::create(&self.cx, Author::system(), name)
            .await
            .unwrap()
            .id;
        (tenant, make_key(&self.cx, tenant, &ALL).await)
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call<'_> {
        Call {
            world: self,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: vec![("authorization".to_owned(), format!("Bearer {}", self.key))],
            body: None,
        }
    }

    pub(crate) fn get(&self, path: &str) -> Call<'_> {
        self.call("GET", path)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Call<'_> {
        self.call("POST", path).json(body)
    }

    /// What is made with this key below `/api/v1`.
    pub(crate) async fn made(&self, key: &str, path: &str, body: Value) -> Answer {
        self.post(&format!("/api/v1/{path}"), &body)
            .with(key)
            .send()
            .await
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Call<'_> {
        self.call("PUT", path).json(body)
    }

    pub(crate) fn delete(&self, path: &str) -> Call<'_> {
        self.call("DELETE", path)
    }

    /// A new limit of the tenant, by its id.
    pub(crate) async fn limit(&self, body: &Value) -> String {
        let answer = self.post("/api/v1/limits", body).send().await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.text("/limit_id")
    }

    /// A hold of so many USD, by its id.
    pub(crate) async fn hold(&self, usd: u32) -> String {
        let body = serde_json::json!({ "estimated_cost_usd": usd });
        let answer = self.post("/api/v1/limits/check", &body).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.text("/hold_id")
    }
}

async fn make_key(cx: &Context, tenant: TenantId, scopes: &[KeyScope]) -> String {
    let wanted = NewKey {
        name: "a key".to_owned(),
        live: true,
        scopes: scopes.to_vec(),
        rpm: None,
        expires_in_days: None,
    };
    let (_, secret) = services::keys::create(cx, tenant, Maker::operator(Author::system()), wanted)
        .await
        .unwrap();
    secret.expose().to_owned()
}

impl Drop for World {
    fn drop(&mut self) {
        // Its threads hold connections to the database.
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(self.server.stop(false));
        });
    }
}

/// A budget of so many USD a day that blocks.
pub(crate) fn budget(usd: u32) -> Value {
    serde_json::json!({
        "name": "daily budget", "limit_category": "BUDGET", "limit_type": "COST_USD",
        "max_value": usd, "reset_period": "DAILY", "enforcement": "BLOCK",
    })
}

/// A request on its way; it carries the key of the tenant unless it is told otherwise.
#[derive(Clone)]
pub(crate) struct Call<'w> {
    world: &'w World,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
}

impl Call<'_> {
    pub(crate) fn json(self, body: &Value) -> Self {
        self.bytes(body.to_string().into_bytes())
    }

    /// A body as it is written, as JSON.
    pub(crate) fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", "application/json")
    }

    /// Sets a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.more(name, value)
    }

    /// Adds a header, even if it is there.
    pub(crate) fn more(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn once(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub(crate) fn with(self, secret: &str) -> Self {
        self.header("authorization", &format!("Bearer {secret}"))
    }

    pub(crate) fn by_operator(self) -> Self {
        let token = self.world.operator.clone();
        self.with(&token)
    }

    pub(crate) fn anonymous(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "authorization");
        self
    }

    pub(crate) async fn send(self) -> Answer {
        let url = format!("http://{}{}", self.world.authority(), self.path);
        let method = Method::from_bytes(self.method.as_bytes()).unwrap();
        let (asked, path) = (self.method, self.path);
        let mut request = self.world.client.request(method, url);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = self.body {
            request = request.body(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let body = response.text().await.unwrap();
        let answer = Answer {
            status,
            headers,
            body,
        };
        crate::listed::check(&asked, &path, &answer);
        let (id, same) = (answer.header("x-request-id"), answer.header("x-correlation-id"));
        assert_eq!(id, same, "{asked} {path}: two names of one id");
        answer
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// What is at this JSON pointer; null if nothing is.
    pub(crate) fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or_default()
    }

    /// The text at this JSON pointer.
    pub(crate) fn text(&self, pointer: &str) -> String {
        let found = self.at(pointer);
        found
            .as_str()
            .unwrap_or_else(|| panic!("no text at {pointer}: {}", self.body))
            .to_owned()
    }

    /// The code of a problem document, or of an error in an SDK's shape.
    pub(crate) fn code(&self) -> String {
        let Ok(body) = serde_json::from_str::<Value>(&self.body) else {
            return String::new();
        };
        let code = ["/code", "/error/code", "/error/type"]
            .iter()
            .find_map(|pointer| body.pointer(pointer)?.as_str());
        code.unwrap_or_default().to_owned()
    }

    /// The status and the code.
    pub(crate) fn is(&self, status: u16, code: &str) -> &Self {
        assert_eq!(
            (self.status, self.code().as_str()),
            (status, code),
            "{}",
            self.body
        );
        self
    }

    /// An answer of this status, whatever it says.
    pub(crate) fn ok(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }
}
