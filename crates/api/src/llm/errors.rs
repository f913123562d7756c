//! How is an error said to an SDK, so that it raises its own exception?
//!
//! OpenAI routes answer `{"error":{message,type,param,code}}`, Anthropic routes
//! `{"type":"error","error":{type,message},"request_id"}`. The statuses are those of the product.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{HttpResponse, ResponseError as _};
use model::limit::LimitCategory;
use model::run::Operation;
use services::auth::AuthError;
use services::gateway::GatewayError;
use services::ledger::{Forbidden, HoldAnswer};
use services::words::{Judgement, outcome_header};

use crate::actor::{self, Unreadable};
use crate::problem::ApiError;

mod wire;

/// Whose SDK is calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    OpenAi,
    Anthropic,
}

impl Dialect {
    /// Whose SDK asks for this path, whether anything is there or not; none if it is not for an SDK.
    pub(crate) fn at(path: &str, headers: &HeaderMap) -> Option<Self> {
        let rest = path
            .strip_prefix("/v1")
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        let messages = rest.strip_prefix("/messages");
        let anthropic = messages.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        // Anthropic's SDK says so on every path.
        Some(if anthropic || headers.contains_key("anthropic-version") {
            Self::Anthropic
        } else {
            Self::OpenAi
        })
    }

    pub(crate) const fn of(operation: Operation) -> Self {
        match operation {
            Operation::Messages | Operation::CountTokens => Self::Anthropic,
            Operation::Chat | Operation::TextCompletion | Operation::Embeddings | Operation::Responses => {
                Self::OpenAi
            }
        }
    }
}

/// An error in words that both providers' shapes are made of.
pub(crate) struct LlmError {
    status: StatusCode,
    kind: &'static str,
    code: &'static str,
    param: Option<String>,
    message: String,
    retry_after: Option<i64>,
    /// Whether waiting can help; if not, the SDKs are told not to retry.
    no_retry: bool,
    refused: Option<Box<HoldAnswer>>,
    run: Option<(String, String)>,
    /// The Policy Rule that refuses.
    policy: Option<Box<Policy>>,
}

/// What the headers say of the Policy Rule that refuses.
struct Policy {
    outcome: String,
    rule: Option<String>,
    incident: Option<String>,
}

impl Policy {
    fn of(judgement: &Judgement) -> Self {
        let deciding = judgement.deciding();
        let mut refusing = judgement.matches.iter().filter(|found| found.mode.refuses());
        Self {
            outcome: outcome_header(judgement),
            rule: deciding.map(|found| found.rule.to_string()),
            // Whichever rule decides: any of them would have refused it alone.
            incident: refusing.find_map(|found| Some(found.source_incident?.to_string())),
        }
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl LlmError {
    fn new(code: u16, kind: &'static str, word: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: status(code),
            kind,
            code: word,
            param: None,
            message: message.into(),
            retry_after: None,
            no_retry: false,
            refused: None,
            run: None,
            policy: None,
        }
    }

    /// Nothing is at this path.
    pub(crate) fn no_route() -> Self {
        let served = "/v1/chat/completions, /v1/completions, /v1/embeddings, /v1/responses, /v1/messages, \
                      /v1/messages/count_tokens and /v1/models";
        let message = format!("Unknown request URL. Plimsoll serves {served}.");
        Self::new(404, "invalid_request_error", "unknown_url", message)
    }

    /// Something is at this path, but not for this method.
    pub(crate) fn wrong_method(allow: &str) -> Self {
        let message = format!("This path takes {allow}.");
        Self::new(405, "invalid_request_error", "method_not_supported", message)
    }
}

impl From<AuthError> for LlmError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Missing => Self::new(
                401,
                "invalid_request_error",
                "missing_api_key",
                "No API key was sent. Use a Plimsoll key as the API key of your SDK.",
            ),
            AuthError::Invalid | AuthError::WrongKind => Self::new(
                401,
                "invalid_request_error",
                "invalid_api_key",
                "The API key is not valid.",
            ),
            AuthError::KeyFrozen(reason) => Self::frozen("This API key", reason),
            AuthError::TenantFrozen(reason) => Self::frozen("This tenant", reason),
            AuthError::Scope(scope) => Self::new(
                403,
                "permission_error",
                "insufficient_scope",
                format!("The API key lacks the scope {}.", scope.as_str()),
            ),
            AuthError::Store(error) => Self::unenforceable(&error),
        }
    }
}

impl From<Unreadable> for LlmError {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Several => actor::several().into(),
            Unreadable::Auth(error) => error.into(),
        }
    }
}

impl LlmError {
    fn frozen(who: &str, reason: Option<String>) -> Self {
        let why = reason.map_or(String::new(), |reason| format!(" Reason: {reason}"));
        let message = format!("{who} is frozen; its traffic is stopped.{why}");
        Self {
            no_retry: true,
            ..Self::new(403, "permission_error", "key_frozen", message)
        }
    }

