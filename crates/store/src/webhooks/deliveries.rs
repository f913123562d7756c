//! What is sent to receivers, and what became of it?

use diesel::prelude::*;
use model::id::{DeliveryId, TenantId, WebhookId};
use model::time::Timestamp;
use model::webhook::{Attempt, Delivery, DeliveryError, DeliveryStatus, WebhookStatus};

use crate::error::StoreResult;
use crate::rows::{Table, at, micros};
use crate::schema::{webhook_deliveries, webhooks};
use crate::tx::{Tx, Writes};

const TABLE: Table = Table("webhook_deliveries");

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = webhook_deliveries, primary_key(tenant_id, id), treat_none_as_null = true)]
struct Row {
    tenant_id: String,
    id: String,
    webhook_id: String,
    place: i64,
    topic: String,
    status: String,
    attempts: i64,
    step: i64,
    unsent: Option<i64>,
    due_at: Option<i64>,
    last_at: Option<i64>,
    last_status: Option<i64>,
    last_error: Option<String>,
    created_at: i64,
    finished_at: Option<i64>,
}

/// Adds what is to be sent.
///
/// # Errors
/// What the database says.
pub fn insert(tx: &mut impl Writes, new: &[Delivery]) -> StoreResult<()> {
    for one in new {
        diesel::insert_into(webhook_deliveries::table)
            .values(row(one))
            .execute(tx.conn())?;
    }
    Ok(())
}

/// What was never sent to a receiver, in the order of the messages, at most `most`.
///
/// # Errors
/// What the database says.
pub fn unsent(
    tx: &mut impl Tx,
    (tenant, webhook): (TenantId, WebhookId),
    most: i64,
) -> StoreResult<Vec<Delivery>> {
    let rows: Vec<Row> = webhook_deliveries::table
        .filter(webhook_deliveries::tenant_id.eq(tenant.to_string()))
        .filter(webhook_deliveries::webhook_id.eq(webhook.to_string()))
        .filter(webhook_deliveries::unsent.is_not_null())
        .order(webhook_deliveries::unsent)
        .limit(most)
        .load(tx.conn())?;
    rows.iter().map(delivery).collect()
}

/// What is sent to a receiver again, the longest due first, at most `most`.
///
/// # Errors
/// What the database says.
pub fn again(
    tx: &mut impl Tx,
    (tenant, webhook): (TenantId, WebhookId),
    now: Timestamp,
    most: i64,
) -> StoreResult<Vec<Delivery>> {
    let rows: Vec<Row> = webhook_deliveries::table
        .filter(webhook_deliveries::tenant_id.eq(tenant.to_string()))
        .filter(webhook_deliveries::webhook_id.eq(webhook.to_string()))
        .filter(webhook_deliveries::due_at.le(now.as_micros()))
        .filter(webhook_deliveries::unsent.is_null())
        .order(webhook_deliveries::due_at)
        .limit(most)
        .load(tx.conn())?;
    rows.iter().map(delivery).collect()
}

/// One delivery to a receiver.
///
/// # Errors
/// What the database says.
pub fn find(
    tx: &mut impl Tx,
    (tenant, webhook): (TenantId, WebhookId),
    id: DeliveryId,
) -> StoreResult<Option<Delivery>> {
    let row: Option<Row> = webhook_deliveries::table
        .find((tenant.to_string(), id.to_string()))
        .filter(webhook_deliveries::webhook_id.eq(webhook.to_string()))
        .get_result(tx.conn())
        .optional()?;
    row.as_ref().map(delivery).transpose()
}

/// What to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only what this has become of.
    pub status: Option<DeliveryStatus>,
    /// Only what is older than this one.
    pub before: Option<DeliveryId>,
}

/// Deliveries to a receiver, newest first, at most `most`.
///
/// # Errors
/// What the database says.
pub fn list(
    tx: &mut impl Tx,
    (tenant, webhook): (TenantId, WebhookId),
    filter: Filter,
    most: i64,
) -> StoreResult<Vec<Delivery>> {
    let mut query = webhook_deliveries::table
        .filter(webhook_deliveries::tenant_id.eq(tenant.to_string()))
        .filter(webhook_deliveries::webhook_id.eq(webhook.to_string()))
        .order(webhook_deliveries::id.desc())
        .limit(most)
        .into_boxed();
    if let Some(status) = filter.status {
        query = query.filter(webhook_deliveries::status.eq(status.as_str()));
    }
    if let Some(before) = filter.before {
        query = query.filter(webhook_deliveries::id.lt(before.to_string()));
    }
    let rows: Vec<Row> = query.load(tx.conn())?;
    rows.iter().map(delivery).collect()
}

