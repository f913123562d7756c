//! Who is sent messages?

pub mod deliveries;

use diesel::dsl::exists;
use diesel::prelude::*;
use infra::secrets::Sealed;
use model::id::{TenantId, WebhookId};
use model::time::Timestamp;
use model::webhook::{Health, Webhook, WebhookStatus};

use crate::error::{StoreError, StoreResult};
use crate::rows::{Table, at, micros, to_json};
use crate::schema::{webhook_deliveries, webhooks};
use crate::tx::{Tx, WriteTx, Writes};

const TABLE: Table = Table("webhooks");

/// What is read and written of a receiver; its secrets and its lease are no part of it.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = webhooks)]
struct Row {
    tenant_id: String,
    id: String,
    url: String,
    description: Option<String>,
    topics: String,
    status: String,
    status_reason: Option<String>,
    previous_until: Option<i64>,
    failures: i64,
    failing_since: Option<i64>,
    rests_until: i64,
    created_at: i64,
    updated_at: i64,
}

/// What people change of a receiver.
#[derive(AsChangeset)]
#[diesel(table_name = webhooks, treat_none_as_null = true)]
struct Changed {
    url: String,
    description: Option<String>,
    topics: String,
    status: &'static str,
    status_reason: Option<String>,
    previous_until: Option<i64>,
    updated_at: i64,
}

/// What the messages to a receiver are signed with.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// Always.
    pub current: Sealed,
    /// As well, until then.
    pub previous: Option<(Sealed, Timestamp)>,
}