    fn unenforceable(error: &services::StoreError) -> Self {
        tracing::error!(error = ?error, "the limits cannot be enforced");
        let message = "The limits cannot be enforced right now, so nothing is let through. Try again.";
        Self {
            retry_after: Some(1),
            ..Self::new(503, "server_error", "enforcement_unavailable", message)
        }
    }

    /// Refused, or its answer withheld, by a Policy Rule: which one, and which Incident it came from.
    fn forbidden(forbidden: &Forbidden) -> Self {
        let message = adapters::customer::policies::message(&forbidden.judgement, forbidden.stage);
        Self {
            no_retry: true,
            run: Some((forbidden.run.to_string(), forbidden.decision.to_string())),
            policy: Some(Box::new(Policy::of(&forbidden.judgement))),
            ..Self::new(403, "policy_violation", "policy_violation", message)
        }
    }

    /// Refused by limits: the first one in their order decides the status, all of them whether to try again.
    fn refused(answer: Box<HoldAnswer>) -> Self {
        let message = adapters::customer::checks::message(&answer.output);
        let retry = answer.output.retry();
        // Of a budget only whoever has waited is told when it resets: the SDKs would sleep until then.
        let told = retry.at.filter(|_| retry.helps || answer.waited.is_some());
        let full = |message| Self::new(429, "rate_limit_error", "rate_limit_exceeded", message);
        let error = match answer.output.blocking.first() {
            None => Self::new(422, "invalid_request_error", "unpriced_model", message),
            Some(deciding) if deciding.limit_type.is_given_back() => full(message),
            Some(deciding) => match deciding.category {
                LimitCategory::Threshold => Self::new(403, "policy_violation", "threshold_exceeded", message),
                LimitCategory::Budget => Self::new(429, "insufficient_quota", "insufficient_quota", message),
                LimitCategory::Rate => full(message),
            },
        };
        Self {
            no_retry: !retry.helps,
            retry_after: told.map(|at| at.seconds_until_from(answer.at).max(1)),
            refused: Some(answer),
            ..error
        }
    }
}

impl From<GatewayError> for LlmError {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Malformed(place) => Self::new(
                400,
                "invalid_request_error",
                "malformed_json",
                format!("The body could not be read: {place}."),
            ),
            GatewayError::Invalid { field, detail } => {
                let message = format!("`{field}` {detail}.");
                Self {
                    param: Some(field),
                    ..Self::new(422, "invalid_request_error", "invalid_value", message)
                }
            }
            GatewayError::NoSuchModel(model) => Self {
                param: Some("model".to_owned()),
                ..Self::new(
                    404,
                    "invalid_request_error",
                    "model_not_found",
                    format!("No configured provider serves the model `{model}`."),
                )
            },
            GatewayError::Refused(answer) => Self::refused(answer),
            GatewayError::Forbidden(forbidden) => Self::forbidden(&forbidden),
            GatewayError::Upstream { code, run, decision } => {
                let (status, message) = match code {
                    "upstream_timeout" => (504, "The provider did not answer in time."),
                    "upstream_credential_rejected" => (
                        502,
                        "The provider rejects the key that is configured for it. Tell whoever runs this installation.",
                    ),
                    _ => (502, "The provider could not be reached or broke off."),
                };
                Self {
                    run: Some((run.to_string(), decision.to_string())),
                    ..Self::new(status, "server_error", code, message)
                }
            }
            // Once more would take as long, and cost as much.
            GatewayError::CutOff { limit, run, decision } => Self {
                no_retry: true,
                run: Some((run.to_string(), decision.to_string())),
                ..Self::new(
                    504,
                    "policy_violation",
                    "threshold_cut_off",
                    super::cut::told(limit.as_ref().map(|(id, name)| (*id, &**name))),
                )
            },
            GatewayError::Stopped(error) => error.into(),
            GatewayError::Unenforceable(error) => Self::unenforceable(&error),
        }
    }
}

impl From<ApiError> for LlmError {
    fn from(error: ApiError) -> Self {
        let kind = if error.status.is_server_error() {
            "server_error"
        } else {
            "invalid_request_error"
        };
        // The SDKs' words are written with `_`.
        let word = match error.code {
            "credential-in-url" => "credential_in_url",
            "headers-too-large" => "headers_too_large",
            "internal-error" => "internal_error",
            "invalid-header" => "invalid_header",
            "malformed-request" => "malformed_request",
            "misdirected-request" => "misdirected_request",
            "payload-too-large" => "payload_too_large",
            "request-timeout" => "request_timeout",
            "unsupported-encoding" => "unsupported_encoding",
            "unsupported-media-type" => "unsupported_media_type",
            "uri-too-long" => "uri_too_long",
            other => other,
        };
        let message = error.detail.clone();
        Self {
            retry_after: error.retry_after,
            ..Self::new(error.status.as_u16(), kind, word, message)
        }
    }
}

/// An error of ours in the shape of whoever asked: an SDK's own, or a problem document.
pub(crate) fn shaped(dialect: Option<Dialect>, error: ApiError) -> HttpResponse {
    match dialect {
        Some(dialect) => LlmError::from(error).response(dialect),
        None => error.error_response(),
    }
}
