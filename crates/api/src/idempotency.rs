//! Which idempotency key does a request carry?

use actix_web::HttpRequest;
use model::id::TenantId;
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
    let fingerprint = fingerprint(request.method().as_str(), request.path(), body);
    Ok(Some(Once {
        tenant,
        operation,
        key,
        principal,
        fingerprint,
    }))
}

/// How a key that cannot be used is refused.
pub(crate) fn refusal(error: OnceError) -> ApiError {
    match error {
        OnceError::Reused(at) => reused(&at.to_string()),
        OnceError::Foreign => foreign(),
        OnceError::Store(error) => error.into(),
    }
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
