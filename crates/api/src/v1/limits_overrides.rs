//! `/api/v1/limits/overrides`: raise a limit for a time.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use adapters::customer::overrides::{OverridePageView, OverrideView};
use adapters::problem::Problem;
use model::id::{LimitId, OverrideId};
use model::limit_override::LimitOverride;
use model::page::{Cursor, PageRequest};
use model::time::Timestamp;
use serde::Deserialize;
use services::audit::Author;
use services::cursors::List;
use services::limits::Owner;
use services::limits::overrides::{self, OverrideError, Wish};
use utoipa::{IntoParams, ToSchema};

use super::limits::limit_error;
use super::limits_change::max_value;
use crate::actor::{ManageActor, ReadActor};
use crate::body::{Body, Json};
use crate::decimal::Decimal;
use crate::idempotency;
use crate::paging;
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;

/// The raise of a Limit that is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OverrideBody {
    /// Which Limit.
    #[schema(value_type = String)]
    limit_id: LimitId,
    /// The most while it lasts, more than the Limit Value: USD for money, otherwise a whole number.
    #[schema(value_type = f64, example = 100)]
    override_value: Decimal,
    /// How long: 1 to 168 hours.
    #[schema(example = 24)]
    duration_hours: i64,
    /// Why: 10 to 500 characters.
    #[schema(example = "launch day of the new search")]
    reason: String,
    /// Whether it begins at once; true if it is left out.
    start_immediately: Option<bool>,
    /// When it begins otherwise: at most 90 days ahead.
    #[schema(value_type = Option<String>, format = DateTime)]
    scheduled_start: Option<Timestamp>,
}

impl Body for OverrideBody {
    const READ_ONLY: &'static [&'static str] = &[
        "tenant_id",
        "override_id",
        "status",
        "original_value",
        "requested_by",
        "approved_by",
        "created_at",
        "expires_at",
    ];
}

impl OverrideBody {
    fn starts_at(&self) -> Result<Option<Timestamp>, ApiError> {
        match (
            self.start_immediately.unwrap_or(self.scheduled_start.is_none()),
            self.scheduled_start,
        ) {
            (true, None) => Ok(None),
            (false, Some(start)) => Ok(Some(start)),
            (true, Some(_)) => Err(ApiError::field(
                "/scheduled_start",
                "either it starts immediately or at this time",
            )),
            (false, None) => Err(ApiError::field(
                "/scheduled_start",
                "needed if it does not start immediately",
            )),
        }
    }
}

fn override_error(error: OverrideError) -> ApiError {
    match error {
        OverrideError::NotFound => ApiError::not_found(),
        OverrideError::Invalid(problems) => ApiError::members(
            problems
                .into_iter()
                .map(|problem| (problem.field, problem.detail)),
        ),
        OverrideError::Exists(other) => ApiError::new(
            409,
            "already-exists",
            "Already exists",
            format!("{other} raises this Limit. Take it back first."),
        ),
        OverrideError::Quota => ApiError::new(
            403,
            "quota-exceeded",
            "Quota exceeded",
            "There may be 5 overrides at a time; take one back first.",
        ),
        OverrideError::Tampered => super::limits::tampered(),
        OverrideError::Ended(status) => ApiError::new(
            409,
            "override-ended",
            "Override ended",
            format!("The override counts no more: it is {}.", status.as_str()),
        ),
        OverrideError::Once(error) => idempotency::refusal(error),
        OverrideError::Store(error) => error.into(),
    }
}

fn body_of(granted: &LimitOverride) -> String {
    serde_json::to_string(&OverrideView::from(granted.clone())).unwrap_or_default()
}

/// Raise a Limit for a time
#[utoipa::path(post, path = "/api/v1/limits/overrides", operation_id = "create_limit_override",
    tag = "Limits", request_body = OverrideBody,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, description = "The override; it is approved with the request", body = OverrideView),
              (status = 409, description = "The Limit is raised already", body = Problem),
              (status = 422, description = "The body is not valid", body = Problem)))]
pub(crate) async fn create(
    actor: ManageActor,
    state: Data<State>,
    request: HttpRequest,
    body: Json<OverrideBody>,
) -> Result<HttpResponse, ApiError> {
    let caller = (Owner::Tenant(actor.0.tenant_id()), actor.0.principal());
    raise(&state, &request, caller, body).await
}

