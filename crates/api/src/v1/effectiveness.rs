//! `/api/v1/policies`: what Policy Rules have prevented.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use adapters::customer::effectiveness::{Counted, EffectivenessView, FalsePositiveView, Measured};
use adapters::problem::Problem;
use model::id::{PreventionId, RuleId};
use serde::Deserialize;
use services::audit::Author;
use services::effectiveness::{self, Counts, DAYS_DEFAULT, DAYS_MAX, Effectiveness, EffectivenessError};
use utoipa::{IntoParams, ToSchema};

use crate::actor::{ManageActor, ReadActor};
use crate::body::{Body, Json};
use crate::idempotency;
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;

fn effectiveness_error(error: EffectivenessError) -> ApiError {
    match error {
        EffectivenessError::NotFound => ApiError::not_found(),
        EffectivenessError::Reason => {
            ApiError::field("/reason", "10 to 500 characters, none of them invisible")
        }
        EffectivenessError::Once(error) => idempotency::refusal(error),
        EffectivenessError::Store(error) => error.into(),
    }
}

const fn counted(counts: &Counts) -> Counted {
    Counted {
        prevented: counts.prevented,
        mitigated: counts.mitigated,
        failed: counts.failed,
        saved: counts.saved,
    }
}

fn view(of: Effectiveness) -> EffectivenessView {
    let Effectiveness {
        rule,
        window_days,
        counts,
        last_prevented_at,
        incidents,
        false_positives,
        rate,
        trend,
    } = of;
    Measured {
        rule_id: rule.to_string(),
        counted: counted(&counts),
        last_prevented_at,
        incidents,
        false_positives,
        rate,
        window_days,
        trend: trend
            .iter()
            .map(|(day, counts)| (*day, counted(counts)))
            .collect(),
    }
    .into()
}

/// Over how many days to look back.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct WindowQuery {
    /// 1 to 365, default 30; today (UTC) is one of them.
    #[param(value_type = Option<u32>)]
    window_days: Option<String>,
}

/// What a Policy Rule has prevented
#[utoipa::path(get, path = "/api/v1/policies/rules/{rule_id}/effectiveness", operation_id = "policy_rule_effectiveness",
    tag = "Policy Rules", params(("rule_id" = String, Path), WindowQuery),
    responses((status = 200, description = "What it has prevented, what that would have cost, and how often it was wrong",
               body = EffectivenessView),
              (status = 400, description = "A parameter is wrong", body = Problem),
              (status = 404, description = "There is no such Policy Rule", body = Problem)))]
pub(crate) async fn of_rule(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
    query: Query<WindowQuery>,
) -> Result<HttpResponse, ApiError> {
    let id: RuleId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let days = match query.window_days.as_deref().map(str::parse::<i64>) {
        None => DAYS_DEFAULT,
        Some(Ok(days)) if (1..=DAYS_MAX).contains(&days) => days,
        Some(_) => return Err(ApiError::parameter("window_days", "must be 1 to 365")),
    };
    let found = effectiveness::of_rule(&state.cx, actor.0.tenant_id(), id, days)
        .await
        .map_err(effectiveness_error)?;
    Ok(HttpResponse::Ok().json(view(found)))
}

/// Why a prevention was wrong.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FalsePositiveBody {
    /// Why: 10 to 500 characters.
    #[schema(example = "the provider had mended it a day before")]
    reason: String,
}

impl Body for FalsePositiveBody {
    const READ_ONLY: &'static [&'static str] = &["prevention_id", "false_positive"];
}

fn body_of(id: &PreventionId) -> String {
    let view = FalsePositiveView {
        prevention_id: id.to_string(),
        false_positive: true,
    };
    serde_json::to_string(&view).unwrap_or_default()
}

/// Say that a prevention was wrong
#[utoipa::path(post, path = "/api/v1/policies/preventions/{prevention_id}/false-positive",
    operation_id = "mark_prevention_false_positive", tag = "Policy Rules", request_body = FalsePositiveBody,
    params(("prevention_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, description = "It counts as a false positive of its Policy Rule", body = FalsePositiveView),
              (status = 404, description = "There is no such prevention", body = Problem),
              (status = 422, description = "The body is not valid", body = Problem)))]
pub(crate) async fn mark(
    actor: ManageActor,
    state: Data<State>,
    request: HttpRequest,
    id: Path<String>,
    body: Json<FalsePositiveBody>,
) -> Result<HttpResponse, ApiError> {
    let id: PreventionId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let (tenant, principal) = (actor.0.tenant_id(), actor.0.principal());
    let operation = "policy_preventions.false_positive";
    let once = idempotency::once(&request, operation, tenant, principal.clone(), &body.bytes)?;
    let author = Author::human(principal);
    let reason = body.value.reason;
    let done = effectiveness::false_positive(&state.cx, author, (tenant, id), reason, once, body_of)
        .await
        .map_err(effectiveness_error)?;
    Ok(idempotency::respond(200, done))
}
