//! What would a Policy Rule have done that is not ACTIVE yet?

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use adapters::customer::backtest::BacktestView;
use adapters::problem::Problem;
use model::id::ProposalId;
use model::policy::RuleScope;
use serde::Deserialize;
use services::history::{DAYS, DAYS_DEFAULT, Stretch};
use services::policies::{Backtested, PolicyError};
use utoipa::{IntoParams, ToSchema};

use super::limits_history::{days, looked};
use super::proposals::proposal_error;
use super::rules::{invalid_rule, rule_error};
use super::rules_change::RuleBody;
use crate::actor::ReadActor;
use crate::body::{Body, Json};
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;

/// A Policy Rule to be tried over the recorded LLM Runs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BacktestBody {
    /// The Policy Rule, as `POST /api/v1/policies/rules` takes it.
    rule: RuleBody,
    /// Over how many days: 1 to 30, today (UTC) included; 7 if it is left out.
    #[schema(example = 7)]
    days: Option<i64>,
}

impl Body for BacktestBody {
    const READ_ONLY: &'static [&'static str] = RuleBody::READ_ONLY;
}

fn view(found: Backtested) -> BacktestView {
    let Backtested {
        definition,
        span,
        report,
    } = found;
    BacktestView::of(definition, looked(span), report)
}

/// What a Policy Rule would have done to the recorded LLM Runs
///
/// Every LLM Run is judged on what was known when it started. Contents and answers are not on record: a Policy Rule that
/// asks about them cannot be tried. At most 100000 LLM Runs are looked at, the latest ones. Nothing is recorded or changed.
#[utoipa::path(post, path = "/api/v1/policies/rules/backtest", operation_id = "backtest_policy_rule",
    tag = "Policy Rules", request_body = BacktestBody,
    responses((status = 200, description = "What it would have done", body = BacktestView),
              (status = 422, description = "The body is not valid, or what it asks about is not on record", body = Problem),
              (status = 429, description = "Two are being tried for the tenant already; `Retry-After` says when to come back", body = Problem)))]
pub(crate) async fn rule(
    actor: ReadActor,
    state: Data<State>,
    body: Json<BacktestBody>,
) -> Result<HttpResponse, ApiError> {
    let BacktestBody { rule, days: given } = body.value;
    let stretch = Stretch::of(actor.0.tenant_id(), days(given)?);
    let definition = rule.definition(RuleScope::Tenant);
    let found = services::policies::backtest(&state.cx, definition, stretch)
        .await
        .map_err(|error| match error {
            PolicyError::Invalid(problems) => invalid_rule("/rule", problems),
            error => rule_error(error),
        })?;
    Ok(HttpResponse::Ok().json(view(found)))
}

/// Over how many days to look back.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct DaysQuery {
    /// 1 to 30, default 7; today (UTC) is one of them.
    #[param(value_type = Option<u32>)]
    days: Option<String>,
}

/// What the Policy Rule of a proposal would have done to the recorded LLM Runs
#[utoipa::path(get, path = "/api/v1/policy-proposals/{proposal_id}/backtest", operation_id = "backtest_policy_proposal",
    tag = "Policy Rules", params(("proposal_id" = String, Path), DaysQuery),
    responses((status = 200, description = "What it would have done", body = BacktestView),
              (status = 400, description = "A parameter is wrong", body = Problem),
              (status = 404, description = "There is no such proposal", body = Problem),
              (status = 422, description = "What it asks about is not on record, or it retires a Policy Rule", body = Problem),
              (status = 429, description = "Two are being tried for the tenant already; `Retry-After` says when to come back", body = Problem)))]
pub(crate) async fn proposal(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
    query: Query<DaysQuery>,
) -> Result<HttpResponse, ApiError> {
    let id: ProposalId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let days = match query.days.as_deref().map(str::parse::<i64>) {
        None => DAYS_DEFAULT,
        Some(Ok(days)) if DAYS.contains(&days) => days,
        Some(_) => return Err(ApiError::parameter("days", "must be 1 to 30")),
    };
    let stretch = Stretch::of(actor.0.tenant_id(), days);
    let found = services::proposals::backtest(&state.cx, id, stretch)
        .await
        .map_err(proposal_error)?;
    Ok(HttpResponse::Ok().json(view(found)))
}
