//! `/api/v1/ops/tenants`: make tenants, and stop their traffic.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use adapters::founder::tenants::{TenantPageView, TenantView};
use adapters::problem::Problem;
use model::id::TenantId;
use model::money::NanoUsd;
use serde::Deserialize;
use services::cursors::List;
use services::tenants::TenantChange;
use utoipa::ToSchema;

use crate::actor::Operator;
use crate::body::{Body, Json, OptionalJson};
use crate::paging::{self, PageQuery};
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;
use crate::v1::keys::ReasonBody;
use crate::v1::scopes::tenant_error;

/// A new tenant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantBody {
    /// Its name, unique on the installation.
    name: String,
}

impl Body for TenantBody {
    const READ_ONLY: &'static [&'static str] = &[
        "tenant_id",
        "status",
        "freeze_reason",
        "floor_price_nano_usd",
        "two_person_review",
        "created_at",
    ];
}

/// Make a tenant
#[utoipa::path(post, path = "/api/v1/ops/tenants", operation_id = "create_tenant",
    tag = "Operators", request_body = TenantBody,
    responses((status = 201, description = "The new tenant", body = TenantView),
              (status = 409, description = "The name is taken", body = Problem)))]
pub(crate) async fn create(
    actor: Operator,
    state: Data<State>,
    body: Json<TenantBody>,
) -> Result<HttpResponse, ApiError> {
    let tenant = services::tenants::create(&state.cx, actor.author(), &body.value.name)
        .await
        .map_err(tenant_error)?;
    Ok(HttpResponse::Created().json(TenantView::from(tenant)))
}

/// List tenants
#[utoipa::path(get, path = "/api/v1/ops/tenants", operation_id = "list_tenants",
    tag = "Operators", params(PageQuery),
    responses((status = 200, description = "The tenants, newest first", body = TenantPageView)))]
pub(crate) async fn list(
    _actor: Operator,
    state: Data<State>,
    query: Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let limit = paging::limit(query.limit.as_deref())?;
    let everybody = List {
        name: "tenants",
        owner: TenantId::PLATFORM,
        filter: String::new(),
    };
    let before = paging::position::<TenantId>(&state, &everybody, query.cursor.as_deref()).await?;
    let mut tenants = services::tenants::list(&state.cx, before, limit + 1)
        .await
        .map_err(tenant_error)?;
    let more = tenants.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        tenants.pop();
    }
    let last = tenants.last().filter(|_| more).map(|tenant| tenant.id);
    let next = paging::next(&state, &everybody, last).await?;
    Ok(HttpResponse::Ok().json(TenantPageView::of(tenants, next)))
}

async fn change(
    state: &State,
    actor: &Operator,
    id: &str,
    change: TenantChange,
) -> Result<HttpResponse, ApiError> {
    let id: TenantId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let tenant = services::tenants::change(&state.cx, actor.author(), id, change)
        .await
        .map_err(tenant_error)?;
    Ok(HttpResponse::Ok().json(TenantView::from(tenant)))
}

/// Freeze a tenant
#[utoipa::path(post, path = "/api/v1/ops/tenants/{tenant_id}/freeze", operation_id = "freeze_tenant",
    tag = "Operators", request_body = ReasonBody,
    params(("tenant_id" = String, Path)),
    responses((status = 200, description = "Its traffic is stopped from the next request on", body = TenantView)))]
pub(crate) async fn freeze(
    actor: Operator,
    state: Data<State>,
    id: Path<String>,
    body: OptionalJson<ReasonBody>,
) -> Result<HttpResponse, ApiError> {
    let reason = body.0.checked()?;
    change(&state, &actor, &id, TenantChange::Freeze { reason }).await
}

/// Unfreeze a tenant
#[utoipa::path(post, path = "/api/v1/ops/tenants/{tenant_id}/unfreeze", operation_id = "unfreeze_tenant",
    tag = "Operators",
    params(("tenant_id" = String, Path)),
    responses((status = 200, description = "Its traffic flows again", body = TenantView)))]
pub(crate) async fn unfreeze(
    actor: Operator,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    change(&state, &actor, &id, TenantChange::Unfreeze).await
}

/// What a token of a model without a price is taken to cost.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FloorPriceBody {
    /// Nano-USD per token; null refuses such models under a money limit.
    floor_price_nano_usd: Option<i64>,
}

impl Body for FloorPriceBody {
    const READ_ONLY: &'static [&'static str] =
        &["tenant_id", "name", "status", "freeze_reason", "created_at"];
}

/// Set what a token of a model without a price counts as
#[utoipa::path(put, path = "/api/v1/ops/tenants/{tenant_id}/floor-price", operation_id = "set_floor_price",
    tag = "Operators",
    request_body = FloorPriceBody, params(("tenant_id" = String, Path)),
    responses((status = 200, description = "The floor price applies from the next request on", body = TenantView)))]
pub(crate) async fn floor_price(
    actor: Operator,
    state: Data<State>,
    id: Path<String>,
    body: Json<FloorPriceBody>,
) -> Result<HttpResponse, ApiError> {
    let price = body.value.floor_price_nano_usd;
    if price.is_some_and(|nano| !(1..=NanoUsd::PER_USD).contains(&nano)) {
        return Err(ApiError::field(
            "/floor_price_nano_usd",
            "must be 1 to 1000000000",
        ));
    }
    change(&state, &actor, &id, TenantChange::FloorPrice(price.map(NanoUsd))).await
}

/// How many persons a Policy Rule takes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewBody {
    /// True: one proposes, another one approves, and nobody makes, changes or retires a Policy Rule otherwise.
    two_person_review: bool,
}

impl Body for ReviewBody {
    const READ_ONLY: &'static [&'static str] =
        &["tenant_id", "name", "status", "freeze_reason", "created_at"];
}

/// Set how many persons a Policy Rule takes
#[utoipa::path(put, path = "/api/v1/ops/tenants/{tenant_id}/review", operation_id = "set_two_person_review",
    tag = "Operators",
    request_body = ReviewBody, params(("tenant_id" = String, Path)),
    responses((status = 200, description = "It holds from the next request on", body = TenantView)))]
pub(crate) async fn review(
    actor: Operator,
    state: Data<State>,
    id: Path<String>,
    body: Json<ReviewBody>,
) -> Result<HttpResponse, ApiError> {
    let is_needed = body.value.two_person_review;
    change(&state, &actor, &id, TenantChange::TwoPersonReview(is_needed)).await
}
