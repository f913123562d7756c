//! The ledger: every hold that was ever taken, and how it ended.

mod words;

use std::sync::Arc;

use diesel::prelude::*;
use model::amounts::Amounts;
use model::hold::{Hold, HoldItem, HoldStatus};
use model::id::{HoldId, LimitId, TenantId};
use model::time::Timestamp;

use crate::counters::Counter;
use crate::dialect::holds::{self as dialect, EndRow, HoldRow};
use crate::error::StoreResult;
use crate::rows::{Table, at, micros, to_json};
use crate::schema::holds;
use crate::tx::{LockTx, Tx};

use self::words::{AmountsWords, ItemWords, SubjectWords};

const TABLE: Table = Table("holds");

/// Holds on a limit that are read at a time.
const SHARES: i64 = 5_000;

/// Adds new holds to the ledger.
///
/// # Errors
/// What the database says.
pub fn insert(tx: &mut LockTx<'_>, holds: &[Hold]) -> StoreResult<()> {
    let rows: Vec<HoldRow> = holds.iter().map(row).collect();
    Ok(dialect::insert(crate::tx::sealed::Connected::conn(tx), rows)?)
}

/// Adds to the counters, as [`crate::counters::add`] does, and adds the holds that explain it.
///
/// # Errors
/// What the database says.
pub fn take(tx: &mut LockTx<'_>, holds: &[Hold], deltas: &[Counter]) -> StoreResult<()> {
    let rows: Vec<HoldRow> = holds.iter().map(row).collect();
    let deltas = crate::counters::delta_rows(deltas);
    Ok(dialect::take(
        crate::tx::sealed::Connected::conn(tx),
        rows,
        &deltas,
    )?)
}

/// Locks the holds and reads them; those that do not exist are left out. `ids` must ascend.
///
/// # Errors
/// What the database says.
pub fn lock(tx: &mut LockTx<'_>, ids: &[(TenantId, HoldId)]) -> StoreResult<Vec<Hold>> {
    debug_assert!(ids.is_sorted(), "locks are taken in ascending order");
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let texts: Vec<_> = ids
        .iter()
        .map(|(tenant, id)| (tenant.to_string(), id.to_string()))
        .collect();
    dialect::lock(crate::tx::sealed::Connected::conn(tx), &texts)?
        .into_iter()
        .map(hold)
        .collect()
}

/// Writes how holds ended. They must be locked and no longer PENDING.
///
/// # Errors
/// What the database says.
pub fn end(tx: &mut LockTx<'_>, holds: &[Hold]) -> StoreResult<()> {
    let rows: Vec<EndRow> = holds.iter().map(end_row).collect();
    Ok(dialect::end(crate::tx::sealed::Connected::conn(tx), &rows)?)
}

/// Writes until when holds live. They must be locked and PENDING.
///
/// # Errors
/// What the database says.
pub fn renew(tx: &mut LockTx<'_>, holds: &[Hold]) -> StoreResult<()> {
    let conn = crate::tx::sealed::Connected::conn(tx);
    for hold in holds {
        let found = holds::table.find((hold.tenant.to_string(), hold.id.to_string()));
        diesel::update(found)
            .set(holds::expires_at.eq(hold.expires_at.as_micros()))
            .execute(conn)?;
    }
    Ok(())
}

/// One hold of a tenant.
///
/// # Errors
/// What the database says.
pub fn find(tx: &mut impl Tx, tenant: TenantId, id: HoldId) -> StoreResult<Option<Hold>> {
    let found: Option<HoldRow> = holds::table
        .find((tenant.to_string(), id.to_string()))
        .get_result(tx.conn())
        .optional()?;
    found.map(hold).transpose()
}

/// Where a hold of a tenant stands.
///
/// # Errors
/// What the database says.
pub fn status(tx: &mut impl Tx, tenant: TenantId, id: HoldId) -> StoreResult<Option<HoldStatus>> {
    let found: Option<String> = holds::table
        .find((tenant.to_string(), id.to_string()))
        .select(holds::status)
        .get_result(tx.conn())
        .optional()?;
    found.map(|text| TABLE.parse("status", &text)).transpose()
}

/// An open hold whose time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overdue {
    /// Whose hold.
    pub tenant: TenantId,
    /// Which hold.
    pub id: HoldId,
    /// When its time was over.
    pub expires_at: Timestamp,
}

/// Open holds whose time is over, oldest first, at most `most`, behind `after`.
///
/// # Errors
/// What the database says.
pub fn overdue(
    tx: &mut impl Tx,
    now: Timestamp,
    after: Option<Overdue>,
    most: i64,
) -> StoreResult<Vec<Overdue>> {
    let mut query = holds::table
        .filter(holds::status.eq("PENDING"))
        .filter(holds::expires_at.le(now.as_micros()))
        .order((holds::expires_at, holds::id))
        .limit(most)
        .select((holds::tenant_id, holds::id, holds::expires_at))
        .into_boxed();
    if let Some(after) = after {
        let time = after.expires_at.as_micros();
        let same_time = holds::expires_at.eq(time).and(holds::id.gt(after.id.to_string()));
        query = query.filter(holds::expires_at.gt(time).or(same_time));
    }
    let rows: Vec<(String, String, i64)> = query.load(tx.conn())?;
    rows.iter()
        .map(|(tenant, id, expires_at)| {
            Ok(Overdue {
                tenant: TABLE.parse("tenant_id", tenant)?,
                id: TABLE.parse("id", id)?,
                expires_at: at(*expires_at),
            })
        })
        .collect()
}