/// Adds a receiver with its sealed secret.
///
/// # Errors
/// What the database says.
pub fn insert(tx: &mut impl Writes, new: &Webhook, secret: &Sealed) -> StoreResult<()> {
    diesel::insert_into(webhooks::table)
        .values((
            row(new),
            webhooks::secret.eq(secret.to_text()),
            webhooks::leased_until.eq(0),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Replaces what people say of a receiver; not its secrets, and not how it is doing.
///
/// # Errors
/// What the database says.
pub fn update(tx: &mut impl Writes, of: &Webhook) -> StoreResult<()> {
    diesel::update(webhooks::table.find((of.tenant.to_string(), of.id.to_string())))
        .set(changed(of))
        .execute(tx.conn())?;
    Ok(())
}

/// Replaces how a receiver is doing, and nothing else.
///
/// # Errors
/// What the database says.
pub fn set_health(
    tx: &mut impl Writes,
    (tenant, id): (TenantId, WebhookId),
    health: Health,
) -> StoreResult<()> {
    diesel::update(webhooks::table.find((tenant.to_string(), id.to_string())))
        .set((
            webhooks::failures.eq(health.failures),
            webhooks::failing_since.eq(micros(health.failing_since)),
            webhooks::rests_until.eq(health.rests_until.as_micros()),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Gives a receiver another secret; the one that it has signs as well until `previous_until` of what is stored.
///
/// # Errors
/// What the database says.
pub fn rotate(tx: &mut impl Writes, of: &Webhook, secret: &Sealed) -> StoreResult<()> {
    let found = secrets(tx, of.tenant, of.id)?;
    diesel::update(webhooks::table.find((of.tenant.to_string(), of.id.to_string())))
        .set((
            changed(of),
            webhooks::secret.eq(secret.to_text()),
            webhooks::previous_secret.eq(found.map(|found| found.current.to_text())),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Takes the secrets of a receiver away, for ever.
///
/// # Errors
/// What the database says.
pub fn forget_secrets(tx: &mut impl Writes, tenant: TenantId, id: WebhookId) -> StoreResult<()> {
    diesel::update(webhooks::table.find((tenant.to_string(), id.to_string())))
        .set((
            webhooks::secret.eq(""),
            webhooks::previous_secret.eq(None::<String>),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// What the messages to a receiver are signed with.
///
/// # Errors
/// What the database says.
pub fn secrets(tx: &mut impl Tx, tenant: TenantId, id: WebhookId) -> StoreResult<Option<Secrets>> {
    let found: Option<(String, Option<String>, Option<i64>)> = webhooks::table
        .find((tenant.to_string(), id.to_string()))
        .select((
            webhooks::secret,
            webhooks::previous_secret,
            webhooks::previous_until,
        ))
        .get_result(tx.conn())
        .optional()?;
    let Some((current, previous, until)) = found else {
        return Ok(None);
    };
    let sealed = |text: &str, column| {
        let sealed = Sealed::from_text(text).ok();
        sealed.ok_or(StoreError::Corrupt {
            table: TABLE.0,
            column,
        })
    };
    let previous = previous.zip(until).map(|(text, until)| {
        let previous = sealed(&text, "previous_secret")?;
        Ok::<_, StoreError>((previous, at(until)))
    });
    Ok(Some(Secrets {
        current: sealed(&current, "secret")?,
        previous: previous.transpose()?,
    }))
}

/// One receiver, unless it was deleted.
///
/// # Errors
/// What the database says.
pub fn find(tx: &mut impl Tx, tenant: TenantId, id: WebhookId) -> StoreResult<Option<Webhook>> {
    let row: Option<Row> = webhooks::table
        .find((tenant.to_string(), id.to_string()))
        .filter(webhooks::status.ne(WebhookStatus::Deleted.as_str()))
        .select(Row::as_select())
        .get_result(tx.conn())
        .optional()?;
    row.map(webhook).transpose()
}

/// The receivers of a tenant that were not deleted, oldest first.
///
/// # Errors
/// What the database says.
pub fn list(tx: &mut impl Tx, tenant: TenantId) -> StoreResult<Vec<Webhook>> {
    let rows: Vec<Row> = webhooks::table
        .filter(webhooks::tenant_id.eq(tenant.to_string()))
        .filter(webhooks::status.ne(WebhookStatus::Deleted.as_str()))
        .order(webhooks::id)
        .select(Row::as_select())
        .load(tx.conn())?;
    rows.into_iter().map(webhook).collect()
}

/// Receivers of all tenants but these to whom something is to be sent now and to whom nobody is sending, at most `most`.
///
/// # Errors
/// What the database says.
pub fn due(
    tx: &mut impl Tx,
    now: Timestamp,
    but: &[TenantId],
    most: i64,
) -> StoreResult<Vec<(TenantId, WebhookId)>> {
    let but: Vec<String> = but.iter().map(ToString::to_string).collect();
    let now = now.as_micros();
    let waits = webhook_deliveries::table
        .filter(webhook_deliveries::tenant_id.eq(webhooks::tenant_id))
        .filter(webhook_deliveries::webhook_id.eq(webhooks::id))
        .filter(webhook_deliveries::due_at.le(now));
    let rows: Vec<(String, String)> = webhooks::table
        .filter(webhooks::status.eq(WebhookStatus::Enabled.as_str()))
        .filter(webhooks::rests_until.le(now))
        .filter(webhooks::leased_until.le(now))
        .filter(exists(waits))
        .filter(webhooks::tenant_id.ne_all(but))
        // Whoever was served longest ago comes first.
        .order((webhooks::leased_until, webhooks::tenant_id, webhooks::id))
        .limit(most)
        .select((webhooks::tenant_id, webhooks::id))
        .load(tx.conn())?;
    rows.into_iter()
        .map(|(tenant, id)| Ok((TABLE.parse("tenant_id", &tenant)?, TABLE.parse("id", &id)?)))
        .collect()
}

/// Nobody else sends to the receiver until then; false if somebody does already.
///
/// # Errors
/// What the database says.
pub fn lease(
    tx: &mut WriteTx<'_>,
    (tenant, id): (TenantId, WebhookId),
    now: Timestamp,
    until: Timestamp,
) -> StoreResult<bool> {
    use crate::tx::sealed::Connected as _;
    let leased = diesel::update(webhooks::table.find((tenant.to_string(), id.to_string())))
        .filter(webhooks::leased_until.le(now.as_micros()))
        .set(webhooks::leased_until.eq(until.as_micros()))
        .execute(tx.conn())?;
    Ok(leased > 0)
}

/// Gives a lease back, if it is still the one that ends then.
///
/// # Errors
/// What the database says.
pub fn release(
    tx: &mut WriteTx<'_>,
    (tenant, id): (TenantId, WebhookId),
    until: Timestamp,
    now: Timestamp,
) -> StoreResult<()> {
    use crate::tx::sealed::Connected as _;
    diesel::update(webhooks::table.find((tenant.to_string(), id.to_string())))
        .filter(webhooks::leased_until.eq(until.as_micros()))
        .set(webhooks::leased_until.eq(now.as_micros()))
        .execute(tx.conn())?;
    Ok(())
}

fn row(of: &Webhook) -> Row {
    Row {
        tenant_id: of.tenant.to_string(),
        id: of.id.to_string(),
        url: of.url.clone(),
        description: of.description.clone(),
        topics: to_json(&of.topics),
        status: of.status.as_str().to_owned(),
        status_reason: of.status_reason.clone(),
        previous_until: micros(of.previous_until),
        failures: of.health.failures,
        failing_since: micros(of.health.failing_since),
        rests_until: of.health.rests_until.as_micros(),
        created_at: of.created_at.as_micros(),
        updated_at: of.updated_at.as_micros(),
    }
}

fn changed(of: &Webhook) -> Changed {
    Changed {
        url: of.url.clone(),
        description: of.description.clone(),
        topics: to_json(&of.topics),
        status: of.status.as_str(),
        status_reason: of.status_reason.clone(),
        previous_until: micros(of.previous_until),
        updated_at: of.updated_at.as_micros(),
    }
}

fn webhook(row: Row) -> StoreResult<Webhook> {
    Ok(Webhook {
        id: TABLE.parse("id", &row.id)?,
        tenant: TABLE.parse("tenant_id", &row.tenant_id)?,
        url: row.url,
        description: row.description,
        topics: TABLE.json("topics", &row.topics)?,
        status: TABLE.parse("status", &row.status)?,
        status_reason: row.status_reason,
        previous_until: row.previous_until.map(at),
        health: Health {
            failures: row.failures,
            failing_since: row.failing_since.map(at),
            rests_until: at(row.rests_until),
        },
        created_at: at(row.created_at),
        updated_at: at(row.updated_at),
    })
}
