//! What of a request is written down on the side?
//!
//! That it was made (added up by kind), that a resource ran out, and that something failed inside. LLM requests are
//! told by the gateway, in the transaction that settles them.

use actix_web::HttpMessage as _;
use actix_web::HttpRequest;
use actix_web::dev::ServiceResponse;
use infra::envelope::{ErrorEnvelope, ErrorId, ErrorSeverity, L2, SystemClass};
use model::id::TenantId;
use services::journal::ApiCall;

use crate::problem::ApiError;
use crate::state::State;

/// The tenant that a request turned out to be of.
#[derive(Debug, Clone, Copy)]
struct Caller(TenantId);

/// Notes whose request it is.
pub(crate) fn is_of(request: &HttpRequest, tenant: TenantId) {
    request.extensions_mut().insert(Caller(tenant));
}

/// Notes what was answered.
pub(super) fn note<B>(state: &State, route: &str, method: &str, response: &ServiceResponse<B>) {
    let status = response.status().as_u16();
    let error = response
        .response()
        .error()
        .and_then(|error| error.as_error::<ApiError>());
    match error.map(|error| error.code) {
        Some("overloaded") => state.cx.journal.limit_hit("write_queue"),
        Some("storage-full") => state.cx.journal.limit_hit("storage"),
        _ => {}
    }
    if status >= 500 {
        failed(state, route, status, error.map_or("unknown", |error| error.code));
    }
    // The gateway and the probes speak for themselves.
    if route.starts_with("/api/") {
        let tenant = response
            .request()
            .extensions()
            .get::<Caller>()
            .map(|caller| caller.0);
        let call = ApiCall {
            tenant,
            endpoint: route.to_owned(),
            method: method.to_owned(),
            status,
        };
        state.cx.journal.call(call);
    }
}

/// Notes that a request ended in a failure of ours.
pub(super) fn failed(state: &State, route: &str, status: u16, code: &str) {
    let id = ErrorId::from_bits(state.cx.ids.next());
    let severity = ErrorSeverity::Error;
    let now = state.cx.clock.now();
    let class = SystemClass::Internal;
    let mut envelope = ErrorEnvelope::new::<L2, _>(
        class,
        severity,
        "api",
        "a request was answered with a server error",
        id,
        now,
    )
    .with_context("route", route)
    .with_context("status", status)
    .with_context("code", code);
    if let Some(context) = infra::correlation::current() {
        envelope = envelope.correlated(&context);
    }
    state.cx.journal.error(envelope);
}
