//! `/api/v1/ops/limits`: the GLOBAL limits of the installation.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use adapters::customer::limits::{LimitPageView, LimitView};
use adapters::problem::Problem;
use model::id::{LimitId, TenantId};
use model::page::PageRequest;
use services::limits::{ListFilter, Owner};

use crate::actor::Operator;
use crate::body::Json;
use crate::idempotency;
use crate::problem::ApiError;
use crate::state::State;
use crate::v1::limits::limit_error;
use crate::v1::limits_change::{ChangeBody, LimitBody, body_of, change_of, respond};

#[utoipa::path(post, path = "/api/v1/ops/limits", tag = "Operators", request_body = LimitBody,
    responses((status = 201, description = "The new GLOBAL Limit", body = LimitView),
              (status = 422, description = "The body is not valid", body = Problem)))]
pub(crate) async fn create(
    actor: Operator,
    state: Data<State>,
    request: HttpRequest,
    body: Json<LimitBody>,
) -> Result<HttpResponse, ApiError> {
    let principal = actor.0.operator.id.to_string();
    let once = idempotency::once(
        &request,
        "limits.create",
        TenantId::PLATFORM,
        principal,
        &body.bytes,
    )?;
    let draft = body.value.draft()?;
    let done = services::limits::create(&state.cx, Owner::Platform, draft, once, body_of)
        .await
        .map_err(limit_error)?;
    Ok(respond(201, done))
}

#[utoipa::path(get, path = "/api/v1/ops/limits", tag = "Operators",
    responses((status = 200, description = "The GLOBAL Limits, newest first", body = LimitPageView)))]
pub(crate) async fn list(_actor: Operator, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let page = PageRequest {
        limit: crate::paging::LIMIT_MAX,
        after: None,
    };
    let (limits, more) = services::limits::list(&state.cx, Owner::Platform, ListFilter::default(), page)
        .await
        .map_err(limit_error)?;
    Ok(HttpResponse::Ok().json(LimitPageView::of(limits, more)))
}

#[utoipa::path(put, path = "/api/v1/ops/limits/{limit_id}", tag = "Operators", request_body = ChangeBody,
    params(("limit_id" = String, Path)),
    responses((status = 200, description = "The changed GLOBAL Limit", body = LimitView)))]
pub(crate) async fn update(
    actor: Operator,
    state: Data<State>,
    request: HttpRequest,
    id: Path<String>,
    body: Json<ChangeBody>,
) -> Result<HttpResponse, ApiError> {
    let id: LimitId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let principal = actor.0.operator.id.to_string();
    let once = idempotency::once(
        &request,
        "limits.update",
        TenantId::PLATFORM,
        principal,
        &body.bytes,
    )?;
    let change = change_of(&state.cx, Owner::Platform, id, body.value).await?;
    let done = services::limits::update(&state.cx, Owner::Platform, id, change, once, body_of)
        .await
        .map_err(limit_error)?;
    Ok(respond(200, done))
}
