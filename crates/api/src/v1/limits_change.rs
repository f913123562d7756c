//! `/api/v1/limits`: make, change and disable limits.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use adapters::customer::limits::WrittenLimitView;
use adapters::problem::Problem;
use model::id::{KeyId, LimitId};
use model::limit::{
    Consequence, Degrade, Enforcement, Handling, LimitCategory, LimitScope, LimitStatus, LimitType, Unit,
};
use model::window::{ResetPeriod, Weekday};
use model::zone::Zone;
use serde::Deserialize;
use services::audit::Author;
use services::limits::{Change, Owner, Written};
use services::words::Draft;
use utoipa::ToSchema;

use super::limits::limit_error;
use crate::actor::ManageActor;
use crate::body::{Body, Json};
use crate::decimal::Decimal;
use crate::idempotency;
use crate::problem::ApiError;
use crate::state::State;

/// A new Limit.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitBody {
    /// What people call it.
    #[schema(example = "daily budget")]
    name: String,
    /// What it is for.
    description: Option<String>,
    /// BUDGET, RATE or THRESHOLD.
    #[schema(value_type = String, example = "BUDGET")]
    limit_category: LimitCategory,
    /// What it counts.
    #[schema(value_type = String, example = "COST_USD")]
    limit_type: LimitType,
    /// TENANT if it is left out.
    #[schema(value_type = Option<String>, example = "TENANT")]
    scope: Option<LimitScope>,
    /// Which project, agent or provider. A project and an agent have to be made before; a provider that is not configured
    /// is answered with a warning, because checks may name it.
    scope_id: Option<String>,
    /// Only requests made with this key.
    #[schema(value_type = Option<String>)]
    api_key_id: Option<KeyId>,
    /// Only requests for this model: its exact name, or a prefix that ends in `*`.
    model: Option<String>,
    /// Only requests for this feature of the product, as `x-plimsoll-feature` says it.
    feature: Option<String>,
    /// Only requests for this user of the customer's, as `x-plimsoll-end-user` or `user` in the body say it.
    end_user: Option<String>,
    /// Limit Value: USD for money, otherwise a whole number.
    #[schema(value_type = f64, example = 50)]
    max_value: Decimal,
    /// DAILY, WEEKLY, MONTHLY or NONE (BUDGET). Of `CONCURRENT_RUNS` it is NONE, also where it is left out.
    #[schema(value_type = Option<String>, example = "DAILY")]
    reset_period: Option<ResetPeriod>,
    /// The IANA zone whose midnight resets it (BUDGET); UTC if it is left out.
    #[schema(value_type = Option<String>, example = "Europe/Berlin")]
    time_zone: Option<Zone>,
    /// On which day a week begins (WEEKLY); MONDAY if it is left out.
    #[schema(value_type = Option<String>, example = "MONDAY")]
    week_start: Option<Weekday>,
    /// The length of the rolling window (RATE).
    window_seconds: Option<u32>,
    /// BLOCK if it is left out.
    #[schema(value_type = Option<String>, example = "BLOCK")]
    enforcement: Option<Enforcement>,
    /// The longest that a request waits for room, in milliseconds (QUEUE): 1 to 60000, 10000 if it is left out.
    queue_timeout_ms: Option<i64>,
    /// The cheaper model that is served instead (DEGRADE).
    degrade_model: Option<String>,
    /// The lower cap of the output, in tokens, that is served instead (DEGRADE).
    degrade_max_output_tokens: Option<i64>,
    /// ALERT, INCIDENT or ABORT (THRESHOLD).
    #[schema(value_type = Option<String>)]
    consequence: Option<Consequence>,
    /// Over how many of the last seconds failures are measured (`ERROR_RATE_PCT`): 10 to 86400, 300 if it is left out.
    measurement_window_seconds: Option<u32>,
}

impl Body for LimitBody {
    const READ_ONLY: &'static [&'static str] = &[
        "limit_id",
        "tenant_id",
        "status",
        "max_value_nano_usd",
        "created_at",
        "updated_at",
        "already_exceeded",
        "in_force",
        "exceeded",
        "warnings",
    ];
}

