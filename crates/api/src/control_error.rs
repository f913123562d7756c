//! How does an error of the incident control plane reach a client?
//!
//! `{"error":{"code","message","requestId","details"}}`. A message says what the problem is and gives no advice; nothing of
//! the inside of the product is in it.

use std::future::{Ready, ready};

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError, dev};
use adapters::control::{ControlErrorBody, ControlErrorView};
use infra::sigv4::{ALGORITHM, Fault};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use services::StoreError;
use services::identity::TooOften;
use services::principals::{NotAllowed, SignatureError, SpendError};

use crate::problem::ApiError;
use crate::query;

/// An error on its way to a client of the incident control plane.
#[derive(Debug)]
pub(crate) struct IncidentError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// An object, or null if there is nothing more to say.
    pub(crate) details: Value,
    pub(crate) retry_after: Option<i64>,
    /// What our own API calls it, where this one says less.
    pub(crate) cause: Option<&'static str>,
}

/// The product was told to do nothing by itself: no failure of anybody.
pub(crate) const KILL_SWITCH_ACTIVE: &str = "KILL_SWITCH_ACTIVE";

impl IncidentError {
    /// What a program is told that asks for a change meanwhile.
    pub(crate) fn switched_off() -> Self {
        let message = "Automatic changes of Incidents are switched off.";
        Self::new(503, KILL_SWITCH_ACTIVE, message)
    }

    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code,
            message: message.into(),
            details: Value::Null,
            retry_after: None,
            cause: None,
        }
    }

    pub(crate) fn with(self, details: Value) -> Self {
        Self { details, ..self }
    }

    /// The same with the time to wait, in the header and in the details.
    pub(crate) fn retry_after(self, seconds: i64) -> Self {
        let details = json!({ "retryAfter": seconds });
        Self {
            retry_after: Some(seconds),
            ..self.with(details)
        }
    }

    pub(crate) fn nothing_here() -> Self {
        Self::new(404, "NOT_FOUND", "There is nothing here.")
    }

    /// What is wrong with a parameter.
    pub(crate) fn filters(error: ApiError) -> Self {
        let details = error
            .errors
            .first()
            .map(|field| json!({ "parameter": field.pointer }));
        let known: Self = error.into();
        if known.code != "INVALID_REQUEST" {
            return known;
        }
        Self {
            code: "INVALID_FILTERS",
            ..known.with(details.unwrap_or_default())
        }
    }

    /// What is wrong with a header.
    pub(crate) fn header(name: &str, error: ApiError) -> Self {
        let known: Self = error.into();
        if known.code != "INVALID_REQUEST" {
            return known;
        }
        Self {
            code: "VALIDATION_ERROR",
            message: format!("The header {name} is not valid."),
            ..known.with(json!({ "header": name }))
        }
    }

    fn unavailable() -> Self {
        Self::new(
            503,
            "SERVICE_UNAVAILABLE",
            "The service is unavailable for a moment.",
        )
        .retry_after(1)
    }

    fn internal() -> Self {
        Self::new(500, "INTERNAL_ERROR", "An unexpected error occurred.")
    }
}

/// The parameters of a request, refused in the shape of this API.
pub(crate) struct ControlQuery<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest for ControlQuery<T> {
    type Error = IncidentError;
    type Future = Ready<Result<Self, IncidentError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let read = query::read::<T>(request).map(|query| Self(query.0));
        ready(read.map_err(IncidentError::filters))
    }
}

impl std::fmt::Display for IncidentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code)
    }
}

impl ResponseError for IncidentError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        metrics::counter!("plimsoll_api_errors_total", "code" => self.code).increment(1);
        let mut response = HttpResponse::build(self.status);
        response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
        if let Some(seconds) = self.retry_after {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static(ALGORITHM)));
        }
        response.json(ControlErrorView {
            error: ControlErrorBody {
                code: self.code,
                message: self.message.clone(),
                request_id: infra::correlation::current_id(),
                details: Some(self.details.clone()).filter(|details| !details.is_null()),
            },
        })
    }
}

impl From<StoreError> for IncidentError {
    fn from(error: StoreError) -> Self {
        // Logs it, and tells what passes from what does not.
        let native = ApiError::from(error);
        let cause = Some(native.code);
        let told = if native.status == StatusCode::INTERNAL_SERVER_ERROR {
            Self::internal()
        } else {
            Self::unavailable()
        };
        Self { cause, ..told }
    }
}

