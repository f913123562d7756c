//! Who changed what?
//!
//! Every tenant's entries are numbered without gaps, and each is linked to the one before it by a hash.

use diesel::prelude::*;
use model::audit::{Actor, AuditEntry, EntityType};
use model::digest::Digest;
use model::id::TenantId;

use crate::error::{StoreError, StoreResult};
use crate::rows::{Table, at};
use crate::schema::audit_ledger;
use crate::tx::{Tx, Writes};

const TABLE: Table = Table("audit_ledger");

#[derive(Queryable, Insertable)]
#[diesel(table_name = audit_ledger)]
struct Row {
    tenant_id: String,
    seq: i64,
    id: String,
    event_type: String,
    entity_type: String,
    entity_id: String,
    actor_type: String,
    actor_id: Option<String>,
    reason: Option<String>,
    before_state: Option<String>,
    after_state: Option<String>,
    correlation_id: String,
    hash: String,
    created_at: i64,
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its number; the first is 1.
    pub seq: i64,
    /// What it says.
    pub entry: AuditEntry,
    /// Its hash.
    pub hash: Digest,
}

/// Adds an entry behind the last one of its tenant.
///
/// # Errors
/// [`StoreError::Contention`] if somebody else has added one meanwhile: repeated, the transaction comes behind it.
pub fn append(tx: &mut impl Writes, entry: &AuditEntry) -> StoreResult<()> {
    let last = last(tx, entry.tenant)?;
    let (seq, previous) = last.map_or((1, Digest::ZERO), |(seq, hash)| (seq.saturating_add(1), hash));
    let inserted = diesel::insert_into(audit_ledger::table)
        .values(row(entry, seq, entry.hash(seq, previous)))
        .execute(tx.conn());
    match inserted.map_err(StoreError::from) {
        Ok(_rows) => Ok(()),
        Err(StoreError::Duplicate(source)) => Err(StoreError::Contention(source)),
        Err(error) => Err(error),
    }
}

/// The number and the hash of the last entry of a tenant.
///
/// # Errors
/// What the database says.
pub fn last(tx: &mut impl Tx, tenant: TenantId) -> StoreResult<Option<(i64, Digest)>> {
    let row: Option<(i64, String)> = audit_ledger::table
        .filter(audit_ledger::tenant_id.eq(tenant.to_string()))
        .order(audit_ledger::seq.desc())
        .select((audit_ledger::seq, audit_ledger::hash))
        .first(tx.conn())
        .optional()?;
    row.map(|(seq, hash)| Ok((seq, TABLE.parse("hash", &hash)?)))
        .transpose()
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this kind of thing.
    pub entity_type: Option<EntityType>,
    /// Only of this one; needs `entity_type`.
    pub entity_id: Option<String>,
    /// Only entries before this number.
    pub before: Option<i64>,
}

/// Entries of a tenant, newest first, at most `most`.
///
/// # Errors
/// What the database says.
pub fn list(tx: &mut impl Tx, tenant: TenantId, filter: &Filter, most: i64) -> StoreResult<Vec<Placed>> {
    let mut query = audit_ledger::table
        .filter(audit_ledger::tenant_id.eq(tenant.to_string()))
        .order(audit_ledger::seq.desc())
        .limit(most)
        .into_boxed();
    if let Some(kind) = filter.entity_type {
        query = query.filter(audit_ledger::entity_type.eq(kind.as_str()));
    }
    if let Some(id) = &filter.entity_id {
        query = query.filter(audit_ledger::entity_id.eq(id.clone()));
    }
    if let Some(before) = filter.before {
        query = query.filter(audit_ledger::seq.lt(before));
    }
    query.load::<Row>(tx.conn())?.into_iter().map(placed).collect()
}

/// Entries of a tenant behind this number, oldest first, at most `most`: for checking the chain.
///
/// # Errors
/// What the database says.
pub fn after(tx: &mut impl Tx, tenant: TenantId, seq: i64, most: i64) -> StoreResult<Vec<Placed>> {
    let rows: Vec<Row> = audit_ledger::table
        .filter(audit_ledger::tenant_id.eq(tenant.to_string()))
        .filter(audit_ledger::seq.gt(seq))
        .order(audit_ledger::seq)
        .limit(most)
        .load(tx.conn())?;
    rows.into_iter().map(placed).collect()
}

fn row(entry: &AuditEntry, seq: i64, hash: Digest) -> Row {
    Row {
        tenant_id: entry.tenant.to_string(),
        seq,
        id: entry.id.to_string(),
        event_type: entry.event.as_str().to_owned(),
        entity_type: entry.entity_type.as_str().to_owned(),
        entity_id: entry.entity_id.clone(),
        actor_type: entry.actor.kind.as_str().to_owned(),
        actor_id: entry.actor.id.clone(),
        reason: entry.reason.clone(),
        before_state: entry.before.clone(),
        after_state: entry.after.clone(),
        correlation_id: entry.correlation_id.clone(),
        hash: hash.to_string(),
        created_at: entry.at.as_micros(),
    }
}

fn placed(row: Row) -> StoreResult<Placed> {
    let entry = AuditEntry {
        id: TABLE.parse("id", &row.id)?,
        tenant: TABLE.parse("tenant_id", &row.tenant_id)?,
        event: TABLE.parse("event_type", &row.event_type)?,
        entity_type: TABLE.parse("entity_type", &row.entity_type)?,
        entity_id: row.entity_id,
        actor: Actor {
            kind: TABLE.parse("actor_type", &row.actor_type)?,
            id: row.actor_id,
        },
        reason: row.reason,
        before: row.before_state,
        after: row.after_state,
        correlation_id: row.correlation_id,
        at: at(row.created_at),
    };
    Ok(Placed {
        seq: row.seq,
        entry,
        hash: TABLE.parse("hash", &row.hash)?,
    })
}
