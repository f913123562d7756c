//! How does an error reach a client?

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use adapters::problem::{FieldProblem, Problem, TYPE_BASE};
use services::StoreError;
use services::auth::AuthError;

/// An error on its way to a client. Its cause has been logged or stored; nothing of it is in here.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) title: &'static str,
    pub(crate) detail: String,
    pub(crate) errors: Vec<FieldProblem>,
    pub(crate) retry_after: Option<i64>,
}

impl ApiError {
    pub(crate) fn new(
        status: u16,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code,
            title,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(
            404,
            "not-found",
            "Not found",
            "There is nothing here, or it is not yours.",
        )
    }

    pub(crate) fn parameter(name: &str, detail: &str) -> Self {
        let field = FieldProblem {
            pointer: name.to_owned(),
            detail: detail.to_owned(),
            ..FieldProblem::default()
        };
        let error = Self::new(
            400,
            "invalid-parameter",
            "Invalid parameter",
            format!("`{name}`: {detail}."),
        );
        Self {
            errors: vec![field],
            ..error
        }
    }

    pub(crate) fn invalid(errors: Vec<FieldProblem>) -> Self {
        let list: Vec<String> = errors
            .iter()
            .map(|field| match field.pointer.as_str() {
                "" => format!("The body {}", field.detail),
                pointer => format!("`{pointer}`: {}", field.detail),
            })
            .collect();
        let error = Self::new(
            422,
            "validation-failed",
            "Validation failed",
            ended(list.join("; ")),
        );
        Self { errors, ..error }
    }

    /// Members of the body that are not what they should be: their names, and what is expected of each.
    pub(crate) fn members<D: Into<String>>(wrong: impl Iterator<Item = (&'static str, D)>) -> Self {
        let fields = wrong.map(|(name, detail)| FieldProblem {
            pointer: format!("/{name}"),
            detail: detail.into(),
            ..FieldProblem::default()
        });
        Self::invalid(fields.collect())
    }

    pub(crate) fn field(pointer: &str, detail: &str) -> Self {
        Self::invalid(vec![FieldProblem {
            pointer: pointer.to_owned(),
            detail: detail.to_owned(),
            ..FieldProblem::default()
        }])
    }

    /// The same of a member that stands below `parent` in the body.
    pub(crate) fn under(mut self, parent: &str) -> Self {
        for field in &mut self.errors {
            let pointer = format!("{parent}{}", field.pointer);
            self.detail = self
                .detail
                .replace(&format!("`{}`", field.pointer), &format!("`{pointer}`"));
            field.pointer = pointer;
        }
        self
    }

    /// The tenant goes through as many histories as it may at once; each takes some seconds at most.
    pub(crate) fn histories() -> Self {
        Self::new(
            429,
            "rate-limited",
            "Rate limited",
            "What is on record is being gone through for you twice already. Wait for one of them to end.",
        )
        .retry_after(5)
    }

    pub(crate) fn retry_after(mut self, seconds: i64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The document; the request id is the correlation id of the request that is being answered.
    pub(crate) fn document(&self) -> Problem {
        let request_id = infra::correlation::current_id();
        Problem {
            kind: format!("{TYPE_BASE}{}", self.code),
            title: self.title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code.to_owned(),
            request_id,
            errors: self.errors.clone(),
        }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code)
    }
}

impl ResponseError for ApiError {
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
            response.insert_header((
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"plimsoll\""),
            ));
        }
        let body = serde_json::to_string(&self.document()).unwrap_or_default();
        response
            .insert_header((
                HeaderName::from_static("content-type"),
                "application/problem+json",
            ))
            .body(body)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Overloaded) {
            tracing::warn!("the write queue is full");
            return Self::new(
                503,
                "overloaded",
                "Overloaded",
                "Too many requests are waiting. Try again.",
            )
            .retry_after(1);
        }
        tracing::error!(error = ?error, "the store failed");
        match error {
            StoreError::Full(_) => Self::new(
                507,
                "storage-full",
                "Storage full",
                "The storage is full; reading still works.",
            ),
            StoreError::TimedOut(_) => Self::new(
                503,
                "timed-out",
                "Timed out",
                "The database took too long. Try again.",
            )
            .retry_after(1),
            StoreError::OutcomeUnknown(_) => Self::new(
                503,
                "outcome-unknown",
                "Outcome unknown",
                "It is unknown whether this took effect. Send it again with the same Idempotency-Key.",
            )
            .retry_after(1),
            StoreError::Stopped => Self::new(
                503,
                "shutting-down",
                "Shutting down",
                "The server is shutting down.",
            )
            .retry_after(1),
            StoreError::Unavailable(_) | StoreError::Connect(_) | StoreError::Contention(_) => Self::new(
                503,
                "storage-unavailable",
                "Storage unavailable",
                "The database cannot be reached. Try again.",
            )
            .retry_after(1),
            _ => Self::new(
                500,
                "internal-error",
                "Internal error",
                "Something went wrong on our side. Quote the request id.",
            ),
        }
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Missing => Self::new(
                401,
                "authentication-required",
                "Authentication required",
                "Send `Authorization: Bearer` with an API key.",
            ),
            AuthError::Invalid => Self::new(
                401,
                "invalid-credential",
                "Invalid credential",
                "The credential is not valid.",
            ),
            AuthError::WrongKind => Self::new(
                401,
                "wrong-credential-kind",
                "Wrong kind of credential",
                "This route takes another kind of credential.",
            ),
            AuthError::KeyFrozen(reason) => frozen("key-frozen", "Key frozen", "This API key", reason),
            AuthError::TenantFrozen(reason) => {
                frozen("tenant-suspended", "Tenant frozen", "This tenant", reason)
            }
            AuthError::Scope(scope) => Self::new(
                403,
                "insufficient-scope",
                "Insufficient scope",
                format!("The key lacks the scope {}.", scope.as_str()),
            ),
            AuthError::Store(error) => error.into(),
        }
    }
}

/// A sentence with its full stop, unless it asks something.
fn ended(sentence: String) -> String {
    if sentence.ends_with('?') {
        sentence
    } else {
        sentence + "."
    }
}

fn frozen(code: &'static str, title: &'static str, who: &str, reason: Option<String>) -> ApiError {
    let why = reason.map_or(String::new(), |reason| format!(" Reason: {reason}"));
    ApiError::new(
        403,
        code,
        title,
        format!("{who} is frozen; its traffic is stopped.{why}"),
    )
}
