//! What does every test talk to?
//!
//! The real binary on free ports of 127.0.0.1, with a database of its own. Every process is ended by its id when
//! its guard is dropped, and nothing is waited for without a bound.

mod client;
mod process;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::db::TestDb;
use testkit::upstream::Scripted;

pub(crate) use client::Client;
pub(crate) use process::{AUTHORITIES, Ended, Plimsoll, output, plimsoll, signal};

/// What the provider is sent, so that a test can look for it where it must not be.
pub(crate) const PROVIDER_KEY: &str = "sk-canary-the-key-of-the-provider";

/// An installation: a folder with a configuration, and a database.
pub(crate) struct Home {
    folder: TempDir,
    database: String,
    /// Last, so that it outlives whoever uses it.
    postgres: Option<TestDb>,
}

impl Home {
    /// On an SQLite file in its folder; nobody has opened it yet.
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite:{}", folder.path().join("plimsoll.db").display());
        Self {
            folder,
            database,
            postgres: None,
        }
    }

    /// On a PostgreSQL database of its own.
    pub(crate) fn postgres() -> Self {
        let postgres = TestDb::postgres();
        Self {
            folder: tempfile::tempdir().unwrap(),
            database: postgres.url().to_owned(),
            postgres: Some(postgres),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// Writes the configuration: free ports, the database, OpenAI and Anthropic at this address, and more.
    pub(crate) fn configure(&self, provider: &str, more: &str) -> PathBuf {
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\nshutdown_grace_ms = 15000\n\
             [database]\nurl = {database}\n\
             [upstreams.openai]\nkind = \"openai\"\nbase_url = \"{provider}/v1\"\napi_key = \"{PROVIDER_KEY}\"\n\
             models = [\"gpt-*\", \"text-embedding-*\", \"davinci-*\", \"mystery-*\"]\n\
             [upstreams.anthropic]\nkind = \"anthropic\"\nbase_url = \"{provider}\"\napi_key = \"{PROVIDER_KEY}\"\n\
             models = [\"claude-*\"]\n{more}\n",
            database = Value::from(self.database.as_str()),
        );
        let file = self.path().join("plimsoll.toml");
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Starts a server on it, with a configuration that was written before.
    pub(crate) fn serve(&self) -> Plimsoll {
        Plimsoll::serve(self.path(), &[])
    }

    /// Runs a command on it that ends by itself.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        plimsoll(self.path(), args)
    }

    /// The same, which must succeed and print JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let ended = self.run(&[args, &["--output", "json"]].concat());
        assert_eq!(ended.code, 0, "{args:?}: {}", ended.stderr);
        serde_json::from_str(&ended.stdout).unwrap()
    }

    /// Opens the database beside the server, as another process would.
    pub(crate) fn open(&self) -> store::Db {
        store::Db::open(&store::Settings::for_url(&self.database).unwrap()).unwrap()
    }

    /// Does something to the database by hand, past everything that guards it in the product.
    pub(crate) fn by_hand(&self, statement: &str) {
        match &self.postgres {
            Some(postgres) => postgres.by_hand(statement),
            None => testkit::db::by_hand_on_sqlite(&self.database, statement),
        }
    }

    /// Every counter is the sum of its holds; how many holds there are.
    pub(crate) fn verify_ledger(&self) -> u64 {
        let found = self.json(&["verify", "ledger"]);
        assert_eq!(found["agrees"], true, "{found}");
        found["holds"].as_u64().unwrap()
    }
}

/// A server in front of a provider that answers by itself.
pub(crate) struct World {
    /// First, so that it ends first.
    pub(crate) server: Plimsoll,
    pub(crate) provider: Scripted,
    pub(crate) home: Home,
    /// Who runs the installation.
    pub(crate) operator: Client,
}

impl World {
    pub(crate) fn start() -> Self {
        Self::with(Home::sqlite(), "")
    }

    pub(crate) fn with(home: Home, more: &str) -> Self {
        let provider = Scripted::synthetic();
        home.configure(provider.base_url(), more);
        let server = home.serve();
        let token = server
            .operator_token
            .clone()
            .expect("the first start shows a token");
        Self {
            operator: Client::new(&server.base_url, &token),
            server,
            provider,
            home,
        }
    }

    /// A new tenant and a key of it that may do everything.
    pub(crate) async fn tenant(&self, name: &str) -> Tenant {
        Tenant::make(&self.operator, name).await
    }
}

/// A tenant, by a key that may do everything.
pub(crate) struct Tenant {
    pub(crate) id: String,
    pub(crate) key_id: String,
    pub(crate) client: Client,
}

impl Tenant {
    pub(crate) async fn make(operator: &Client, name: &str) -> Self {
        let made = operator.post("/api/v1/ops/tenants", &json!({"name": name})).await;
        let id = made.expect(201)["tenant_id"].as_str().unwrap().to_owned();
        let key = json!({"name": "e2e", "scopes": ["LLM", "READ", "MANAGE"]});
        let made = operator
            .post(&format!("/api/v1/ops/tenants/{id}/keys"), &key)
            .await
            .expect(201);
        Self {
            key_id: made["api_key_id"].as_str().unwrap().to_owned(),
            client: operator.with_key(made["secret"].as_str().unwrap()),
            id,
        }
    }

    /// A BLOCK limit on money; returns its id.
    pub(crate) async fn budget(&self, usd: Value, reset: &str) -> String {
        let body = json!({"name": "budget", "limit_category": "BUDGET", "limit_type": "COST_USD",
            "max_value": usd, "reset_period": reset});
        let made = self.client.post("/api/v1/limits", &body).await.expect(201);
        made["limit_id"].as_str().unwrap().to_owned()
    }

    /// Another key of the tenant: its id and its secret.
    pub(crate) async fn another_key(&self, body: &Value) -> (String, String) {
        let made = self.client.post("/api/v1/keys", body).await.expect(201);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("api_key_id"), text("secret"))
    }

    /// One of its LLM Runs, by what an answer said is its id.
    pub(crate) async fn run(&self, id: &Value) -> Value {
        let path = format!("/api/v1/runs/{}", id.as_str().unwrap());
        self.client.get(&path).await.expect(200)
    }

    /// What is used of the tenant's first limit, as (settled, held) in nano-USD.
    pub(crate) async fn used(&self) -> (i64, i64) {
        let usage = self.client.get("/api/v1/limits/usage").await.expect(200);
        let nano = |name: &str| nano(&usage["items"][0][name]);
        (nano("spent_nano_usd"), nano("held_nano_usd"))
    }
}

/// A text of nano-USD as a number.
pub(crate) fn nano(value: &Value) -> i64 {
    let text = value.as_str().unwrap_or_else(|| panic!("no amount: {value}"));
    text.parse().unwrap()
}

/// A small chat request.
pub(crate) fn chat() -> Value {
    json!({"model": "gpt-4o-mini", "max_tokens": 50, "messages": [{"role": "user", "content": "Which berth is free?"}]})
}
