//! What is kept of a decision so that it can be taken again?

use domain::limits::{CheckInput, CheckOutput};
use infra::secrets;
use model::decision::DecisionSnapshot;
use model::id::{DecisionId, HoldId, RunId, TenantId};
use serde_json::json;

/// What is kept of a decision beside what its engine knew.
pub(crate) struct Beside<'a> {
    /// The LLM Run.
    pub(crate) run: RunId,
    /// Its hold; none if it was refused.
    pub(crate) hold: Option<HoldId>,
    /// What joins everything that happened for the request.
    pub(crate) correlation_id: &'a str,
    /// What is served instead of what was asked for.
    pub(crate) instead: Option<serde_json::Value>,
    /// What the Policy Rules were asked and what they said, if they had something to say.
    pub(crate) policy: Option<(serde_json::Value, serde_json::Value)>,
}

/// The snapshot of a decision about limits. The input holds no content of the request: amounts, limits, counters.
pub(crate) fn of_check(
    (tenant, id): (TenantId, DecisionId),
    input: &CheckInput<'_>,
    output: &CheckOutput,
    beside: Beside<'_>,
) -> DecisionSnapshot {
    let limits: Vec<_> = input
        .limits
        .iter()
        .map(|state| {
            let counted: Vec<_> = state
                .counted
                .iter()
                .map(|c| json!([c.window_start, c.settled, c.held]))
                .collect();
            json!({
                "limit_id": state.limit.id,
                "limit_type": state.limit.limit_type,
                "enforcement": state.limit.enforcement,
                "max": state.limit.max_at(input.now),
                "counted": counted,
            })
        })
        .collect();
    let mut facts = serde_json::Map::new();
    facts.insert("now".to_owned(), json!(input.now.as_micros()));
    facts.insert("amounts".to_owned(), json!(input.amounts));
    facts.insert("concurrency".to_owned(), json!(input.concurrency));
    facts.insert("limits".to_owned(), json!(limits));
    if !input.crowded.is_empty() {
        facts.insert("crowded".to_owned(), json!(input.crowded));
    }
    if let Some(instead) = beside.instead {
        facts.insert("instead".to_owned(), instead);
    }
    let mut said = serde_json::Map::new();
    if let Some((asked, judgement)) = beside.policy {
        facts.insert("policy".to_owned(), asked);
        said.insert("policy".to_owned(), judgement);
    }
    let text = serde_json::Value::Object(facts).to_string();
    let blocking: Vec<_> = output.blocking.iter().map(|report| report.limit).collect();
    let warnings: Vec<_> = output.warnings.iter().map(|report| report.limit).collect();
    DecisionSnapshot {
        id,
        tenant,
        engine: domain::limits::NAME,
        engine_version: domain::limits::VERSION,
        outcome: output.outcome,
        run: Some(beside.run),
        hold: beside.hold,
        input_hash: secrets::sha256_hex(text.as_bytes()),
        input: text,
        output: {
            said.insert("items".to_owned(), json!(output.items));
            said.insert("blocking".to_owned(), json!(blocking));
            said.insert("warnings".to_owned(), json!(warnings));
            serde_json::Value::Object(said).to_string()
        },
        correlation_id: beside.correlation_id.to_owned(),
        created_at: input.now,
    }
}
