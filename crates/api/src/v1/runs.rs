//! `/api/v1/runs`: the LLM Runs and what they cost.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use adapters::customer::runs::{RunCostView, RunPageView, RunView};
use adapters::problem::Problem;
use model::id::{KeyId, RunId};
use model::page::{Cursor, PageRequest};
use model::run::RunStatus;
use serde::Deserialize;
use services::runs::{RunError, RunFilter};
use utoipa::IntoParams;

use crate::actor::ReadActor;
use crate::paging;
use crate::problem::ApiError;
use crate::state::State;

/// What to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Only this status, such as `succeeded` or `blocked`.
    status: Option<String>,
    /// Only this model.
    model: Option<String>,
    /// Only this key.
    api_key_id: Option<String>,
    /// 1 to 200, default 50.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// A cursor is `<microseconds>.<run id>`: where the previous page ended.
fn cursor(text: &str) -> Result<Cursor, ApiError> {
    let invalid = || {
        ApiError::new(
            400,
            "invalid-cursor",
            "Invalid cursor",
            "Send `next_cursor` of the previous page.",
        )
    };
    let (micros, id) = text.split_once('.').ok_or_else(invalid)?;
    let at_micros = micros.parse().ok().ok_or_else(invalid)?;
    let id: RunId = id.parse().ok().ok_or_else(invalid)?;
    Ok(Cursor {
        at_micros,
        id: id.to_string(),
    })
}

#[utoipa::path(get, path = "/api/v1/runs", tag = "LLM Runs", params(ListQuery),
    responses((status = 200, description = "LLM Runs, newest first", body = RunPageView),
              (status = 400, description = "A parameter is wrong", body = Problem)))]
pub(crate) async fn list(
    actor: ReadActor,
    state: Data<State>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let status: Option<RunStatus> = query
        .status
        .as_deref()
        .map(|text| {
            text.parse().ok().ok_or_else(|| {
                ApiError::parameter(
                    "status",
                    "must be one of queued, running, retry, succeeded, failed, aborted, halted, crashed, blocked",
                )
            })
        })
        .transpose()?;
    let key: Option<KeyId> = query
        .api_key_id
        .as_deref()
        .map(|text| {
            text.parse()
                .ok()
                .ok_or_else(|| ApiError::parameter("api_key_id", "must be the id of a key"))
        })
        .transpose()?;
    let filter = RunFilter {
        status,
        model: query.model.clone(),
        api_key_id: key.map(|id| id.to_string()),
    };
    let after = query.cursor.as_deref().map(cursor).transpose()?;
    let page = PageRequest {
        limit: paging::limit(query.limit.as_deref())?,
        after,
    };
    let page = services::runs::list(&state.cx, actor.0.tenant_id(), filter, page)
        .await
        .map_err(run_error)?;
    let view = RunPageView {
        has_more: page.next.is_some(),
        next_cursor: page
            .next
            .map(|cursor| format!("{}.{}", cursor.at_micros, cursor.id)),
        items: page.items.into_iter().map(RunView::from).collect(),
    };
    Ok(HttpResponse::Ok().json(view))
}

#[utoipa::path(get, path = "/api/v1/runs/{run_id}", tag = "LLM Runs", params(("run_id" = String, Path)),
    responses((status = 200, description = "The LLM Run", body = RunView),
              (status = 404, description = "There is no such LLM Run", body = Problem)))]
pub(crate) async fn get(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let run = services::runs::get(&state.cx, actor.0.tenant_id(), id)
        .await
        .map_err(run_error)?;
    Ok(HttpResponse::Ok().json(RunView::from(run)))
}

#[utoipa::path(get, path = "/api/v1/runs/{run_id}/cost", tag = "LLM Runs", params(("run_id" = String, Path)),
    responses((status = 200, description = "What the LLM Run cost", body = RunCostView),
              (status = 404, description = "There is no such LLM Run", body = Problem)))]
pub(crate) async fn cost(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id.parse().ok().ok_or_else(ApiError::not_found)?;
    let records = services::runs::cost(&state.cx, actor.0.tenant_id(), id)
        .await
        .map_err(run_error)?;
    Ok(HttpResponse::Ok().json(RunCostView::of(id.to_string(), records)))
}

fn run_error(error: RunError) -> ApiError {
    match error {
        RunError::NotFound => ApiError::not_found(),
        RunError::Store(error) => error.into(),
    }
}
