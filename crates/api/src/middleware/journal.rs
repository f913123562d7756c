//! What of a request is written down on the side?
//!
//! That it was made (added up by kind), that a resource ran out, and that something failed inside. LLM requests are
//! told by the gateway, in the transaction that settles them.

use std::time::Duration;

use actix_web::HttpMessage as _;
use actix_web::HttpRequest;
use actix_web::dev::ServiceResponse;
use infra::envelope::{ErrorEnvelope, ErrorId, ErrorSeverity, L2, SystemClass};
use model::id::TenantId;
use model::principal::AccessKeyId;
use services::journal::ApiCall;
use services::principals::Signed;

use crate::control_error::{IncidentError, KILL_SWITCH_ACTIVE};
use crate::problem::ApiError;
use crate::state::State;

/// The tenant that a request turned out to be of.
#[derive(Debug, Clone, Copy)]
struct Caller(TenantId);

/// Notes whose request it is.
pub(crate) fn is_of(request: &HttpRequest, tenant: TenantId) {
    request.extensions_mut().insert(Caller(tenant));
}

/// Who has signed a request, or says so.
#[derive(Debug, Clone)]
struct Signer {
    access_key: Option<AccessKeyId>,
    /// The ARN, if the signature is right.
    principal: Option<String>,
}

/// Notes which access key a request names, before anything is known of it.
pub(crate) fn names(request: &HttpRequest, access_key: Option<AccessKeyId>) {
    let signer = Signer {
        access_key,
        principal: None,
    };
    request.extensions_mut().insert(signer);
}

/// Notes who has signed a request.
pub(crate) fn is_signed(request: &HttpRequest, by: &Signed) {
    let signer = Signer {
        access_key: Some(by.access_key),
        principal: Some(by.arn()),
    };
    request.extensions_mut().insert(signer);
}

/// One line for each signed request: who, from where, what, and what became of it. Neither what was sent nor the signature
/// is in it.
fn tell_signed<B>(method: &str, response: &ServiceResponse<B>, took: Duration) {
    let request = response.request();
    let Some(signer) = request.extensions().get::<Signer>().cloned() else {
        return;
    };
    let status = response.status().as_u16();
    let access_key = signer.access_key.map(|key| key.to_string()).unwrap_or_default();
    let principal = signer.principal.unwrap_or_default();
    let address = request
        .peer_addr()
        .map(|peer| peer.ip().to_string())
        .unwrap_or_default();
    let request_id = infra::correlation::current_id();
    let (path, ms) = (request.path(), took.as_millis());
    let error = response.response().error();
    let error = error.and_then(|error| error.as_error::<IncidentError>());
    let code = error.map_or("", |error| error.code);
    if let (401 | 403, Some(error)) = (status, error) {
        let reason = &error.message;
        tracing::warn!(
            request_id,
            access_key,
            principal,
            address,
            method,
            path,
            status,
            code,
            reason,
            ms,
            "a signed request was refused"
        );
    } else {
        tracing::info!(
            request_id,
            access_key,
            principal,
            address,
            method,
            path,
            status,
            code,
            ms,
            "a signed request was answered"
        );
    }
}

/// What nobody has a word for.
const UNKNOWN: &str = "unknown";

/// What it is called that went wrong, in the words of our own API where it has one.
fn said(error: &actix_web::Error) -> &'static str {
    if let Some(error) = error.as_error::<ApiError>() {
        return error.code;
    }
    let told = error.as_error::<IncidentError>();
    told.map_or(UNKNOWN, |error| error.cause.unwrap_or(error.code))
}

/// Whether something of ours has failed. That the product does nothing while it was told so is none.
fn is_failure(status: u16, code: &str) -> bool {
    status >= 500 && code != KILL_SWITCH_ACTIVE
}

/// Notes what was answered, after how long.
pub(super) fn note<B>(
    state: &State,
    route: &str,
    method: &str,
    response: &ServiceResponse<B>,
    took: Duration,
) {
    tell_signed(method, response, took);
    let status = response.status().as_u16();
    let said = response.response().error().map(said);
    match said {
        Some("overloaded") => state.cx.journal.limit_hit("write_queue"),
        Some("storage-full") => state.cx.journal.limit_hit("storage"),
        _ => {}
    }
    let code = said.unwrap_or(UNKNOWN);
    if is_failure(status, code) {
        failed(state, route, status, code);
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

#[cfg(test)]
mod tests {
    use services::StoreError;

    use super::*;

    #[test]
    fn what_went_wrong_has_the_same_name_whoever_answers() {
        let overloaded = || StoreError::Overloaded;
        assert_eq!(said(&ApiError::from(overloaded()).into()), "overloaded");
        assert_eq!(said(&IncidentError::from(overloaded()).into()), "overloaded");
        assert_eq!(said(&IncidentError::nothing_here().into()), "NOT_FOUND");
        assert_eq!(said(&IncidentError::switched_off().into()), KILL_SWITCH_ACTIVE);
        assert_eq!(said(&actix_web::error::ErrorInternalServerError("?")), UNKNOWN);
    }

    #[test]
    fn what_the_kill_switch_refuses_is_no_failure() {
        for (status, code, is) in [
            (503, KILL_SWITCH_ACTIVE, false),
            (503, "SERVICE_UNAVAILABLE", true),
            (500, UNKNOWN, true),
            (404, "NOT_FOUND", false),
        ] {
            assert_eq!(is_failure(status, code), is, "{status} {code}");
        }
    }
}
