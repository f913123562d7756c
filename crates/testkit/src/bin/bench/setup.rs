//! Who calls? Tenants with a project, a key and three limits each, made over the API as a customer would.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::Outcome;
use crate::http::{Connection, request};

/// Tenants that are made side by side.
const AT_ONCE: usize = 16;

/// A tenant with the secret of its key.
pub(crate) struct Caller {
    pub(crate) secret: String,
}

/// Makes as many tenants, in an order that has nothing to do with that of their ids.
pub(crate) async fn callers(addr: SocketAddr, operator: &str, count: usize) -> Outcome<Vec<Caller>> {
    let operator: Arc<str> = operator.into();
    let mut workers = JoinSet::new();
    for first in 0..AT_ONCE.min(count) {
        let operator = Arc::clone(&operator);
        workers.spawn(async move {
            let mut connection = Connection::open(addr).await?;
            let mut made = Vec::new();
            for number in (first..count).step_by(AT_ONCE) {
                made.push((
                    shuffled(number),
                    caller(&mut connection, &operator, number).await?,
                ));
            }
            Outcome::Ok(made)
        });
    }
    let mut all = Vec::with_capacity(count);
    while let Some(made) = workers.join_next().await {
        all.extend(made??);
    }
    all.sort_by_key(|(place, _)| *place);
    Ok(all.into_iter().map(|(_, caller)| caller).collect())
}

/// A place that looks random and is the same in every run.
pub(crate) fn shuffled(number: usize) -> u64 {
    let mut bits = u64::try_from(number).unwrap_or(0).wrapping_add(1);
    for _ in 0..3 {
        bits = (bits ^ (bits >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    bits
}

async fn caller(connection: &mut Connection, operator: &str, number: usize) -> Outcome<Caller> {
    let tenant = post(
        connection,
        "/api/v1/ops/tenants",
        operator,
        &json!({"name": format!("bench-{number}")}),
    )
    .await?;
    let tenant = tenant["tenant_id"].as_str().ok_or("a tenant without an id")?;
    let path = format!("/api/v1/ops/tenants/{tenant}/keys");
    let wanted = json!({"name": "bench", "scopes": ["LLM", "READ", "MANAGE"]});
    let key = post(connection, &path, operator, &wanted).await?;
    let (Some(secret), Some(key)) = (key["secret"].as_str(), key["api_key_id"].as_str()) else {
        return Err(format!("a key without its secret: {key}").into());
    };
    post(
        connection,
        "/api/v1/projects",
        secret,
        &json!({"project_id": "search"}),
    )
    .await?;
    for limit in limits(key) {
        post(connection, "/api/v1/limits", secret, &limit).await?;
    }
    Ok(Caller {
        secret: secret.to_owned(),
    })
}

/// What a customer has: a budget, a quota of a project and the rate of a key; large, so that nothing is refused.
fn limits(key: &str) -> [Value; 3] {
    [
        json!({"name": "daily budget", "limit_category": "BUDGET", "limit_type": "COST_USD",
            "reset_period": "DAILY", "max_value": 1_000_000_000}),
        json!({"name": "tokens of search", "limit_category": "BUDGET", "limit_type": "TOKENS_TOTAL",
            "scope": "PROJECT", "scope_id": "search", "reset_period": "MONTHLY", "max_value": 9_000_000_000_i64}),
        json!({"name": "requests of the key", "limit_category": "RATE", "limit_type": "REQUESTS_PER_MINUTE",
            "api_key_id": key, "max_value": 1_000_000_000}),
    ]
}

/// What a caller asks.
pub(crate) fn check_body() -> Value {
    json!({"estimated_cost_usd": 0.0125, "estimated_input_tokens": 1200, "estimated_output_tokens": 400,
        "project_id": "search", "agent_id": "crawler", "feature": "answers", "session_id": "conversation-000042",
        "end_user": "user-4711", "provider": "openai", "model": "gpt-4o-mini"})
}

/// Posts and expects that something was made.
pub(crate) async fn post(connection: &mut Connection, path: &str, key: &str, body: &Value) -> Outcome<Value> {
    let bytes = request("POST", path, Some(key), &body.to_string());
    let reply = connection.exchange(&bytes).await?;
    if reply.status >= 300 {
        return Err(format!("{path} answered {}: {}", reply.status, reply.text()).into());
    }
    Ok(serde_json::from_slice(reply.body)?)
}
