//! `/api/v1/runs`: the LLM Runs and what they cost.

use std::fmt;
use std::str::FromStr;

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use adapters::customer::runs::{RunCostView, RunPageView, RunView};
use adapters::problem::Problem;
use model::id::{KeyId, RunId};
use model::page::{Cursor, PageRequest};
use model::run::RunStatus;
use serde::Deserialize;
use services::cursors::List;
use services::runs::{RunError, RunFilter};
use utoipa::IntoParams;

use crate::actor::ReadActor;
use crate::paging;
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;
use crate::text;

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
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

/// Where a page of runs ended: `<microseconds>.<run id>`.
struct Place(Cursor);

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (micros, id) = text.split_once('.').ok_or(())?;
        let at_micros = micros.parse().ok().ok_or(())?;
        let id: RunId = id.parse().ok().ok_or(())?;
        Ok(Self(Cursor {
            at_micros,
            id: id.to_string(),
        }))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.at_micros, self.0.id)
    }
}

/// List LLM Runs
#[utoipa::path(get, path = "/api/v1/runs", operation_id = "list_runs", tag = "LLM Runs", params(ListQuery),
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
    text::parameter("model", query.model.as_deref())?;
    let list = List {
        name: "runs",
        owner: actor.0.tenant_id(),
        filter: format!("{:?} {:?} {:?}", query.status, query.model, query.api_key_id),
    };
    let filter = RunFilter {
        status,
        model: query.model.clone(),
        api_key_id: key.map(|id| id.to_string()),
    };
    let limit = paging::limit(query.limit.as_deref())?;
    let after = paging::position::<Place>(&state, &list, query.cursor.as_deref()).await?;
    let page = PageRequest {
        limit,
        after: after.map(|Place(cursor)| cursor),
    };
    let page = services::runs::list(&state.cx, actor.0.tenant_id(), filter, page)
        .await
        .map_err(run_error)?;
    let next_cursor = paging::next(&state, &list, page.next.map(Place)).await?;
    let view = RunPageView {
        has_more: next_cursor.is_some(),
        next_cursor,
        items: page.items.into_iter().map(RunView::from).collect(),
    };
    Ok(HttpResponse::Ok().json(view))
}

/// Get an LLM Run
#[utoipa::path(get, path = "/api/v1/runs/{run_id}", operation_id = "get_run",
    tag = "LLM Runs", params(("run_id" = String, Path)),
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

/// What an LLM Run cost
#[utoipa::path(get, path = "/api/v1/runs/{run_id}/cost", operation_id = "get_run_cost",
    tag = "LLM Runs", params(("run_id" = String, Path)),
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

pub(crate) fn run_error(error: RunError) -> ApiError {
    match error {
        RunError::NotFound => ApiError::not_found(),
        RunError::Store(error) => error.into(),
    }
}
