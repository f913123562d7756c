//! What is learned from a failure?
//!
//! A call breaks off in the middle. That opens an Incident, which proposes a Policy Rule; once it is approved, the same
//! call is refused before it costs anything, and the rule says what that has saved.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::cast::Member;

/// The tool of the call that fails: the simulated provider breaks off streams that may use it.
pub(super) const TOOL: &str = "tide_table";

/// A failure is explained a moment after its call has ended.
const EXPLAINED_WITHIN: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The longest that one request may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// What was learned.
#[derive(Debug)]
pub(super) struct Lesson {
    /// The status of the call that broke off: its stream had begun.
    pub(super) failed_status: u16,
    /// The Incident, as `/api/v1/runtime/incidents` shows it.
    pub(super) incident: Value,
    /// The proposal that it made, before somebody approved it.
    pub(super) proposal: Value,
    /// What the LLM Run that failed had cost, in nano-USD.
    pub(super) cost: Value,
    /// The rule that was made of it.
    pub(super) rule_id: String,
    /// The same call, made again.
    pub(super) refused: Refused,
    /// What the rule has prevented.
    pub(super) effectiveness: Value,
    /// Incidents that are going on at the end.
    pub(super) incidents: Value,
}

/// How the second call was answered.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) rule_id: Option<String>,
    pub(super) incident_id: Option<String>,
    pub(super) body: Value,
}

/// The body of the call: a stream with a tool, as an agent makes it.
pub(super) fn call_body() -> String {
    let tool = json!({"type": "function", "function": {"name": TOOL,
        "parameters": {"type": "object", "properties": {}}}});
    json!({"model": "gpt-4o-mini", "max_tokens": 50, "stream": true, "tools": [tool],
        "messages": [{"role": "user", "content": "When may the ferry sail?"}]})
    .to_string()
}

/// Lets the call fail, approves what is proposed, and makes the call again.
pub(super) async fn learn(base_url: &str, member: &Member) -> Result<Lesson> {
    let client = Client::builder().no_proxy().timeout(PATIENCE).build();
    let school = School {
        client: client.context("no HTTP client can be made")?,
        base_url,
        key: member.key.expose(),
    };
    let failed = school.call().await?;
    let failed_status = failed.status().as_u16();
    // It is to break off; what has come until then is of no interest.
    drop(failed.text().await);
    let active = "/api/v1/runtime/incidents?topic=ACTIVE";
    let incident = school.first(active).await?;
    let proposal = school.first("/api/v1/policy-proposals?status=PENDING").await?;
    let run = school
        .get(&format!("/api/v1/runs/{}", text(&incident, "llm_run_id")?))
        .await?;
    let path = format!(
        "/api/v1/policy-proposals/{}/approve",
        text(&proposal, "proposal_id")?
    );
    let approved = school.post(&path, &json!({"enforcement_mode": "BLOCK"})).await?;
    let rule_id = text(&approved, "rule_id")?.to_owned();
    let refused = Refused::read(school.call().await?).await?;
    let effectiveness = format!("/api/v1/policies/rules/{rule_id}/effectiveness");
    Ok(Lesson {
        failed_status,
        cost: run.get("cost_nano_usd").cloned().unwrap_or_default(),
        effectiveness: school.get(&effectiveness).await?,
        incidents: school.get(active).await?,
        incident,
        proposal,
        rule_id,
        refused,
    })
}

/// Who is taught, and where.
struct School<'a> {
    client: Client,
    base_url: &'a str,
    key: &'a str,
}

impl School<'_> {
    async fn send(&self, method: Method, path: &str, body: Option<String>) -> Result<Response> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base_url))
            .bearer_auth(self.key);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let sent = request.send().await;
        sent.with_context(|| format!("{path} could not be asked"))
    }

    /// The call that fails, and is refused later on.
    async fn call(&self) -> Result<Response> {
        let path = "/v1/chat/completions";
        self.send(Method::POST, path, Some(call_body())).await
    }

    async fn get(&self, path: &str) -> Result<Value> {
        good(path, self.send(Method::GET, path, None).await?).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let sent = self.send(Method::POST, path, Some(body.to_string())).await?;
        good(path, sent).await
    }

    /// The first item of a list, once there is one.
    async fn first(&self, path: &str) -> Result<Value> {
        let patience = Instant::now() + EXPLAINED_WITHIN;
        loop {
            let mut page = self.get(path).await?;
            if let Some(first) = page.pointer_mut("/items/0") {
                return Ok(first.take());
            }
            if Instant::now() >= patience {
                bail!("{path} stayed empty after a call had failed");
            }
            sleep(LOOK_AGAIN).await;
        }
    }
}

impl Refused {
    async fn read(answer: Response) -> Result<Self> {
        let header = |name: &str| {
            let value = answer.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let (rule_id, incident_id) = (header("x-plimsoll-rule-id"), header("x-plimsoll-incident-id"));
        let status = answer.status().as_u16();
        let body = answer.text().await.context("an answer broke off")?;
        Ok(Self {
            status,
            rule_id,
            incident_id,
            body: serde_json::from_str(&body).unwrap_or(Value::String(body)),
        })
    }
}

async fn good(path: &str, answer: Response) -> Result<Value> {
    let status = answer.status();
    let body = answer.text().await.context("an answer broke off")?;
    ensure!(status.is_success(), "{path} was answered with {status}: {body}");
    serde_json::from_str(&body).with_context(|| format!("{path} was answered with no JSON"))
}

fn text<'a>(of: &'a Value, member: &str) -> Result<&'a str> {
    let found = of.get(member).and_then(Value::as_str);
    found.with_context(|| format!("an answer has no {member}: {of}"))
}