impl LimitBody {
    pub(crate) fn draft(self) -> Result<Draft, ApiError> {
        Ok(Draft {
            max: max_value("/max_value", self.limit_type, self.max_value)?,
            name: self.name,
            description: self.description,
            category: self.limit_category,
            limit_type: self.limit_type,
            scope: self.scope.unwrap_or(LimitScope::Tenant),
            scope_id: self.scope_id,
            api_key_id: self.api_key_id,
            model: self.model,
            feature: self.feature,
            end_user: self.end_user,
            reset_period: self.reset_period,
            zone: self.time_zone,
            week_start: self.week_start,
            window_seconds: self.window_seconds,
            enforcement: self.enforcement.unwrap_or(Enforcement::Block),
            handling: Handling {
                queue_ms: self.queue_timeout_ms,
                degrade: degrade(self.degrade_model, self.degrade_max_output_tokens),
                consequence: self.consequence,
                measured_seconds: self.measurement_window_seconds,
            },
        })
    }
}

/// What is served instead, if anything is said about it.
fn degrade(model: Option<String>, output_tokens: Option<i64>) -> Option<Degrade> {
    let said = Degrade { model, output_tokens };
    (said != Degrade::default()).then_some(said)
}

/// The maximum in the unit of the type: money is nano-USD already, everything else must be whole.
pub(crate) fn max_value(pointer: &str, limit_type: LimitType, value: Decimal) -> Result<i64, ApiError> {
    let nano = value.0.0;
    match limit_type.unit() {
        Unit::NanoUsd => Ok(nano),
        Unit::Tokens | Unit::Requests | Unit::Places | Unit::Milliseconds | Unit::Percent => {
            if nano % model::money::NanoUsd::PER_USD == 0 {
                Ok(nano / model::money::NanoUsd::PER_USD)
            } else {
                Err(ApiError::field(
                    pointer,
                    "must be a whole number for this limit_type",
                ))
            }
        }
    }
}

pub(crate) fn body_of(written: &Written) -> String {
    let Written {
        limit,
        already_exceeded,
        unknown_scope,
    } = written.clone();
    let view = WrittenLimitView::of(limit, already_exceeded, unknown_scope);
    serde_json::to_string(&view).unwrap_or_default()
}

/// Make a Limit
#[utoipa::path(post, path = "/api/v1/limits", operation_id = "create_limit",
    tag = "Limits", request_body = LimitBody,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, description = "The new Limit", body = WrittenLimitView),
              (status = 409, description = "There is a Limit like this", body = Problem),
              (status = 422, description = "The body is not valid", body = Problem)))]
pub(crate) async fn create(
    actor: ManageActor,
    state: Data<State>,
    request: HttpRequest,
    body: Json<LimitBody>,
) -> Result<HttpResponse, ApiError> {
    let tenant = actor.0.tenant_id();
    let once = idempotency::once(
        &request,
        "limits.create",
        tenant,
        actor.0.principal(),
        &body.bytes,
    )?;
    let draft = body.value.draft()?;
    let author = Author::human(actor.0.principal());
    let done = services::limits::create(&state.cx, Owner::Tenant(tenant), author, draft, once, body_of)
        .await
        .map_err(limit_error)?;
    Ok(idempotency::respond(201, done))
}

/// What to change of a Limit; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeBody {
    /// What people call it.
    name: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Limit Value: USD for money, otherwise a whole number.
    #[schema(value_type = Option<f64>, example = 100)]
    max_value: Option<Decimal>,
    /// BLOCK, WARN, REJECT, QUEUE, DEGRADE or ALERT.
    #[schema(value_type = Option<String>)]
    enforcement: Option<Enforcement>,
    /// The longest that a request waits for room, in milliseconds (QUEUE): 1 to 60000, 10000 if it is left out.
    queue_timeout_ms: Option<i64>,
    /// The cheaper model that is served instead (DEGRADE).
    degrade_model: Option<String>,
    /// The lower cap of the output, in tokens, that is served instead (DEGRADE).
    degrade_max_output_tokens: Option<i64>,
    /// ALERT, INCIDENT or ABORT (THRESHOLD).
    #[schema(value_type = Option<String>)]
    consequence: Option<Consequence>,
    /// Over how many of the last seconds failures are measured (`ERROR_RATE_PCT`): 10 to 86400, 300 if it is left out.
    measurement_window_seconds: Option<u32>,
    /// DAILY, WEEKLY, MONTHLY or NONE (BUDGET).
    #[schema(value_type = Option<String>)]
    reset_period: Option<ResetPeriod>,
    /// The length of the rolling window (RATE).
    window_seconds: Option<u32>,
    /// ACTIVE or DISABLED.
    #[schema(value_type = Option<String>)]
    status: Option<LimitStatus>,
}

