//! `/api/v1/limits/simulate/history`: what a limit would have done.

use actix_web::HttpResponse;
use actix_web::web::Data;
use adapters::customer::history::Looked;
use adapters::customer::limit_history::LimitHistoryView;
use adapters::problem::Problem;
use serde::Deserialize;
use services::history::{DAYS, DAYS_DEFAULT, Span, Stretch};
use utoipa::ToSchema;

use super::limits::limit_error;
use super::limits_change::LimitBody;
use crate::actor::ReadActor;
use crate::body::{Body, Json};
use crate::problem::ApiError;
use crate::state::State;

/// A Limit to be tried over the recorded LLM Runs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryBody {
    /// The Limit, as `POST /api/v1/limits` takes it.
    limit: LimitBody,
    /// Over how many days: 1 to 30, today (UTC) included; 7 if it is left out.
    #[schema(example = 7)]
    days: Option<i64>,
}

impl Body for HistoryBody {
    const READ_ONLY: &'static [&'static str] = LimitBody::READ_ONLY;
}

/// The days of a body.
pub(crate) fn days(given: Option<i64>) -> Result<i64, ApiError> {
    let days = given.unwrap_or(DAYS_DEFAULT);
    if DAYS.contains(&days) {
        Ok(days)
    } else {
        Err(ApiError::field("/days", "must be 1 to 30"))
    }
}

pub(crate) const fn looked(span: Span) -> Looked {
    let Span {
        days,
        from,
        until,
        cut_at,
    } = span;
    Looked {
        days,
        from,
        until,
        cut_at,
    }
}

/// What a Limit would have done to the recorded LLM Runs
///
/// As if it had been made when the first of the days began: its counters begin with nothing, LLM Runs hold what they
/// could cost when they start and use what they did when they end, and what it would have refused is not counted. At
/// most 100000 LLM Runs are looked at, the latest ones. Nothing is held, recorded or changed.
#[utoipa::path(post, path = "/api/v1/limits/simulate/history", operation_id = "simulate_limit_history",
    tag = "Limits", request_body = HistoryBody,
    responses((status = 200, description = "What it would have done", body = LimitHistoryView),
              (status = 422, description = "The body is not valid", body = Problem),
              (status = 429, description = "Two are being tried for the tenant already; `Retry-After` says when to come back", body = Problem)))]
pub(crate) async fn simulate(
    actor: ReadActor,
    state: Data<State>,
    body: Json<HistoryBody>,
) -> Result<HttpResponse, ApiError> {
    let HistoryBody { limit, days: given } = body.value;
    let stretch = Stretch::of(actor.0.tenant_id(), days(given)?);
    let draft = limit.draft().map_err(|error| error.under("/limit"))?;
    let found = services::limits::simulate_history(&state.cx, draft, stretch)
        .await
        .map_err(|error| limit_error(error).under("/limit"))?;
    let view = LimitHistoryView::of(&found.limit, looked(found.span), found.report);
    Ok(HttpResponse::Ok().json(view))
}