/// What is wrong with the body or the headers of any request.
impl From<ApiError> for IncidentError {
    fn from(error: ApiError) -> Self {
        let cause = Some(error.code);
        let told = match error.status.as_u16() {
            413 => Self::new(413, "PAYLOAD_TOO_LARGE", error.detail),
            408 => Self::new(408, "REQUEST_TIMEOUT", error.detail),
            415 => Self::new(415, "UNSUPPORTED_MEDIA_TYPE", "The body is not JSON in UTF-8."),
            400..500 => Self::new(400, "INVALID_REQUEST", error.detail),
            503 | 507 => Self::unavailable(),
            _ => Self::internal(),
        };
        Self { cause, ..told }
    }
}

impl From<TooOften> for IncidentError {
    fn from(error: TooOften) -> Self {
        let message = format!("The rate limit is used up for {} s.", error.retry_after);
        Self::new(429, "RATE_LIMIT_EXCEEDED", message).retry_after(error.retry_after)
    }
}

impl From<NotAllowed> for IncidentError {
    fn from(error: NotAllowed) -> Self {
        Self::new(403, "UNAUTHORIZED", sentence(&error.to_string()))
    }
}

impl From<SpendError> for IncidentError {
    fn from(error: SpendError) -> Self {
        match error {
            SpendError::Replayed => Self::new(
                401,
                "SIGNATURE_REPLAYED",
                "The signature has been used for a change before.",
            ),
            SpendError::Store(error) => error.into(),
        }
    }
}

impl From<SignatureError> for IncidentError {
    fn from(error: SignatureError) -> Self {
        let message = sentence(&error.to_string());
        match error {
            SignatureError::Fault(fault) => Self::new(401, code_of(&fault), message).with(details_of(&fault)),
            SignatureError::Mismatch {
                string_to_sign,
                canonical_sha256,
            } => Self::new(401, "SIGNATURE_MISMATCH", message).with(json!({
                "canonicalRequestSha256": canonical_sha256,
                "stringToSign": string_to_sign,
            })),
            SignatureError::TenantFrozen(reason) => {
                let details = reason.map_or(Value::Null, |reason| json!({ "reason": reason }));
                Self::new(403, "TENANT_SUSPENDED", message).with(details)
            }
            SignatureError::TooManyFailures(wait) => {
                let message = format!(
                    "Too many signatures from this address were wrong; none is looked at for {} s.",
                    wait.retry_after
                );
                Self::new(429, "RATE_LIMIT_EXCEEDED", message).retry_after(wait.retry_after)
            }
            SignatureError::Store(error) => error.into(),
            broken @ (SignatureError::Locked(_) | SignatureError::NoMasterKey) => {
                tracing::error!(error = ?broken, "signed requests cannot be checked: see secrets.master_key");
                Self::unavailable()
            }
        }
    }
}

/// The stable word for what is wrong with a signature.
fn code_of(fault: &Fault) -> &'static str {
    match fault {
        Fault::Missing => "AUTHENTICATION_REQUIRED",
        Fault::Scheme => "WRONG_CREDENTIAL_KIND",
        Fault::Presigned => "PRESIGNED_URL_REFUSED",
        Fault::Repeated(_) => "DUPLICATE_HEADER",
        Fault::Malformed(_) => "MALFORMED_SIGNATURE",
        Fault::Scope { .. } => "INVALID_CREDENTIAL_SCOPE",
        Fault::Date => "INVALID_SIGNATURE_DATE",
        Fault::Skew(_) => "CLOCK_SKEW",
        Fault::Unsigned(_) => "HEADER_NOT_SIGNED",
        Fault::Absent(_) => "SIGNED_HEADER_MISSING",
        Fault::Content | Fault::UnsignedBody => "CONTENT_HASH_MISMATCH",
    }
}

fn details_of(fault: &Fault) -> Value {
    match fault {
        Fault::Repeated(header) => json!({ "header": header }),
        Fault::Unsigned(header) | Fault::Absent(header) => json!({ "header": header }),
        Fault::Scope { part, expected } => json!({ "part": part, "expected": expected }),
        Fault::Skew(seconds) => {
            json!({ "skewSeconds": seconds, "allowedSeconds": infra::sigv4::SKEW_SECONDS })
        }
        Fault::Missing
        | Fault::Scheme
        | Fault::Presigned
        | Fault::Malformed(_)
        | Fault::Date
        | Fault::Content
        | Fault::UnsignedBody => Value::Null,
    }
}

/// An error of ours as a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(rest).chain(['.']).collect()
}

#[cfg(test)]
mod tests;
