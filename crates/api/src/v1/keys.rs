//! `/api/v1/keys`: the API keys of a tenant.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use adapters::customer::keys::{KeyListView, KeyView, NewKeyView};
use adapters::problem::Problem;
use infra::secrets::ApiKeySecret;
use model::id::{KeyId, TenantId};
use model::key::{ApiKey, KeyScope};
use serde::Deserialize;
use services::audit::Author;
use services::keys::{KeyChange, KeyError, Maker, NewKey};
use services::limits::Done;
use utoipa::ToSchema;

use crate::actor::{ManageActor, ReadActor};
use crate::body::{Body, Json, OptionalJson};
use crate::idempotency;
use crate::paging::{Asked, PageQuery};
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;

/// A new key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyBody {
    /// What people call it.
    #[schema(example = "search service")]
    pub(crate) name: String,
    /// `live` or `test`: the one of this installation, which is taken if it is left out.
    pub(crate) environment: Option<String>,
    /// LLM, READ, MANAGE; LLM and READ if it is left out.
    #[schema(value_type = Option<Vec<String>>)]
    pub(crate) scopes: Option<Vec<KeyScope>>,
    /// At most this many requests in any minute.
    pub(crate) rate_limit_rpm: Option<u32>,
    /// After how many days it stops working: 1 to 365.
    pub(crate) expires_in_days: Option<u32>,
}

impl Body for KeyBody {
    const READ_ONLY: &'static [&'static str] = &[
        "api_key_id",
        "tenant_id",
        "last4",
        "status",
        "freeze_reason",
        "expires_at",
        "created_at",
        "last_used_at",
        "revoked_at",
        "secret",
    ];
}

impl KeyBody {
    pub(crate) fn wanted(self, state: &State) -> Result<NewKey, ApiError> {
        let live = match self.environment.as_deref() {
            None => state.cx.takes_live_keys(),
            Some("live") => true,
            Some("test") => false,
            Some(_) => return Err(ApiError::field("/environment", "must be live or test")),
        };
        Ok(NewKey {
            name: self.name,
            live,
            scopes: self.scopes.unwrap_or_else(|| vec![KeyScope::Llm, KeyScope::Read]),
            rpm: self.rate_limit_rpm,
            expires_in_days: self.expires_in_days,
        })
    }
}

/// Make an API key
#[utoipa::path(post, path = "/api/v1/keys", operation_id = "create_key", tag = "Keys", request_body = KeyBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "As everywhere, but the secret is shown once: the same request again gets the same key with `secret: null`")),
    responses((status = 201, description = "The new key; its secret is shown here and never again", body = NewKeyView),
              (status = 403, description = "The creator lacks a scope", body = Problem)))]
pub(crate) async fn create(
    actor: ManageActor,
    state: Data<State>,
    request: HttpRequest,
    body: Json<KeyBody>,
) -> Result<HttpResponse, ApiError> {
    let tenant = actor.0.tenant_id();
    let once = idempotency::once(&request, "keys.create", tenant, actor.0.principal(), &body.bytes)?;
    let wanted = body.value.wanted(&state)?;
    let maker = Maker::holder(Author::human(actor.0.principal()), &actor.0.key);
    let done = services::keys::create_once(&state.cx, tenant, maker, wanted, once, without_secret)
        .await
        .map_err(key_error)?;
    Ok(made(done))
}

fn view(key: ApiKey, secret: Option<String>) -> NewKeyView {
    let now = key.created_at;
    NewKeyView {
        key: KeyView::of(key, now),
        secret,
    }
}

/// What is stored of the answer with a new key, for those who send the request again.
pub(crate) fn without_secret(key: &ApiKey) -> String {
    serde_json::to_string(&view(key.clone(), None)).unwrap_or_default()
}

/// The answer with a new key: the only one that has its secret.
pub(crate) fn made(done: Done<(ApiKey, ApiKeySecret)>) -> HttpResponse {
    let mut response = match done {
        Done::Now((key, secret), _) => {
            HttpResponse::Created().json(view(key, Some(secret.expose().to_owned())))
        }
        before @ Done::Before(_) => idempotency::respond(201, before),
    };
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// List API keys
#[utoipa::path(get, path = "/api/v1/keys", operation_id = "list_keys", tag = "Keys", params(PageQuery),
    responses((status = 200, description = "The keys, newest first", body = KeyListView)))]
pub(crate) async fn list(
    actor: ReadActor,
    state: Data<State>,
    query: Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    page_of(&state, actor.0.tenant_id(), &query).await
}