/// Raises a Limit of this owner for a time.
pub(crate) async fn raise(
    state: &State,
    request: &HttpRequest,
    (owner, principal): (Owner, String),
    body: Json<OverrideBody>,
) -> Result<HttpResponse, ApiError> {
    let operation = "limits.overrides.create";
    let once = idempotency::once(request, operation, owner.id(), principal.clone(), &body.bytes)?;
    let wanted = body.value;
    let limit = services::limits::get(&state.cx, owner, wanted.limit_id)
        .await
        .map_err(|error| match error {
            services::limits::LimitError::NotFound => {
                ApiError::field("/limit_id", "no Limit of yours has this id")
            }
            error => limit_error(error),
        })?;
    let wish = Wish {
        limit: limit.id,
        value: max_value("/override_value", limit.limit_type, wanted.override_value)?,
        hours: wanted.duration_hours,
        starts_at: wanted.starts_at()?,
        reason: wanted.reason,
    };
    let done = overrides::grant(&state.cx, owner, Author::human(principal), wish, once, body_of)
        .await
        .map_err(override_error)?;
    Ok(idempotency::respond(201, done))
}

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Only of this Limit.
    limit_id: Option<String>,
    /// 1 to 200, default 50.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// List overrides of Limits
#[utoipa::path(get, path = "/api/v1/limits/overrides", operation_id = "list_limit_overrides", tag = "Limits",
    params(ListQuery),
    responses((status = 200, description = "Overrides, newest first", body = OverridePageView)))]
pub(crate) async fn list(
    actor: ReadActor,
    state: Data<State>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let page = page(&state, Owner::Tenant(actor.0.tenant_id()), &query).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// Some overrides of the Limits of this owner.
pub(crate) async fn page(
    state: &State,
    owner: Owner,
    query: &ListQuery,
) -> Result<OverridePageView, ApiError> {
    let limit_id: Option<LimitId> = match query.limit_id.as_deref() {
        None => None,
        Some(text) => Some(
            text.parse()
                .ok()
                .ok_or_else(|| ApiError::parameter("limit_id", "must be the id of a Limit"))?,
        ),
    };
    let pages = List {
        name: "limit_overrides",
        owner: owner.id(),
        filter: query.limit_id.clone().unwrap_or_default(),
    };
    let limit = paging::limit(query.limit.as_deref())?;
    let after = paging::position::<OverrideId>(state, &pages, query.cursor.as_deref()).await?;
    let page = PageRequest {
        limit,
        after: after.map(|id| Cursor {
            at_micros: 0,
            id: id.to_string(),
        }),
    };
    let (items, has_more) = overrides::list(&state.cx, owner, limit_id, page)
        .await
        .map_err(override_error)?;
    let end = items.last().filter(|_| has_more).map(|item| item.id);
    Ok(OverridePageView {
        items: items.into_iter().map(Into::into).collect(),
        has_more,
        next_cursor: paging::next(state, &pages, end).await?,
    })
}

/// Get an override of a Limit
#[utoipa::path(get, path = "/api/v1/limits/overrides/{override_id}", operation_id = "get_limit_override",
    tag = "Limits", params(("override_id" = String, Path)),
    responses((status = 200, description = "The override", body = OverrideView),
              (status = 404, description = "There is no such override", body = Problem)))]
pub(crate) async fn get(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    one(&state, Owner::Tenant(actor.0.tenant_id()), &id).await
}

/// An override of a Limit of this owner.
pub(crate) async fn one(state: &State, owner: Owner, id: &str) -> Result<HttpResponse, ApiError> {
    let id: OverrideId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let found = overrides::get(&state.cx, owner, id)
        .await
        .map_err(override_error)?;
    Ok(HttpResponse::Ok().json(OverrideView::from(found)))
}

/// Take an override of a Limit back
#[utoipa::path(delete, path = "/api/v1/limits/overrides/{override_id}", operation_id = "delete_limit_override",
    tag = "Limits", params(("override_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 204, description = "The Limit says what it said before"),
              (status = 409, description = "The override counts no more", body = Problem)))]
pub(crate) async fn delete(
    actor: ManageActor,
    state: Data<State>,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = (Owner::Tenant(actor.0.tenant_id()), actor.0.principal());
    take_back(&state, &request, caller, &id).await
}

/// Takes an override of a Limit of this owner back.
pub(crate) async fn take_back(
    state: &State,
    request: &HttpRequest,
    (owner, principal): (Owner, String),
    id: &str,
) -> Result<HttpResponse, ApiError> {
    let id: OverrideId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let operation = "limits.overrides.delete";
    let once = idempotency::once(request, operation, owner.id(), principal.clone(), b"")?;
    let done = overrides::revoke(&state.cx, owner, Author::human(principal), id, once)
        .await
        .map_err(override_error)?;
    Ok(idempotency::respond(204, done))
}
