//! `/api/v1/ops/tenants/{tenant_id}/keys`: the API keys of a tenant, for operators.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use adapters::customer::keys::{KeyListView, KeyView, NewKeyView};
use model::id::TenantId;
use services::keys::{KeyChange, Maker};

use crate::actor::Operator;
use crate::body::{Json, OptionalJson};
use crate::idempotency;
use crate::paging::PageQuery;
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;
use crate::v1::keys::{KeyBody, ReasonBody, change, key_error, made, page_of, without_secret};
use crate::v1::scopes::tenant_error;

/// The platform is no tenant: a key of it could change GLOBAL limits on the customers' routes.
fn tenant(id: &str) -> Result<TenantId, ApiError> {
    let id = id.parse().ok().filter(|id| *id != TenantId::PLATFORM);
    id.ok_or_else(ApiError::not_found)
}

/// List the API keys of a tenant
#[utoipa::path(get, path = "/api/v1/ops/tenants/{tenant_id}/keys", operation_id = "list_tenant_keys",
    tag = "Operators",
    params(("tenant_id" = String, Path), PageQuery),
    responses((status = 200, description = "The keys, newest first", body = KeyListView)))]
pub(crate) async fn list(
    _actor: Operator,
    state: Data<State>,
    id: Path<String>,
    query: Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let found = services::tenants::get(&state.cx, tenant(&id)?).await;
    page_of(&state, found.map_err(tenant_error)?.id, &query).await
}

/// Make an API key of a tenant
#[utoipa::path(post, path = "/api/v1/ops/tenants/{tenant_id}/keys", operation_id = "create_tenant_key",
    tag = "Operators", request_body = KeyBody,
    params(("tenant_id" = String, Path),
           ("Idempotency-Key" = Option<String>, Header, description = "As everywhere, but the secret is shown once: the same request again gets the same key with `secret: null`")),
    responses((status = 201, description = "The new key; its secret is shown here and never again", body = NewKeyView)))]
pub(crate) async fn create(
    actor: Operator,
    state: Data<State>,
    request: HttpRequest,
    id: Path<String>,
    body: Json<KeyBody>,
) -> Result<HttpResponse, ApiError> {
    let id = tenant(&id)?;
    let principal = actor.0.operator.id.to_string();
    // An operator's, and not the tenant's: a key that the tenant has used says nothing here, and the other way round.
    let owner = TenantId::PLATFORM;
    let once = idempotency::once(&request, "keys.create", owner, principal, &body.bytes)?;
    let wanted = body.value.wanted(&state)?;
    let maker = Maker::operator(actor.author());
    let done = services::keys::create_once(&state.cx, id, maker, wanted, once, without_secret)
        .await
        .map_err(key_error)?;
    Ok(made(done))
}

/// Freeze an API key of a tenant
#[utoipa::path(post, path = "/api/v1/ops/tenants/{tenant_id}/keys/{api_key_id}/freeze",
    operation_id = "freeze_tenant_key", tag = "Operators",
    request_body = ReasonBody,
    params(("tenant_id" = String, Path), ("api_key_id" = String, Path)),
    responses((status = 200, description = "The key is frozen from the next request on", body = KeyView)))]
pub(crate) async fn freeze(
    actor: Operator,
    state: Data<State>,
    ids: Path<(String, String)>,
    body: OptionalJson<ReasonBody>,
) -> Result<HttpResponse, ApiError> {
    let (tenant_id, key) = ids.into_inner();
    let reason = body.0.checked()?;
    change(
        &state,
        (tenant(&tenant_id)?, actor.author()),
        &key,
        KeyChange::Freeze { reason },
    )
    .await
}

/// Unfreeze an API key of a tenant
#[utoipa::path(post, path = "/api/v1/ops/tenants/{tenant_id}/keys/{api_key_id}/unfreeze",
    operation_id = "unfreeze_tenant_key", tag = "Operators",
    params(("tenant_id" = String, Path), ("api_key_id" = String, Path)),
    responses((status = 200, description = "The key works again", body = KeyView)))]
pub(crate) async fn unfreeze(
    actor: Operator,
    state: Data<State>,
    ids: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (tenant_id, key) = ids.into_inner();
    change(
        &state,
        (tenant(&tenant_id)?, actor.author()),
        &key,
        KeyChange::Unfreeze,
    )
    .await
}

/// Revoke an API key of a tenant for ever
#[utoipa::path(delete, path = "/api/v1/ops/tenants/{tenant_id}/keys/{api_key_id}",
    operation_id = "revoke_tenant_key", tag = "Operators",
    params(("tenant_id" = String, Path), ("api_key_id" = String, Path)),
    responses((status = 200, description = "The key never works again", body = KeyView)))]
pub(crate) async fn revoke(
    actor: Operator,
    state: Data<State>,
    ids: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (tenant_id, key) = ids.into_inner();
    change(
        &state,
        (tenant(&tenant_id)?, actor.author()),
        &key,
        KeyChange::Revoke,
    )
    .await
}
