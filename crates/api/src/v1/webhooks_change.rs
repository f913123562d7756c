//! `/api/v1/webhooks`: make, change and delete those who are sent messages.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use adapters::customer::webhooks::{WebhookSecretView, WebhookView};
use adapters::problem::Problem;
use infra::secrets::Secret;
use model::webhook::Webhook;
use serde::Deserialize;
use services::audit::Author;
use services::limits::Done;
use services::webhooks::change::{Change, Wish};
use utoipa::ToSchema;

use super::webhooks::{of, webhook_error};
use crate::actor::ManageActor;
use crate::body::{Body, Json};
use crate::idempotency;
use crate::problem::ApiError;
use crate::state::State;

const READ_ONLY: &[&str] = &[
    "webhook_id",
    "tenant_id",
    "status",
    "status_reason",
    "previous_secret_until",
    "consecutive_failures",
    "failing_since",
    "created_at",
    "updated_at",
    "secret",
];

/// A new webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookBody {
    /// Where messages are sent: a public address over https, at most 2,048 bytes.
    #[schema(example = "https://example.com/plimsoll")]
    url: String,
    /// What people call it, 1 to 200 characters.
    description: Option<String>,
    /// `incident.created`, `incident.state_changed`, `incident.acknowledged`, `incident.updated`; all if it is left out.
    topics: Option<Vec<String>>,
}

impl Body for WebhookBody {
    const READ_ONLY: &'static [&'static str] = READ_ONLY;
}

/// What is to be otherwise; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookChangeBody {
    /// Where messages are sent.
    url: Option<String>,
    /// What people call it; empty to take it away.
    description: Option<String>,
    /// What it is told.
    topics: Option<Vec<String>>,
    /// Whether it is sent anything. What waits for one that is turned off is given up.
    enabled: Option<bool>,
}

impl Body for WebhookChangeBody {
    const READ_ONLY: &'static [&'static str] = READ_ONLY;
}

fn view(of: Webhook, secret: Option<&Secret>) -> WebhookSecretView {
    WebhookSecretView {
        webhook: of.into(),
        secret: secret.map(|secret| secret.expose().to_owned()),
    }
}

/// What is stored of the answer with a secret, for those who send the request again.
fn without_secret(of: &Webhook) -> String {
    serde_json::to_string(&view(of.clone(), None)).unwrap_or_default()
}

/// Nobody on the way keeps a secret.
fn not_kept(mut response: HttpResponse) -> HttpResponse {
    let value = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, value);
    response
}

/// Make a webhook
///
/// The answer has the secret that messages are signed with, as Standard Webhooks says. It is shown once.
#[utoipa::path(post, path = "/api/v1/webhooks", operation_id = "create_webhook", tag = "Webhooks",
    request_body = WebhookBody, params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, description = "The webhook with its secret", body = WebhookSecretView),
              (status = 403, description = "There are 50 already", body = Problem),
              (status = 422, description = "The body is not valid, or nothing is sent to this address", body = Problem)))]
pub(crate) async fn create(
    actor: ManageActor,
    state: Data<State>,
    request: HttpRequest,
    body: Json<WebhookBody>,
) -> Result<HttpResponse, ApiError> {
    let (tenant, principal) = (actor.0.tenant_id(), actor.0.principal());
    let once = idempotency::once(
        &request,
        "webhooks.create",
        tenant,
        principal.clone(),
        &body.bytes,
    )?;
    let wish = Wish {
        url: body.value.url,
        description: body.value.description,
        topics: body.value.topics,
    };
    let author = Author::human(principal);
    let done = services::webhooks::change::create(&state.cx, tenant, author, wish, once, without_secret)
        .await
        .map_err(webhook_error)?;
    Ok(not_kept(match done {
        Done::Now((made, secret), _) => HttpResponse::Created().json(view(made, Some(&secret))),
        before @ Done::Before(_) => idempotency::respond(201, before),
    }))
}

/// Change a webhook
#[utoipa::path(put, path = "/api/v1/webhooks/{webhook_id}", operation_id = "update_webhook", tag = "Webhooks",
    request_body = WebhookChangeBody, params(("webhook_id" = String, Path)),
    responses((status = 200, description = "The webhook as it is now", body = WebhookView),
              (status = 404, description = "There is no such webhook", body = Problem),
              (status = 422, description = "The body is not valid, or nothing is sent to this address", body = Problem)))]
pub(crate) async fn update(
    actor: ManageActor,
    state: Data<State>,
    id: Path<String>,
    body: Json<WebhookChangeBody>,
) -> Result<HttpResponse, ApiError> {
    let of = of(actor.0.tenant_id(), &id)?;
    let wanted = body.value;
    let change = Change {
        url: wanted.url,
        description: wanted.description,
        topics: wanted.topics,
        enabled: wanted.enabled,
    };
    let author = Author::human(actor.0.principal());
    let changed = services::webhooks::change::update(&state.cx, of, author, change)
        .await
        .map_err(webhook_error)?;
    Ok(HttpResponse::Ok().json(WebhookView::from(changed)))
}

/// Delete a webhook
#[utoipa::path(delete, path = "/api/v1/webhooks/{webhook_id}", operation_id = "delete_webhook", tag = "Webhooks",
    params(("webhook_id" = String, Path)),
    responses((status = 204, description = "It is sent nothing more"),
              (status = 404, description = "There is no such webhook", body = Problem)))]
pub(crate) async fn delete(
    actor: ManageActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let of = of(actor.0.tenant_id(), &id)?;
    services::webhooks::change::delete(&state.cx, of, Author::human(actor.0.principal()))
        .await
        .map_err(webhook_error)?;
    Ok(HttpResponse::NoContent().finish())
}

/// Give a webhook another secret
///
/// For a day messages are signed with both.
#[utoipa::path(post, path = "/api/v1/webhooks/{webhook_id}/rotate-secret", operation_id = "rotate_webhook_secret",
    tag = "Webhooks", params(("webhook_id" = String, Path)),
    responses((status = 200, description = "The webhook with its new secret", body = WebhookSecretView),
              (status = 404, description = "There is no such webhook", body = Problem)))]
pub(crate) async fn rotate(
    actor: ManageActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let of = of(actor.0.tenant_id(), &id)?;
    let author = Author::human(actor.0.principal());
    let (changed, secret) = services::webhooks::change::rotate(&state.cx, of, author)
        .await
        .map_err(webhook_error)?;
    Ok(not_kept(HttpResponse::Ok().json(view(changed, Some(&secret)))))
}
