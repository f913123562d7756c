//! `/livez`, `/readyz`, `/metrics`: for load balancers and operators.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::Data;
use adapters::preflight::{CheckView, ReadinessView};

use crate::state::State;

/// Renders the metrics in Prometheus' text format.
#[derive(Clone)]
pub(crate) struct Metrics(pub(crate) Arc<dyn Fn() -> String + Send + Sync>);

/// Is the process alive?
#[utoipa::path(get, path = "/livez", tag = "Health", security(()),
    responses((status = 200, description = "The process answers")))]
pub(crate) async fn live() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body("ok\n")
}

/// May traffic be sent?
#[utoipa::path(get, path = "/readyz", tag = "Health", security(()),
    responses((status = 200, description = "Traffic may be sent", body = ReadinessView),
              (status = 503, description = "Traffic may not be sent", body = ReadinessView)))]
pub(crate) async fn ready(state: Data<State>) -> HttpResponse {
    let found = services::upkeep::readiness(&state.cx).await;
    let checks = found
        .into_iter()
        .map(|check| CheckView {
            name: check.name,
            ok: check.ok,
            detail: check.detail,
        })
        .collect();
    let view = ReadinessView::of(checks);
    let mut response = if view.ready {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    response.insert_header(("cache-control", "no-store")).json(view)
}

pub(crate) async fn metrics(render: Data<Metrics>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body((render.0)())
}
