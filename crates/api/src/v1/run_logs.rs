//! `/api/v1/runs/{run_id}/logs`: what is on record of an LLM Run.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use adapters::customer::run_logs::{
    AuditLogView, DecisionView, EnforcementView, HitView, RunLogsView, TimelineView, error, timeline,
};
use adapters::problem::Problem;
use model::id::RunId;
use services::runs::RunLogs;

use crate::actor::ReadActor;
use crate::problem::ApiError;
use crate::state::State;

fn view(of: RunLogs) -> RunLogsView {
    let decisions = of.decisions.into_iter().map(|decided| DecisionView {
        decision_id: decided.id.to_string(),
        engine: decided.engine,
        engine_version: decided.engine_version,
        outcome: decided.outcome.as_str(),
        decided_at: decided.at,
    });
    let enforcements = of.enforcements.into_iter().map(|done| EnforcementView {
        rule_id: done.rule.to_string(),
        rule_version: done.rule_version,
        action_taken: done.action.as_str(),
        stage: done.stage.as_str(),
        triggered_at: done.at,
    });
    let breaches = of.breaches.into_iter().map(|hit| HitView {
        limit_id: hit.limit.to_string(),
        breach_type: hit.breach_type.as_str(),
        breached_at: hit.at,
    });
    let told = of.timeline.into_iter().map(|told| TimelineView {
        event_id: Some(told.id.to_string()),
        timestamp: told.at,
        source_domain: told.source.as_str(),
        event_type: told.event_type,
        entity_id: told.entity_id,
        summary: told.summary,
    });
    let audit = of.audit.into_iter().map(|placed| AuditLogView {
        seq: placed.seq,
        event_type: placed.entry.event.as_str(),
        entity_id: placed.entry.entity_id,
        actor_type: placed.entry.actor.kind.as_str(),
        actor_id: placed.entry.actor.id,
        reason: placed.entry.reason,
        hash: placed.hash.to_string(),
        created_at: placed.entry.at,
    });
    RunLogsView {
        run_id: of.run.id.to_string(),
        request_id: of.run.correlation_id.clone(),
        decisions: decisions.collect(),
        hold: of.hold.map(Into::into),
        upstream_attempts: of.attempts,
        cost_records: of.costs.into_iter().map(Into::into).collect(),
        enforcements: enforcements.collect(),
        breaches: breaches.collect(),
        error: error(&of.run),
        incident_ids: of
            .incidents
            .iter()
            .map(|incident| incident.id.to_string())
            .collect(),
        timeline: timeline(&of.run, told.collect()),
        audit: audit.collect(),
        missing: of.missing.into_iter().map(Into::into).collect(),
        llm_run: of.run.into(),
    }
}

/// What is on record of an LLM Run
#[utoipa::path(get, path = "/api/v1/runs/{run_id}/logs", operation_id = "run_logs",
    tag = "LLM Runs", params(("run_id" = String, Path)),
    responses((status = 200, description = "Facts, never content; what is not on record is said", body = RunLogsView),
              (status = 404, description = "There is no such LLM Run", body = Problem)))]
pub(crate) async fn logs(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let found = services::runs::logs(&state.cx, actor.0.tenant_id(), id)
        .await
        .map_err(super::runs::run_error)?;
    Ok(HttpResponse::Ok().json(view(found)))
}
