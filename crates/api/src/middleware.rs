//! What happens around every request?
//!
//! It gets its correlation (an incoming `x-request-id` or a new one), a span, and a place in the metrics; a
//! credential in the query string is refused before anything else looks at it; a panic becomes a 500.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError as _};
use futures_util::FutureExt as _;
use infra::correlation::CorrelationContext;
use tracing::Instrument as _;

use crate::problem::ApiError;
use crate::state::State;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest URI that is read.
const URI_MAX: usize = 8 * 1024;

pub(crate) async fn around<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let started = Instant::now();
    let context = correlate(&request);
    let span = infra::telemetry::request_span(&context);
    let id = HeaderValue::from_str(context.correlation_id()).ok();
    let method = request.method().clone();
    let work = async {
        if let Err(error) = check(&request) {
            return Ok(request
                .into_response(error.error_response())
                .map_into_right_body());
        }
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
                Err(InternalError::from_response(error.code, error.error_response()).into())
            }
        }
    };
    let mut answer = infra::correlation::scope(context, work.instrument(span)).await;
    if let Ok(response) = &mut answer {
        if let Some(id) = id {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        let route = response
            .request()
            .match_pattern()
            .unwrap_or_else(|| "unmatched".to_owned());
        measure(&route, method.as_str(), response.status().as_u16(), started);
    }
    answer
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
    CorrelationContext::for_request(header("x-request-id"), header("traceparent"), "api", now, ids)
}

struct NoIds;

impl model::id::IdGenerator for NoIds {
    fn next(&self) -> u128 {
        0
    }
}

fn check(request: &ServiceRequest) -> Result<(), ApiError> {
    let uri = request.uri();
    if uri
        .path_and_query()
        .is_some_and(|text| text.as_str().len() > URI_MAX)
    {
        return Err(ApiError::new(
            414,
            "uri-too-long",
            "URI too long",
            "The URI may have 8192 bytes.",
        ));
    }
    let names = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split('=').next());
    for name in names {
        if ["api_key", "apikey", "key", "access_token", "token"].contains(&name.to_ascii_lowercase().as_str())
        {
            return Err(ApiError::new(
                400,
                "credential-in-url",
                "Credential in URL",
                "Send the credential in the Authorization header, and replace this one: URLs are logged.",
            ));
        }
    }
    let allowed = request
        .app_data::<actix_web::web::Data<State>>()
        .map(|state| &state.settings.allowed_hosts);
    if let Some(hosts) = allowed
        && !hosts.is_empty()
    {
        let info = request.connection_info();
        let host = info.host();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        if !hosts.iter().any(|known| known == host || known == name) {
            return Err(ApiError::new(
                421,
                "misdirected-request",
                "Misdirected request",
                "This host is not served here.",
            ));
        }
    }
    Ok(())
}

fn measure(route: &str, method: &str, status: u16, started: Instant) {
    let labels = [
        ("route", route.to_owned()),
        ("method", method.to_owned()),
        ("code", status.to_string()),
    ];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", "route" => route.to_owned())
        .record(started.elapsed().as_secs_f64());
}
