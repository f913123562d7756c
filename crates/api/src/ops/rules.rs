//! `/api/v1/ops/policies/rules`: the GLOBAL Policy Rules of the installation.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use adapters::customer::policies::{RulePageView, WrittenRuleView};
use adapters::problem::Problem;
use model::policy::RuleScope;
use services::owner::Owner;

use crate::actor::Operator;
use crate::body::Json;
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;
use crate::v1::rules::{ListQuery, page};
use crate::v1::rules_change::{RuleBody, RuleChangeBody, change, make};

/// List GLOBAL Policy Rules
#[utoipa::path(get, path = "/api/v1/ops/policies/rules", operation_id = "list_global_policy_rules",
    tag = "Operators", params(ListQuery),
    responses((status = 200, description = "The GLOBAL Policy Rules, newest first", body = RulePageView)))]
pub(crate) async fn list(
    _actor: Operator,
    state: Data<State>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(page(&state, Owner::Platform, &query).await?))
}

/// Make a GLOBAL Policy Rule
#[utoipa::path(post, path = "/api/v1/ops/policies/rules", operation_id = "create_global_policy_rule",
    tag = "Operators", request_body = RuleBody, params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, description = "The new GLOBAL Policy Rule", body = WrittenRuleView),
              (status = 422, description = "The body is not valid", body = Problem)))]
pub(crate) async fn create(
    actor: Operator,
    state: Data<State>,
    request: HttpRequest,
    body: Json<RuleBody>,
) -> Result<HttpResponse, ApiError> {
    let principal = actor.0.operator.id.to_string();
    make(
        &state,
        request,
        (Owner::Platform, RuleScope::Global),
        principal,
        body,
    )
    .await
}

/// Change or retire a GLOBAL Policy Rule
#[utoipa::path(put, path = "/api/v1/ops/policies/rules/{rule_id}", operation_id = "update_global_policy_rule",
    tag = "Operators", request_body = RuleChangeBody,
    params(("rule_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, description = "The GLOBAL Policy Rule in its new version", body = WrittenRuleView),
              (status = 409, description = "It is retired, or has another version by now", body = Problem)))]
pub(crate) async fn update(
    actor: Operator,
    state: Data<State>,
    request: HttpRequest,
    id: Path<String>,
    body: Json<RuleChangeBody>,
) -> Result<HttpResponse, ApiError> {
    let principal = actor.0.operator.id.to_string();
    change(&state, request, Owner::Platform, principal, (&id, body)).await
}
