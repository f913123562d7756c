//! Which idempotency key does a request carry, and how is it answered?

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use model::id::TenantId;
use services::limits::Done;
use services::once::{Once, OnceError, fingerprint};

use crate::problem::ApiError;

const HEADER: &str = "idempotency-key";

/// The key of a request: 1 to 255 visible ASCII characters, with or without the quotes of a structured field.
pub(crate) fn key(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    let mut values = request.headers().get_all(HEADER);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let invalid = || {
        ApiError::new(
            400,
            "idempotency-key-invalid",
            "Invalid idempotency key",
            "Send one Idempotency-Key of 1 to 255 visible ASCII characters.",
        )
    };
    if values.next().is_some() {
        return Err(invalid());
    }
    let text = value.to_str().ok().ok_or_else(invalid)?.trim();
    let bare = match (text.strip_prefix('"'), text.ends_with('"')) {
        (Some(rest), true) if !rest.is_empty() => rest.strip_suffix('"').unwrap_or(rest),
        (None, false) => text,
        _ => return Err(invalid()),
    };
    let visible = bare.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if visible && (1..=255).contains(&bare.len()) {
        Ok(Some(bare.to_owned()))
    } else {
        Err(invalid())
    }
}

/// What is needed to answer the request for ever, if it carries a key.
pub(crate) fn once(
    request: &HttpRequest,
    operation: &'static str,
    tenant: TenantId,
    principal: String,
    body: &[u8],
) -> Result<Option<Once>, ApiError> {
    let Some(key) = key(request)? else { return Ok(None) };
    count("keyed");
    let fingerprint = fingerprint(request.method().as_str(), request.path(), body);
    Ok(Some(Once {
        tenant,
        operation,
        key,
        principal,
        fingerprint,
    }))
}

/// One more request with a key, or one of them that was answered before, or one whose key is another request's, or that of
/// a request which is not answered yet.
pub(crate) fn count(outcome: &'static str) {
    metrics::counter!("plimsoll_idempotency_total", "outcome" => outcome).increment(1);
}

/// The answer to a request: now, or as it was given before.
pub(crate) fn respond<T>(status: u16, done: Done<T>) -> HttpResponse {
    let (status, body, replayed) = match done {
        Done::Now(_, body) => (status, body, false),
        Done::Before(replay) => (replay.status, replay.body, true),
    };
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::OK));
    if replayed {
        count("hit");
        response.insert_header(("idempotency-replayed", "true"));
    }
    if body.is_empty() {
        return response.finish();
    }
    response
        .insert_header(("content-type", "application/json"))
        .body(body)
}

/// How a key that cannot be used is refused.
pub(crate) fn refusal(error: OnceError) -> ApiError {
    if !matches!(error, OnceError::Store(_)) {
        count("conflict");
    }
    match error {
        OnceError::Reused(of) => reused(&of.at.to_string()),
        OnceError::Foreign => foreign(),
        OnceError::Store(error) => error.into(),
    }
}

/// The request that the key came with is not answered yet.
pub(crate) fn in_progress() -> ApiError {
    count("in_progress");
    ApiError::new(
        409,
        "idempotency-in-progress",
        "Request in progress",
        "The request that this Idempotency-Key came with is not answered yet. Send it again to get its answer.",
    )
    .retry_after(1)
}

pub(crate) fn reused(at: &str) -> ApiError {
    ApiError::new(
        422,
        "idempotency-key-reused",
        "Idempotency key reused",
        format!("This Idempotency-Key was used for another request at {at}."),
    )
}

pub(crate) fn foreign() -> ApiError {
    ApiError::new(
        403,
        "idempotency-key-foreign",
        "Idempotency key of another principal",
        "This Idempotency-Key was used by another credential.",
    )
}
