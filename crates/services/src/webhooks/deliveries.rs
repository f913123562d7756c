//! What became of the messages to a receiver, and how is one sent again?

use model::id::{DeliveryId, TenantId, WebhookId};
use model::webhook::{Delivery, DeliveryStatus, WebhookStatus};

use super::{WebhookError, lock};
use crate::context::Context;

/// Deliveries to a receiver that are older than `before`, newest first, at most `most`.
///
/// # Errors
/// [`WebhookError::NotFound`] if there is no such receiver.
pub async fn list(
    cx: &Context,
    (tenant, id): (TenantId, WebhookId),
    (status, before): (Option<DeliveryStatus>, Option<DeliveryId>),
    most: u32,
) -> Result<Vec<Delivery>, WebhookError> {
    let filter = store::webhooks::deliveries::Filter { status, before };
    cx.db
        .read(move |tx| -> Result<_, WebhookError> {
            store::webhooks::find(tx, tenant, id)?.ok_or(WebhookError::NotFound)?;
            let of = (tenant, id);
            Ok(store::webhooks::deliveries::list(
                tx,
                of,
                filter,
                i64::from(most),
            )?)
        })
        .await
}

/// Sends a message once more that has arrived or was given up; it begins anew in the schedule of attempts.
///
/// # Errors
/// [`WebhookError::Off`] if the receiver is sent nothing, [`WebhookError::Waits`] if it waits to be sent anyway.
pub async fn redeliver(
    cx: &Context,
    (tenant, webhook): (TenantId, WebhookId),
    id: DeliveryId,
) -> Result<Delivery, WebhookError> {
    let now = cx.clock.now();
    cx.db
        .locked(move |tx| -> Result<Delivery, WebhookError> {
            lock(tx, tenant)?;
            let receiver = store::webhooks::find(tx, tenant, webhook)?.ok_or(WebhookError::NotFound)?;
            let known = store::webhooks::deliveries::find(tx, (tenant, webhook), id)?;
            let known = known.ok_or(WebhookError::NotFound)?;
            if receiver.status != WebhookStatus::Enabled {
                return Err(WebhookError::Off(receiver.status));
            }
            let again = domain::webhooks::again(&known, now).ok_or(WebhookError::Waits)?;
            if !store::webhooks::deliveries::replace(tx, &known, &again)? {
                return Err(WebhookError::NotFound);
            }
            Ok(again)
        })
        .await
}
