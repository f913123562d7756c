//! `/api/v1/limits/usage`: what is used of every limit?

use actix_web::HttpResponse;
use actix_web::web::Data;
use adapters::customer::limits::{LimitUsageListView, LimitUsageView, Used};
use model::limit::Limit;
use services::limits::LimitUsage;

use super::limit_error;
use crate::actor::ReadActor;
use crate::problem::ApiError;
use crate::state::State;

/// What is used of every Limit
#[utoipa::path(get, path = "/api/v1/limits/usage", operation_id = "limits_usage", tag = "Limits",
    responses((status = 200, description = "What is used of every Limit now; of the installation's GLOBAL ones only what they are and when they reset", body = LimitUsageListView)))]
pub(crate) async fn usage(actor: ReadActor, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let list = services::limits::usage(&state.cx, actor.0.tenant_id())
        .await
        .map_err(limit_error)?;
    let items = list
        .into_iter()
        .map(|usage| usage_view(usage, LimitUsageView::for_tenant))
        .collect();
    Ok(HttpResponse::Ok().json(LimitUsageListView { items }))
}

/// How this use is shown.
pub(crate) fn usage_view(usage: LimitUsage, view: fn(Limit, Used) -> LimitUsageView) -> LimitUsageView {
    let used = Used {
        max: usage.max,
        settled: usage.settled,
        held: usage.held,
        resets_at: usage.resets_at,
    };
    view(usage.limit, used)
}
