//! `/api/v1/holds`: settle or release what a check has held.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use adapters::customer::checks::HoldView;
use adapters::problem::Problem;
use model::amounts::Amounts;
use model::id::{HoldId, KeyId, TenantId};
use model::money::NanoUsd;
use serde::Deserialize;
use services::ledger::Idempotency;
use services::once::fingerprint;
use utoipa::ToSchema;

use super::limits::{ledger_error, rendered, respond};
use crate::actor::LlmActor;
use crate::body::{Body, Json};
use crate::decimal::Decimal;
use crate::idempotency;
use crate::problem::ApiError;
use crate::state::State;
use crate::text;

/// What was really used.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettleBody {
    /// USD as a JSON number or a decimal text.
    #[schema(value_type = Option<f64>, example = 8)]
    cost_usd: Option<Decimal>,
    /// The same in exact nano-USD.
    cost_nano_usd: Option<i64>,
    /// Tokens that were sent.
    input_tokens: Option<i64>,
    /// Tokens that were made.
    output_tokens: Option<i64>,
    /// Requests, default 1.
    requests: Option<i64>,
    /// The model that is charged for, if it is not the one that was asked for.
    model: Option<String>,
}

impl Body for SettleBody {
    const READ_ONLY: &'static [&'static str] = &[
        "hold_id",
        "tenant_id",
        "status",
        "decision_id",
        "held_usd",
        "held_nano_usd",
        "settled_usd",
        "settled_nano_usd",
        "created_at",
        "expires_at",
        "ended_at",
    ];
}

impl SettleBody {
    fn amounts(&self) -> Result<Amounts, ApiError> {
        text::word("/model", self.model.as_deref())?;
        let (pointer, cost) = match (self.cost_usd, self.cost_nano_usd) {
            (Some(cost), None) => ("/cost_usd", cost.0),
            (None, Some(nano)) => ("/cost_nano_usd", NanoUsd(nano)),
            (None, None) => return Err(ApiError::field("/cost_usd", "is missing")),
            (Some(_), Some(_)) => {
                return Err(ApiError::field(
                    "/cost_nano_usd",
                    "give the cost once, in one unit",
                ));
            }
        };
        if cost < NanoUsd::ZERO {
            return Err(ApiError::field(pointer, "must not be negative"));
        }
        text::counts(&[
            ("/input_tokens", self.input_tokens),
            ("/output_tokens", self.output_tokens),
            ("/requests", self.requests),
        ])?;
        Ok(Amounts {
            cost,
            input_tokens: self.input_tokens.unwrap_or(0),
            output_tokens: self.output_tokens.unwrap_or(0),
            requests: self.requests.unwrap_or(1),
        })
    }
}

/// The key that asks, and whose it is.
fn caller(actor: &LlmActor) -> (TenantId, KeyId) {
    (actor.0.tenant_id(), actor.0.key.id)
}

fn idempotency_of(
    request: &HttpRequest,
    operation: &'static str,
    principal: String,
    body: &[u8],
) -> Result<Option<Idempotency>, ApiError> {
    Ok(idempotency::key(request)?.map(|key| Idempotency {
        operation,
        key,
        principal,
        fingerprint: fingerprint("POST", request.path(), body),
        render: rendered,
    }))
}

/// Settle a hold with what was used
#[utoipa::path(post, path = "/api/v1/holds/{hold_id}/settle", operation_id = "settle_hold",
    tag = "Limits", request_body = SettleBody,
    params(("hold_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, description = "The hold is settled", body = HoldView),
              (status = 404, description = "There is no such hold, or another key took it", body = Problem),
              (status = 409, description = "The hold has ended, or less was held than was used", body = Problem)))]
pub(crate) async fn settle(
    actor: LlmActor,
    state: Data<State>,
    request: HttpRequest,
    id: Path<String>,
    body: Json<SettleBody>,
) -> Result<HttpResponse, ApiError> {
    let id: HoldId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let idempotency = idempotency_of(&request, "holds.settle", actor.0.principal(), &body.bytes)?;
    let used = Some((body.value.amounts()?, body.value.model));
    let answer = services::limits::settle_by_client(&state.cx, caller(&actor), id, used, idempotency)
        .await
        .map_err(ledger_error)?;
    Ok(respond(&answer))
}

/// Release a hold
#[utoipa::path(post, path = "/api/v1/holds/{hold_id}/release", operation_id = "release_hold", tag = "Limits",
    params(("hold_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, description = "The hold is released", body = HoldView),
              (status = 404, description = "There is no such hold, or another key took it", body = Problem),
              (status = 409, description = "The hold has ended before", body = Problem)))]
pub(crate) async fn release(
    actor: LlmActor,
    state: Data<State>,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id: HoldId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let idempotency = idempotency_of(&request, "holds.release", actor.0.principal(), b"")?;
    let answer = services::limits::settle_by_client(&state.cx, caller(&actor), id, None, idempotency)
        .await
        .map_err(ledger_error)?;
    Ok(respond(&answer))
}
