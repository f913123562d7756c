//! What is told to the outside of what has happened, and in which order?
//!
//! A message is written in the transaction of the event that it is about. It has no place then: transactions commit in
//! another order than they write, and a reader that goes by a number drawn while writing passes over whatever commits
//! later with a smaller one. Places are given afterwards, to what is committed, one tenant at a time under the tenant's
//! head: they have no gaps, and whoever has read up to one has missed nothing before it.

use diesel::prelude::*;
use model::id::TenantId;
use model::incident::Transition;
use model::outbox::{Message, Placed};
use model::time::Timestamp;

use crate::dialect::insert_new;
use crate::error::{StoreError, StoreResult};
use crate::rows::{Table, at};
use crate::schema::{outbox, outbox_heads, webhook_deliveries};
use crate::tx::{Tx, WriteTx, Writes};

const TABLE: Table = Table("outbox");

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = outbox)]
struct Row {
    tenant_id: String,
    incident_id: String,
    seq: i64,
    message_id: String,
    topic: String,
    body: String,
    at: i64,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = outbox_heads)]
struct HeadRow {
    tenant_id: String,
    placed: i64,
    swept: i64,
}

/// How far the messages of a tenant go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// The last place that was given.
    pub placed: i64,
    /// The last place that was swept: what is there begins behind it.
    pub swept: i64,
}

/// Adds the messages of what has happened; only [`crate::incidents::append`] does.
pub(crate) fn insert(tx: &mut impl Writes, happened: &[Transition]) -> StoreResult<()> {
    for message in happened.iter().map(Message::of) {
        diesel::insert_into(outbox::table)
            .values(row(message))
            .execute(tx.conn())?;
    }
    Ok(())
}

/// Tenants behind this one that have messages without a place, in the order of their ids, at most `most`.
///
/// # Errors
/// What the database says.
pub fn unplaced(tx: &mut impl Tx, behind: Option<TenantId>, most: i64) -> StoreResult<Vec<TenantId>> {
    let mut query = outbox::table
        .filter(outbox::place.is_null())
        .select(outbox::tenant_id)
        .distinct()
        .order(outbox::tenant_id)
        .limit(most)
        .into_boxed();
    if let Some(behind) = behind {
        query = query.filter(outbox::tenant_id.gt(behind.to_string()));
    }
    let tenants: Vec<String> = query.load(tx.conn())?;
    tenants
        .iter()
        .map(|tenant| TABLE.parse("tenant_id", tenant))
        .collect()
}

/// Gives places to messages of a tenant that are committed, the oldest `most`, and says which: as they happened, of each
/// Incident in the order of its events.
///
/// # Errors
/// [`StoreError::Contention`] if somebody else has given places meanwhile: repeated, the transaction comes behind it.
pub fn place(tx: &mut WriteTx<'_>, tenant: TenantId, now: Timestamp, most: i64) -> StoreResult<Vec<Placed>> {
    use crate::tx::sealed::Connected as _;
    let head = make_head(tx, tenant)?;
    // No event of an Incident is before the one that it follows (`Transition`), whatever becomes of clocks.
    let rows: Vec<Row> = outbox::table
        .filter(outbox::tenant_id.eq(tenant.to_string()))
        .filter(outbox::place.is_null())
        .order((outbox::at, outbox::incident_id, outbox::seq))
        .limit(most)
        .select(Row::as_select())
        .load(tx.conn())?;
    let placed: Vec<Placed> = rows
        .into_iter()
        .zip(head.placed.saturating_add(1)..)
        .map(|(row, place)| {
            let message = message(row)?;
            Ok(Placed { place, message })
        })
        .collect::<StoreResult<_>>()?;
    let Some(last) = placed.last() else {
        return Ok(placed);
    };
    let moved = diesel::update(outbox_heads::table.find(tenant.to_string()))
        .filter(outbox_heads::placed.eq(head.placed))
        .set(outbox_heads::placed.eq(last.place))
        .execute(tx.conn())?;
    if moved == 0 {
        return Err(StoreError::overtaken());
    }
    for one in &placed {
        let of = &one.message;
        diesel::update(outbox::table.find((tenant.to_string(), of.incident.to_string(), of.seq)))
            .set((outbox::place.eq(one.place), outbox::placed_at.eq(now.as_micros())))
            .execute(tx.conn())?;
    }
    Ok(placed)
}

fn make_head(tx: &mut WriteTx<'_>, tenant: TenantId) -> StoreResult<Head> {
    use crate::tx::sealed::Connected as _;
    if let Some(head) = find_head(tx, tenant)? {
        return Ok(head);
    }
    let rows = [HeadRow {
        tenant_id: tenant.to_string(),
        placed: 0,
        swept: 0,
    }];
    let _is_new = insert_new!(tx.conn(), outbox_heads::table, &rows);
    head(tx, tenant)
}

/// How far the messages of a tenant go.
///
/// # Errors
/// What the database says.
pub fn head(tx: &mut impl Tx, tenant: TenantId) -> StoreResult<Head> {
    Ok(find_head(tx, tenant)?.unwrap_or_default())
}

