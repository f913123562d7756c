//! How does what has happened go out?
//!
//! What is committed is given its place, and in the same transaction what is to be sent to whom is written down. Nothing
//! is decided from it: what is true stands in the events.

pub mod stream;

use model::id::{DeliveryId, IdGenerator, TenantId};
use model::outbox::Placed;
use model::time::Timestamp;
use model::webhook::{Delivery, DeliveryStatus, Webhook, WebhookStatus};
use serde_json::Value;
use store::outbox::Head;
use store::{StoreError, StoreResult, WriteTx};

use crate::context::Context;
use crate::measure;

/// How long messages are kept, and what became of each.
pub const RETENTION_DAYS: i64 = 7;

/// Tenants that are looked after in one turn.
const TENANTS: i64 = 100;
/// Messages that are given a place in one transaction.
const PLACED: i64 = 500;
/// Messages that are swept in one transaction.
const SWEPT: i64 = 1_000;

/// Gives all that is committed its place, and says how many messages those were. What cannot be placed of one tenant is
/// logged, tried again at the next turn, and holds up none of the others.
///
/// # Errors
/// What the database says.
pub async fn place(cx: &Context) -> Result<u64, StoreError> {
    let (mut placed, mut behind, mut is_rest) = (0_u64, None, false);
    loop {
        let tenants = cx
            .db
            .read(move |tx| store::outbox::unplaced(tx, behind, TENANTS))
            .await?;
        let is_last = i64::try_from(tenants.len()).is_ok_and(|found| found < TENANTS);
        behind = tenants.last().copied();
        for tenant in tenants {
            let (now, ids) = (cx.clock.now(), cx.ids.clone());
            let done = cx
                .db
                .write(move |tx| place_of(tx, ids.as_ref(), tenant, now))
                .await;
            let done = done.unwrap_or_else(|error| {
                tracing::error!(%error, tenant_id = %tenant, "the messages of a tenant could not be given their places yet");
                Vec::new()
            });
            is_rest |= i64::try_from(done.len()).is_ok_and(|done| done >= PLACED);
            placed = placed.saturating_add(u64::try_from(done.len()).unwrap_or(u64::MAX));
            done.iter().for_each(note);
        }
        if !is_last {
            continue;
        }
        if !is_rest {
            return Ok(placed);
        }
        (behind, is_rest) = (None, false);
    }
}

fn place_of(
    tx: &mut WriteTx<'_>,
    ids: &dyn IdGenerator,
    tenant: TenantId,
    now: Timestamp,
) -> StoreResult<Vec<Placed>> {
    let placed = store::outbox::place(tx, tenant, now, PLACED)?;
    if placed.iter().any(|one| one.message.topic.is_told()) {
        let receivers = store::webhooks::list(tx, tenant)?;
        let wanted = deliveries(ids, &placed, &receivers, now);
        store::webhooks::deliveries::insert(tx, &wanted)?;
    }
    Ok(placed)
}

/// Logs and counts what has happened, once for the whole installation and only what is committed: whoever gives it its
/// place does. Nothing that people wrote is in it.
fn note(placed: &Placed) {
    let message = &placed.message;
    let data = serde_json::from_str::<Value>(&message.body).unwrap_or_default();
    let said = data.get("data");
    let word = |name: &str| {
        let word = said.and_then(|said| said.get(name)?.as_str());
        word.unwrap_or_default().to_owned()
    };
    let (from, to) = (word("previous_state"), word("state"));
    let (event_type, authority) = (word("event_type"), word("authority_type"));
    tracing::info!(
        tenant_id = %message.tenant,
        incident_id = %message.incident,
        seq = message.seq,
        event_id = word("event_id"),
        event_type,
        from,
        to,
        authority_type = authority,
        "an Incident was changed"
    );
    if event_type == "INCIDENT_CREATED" {
        measure::incident_created(word("severity"));
    }
    if event_type == "STATE_CHANGED" {
        measure::incident_transition(from, to, authority);
    }
}

