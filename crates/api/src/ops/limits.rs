//! `/api/v1/ops/limits`: the GLOBAL limits of the installation.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use adapters::customer::limits::{LimitPageView, LimitUsageListView, LimitUsageView, WrittenLimitView};
use adapters::problem::Problem;
use model::id::{LimitId, TenantId};
use services::limits::{ListFilter, Owner};

use crate::actor::Operator;
use crate::body::Json;
use crate::idempotency;
use crate::paging::PageQuery;
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;
use crate::v1::limits::usage::usage_view;
use crate::v1::limits::{Asked, limit_error, page};
use crate::v1::limits_change::{ChangeBody, LimitBody, body_of, change_of};

/// Make a GLOBAL Limit
#[utoipa::path(post, path = "/api/v1/ops/limits", operation_id = "create_global_limit",
    tag = "Operators", request_body = LimitBody,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, description = "The new GLOBAL Limit", body = WrittenLimitView),
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
    let author = actor.author();
    let done = services::limits::create(&state.cx, Owner::Platform, author, draft, once, body_of)
        .await
        .map_err(limit_error)?;
    Ok(idempotency::respond(201, done))
}

/// List GLOBAL Limits
#[utoipa::path(get, path = "/api/v1/ops/limits", operation_id = "list_global_limits",
    tag = "Operators", params(PageQuery),
    responses((status = 200, description = "The GLOBAL Limits, newest first", body = LimitPageView)))]
pub(crate) async fn list(
    _actor: Operator,
    state: Data<State>,
    query: Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let asked = Asked {
        limit: query.limit.as_deref(),
        cursor: query.cursor.as_deref(),
    };
    let page = page(
        &state,
        Owner::Platform,
        ListFilter::default(),
        String::new(),
        asked,
    )
    .await?;
    Ok(HttpResponse::Ok().json(page))
}

/// What all tenants have used of every GLOBAL Limit
#[utoipa::path(get, path = "/api/v1/ops/limits/usage", operation_id = "global_limits_usage",
    tag = "Operators",
    responses((status = 200, description = "What all tenants together have used of every GLOBAL Limit now", body = LimitUsageListView)))]
pub(crate) async fn usage(_actor: Operator, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let list = services::limits::platform_usage(&state.cx)
        .await
        .map_err(limit_error)?;
    let items = list
        .into_iter()
        .map(|usage| usage_view(usage, LimitUsageView::for_operator))
        .collect();
    Ok(HttpResponse::Ok().json(LimitUsageListView { items }))
}

/// Change a GLOBAL Limit
#[utoipa::path(put, path = "/api/v1/ops/limits/{limit_id}", operation_id = "update_global_limit",
    tag = "Operators", request_body = ChangeBody,
    params(("limit_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, description = "The changed GLOBAL Limit", body = WrittenLimitView)))]
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
    let author = actor.author();
    let done = services::limits::update(&state.cx, Owner::Platform, author, (id, change), once, body_of)
        .await
        .map_err(limit_error)?;
    Ok(idempotency::respond(200, done))
}
