//! What happens around every request?
//!
//! It gets its correlation (an incoming `x-correlation-id` or `x-request-id`, or a new one), a span, and a place in the
//! metrics; what no route would take is refused before anything else looks at it; a panic becomes a 500.

mod checks;
pub(crate) mod claims;
pub(crate) mod journal;

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use actix_web::Error;
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use futures_util::FutureExt as _;
use infra::correlation::{CorrelationContext, accept_request_id};
use tracing::Instrument as _;

use crate::llm::errors::{Dialect, shaped};
use crate::problem::ApiError;
use crate::state::State;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Another name of the same. Proxies give requests an `x-request-id` that nobody has asked for, so that this one counts first.
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
/// The same for Anthropic's SDK, which reads no other.
const ANTHROPIC_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

pub(crate) async fn around<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let started = Instant::now();
    let context = correlate(&request);
    let span = infra::telemetry::request_span(&context);
    let id = HeaderValue::from_str(context.correlation_id()).ok();
    let marks = id.clone();
    let method = request.method().clone();
    let dialect = Dialect::at(request.path(), request.headers());
    let state = request.app_data::<Data<State>>().cloned();
    let work = async {
        if let Err(error) = checks::check(&request) {
            return Ok(request
                .into_response(shaped(dialect, error))
                .map_into_right_body());
        }
        let claimed = state.as_ref().map(|state| state.claims.claim(request.request()));
        let _claim = match claimed.transpose() {
            Ok(claim) => claim,
            Err(error) => {
                return Ok(request
                    .into_response(shaped(dialect, error))
                    .map_into_right_body());
            }
        };
        match AssertUnwindSafe(next.call(request)).catch_unwind().await {
            Ok(Ok(response)) => Ok(response.map_into_left_body()),
            Ok(Err(error)) => Err(error),
            Err(_panic) => {
                tracing::error!("a handler panicked");
                let error = ApiError::new(
                    500,
                    "internal-error",
                    "Internal error",
                    "Something went wrong on our side. Quote the request id.",
                );
                // Made here, where the correlation is known; the request itself went with the panic.
                let (code, mut response) = (error.code, shaped(dialect, error));
                named(response.headers_mut(), marks.as_ref(), dialect);
                Err(InternalError::from_response(code, response).into())
            }
        }
    };
    let mut answer = infra::correlation::scope(context.clone(), work.instrument(span)).await;
    if let Ok(response) = &mut answer {
        named(response.headers_mut(), id.as_ref(), dialect);
        let route = response
            .request()
            .match_pattern()
            .unwrap_or_else(|| "unmatched".to_owned());
        measure(&route, method.as_str(), response.status().as_u16(), started);
        if let Some(state) = &state {
            let took = started.elapsed();
            let note = || journal::note(state, &route, known_method(method.as_str()), response, took);
            infra::correlation::sync_scope(context, note);
        }
    } else if let Some(state) = &state {
        infra::correlation::sync_scope(context, || journal::failed(state, "unknown", 500, "panic"));
    }
    answer
}

/// Says in an answer which request it is to.
fn named(headers: &mut HeaderMap, id: Option<&HeaderValue>, dialect: Option<Dialect>) {
    let Some(id) = id else { return };
    if dialect == Some(Dialect::Anthropic) {
        headers.insert(ANTHROPIC_REQUEST_ID, id.clone());
    }
    headers.insert(CORRELATION_ID, id.clone());
    headers.insert(REQUEST_ID, id.clone());
}

fn correlate(request: &ServiceRequest) -> CorrelationContext {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let Some(state) = request.app_data::<actix_web::web::Data<State>>() else {
        // Only without a state, which the server always has.
        return CorrelationContext::for_request(
            None,
            None,
            "api",
            model::time::Timestamp::from_micros(0),
            &NoIds,
        );
    };
    let (now, ids) = (state.cx.clock.now(), state.cx.ids.as_ref());
    let correlation = header(CORRELATION_ID.as_str()).and_then(accept_request_id);
    let id = correlation.or_else(|| header(REQUEST_ID.as_str()));
    CorrelationContext::for_request(id, header("traceparent"), "api", now, ids)
}

struct NoIds;

impl model::id::IdGenerator for NoIds {
    fn next(&self) -> u128 {
        0
    }
}

fn measure(route: &str, method: &str, status: u16, started: Instant) {
    let labels = [
        ("route", route.to_owned()),
        ("method", known_method(method).to_owned()),
        ("code", status.to_string()),
    ];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", "route" => route.to_owned())
        .record(started.elapsed().as_secs_f64());
}

/// The method as a label; a client may make up as many as it likes.
fn known_method(method: &str) -> &str {
    match method {
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => method,
        _ => "other",
    }
}