fn deliveries(
    ids: &dyn IdGenerator,
    placed: &[Placed],
    receivers: &[Webhook],
    now: Timestamp,
) -> Vec<Delivery> {
    let enabled = receivers
        .iter()
        .filter(|webhook| webhook.status == WebhookStatus::Enabled);
    let of = |webhook: &Webhook, one: &Placed| Delivery {
        id: DeliveryId::generate(ids),
        tenant: webhook.tenant,
        webhook: webhook.id,
        place: one.place,
        topic: one.message.topic,
        status: DeliveryStatus::Pending,
        attempts: 0,
        step: 0,
        due_at: Some(now),
        last: None,
        created_at: now,
        finished_at: None,
    };
    enabled
        .flat_map(|webhook| {
            let wanted = placed
                .iter()
                .filter(|one| webhook.topics.contains(&one.message.topic));
            wanted.map(move |one| of(webhook, one))
        })
        .collect()
}

/// How long the oldest message without a place has waited, in seconds; 0 if none waits.
///
/// # Errors
/// What the database says.
pub async fn lag_seconds(cx: &Context) -> Result<i64, StoreError> {
    let oldest = cx.db.read(|tx| store::outbox::waiting_since(tx)).await?;
    let now = cx.clock.now();
    Ok(oldest.map_or(0, |oldest| now.seconds_until_from(oldest).max(0)))
}

/// Sweeps messages that are older than [`RETENTION_DAYS`], with what became of them, and says how many there were. What
/// is still to be sent stays. What cannot be swept of one tenant is logged and holds up none of the others.
///
/// # Errors
/// What the database says.
pub async fn sweep(cx: &Context) -> Result<u64, StoreError> {
    let now = cx.clock.now();
    let before = now.plus_seconds(-RETENTION_DAYS * 86_400);
    let mut swept = 0_u64;
    let tenants = cx
        .db
        .read(move |tx| store::outbox::old(tx, before, TENANTS))
        .await?;
    for tenant in tenants {
        if let Err(error) = sweep_of(cx, tenant, (before, now), &mut swept).await {
            tracing::error!(%error, tenant_id = %tenant, "the messages of a tenant could not be swept yet");
        }
    }
    Ok(swept)
}

async fn sweep_of(
    cx: &Context,
    tenant: TenantId,
    (before, now): (Timestamp, Timestamp),
    swept: &mut u64,
) -> Result<(), StoreError> {
    // A receiver that was being turned off when its messages were written down; they would keep all behind them.
    cx.db
        .write(move |tx| store::webhooks::deliveries::give_up_stopped(tx, tenant, now))
        .await?;
    loop {
        let done = cx
            .db
            .write(move |tx| store::outbox::sweep(tx, tenant, before, SWEPT))
            .await?;
        *swept = swept.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
        if i64::try_from(done).is_ok_and(|done| done < SWEPT) {
            return Ok(());
        }
    }
}

/// What a reader of a tenant's messages comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// How far the messages go.
    pub head: Head,
    /// Those that customers are told, oldest first.
    pub told: Vec<Placed>,
    /// Where to read on from.
    pub up_to: i64,
}

/// The messages of a tenant behind a place, at most `most`.
///
/// # Errors
/// What the database says.
pub async fn read(cx: &Context, tenant: TenantId, behind: i64, most: i64) -> Result<Read, StoreError> {
    cx.db
        .read(move |tx| {
            let head = store::outbox::head(tx, tenant)?;
            let found = store::outbox::after(tx, tenant, behind, most)?;
            let up_to = found.last().map_or(behind, |last| last.place);
            let told = found.into_iter().filter(|one| one.message.topic.is_told());
            Ok::<_, StoreError>(Read {
                head,
                told: told.collect(),
                up_to,
            })
        })
        .await
}