/// A stretch of the whole ledger in the order of its key in this database, for verification.
///
/// # Errors
/// What the database says.
pub fn stretch(tx: &mut impl Tx, after: Option<(TenantId, HoldId)>, most: i64) -> StoreResult<Vec<Hold>> {
    let after = after.map(|(tenant, id)| (tenant.to_string(), id.to_string()));
    let rows = dialect::stretch(tx.conn(), after.as_ref(), most)?;
    rows.into_iter().map(hold).collect()
}

/// What a hold has on a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// When the hold was taken.
    pub taken_at: Timestamp,
    /// What it has on the limit.
    pub item: HoldItem,
}

/// Everything that open holds have on a limit. All open holds are looked through, of all tenants.
///
/// # Errors
/// What the database says.
pub fn open_on(tx: &mut impl Tx, limit: (TenantId, LimitId)) -> StoreResult<Vec<Share>> {
    let stretch = dialect::open_on(tx.conn(), &limit.1.to_string())?;
    let mut open = Vec::new();
    for (tenant, taken_at, items) in &stretch {
        shares(limit, tenant, *taken_at, items, &mut |share| open.push(share))?;
    }
    Ok(open)
}

/// What holds that were taken since then have settled on a limit, leaving out what only carries over what others have
/// settled. All holds with the id `from` or a later one are looked through: on PostgreSQL those of the limit's owner, and
/// everybody's on SQLite and for a limit of the platform.
///
/// # Errors
/// What the database says.
pub fn settled_on(
    tx: &mut impl Tx,
    limit: (TenantId, LimitId),
    since: Timestamp,
    from: Option<HoldId>,
) -> StoreResult<i64> {
    let mut sum = 0_i64;
    let since = since.as_micros();
    each_settled(tx, limit, (since, from), |share| {
        let used = if share.item.carried { 0 } else { share.item.settled };
        sum = sum.saturating_add(used);
    })?;
    Ok(sum)
}

fn each_settled(
    tx: &mut impl Tx,
    (owner, limit): (TenantId, LimitId),
    (since, from): (i64, Option<HoldId>),
    mut each: impl FnMut(Share),
) -> StoreResult<()> {
    // The limits of the platform are on the holds of all tenants.
    let tenant = (owner != TenantId::PLATFORM).then(|| owner.to_string());
    let from = from.map(|id| id.to_string());
    let asked = dialect::SettledOn {
        tenant: tenant.as_deref(),
        limit: &limit.to_string(),
        since,
        from: from.as_deref(),
    };
    let mut after = None;
    loop {
        let stretch = dialect::settled_on(tx.conn(), &asked, after.as_ref(), SHARES)?;
        let Some((last, _, _)) = stretch.last() else {
            return Ok(());
        };
        after = Some(last.clone());
        for ((tenant, _), taken_at, items) in &stretch {
            shares((owner, limit), tenant, *taken_at, items, &mut each)?;
        }
    }
}

/// What one hold has on the limit.
fn shares(
    limit: (TenantId, LimitId),
    tenant: &str,
    taken_at: i64,
    items: &str,
    each: &mut impl FnMut(Share),
) -> StoreResult<()> {
    let tenant = TABLE.parse("tenant_id", tenant)?;
    let items: Vec<ItemWords> = TABLE.json("items", items)?;
    let items = items.into_iter().map(|item| item.item(tenant));
    for item in items.filter(|item| (item.owner, item.limit) == limit) {
        each(Share {
            taken_at: at(taken_at),
            item,
        });
    }
    Ok(())
}

fn row(hold: &Hold) -> HoldRow {
    HoldRow {
        tenant_id: hold.tenant.to_string(),
        id: hold.id.to_string(),
        status: hold.status.as_str().to_owned(),
        decision_id: hold.decision.to_string(),
        run_id: hold.run.map(|run| run.to_string()),
        subject: to_json(&SubjectWords::from(&*hold.subject)),
        requested: to_json(&AmountsWords::from(&hold.requested)),
        settled: settled(hold),
        items: items(hold),
        created_at: hold.created_at.as_micros(),
        expires_at: hold.expires_at.as_micros(),
        ended_at: micros(hold.ended_at),
    }
}

fn end_row(hold: &Hold) -> EndRow {
    EndRow {
        tenant_id: hold.tenant.to_string(),
        id: hold.id.to_string(),
        status: hold.status.as_str(),
        settled: settled(hold),
        items: items(hold),
        ended_at: micros(hold.ended_at),
    }
}

fn settled(hold: &Hold) -> Option<String> {
    let words = hold.settled.as_ref().map(AmountsWords::from);
    words.as_ref().map(to_json)
}

fn items(hold: &Hold) -> String {
    let words = hold.items.iter().map(|item| ItemWords::of(item, hold.tenant));
    to_json(&words.collect::<Vec<_>>())
}

fn hold(row: HoldRow) -> StoreResult<Hold> {
    let tenant = TABLE.parse("tenant_id", &row.tenant_id)?;
    let items: Vec<ItemWords> = TABLE.json("items", &row.items)?;
    let settled = row
        .settled
        .map(|text| TABLE.json::<AmountsWords>("settled", &text));
    Ok(Hold {
        id: TABLE.parse("id", &row.id)?,
        tenant,
        status: TABLE.parse::<HoldStatus>("status", &row.status)?,
        decision: TABLE.parse("decision_id", &row.decision_id)?,
        run: TABLE.parse_opt("run_id", row.run_id.as_deref())?,
        subject: Arc::new(TABLE.json::<SubjectWords<'_>>("subject", &row.subject)?.into()),
        requested: TABLE.json::<AmountsWords>("requested", &row.requested)?.into(),
        settled: settled.transpose()?.map(Amounts::from),
        items: items.into_iter().map(|item| item.item(tenant)).collect(),
        created_at: at(row.created_at),
        expires_at: at(row.expires_at),
        ended_at: row.ended_at.map(at),
    })
}
