//! What is kept of a decision so that it can be taken again?

use domain::limits::{CheckInput, CheckOutput};
use infra::secrets;
use model::decision::DecisionSnapshot;
use model::id::{DecisionId, HoldId, RunId, TenantId};
use serde_json::json;

/// The snapshot of a decision about limits. The input holds no content of the request: amounts, limits, counters.
pub(crate) fn of_check(
    (tenant, id): (TenantId, DecisionId),
    input: &CheckInput<'_>,
    output: &CheckOutput,
    (run, hold): (RunId, Option<HoldId>),
    correlation_id: &str,
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
    let text =
        json!({ "now": input.now.as_micros(), "amounts": input.amounts, "limits": limits }).to_string();
    let blocking: Vec<_> = output.blocking.iter().map(|report| report.limit).collect();
    let warnings: Vec<_> = output.warnings.iter().map(|report| report.limit).collect();
    DecisionSnapshot {
        id,
        tenant,
        engine: domain::limits::NAME,
        engine_version: domain::limits::VERSION,
        outcome: output.outcome,
        run: Some(run),
        hold,
        input_hash: secrets::sha256_hex(text.as_bytes()),
        input: text,
        output: json!({ "items": output.items, "blocking": blocking, "warnings": warnings }).to_string(),
        correlation_id: correlation_id.to_owned(),
        created_at: input.now,
    }
}