pub(crate) async fn page_of(
    state: &State,
    tenant: TenantId,
    query: &PageQuery,
) -> Result<HttpResponse, ApiError> {
    let now = state.cx.clock.now();
    let asked = Asked::<KeyId>::of(state, ("keys", tenant), query).await?;
    let keys = services::keys::page(&state.cx, tenant, asked.place, asked.most())
        .await
        .map_err(key_error)?;
    let (keys, next_cursor) = asked.cut(state, keys, |key| key.id).await?;
    Ok(HttpResponse::Ok().json(KeyListView {
        items: keys.into_iter().map(|key| KeyView::of(key, now)).collect(),
        has_more: next_cursor.is_some(),
        next_cursor,
    }))
}

/// Why.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasonBody {
    /// What whoever is stopped will read; at most 500 characters.
    pub(crate) reason: Option<String>,
}

impl Body for ReasonBody {
    const READ_ONLY: &'static [&'static str] = &["api_key_id", "tenant_id", "status", "freeze_reason"];
}

impl ReasonBody {
    pub(crate) fn checked(self) -> Result<Option<String>, ApiError> {
        match self.reason {
            Some(reason) if reason.chars().count() > 500 => {
                Err(ApiError::field("/reason", "may have 500 characters"))
            }
            reason => Ok(reason),
        }
    }
}

fn by(actor: &ManageActor) -> (TenantId, Author) {
    (actor.0.tenant_id(), Author::human(actor.0.principal()))
}

pub(crate) async fn change(
    state: &State,
    (tenant, author): (TenantId, Author),
    id: &str,
    change: KeyChange,
) -> Result<HttpResponse, ApiError> {
    let id: KeyId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let key = services::keys::change(&state.cx, tenant, author, id, change)
        .await
        .map_err(key_error)?;
    Ok(HttpResponse::Ok().json(KeyView::of(key, state.cx.clock.now())))
}

/// Freeze an API key
#[utoipa::path(post, path = "/api/v1/keys/{api_key_id}/freeze", operation_id = "freeze_key",
    tag = "Keys", request_body = ReasonBody,
    params(("api_key_id" = String, Path)),
    responses((status = 200, description = "The key is frozen from the next request on", body = KeyView)))]
pub(crate) async fn freeze(
    actor: ManageActor,
    state: Data<State>,
    id: Path<String>,
    body: OptionalJson<ReasonBody>,
) -> Result<HttpResponse, ApiError> {
    let reason = body.0.checked()?;
    change(&state, by(&actor), &id, KeyChange::Freeze { reason }).await
}

/// Unfreeze an API key
#[utoipa::path(post, path = "/api/v1/keys/{api_key_id}/unfreeze", operation_id = "unfreeze_key",
    tag = "Keys", params(("api_key_id" = String, Path)),
    responses((status = 200, description = "The key works again", body = KeyView)))]
pub(crate) async fn unfreeze(
    actor: ManageActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    change(&state, by(&actor), &id, KeyChange::Unfreeze).await
}

/// Revoke an API key for ever
#[utoipa::path(delete, path = "/api/v1/keys/{api_key_id}", operation_id = "revoke_key",
    tag = "Keys", params(("api_key_id" = String, Path)),
    responses((status = 200, description = "The key never works again", body = KeyView)))]
pub(crate) async fn revoke(
    actor: ManageActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    change(&state, by(&actor), &id, KeyChange::Revoke).await
}

pub(crate) fn key_error(error: KeyError) -> ApiError {
    match error {
        KeyError::NotFound | KeyError::NoTenant => ApiError::not_found(),
        KeyError::Revoked => ApiError::new(
            409,
            "key-revoked",
            "Key revoked",
            "The key has been revoked; that is for ever.",
        ),
        KeyError::Escalation(scope) => ApiError::new(
            403,
            "scope-escalation",
            "Scope escalation",
            format!("A key without the scope {} cannot give it.", scope.as_str()),
        ),
        KeyError::Quota => ApiError::new(
            403,
            "quota-exceeded",
            "Quota exceeded",
            "There may be 500 keys; revoke one first.",
        ),
        KeyError::LimitQuota => ApiError::new(
            403,
            "quota-exceeded",
            "Quota exceeded",
            "There may be 1000 ACTIVE Limits, and `rate_limit_rpm` makes one; disable one first.",
        ),
        KeyError::Invalid { field, detail } => ApiError::field(&format!("/{field}"), detail),
        KeyError::Once(error) => idempotency::refusal(error),
        KeyError::Store(error) => error.into(),
    }
}
