//! The handlers of the SDK routes: all of them are one path with another operation.

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::StreamExt as _;
use model::key::KeyScope;
use model::run::Operation;
use serde_json::json;
use services::gateway::{GatewayRequest, Served, ServedBody};

use super::errors::{Dialect, LlmError};
use super::{cut, headers};
use crate::actor::credential;
use crate::body;
use crate::state::State;

macro_rules! operations {
    ($($(#[$meta:meta])* $name:ident: $operation:ident;)*) => {$(
        $(#[$meta])*
        pub(crate) async fn $name(state: Data<State>, request: HttpRequest, payload: Payload) -> HttpResponse {
            answer(&state, &request, payload, Operation::$operation).await
        }
    )*};
}

operations! {
    /// Chat completions, as OpenAI has them
    #[utoipa::path(post, path = "/v1/chat/completions", tag = "SDK routes",
        responses((status = 200, description = "The provider's answer, unchanged")))]
    chat: Chat;
    /// Completions of a prompt, as OpenAI has them
    #[utoipa::path(post, path = "/v1/completions", tag = "SDK routes",
        responses((status = 200, description = "The provider's answer, unchanged")))]
    completions: TextCompletion;
    /// Embeddings, as OpenAI has them
    #[utoipa::path(post, path = "/v1/embeddings", tag = "SDK routes",
        responses((status = 200, description = "The provider's answer, unchanged")))]
    embeddings: Embeddings;
    /// Responses, as OpenAI has them
    #[utoipa::path(post, path = "/v1/responses", tag = "SDK routes",
        responses((status = 200, description = "The provider's answer, unchanged")))]
    responses: Responses;
    /// Messages, as Anthropic has them
    #[utoipa::path(post, path = "/v1/messages", tag = "SDK routes",
        responses((status = 200, description = "The provider's answer, unchanged")))]
    messages: Messages;
    /// The tokens of a message, as Anthropic counts them
    #[utoipa::path(post, path = "/v1/messages/count_tokens", tag = "SDK routes",
        responses((status = 200, description = "The provider's answer, unchanged")))]
    count_tokens: CountTokens;
}

async fn answer(
    state: &State,
    request: &HttpRequest,
    payload: Payload,
    operation: Operation,
) -> HttpResponse {
    let dialect = Dialect::of(operation);
    match serve(state, request, payload, operation).await {
        Ok(served) => respond(dialect, served),
        Err(error) => error.response(dialect),
    }
}

async fn serve(
    state: &State,
    request: &HttpRequest,
    payload: Payload,
    operation: Operation,
) -> Result<Served, LlmError> {
    let secret = credential(request.headers())?;
    let actor = services::auth::tenant(&state.cx, secret, KeyScope::Llm).await?;
    body::check_headers(request)?;
    let attribution = headers::attribution(request.headers())?;
    let unknown_fields = headers::unknown_fields(request.headers())?;
    let bytes = body::read(request, payload.into_inner(), state.settings.llm_body_bytes).await?;
    let correlation = infra::correlation::current();
    let call = GatewayRequest {
        actor,
        operation,
        body: bytes,
        headers: forwarded(request),
        attribution,
        unknown_fields,
        correlation_id: correlation
            .as_ref()
            .map(|c| c.correlation_id().to_owned())
            .unwrap_or_default(),
        traceparent: correlation
            .and_then(|c| c.traceparent())
            .map(|parent| parent.to_string()),
    };
    Ok(services::gateway::serve(&state.cx, call).await?)
}

/// The request's headers in the gateway's type; which of them pass is decided there.
fn forwarded(request: &HttpRequest) -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    for (name, value) in request.headers() {
        let name = http::HeaderName::from_bytes(name.as_str().as_bytes());
        let value = http::HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

fn respond(dialect: Dialect, served: Served) -> HttpResponse {
    let status = StatusCode::from_u16(served.status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::build(status);
    for (name, value) in &served.headers {
        response.append_header((name.as_str(), value.as_bytes()));
    }
    response.insert_header(("x-plimsoll-run-id", served.run.to_string()));
    response.insert_header(("x-plimsoll-decision-id", served.decision.to_string()));
    if let Some(cost) = served.cost {
        response.insert_header(("x-plimsoll-cost-usd", cost.to_usd_string()));
    }
    headers::limits(&mut response, dialect, &served.answer.output, served.answer.at);
    headers::policy(&mut response, served.answer.policy.as_deref());
    headers::handling(&mut response, &served.answer);
    match served.body {
        ServedBody::Whole(body) => response.body(body),
        ServedBody::Stream(stream) => {
            let bound = served.answer.cuts_at_the_end();
            let cut_off = bound.map_or_else(String::new, |bound| cut::told(Some(bound)));
            // An SDK that reads events learns of a break by an event in its provider's shape.
            let withheld = served.withheld;
            let events = stream.map(move |chunk| match chunk {
                Ok(bytes) => Ok::<Bytes, std::convert::Infallible>(bytes),
                Err(cut) => {
                    let forbidden = withheld.as_ref().and_then(|withheld| withheld.get());
                    Ok(LlmError::cut(&cut, forbidden, &cut_off).event(dialect))
                }
            });
            response.streaming(events)
        }
    }
}

/// The models that can be called
#[utoipa::path(get, path = "/v1/models", tag = "SDK routes",
    responses((status = 200, description = "The models that can be called, in the shape of the SDK that asks")))]
pub(crate) async fn models(state: Data<State>, request: HttpRequest) -> HttpResponse {
    let anthropic = request.headers().contains_key("anthropic-version");
    let dialect = if anthropic {
        Dialect::Anthropic
    } else {
        Dialect::OpenAi
    };
    let admitted = match credential(request.headers()) {
        Ok(secret) => services::auth::tenant(&state.cx, secret, KeyScope::Llm)
            .await
            .map_err(LlmError::from),
        Err(error) => Err(error.into()),
    };
    if let Err(error) = admitted {
        return error.response(dialect);
    }
    let models = services::gateway::models(&state.cx);
    let body = match dialect {
        Dialect::OpenAi => {
            let data: Vec<_> = models
                .iter()
                .map(|(id, owner)| json!({ "id": id, "object": "model", "created": 0, "owned_by": owner }))
                .collect();
            json!({ "object": "list", "data": data })
        }
        Dialect::Anthropic => {
            let data: Vec<_> = models
                .iter()
                .filter(|(_, owner)| owner == "anthropic")
                .map(|(id, _)| {
                    json!({ "type": "model", "id": id, "display_name": id, "created_at": "1970-01-01T00:00:00Z" })
                })
                .collect();
            let end = |item: Option<&serde_json::Value>| item.and_then(|m| m.get("id")).cloned();
            json!({ "has_more": false, "first_id": end(data.first()), "last_id": end(data.last()), "data": data })
        }
    };
    HttpResponse::Ok().json(body)
}
