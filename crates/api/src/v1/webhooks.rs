//! `/api/v1/webhooks`: those who are sent messages, and what became of each message.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use adapters::customer::webhooks::{
    DeliveryPageView, DeliveryView, WebhookListView, WebhookTestView, WebhookView,
};
use adapters::problem::Problem;
use model::id::{DeliveryId, TenantId, WebhookId};
use model::webhook::{DeliveryError, DeliveryStatus};
use serde::Deserialize;
use services::cursors::List;
use services::webhooks::{Tested, WebhookError};
use utoipa::IntoParams;

use crate::actor::{ManageActor, ReadActor};
use crate::idempotency;
use crate::paging::Asked;
use crate::problem::ApiError;
use crate::query::Query;
use crate::state::State;

pub(crate) fn webhook_error(error: WebhookError) -> ApiError {
    match error {
        WebhookError::NotFound => ApiError::not_found(),
        WebhookError::Invalid { field, detail } => ApiError::members([(field, detail)].into_iter()),
        WebhookError::UnsafeUrl(why) => ApiError::new(
            422,
            "unsafe-url",
            "Unsafe URL",
            format!("Nothing is sent to this `url`: {why}."),
        ),
        WebhookError::Quota => ApiError::new(
            403,
            "quota-exceeded",
            "Quota exceeded",
            "There may be 50 webhooks; delete one first.",
        ),
        WebhookError::Off(status) => ApiError::new(
            409,
            "webhook-disabled",
            "Webhook disabled",
            format!("The webhook is {}. Set `enabled` to true first.", status.as_str()),
        ),
        WebhookError::Waits => ApiError::new(
            409,
            "delivery-pending",
            "Delivery pending",
            "The message waits to be sent anyway.",
        ),
        WebhookError::NoMasterKey => ApiError::new(
            409,
            "webhooks-unavailable",
            "Webhooks unavailable",
            "This installation has no master key to keep secrets under; its operator sets secrets.master_key.",
        ),
        WebhookError::Once(error) => idempotency::refusal(error),
        WebhookError::Store(error) => error.into(),
    }
}

/// The webhook of this tenant that a path names.
pub(crate) fn of(tenant: TenantId, id: &str) -> Result<(TenantId, WebhookId), ApiError> {
    Ok((tenant, id.parse().ok().ok_or_else(ApiError::not_found)?))
}

/// List webhooks
#[utoipa::path(get, path = "/api/v1/webhooks", operation_id = "list_webhooks", tag = "Webhooks",
    responses((status = 200, description = "The webhooks", body = WebhookListView)))]
pub(crate) async fn list(actor: ReadActor, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let found = services::webhooks::list(&state.cx, actor.0.tenant_id()).await?;
    Ok(HttpResponse::Ok().json(WebhookListView {
        items: found.into_iter().map(WebhookView::from).collect(),
    }))
}

/// Get a webhook
#[utoipa::path(get, path = "/api/v1/webhooks/{webhook_id}", operation_id = "get_webhook", tag = "Webhooks",
    params(("webhook_id" = String, Path)),
    responses((status = 200, description = "The webhook", body = WebhookView),
              (status = 404, description = "There is no such webhook", body = Problem)))]
pub(crate) async fn get(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (tenant, id) = of(actor.0.tenant_id(), &id)?;
    let found = services::webhooks::get(&state.cx, tenant, id)
        .await
        .map_err(webhook_error)?;
    Ok(HttpResponse::Ok().json(WebhookView::from(found)))
}

/// Send a webhook a test message
///
/// At once and once, also if the webhook is not ENABLED. Its `type` is `webhook.test`.
#[utoipa::path(post, path = "/api/v1/webhooks/{webhook_id}/test", operation_id = "test_webhook", tag = "Webhooks",
    params(("webhook_id" = String, Path)),
    responses((status = 200, description = "How it fared", body = WebhookTestView),
              (status = 404, description = "There is no such webhook", body = Problem)))]
pub(crate) async fn test(
    actor: ManageActor,
    state: Data<State>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let of = of(actor.0.tenant_id(), &id)?;
    let Tested {
        status,
        error,
        millis,
    } = services::webhooks::test(&state.cx, of)
        .await
        .map_err(webhook_error)?;
    Ok(HttpResponse::Ok().json(WebhookTestView {
        delivered: error.is_none(),
        status,
        error: error.map(DeliveryError::as_str),
        duration_ms: millis,
    }))
}

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeliveriesQuery {
    /// Only PENDING, DELIVERED or DEAD.
    status: Option<String>,
    /// 1 to 200, default 50.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// List the messages to a webhook
#[utoipa::path(get, path = "/api/v1/webhooks/{webhook_id}/deliveries", operation_id = "list_webhook_deliveries",
    tag = "Webhooks", params(("webhook_id" = String, Path), DeliveriesQuery),
    responses((status = 200, description = "What became of each, newest first; of the last seven days", body = DeliveryPageView),
              (status = 404, description = "There is no such webhook", body = Problem)))]
pub(crate) async fn deliveries(
    actor: ReadActor,
    state: Data<State>,
    id: Path<String>,
    query: Query<DeliveriesQuery>,
) -> Result<HttpResponse, ApiError> {
    let of = of(actor.0.tenant_id(), &id)?;
    let status: Option<DeliveryStatus> = match query.status.as_deref() {
        None => None,
        Some(word) => Some(
            word.parse()
                .ok()
                .ok_or_else(|| ApiError::parameter("status", "must be PENDING, DELIVERED or DEAD"))?,
        ),
    };
    let list = List {
        name: "webhook_deliveries",
        owner: of.0,
        filter: format!("{} {}", of.1, query.status.as_deref().unwrap_or_default()),
    };
    let size = (query.limit.as_deref(), query.cursor.as_deref());
    let asked = Asked::<DeliveryId>::filtered(&state, list, size).await?;
    let wanted = (status, asked.place);
    let found = services::webhooks::deliveries::list(&state.cx, of, wanted, asked.most())
        .await
        .map_err(webhook_error)?;
    let (found, next_cursor) = asked.cut(&state, found, |one| one.id).await?;
    Ok(HttpResponse::Ok().json(DeliveryPageView {
        items: found.into_iter().map(DeliveryView::from).collect(),
        has_more: next_cursor.is_some(),
        next_cursor,
    }))
}

/// Send a message to a webhook once more
///
/// One that has arrived or was given up. Its `webhook-id` is the same as before.
#[utoipa::path(post, path = "/api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
    operation_id = "redeliver_webhook_delivery", tag = "Webhooks",
    params(("webhook_id" = String, Path), ("delivery_id" = String, Path)),
    responses((status = 202, description = "It is sent at once, and tried again as if it were new", body = DeliveryView),
              (status = 404, description = "There is no such delivery", body = Problem),
              (status = 409, description = "It waits to be sent anyway, or the webhook is not ENABLED", body = Problem)))]
pub(crate) async fn redeliver(
    actor: ManageActor,
    state: Data<State>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (webhook, delivery) = path.into_inner();
    let of = of(actor.0.tenant_id(), &webhook)?;
    let delivery: DeliveryId = delivery.parse().ok().ok_or_else(ApiError::not_found)?;
    let again = services::webhooks::deliveries::redeliver(&state.cx, of, delivery)
        .await
        .map_err(webhook_error)?;
    Ok(HttpResponse::Accepted().json(DeliveryView::from(again)))
}