impl Body for ChangeBody {
    const READ_ONLY: &'static [&'static str] = &[
        "limit_id",
        "tenant_id",
        "limit_category",
        "limit_type",
        "scope",
        "scope_id",
        "api_key_id",
        "model",
        "feature",
        "end_user",
        "max_value_nano_usd",
        "time_zone",
        "week_start",
        "created_at",
        "updated_at",
        "already_exceeded",
        "in_force",
        "exceeded",
        "warnings",
    ];
}

/// The change that is asked for; the unit of a new Limit Value is that of the limit.
pub(crate) async fn change_of(
    cx: &services::Context,
    owner: Owner,
    id: LimitId,
    wanted: ChangeBody,
) -> Result<Change, ApiError> {
    let max = match wanted.max_value {
        None => None,
        Some(value) => {
            let known = services::limits::get(cx, owner, id).await.map_err(limit_error)?;
            Some(max_value("/max_value", known.limit_type, value)?)
        }
    };
    Ok(Change {
        name: wanted.name,
        description: wanted.description,
        max,
        enforcement: wanted.enforcement,
        handling: Handling {
            queue_ms: wanted.queue_timeout_ms,
            degrade: degrade(wanted.degrade_model, wanted.degrade_max_output_tokens),
            consequence: wanted.consequence,
            measured_seconds: wanted.measurement_window_seconds,
        },
        reset_period: wanted.reset_period,
        window_seconds: wanted.window_seconds,
        status: wanted.status,
    })
}

/// Change a Limit
#[utoipa::path(put, path = "/api/v1/limits/{limit_id}", operation_id = "update_limit",
    tag = "Limits", request_body = ChangeBody,
    params(("limit_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, description = "The changed Limit", body = WrittenLimitView),
              (status = 404, description = "There is no such Limit", body = Problem)))]
pub(crate) async fn update(
    actor: ManageActor,
    state: Data<State>,
    request: HttpRequest,
    id: Path<String>,
    body: Json<ChangeBody>,
) -> Result<HttpResponse, ApiError> {
    let id: LimitId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let tenant = actor.0.tenant_id();
    let owner = Owner::Tenant(tenant);
    let once = idempotency::once(
        &request,
        "limits.update",
        tenant,
        actor.0.principal(),
        &body.bytes,
    )?;
    let change = change_of(&state.cx, owner, id, body.value).await?;
    let author = Author::human(actor.0.principal());
    let done = services::limits::update(&state.cx, owner, author, (id, change), once, body_of)
        .await
        .map_err(limit_error)?;
    Ok(idempotency::respond(200, done))
}

/// Disable a Limit
#[utoipa::path(delete, path = "/api/v1/limits/{limit_id}", operation_id = "delete_limit", tag = "Limits",
    params(("limit_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 204, description = "The Limit is DISABLED"),
              (status = 409, description = "Open holds are on the Limit", body = Problem)))]
pub(crate) async fn delete(
    actor: ManageActor,
    state: Data<State>,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id: LimitId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let tenant = actor.0.tenant_id();
    let once = idempotency::once(&request, "limits.delete", tenant, actor.0.principal(), b"")?;
    let author = Author::human(actor.0.principal());
    let done = services::limits::delete(&state.cx, Owner::Tenant(tenant), author, id, once)
        .await
        .map_err(limit_error)?;
    Ok(idempotency::respond(204, done))
}