fn find_head(tx: &mut impl Tx, tenant: TenantId) -> StoreResult<Option<Head>> {
    let row: Option<HeadRow> = outbox_heads::table
        .find(tenant.to_string())
        .get_result(tx.conn())
        .optional()?;
    Ok(row.map(|row| Head {
        placed: row.placed,
        swept: row.swept,
    }))
}

/// The messages of a tenant behind a place, in their order, at most `most`.
///
/// # Errors
/// What the database says.
pub fn after(tx: &mut impl Tx, tenant: TenantId, place: i64, most: i64) -> StoreResult<Vec<Placed>> {
    let rows: Vec<(Row, Option<i64>)> = outbox::table
        .filter(outbox::tenant_id.eq(tenant.to_string()))
        .filter(outbox::place.gt(place))
        .order(outbox::place)
        .limit(most)
        .select((Row::as_select(), outbox::place))
        .load(tx.conn())?;
    rows.into_iter()
        .map(|(row, place)| {
            let message = message(row)?;
            Ok(Placed {
                place: place.unwrap_or_default(),
                message,
            })
        })
        .collect()
}

/// The message at a place.
///
/// # Errors
/// What the database says.
pub fn find(tx: &mut impl Tx, tenant: TenantId, place: i64) -> StoreResult<Option<Message>> {
    let row: Option<Row> = outbox::table
        .filter(outbox::tenant_id.eq(tenant.to_string()))
        .filter(outbox::place.eq(place))
        .select(Row::as_select())
        .get_result(tx.conn())
        .optional()?;
    row.map(message).transpose()
}

/// When the oldest message that waits for its place was made; of all tenants.
///
/// # Errors
/// What the database says.
pub fn waiting_since(tx: &mut impl Tx) -> StoreResult<Option<Timestamp>> {
    let oldest: Option<i64> = outbox::table
        .filter(outbox::place.is_null())
        .select(diesel::dsl::min(outbox::at))
        .get_result(tx.conn())?;
    Ok(oldest.map(at))
}

/// Tenants that have messages that were given their place before this instant, at most `most`.
///
/// # Errors
/// What the database says.
pub fn old(tx: &mut impl Tx, before: Timestamp, most: i64) -> StoreResult<Vec<TenantId>> {
    let tenants: Vec<String> = outbox::table
        .filter(outbox::placed_at.lt(before.as_micros()))
        .select(outbox::tenant_id)
        .distinct()
        .limit(most)
        .load(tx.conn())?;
    tenants
        .iter()
        .map(|tenant| TABLE.parse("tenant_id", tenant))
        .collect()
}

/// Sweeps the oldest messages of a tenant that were given their place before this instant, at most `most` of them, with
/// their deliveries, and says how many messages they were. What is still to be delivered stays, with all behind it.
///
/// # Errors
/// What the database says.
pub fn sweep(tx: &mut WriteTx<'_>, tenant: TenantId, before: Timestamp, most: i64) -> StoreResult<usize> {
    use crate::tx::sealed::Connected as _;
    let head = head(tx, tenant)?;
    let pending: Option<i64> = webhook_deliveries::table
        .filter(webhook_deliveries::tenant_id.eq(tenant.to_string()))
        .filter(webhook_deliveries::due_at.is_not_null())
        .select(diesel::dsl::min(webhook_deliveries::place))
        .get_result(tx.conn())?;
    let up_to = head.swept.saturating_add(most);
    let up_to = pending.map_or(up_to, |pending| up_to.min(pending - 1));
    // Places are given in the order of time but for clocks that differ: the first young one ends it.
    let young: Option<i64> = outbox::table
        .filter(outbox::tenant_id.eq(tenant.to_string()))
        .filter(outbox::place.gt(head.swept))
        .filter(outbox::place.le(up_to))
        .filter(outbox::placed_at.ge(before.as_micros()))
        .select(diesel::dsl::min(outbox::place))
        .get_result(tx.conn())?;
    let last = young.map_or(up_to, |young| young - 1).min(head.placed);
    if last <= head.swept {
        return Ok(0);
    }
    diesel::delete(
        webhook_deliveries::table
            .filter(webhook_deliveries::tenant_id.eq(tenant.to_string()))
            .filter(webhook_deliveries::place.le(last)),
    )
    .execute(tx.conn())?;
    let swept = diesel::delete(
        outbox::table
            .filter(outbox::tenant_id.eq(tenant.to_string()))
            .filter(outbox::place.le(last)),
    )
    .execute(tx.conn())?;
    diesel::update(outbox_heads::table.find(tenant.to_string()))
        .set(outbox_heads::swept.eq(last))
        .execute(tx.conn())?;
    Ok(swept)
}

fn row(of: Message) -> Row {
    Row {
        tenant_id: of.tenant.to_string(),
        incident_id: of.incident.to_string(),
        seq: of.seq,
        message_id: of.id,
        topic: of.topic.as_str().to_owned(),
        body: of.body,
        at: of.at.as_micros(),
    }
}

fn message(row: Row) -> StoreResult<Message> {
    Ok(Message {
        tenant: TABLE.parse("tenant_id", &row.tenant_id)?,
        incident: TABLE.parse("incident_id", &row.incident_id)?,
        seq: row.seq,
        id: row.message_id,
        topic: TABLE.parse("topic", &row.topic)?,
        body: row.body,
        at: at(row.at),
    })
}
