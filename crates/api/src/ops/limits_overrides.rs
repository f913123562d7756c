//! `/api/v1/ops/limits/overrides`: raise a GLOBAL limit for a time.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use adapters::customer::overrides::{OverridePageView, OverrideView};
use adapters::problem::Problem;
use services::limits::Owner;

use crate::actor::Operator;
use crate::body::Json;
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;
use crate::v1::limits_overrides::{ListQuery, OverrideBody, one, page, raise, take_back};

/// Raise a GLOBAL Limit for a time
#[utoipa::path(post, path = "/api/v1/ops/limits/overrides", operation_id = "create_global_limit_override",
    tag = "Operators", request_body = OverrideBody,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, description = "The override; it is approved with the request", body = OverrideView),
              (status = 409, description = "The GLOBAL Limit is raised already", body = Problem),
              (status = 422, description = "The body is not valid", body = Problem)))]
pub(crate) async fn create(
    actor: Operator,
    state: Data<State>,
    request: HttpRequest,
    body: Json<OverrideBody>,
) -> Result<HttpResponse, ApiError> {
    let caller = (Owner::Platform, actor.0.operator.id.to_string());
    raise(&state, &request, caller, body).await
}

/// List overrides of GLOBAL Limits
#[utoipa::path(get, path = "/api/v1/ops/limits/overrides", operation_id = "list_global_limit_overrides",
    tag = "Operators", params(ListQuery),
    responses((status = 200, description = "Overrides, newest first", body = OverridePageView)))]
pub(crate) async fn list(
    _actor: Operator,
    state: Data<State>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(page(&state, Owner::Platform, &query).await?))
}

/// Get an override of a GLOBAL Limit
#[utoipa::path(get, path = "/api/v1/ops/limits/overrides/{override_id}", operation_id = "get_global_limit_override",
    tag = "Operators", params(("override_id" = String, Path)),
    responses((status = 200, description = "The override", body = OverrideView),
              (status = 404, description = "There is no such override", body = Problem)))]
pub(crate) async fn get(
    _actor: Operator,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    one(&state, Owner::Platform, &id).await
}

/// Take an override of a GLOBAL Limit back
#[utoipa::path(delete, path = "/api/v1/ops/limits/overrides/{override_id}",
    operation_id = "delete_global_limit_override", tag = "Operators",
    params(("override_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 204, description = "The GLOBAL Limit says what it said before"),
              (status = 409, description = "The override counts no more", body = Problem)))]
pub(crate) async fn delete(
    actor: Operator,
    state: Data<State>,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = (Owner::Platform, actor.0.operator.id.to_string());
    take_back(&state, &request, caller, &id).await
}