/// Replaces a delivery, if it is as it was seen; false if something else has become of it meanwhile.
///
/// # Errors
/// What the database says.
pub fn replace(tx: &mut impl Writes, seen: &Delivery, now: &Delivery) -> StoreResult<bool> {
    let changed =
        diesel::update(webhook_deliveries::table.find((seen.tenant.to_string(), seen.id.to_string())))
            .filter(webhook_deliveries::status.eq(seen.status.as_str()))
            .filter(webhook_deliveries::attempts.eq(seen.attempts))
            .set(row(now))
            .execute(tx.conn())?;
    Ok(changed > 0)
}

/// Gives up all that is still to be sent to a receiver, and says how much that was.
///
/// # Errors
/// What the database says.
pub fn give_up(
    tx: &mut impl Writes,
    (tenant, webhook): (TenantId, WebhookId),
    now: Timestamp,
) -> StoreResult<usize> {
    let pending = webhook_deliveries::table
        .filter(webhook_deliveries::tenant_id.eq(tenant.to_string()))
        .filter(webhook_deliveries::webhook_id.eq(webhook.to_string()))
        .filter(webhook_deliveries::due_at.is_not_null());
    let given_up = diesel::update(pending)
        .set((
            webhook_deliveries::status.eq(DeliveryStatus::Dead.as_str()),
            webhook_deliveries::last_error.eq(DeliveryError::Stopped.as_str()),
            webhook_deliveries::last_at.eq(now.as_micros()),
            webhook_deliveries::finished_at.eq(now.as_micros()),
            webhook_deliveries::due_at.eq(None::<i64>),
            webhook_deliveries::unsent.eq(None::<i64>),
        ))
        .execute(tx.conn())?;
    Ok(given_up)
}

/// Gives up what waits for receivers of a tenant that are sent nothing, and says how much there was: what was written down
/// for one while it was being turned off.
///
/// # Errors
/// What the database says.
pub fn give_up_stopped(tx: &mut impl Writes, tenant: TenantId, now: Timestamp) -> StoreResult<usize> {
    let stopped = webhooks::table
        .filter(webhooks::tenant_id.eq(tenant.to_string()))
        .filter(webhooks::status.ne(WebhookStatus::Enabled.as_str()))
        .select(webhooks::id);
    let waiting: Vec<String> = webhook_deliveries::table
        .filter(webhook_deliveries::tenant_id.eq(tenant.to_string()))
        .filter(webhook_deliveries::webhook_id.eq_any(stopped))
        .filter(webhook_deliveries::due_at.is_not_null())
        .select(webhook_deliveries::webhook_id)
        .distinct()
        .load(tx.conn())?;
    let mut given_up = 0;
    for id in &waiting {
        let id = TABLE.parse("webhook_id", id)?;
        given_up += give_up(tx, (tenant, id), now)?;
    }
    Ok(given_up)
}

fn row(of: &Delivery) -> Row {
    let is_unsent = of.status == DeliveryStatus::Pending && of.attempts == 0;
    let last = of.last;
    Row {
        tenant_id: of.tenant.to_string(),
        id: of.id.to_string(),
        webhook_id: of.webhook.to_string(),
        place: of.place,
        topic: of.topic.as_str().to_owned(),
        status: of.status.as_str().to_owned(),
        attempts: of.attempts,
        step: of.step,
        unsent: is_unsent.then_some(of.place),
        due_at: micros(of.due_at),
        last_at: last.map(|last| last.at.as_micros()),
        last_status: last.and_then(|last| last.status).map(i64::from),
        last_error: last
            .and_then(|last| last.error)
            .map(|error| error.as_str().to_owned()),
        created_at: of.created_at.as_micros(),
        finished_at: micros(of.finished_at),
    }
}

fn delivery(row: &Row) -> StoreResult<Delivery> {
    let error: Option<DeliveryError> = TABLE.parse_opt("last_error", row.last_error.as_deref())?;
    let status = row.last_status.and_then(|status| u16::try_from(status).ok());
    Ok(Delivery {
        id: TABLE.parse("id", &row.id)?,
        tenant: TABLE.parse("tenant_id", &row.tenant_id)?,
        webhook: TABLE.parse("webhook_id", &row.webhook_id)?,
        place: row.place,
        topic: TABLE.parse("topic", &row.topic)?,
        status: TABLE.parse("status", &row.status)?,
        attempts: row.attempts,
        step: row.step,
        due_at: row.due_at.map(at),
        last: row.last_at.map(|last| Attempt {
            at: at(last),
            status,
            error,
        }),
        created_at: at(row.created_at),
        finished_at: row.finished_at.map(at),
    })
}
