//! Which Limits were hit without anybody having looked at it?

use diesel::prelude::*;
use model::breach::Breach;
use model::id::{BreachId, TenantId};

use crate::error::StoreResult;
use crate::rows::{Table, at};
use crate::schema::limit_breaches;
use crate::tx::{Tx, Writes};

const TABLE: Table = Table("limit_breaches");

/// A breach as it is stored.
#[derive(Queryable, Selectable)]
#[diesel(table_name = limit_breaches)]
pub(crate) struct Stored {
    tenant_id: String,
    id: String,
    limit_owner: String,
    limit_id: String,
    run_id: Option<String>,
    decision_id: String,
    breach_type: String,
    value_at_breach: i64,
    limit_value: i64,
    breached_at: i64,
}

impl Stored {
    pub(crate) fn breach(&self) -> StoreResult<Breach> {
        Ok(Breach {
            id: TABLE.parse("id", &self.id)?,
            tenant: TABLE.parse("tenant_id", &self.tenant_id)?,
            limit_owner: TABLE.parse("limit_owner", &self.limit_owner)?,
            limit: TABLE.parse("limit_id", &self.limit_id)?,
            run: TABLE.parse_opt("run_id", self.run_id.as_deref())?,
            decision: TABLE.parse("decision_id", &self.decision_id)?,
            breach_type: TABLE.parse("breach_type", &self.breach_type)?,
            value: self.value_at_breach,
            max: self.limit_value,
            at: at(self.breached_at),
        })
    }
}

/// Where a piece of these breaches ends, whatever stands in its last row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnexplainedUpTo {
    since: i64,
    id: String,
}

/// Breaches of all tenants that nobody has looked at, the first ones first, behind `after`, at most `most`. Each by itself,
/// as one that cannot be read must not hide the others; and where the next ones begin, if there may be more.
///
/// # Errors
/// What the database says.
pub fn unexplained(
    tx: &mut impl Tx,
    after: Option<UnexplainedUpTo>,
    most: i64,
) -> StoreResult<(Vec<StoreResult<Breach>>, Option<UnexplainedUpTo>)> {
    let mut query = limit_breaches::table
        .filter(limit_breaches::unexplained_since.is_not_null())
        .order((limit_breaches::unexplained_since, limit_breaches::id))
        .limit(most)
        .select((
            Stored::as_select(),
            limit_breaches::unexplained_since.assume_not_null(),
        ))
        .into_boxed();
    if let Some(UnexplainedUpTo { since, id }) = after {
        let later = limit_breaches::unexplained_since
            .gt(since)
            .or(limit_breaches::unexplained_since
                .eq(since)
                .and(limit_breaches::id.gt(id)));
        query = query.filter(later.assume_not_null());
    }
    let rows: Vec<(Stored, i64)> = query.load(tx.conn())?;
    let is_last = i64::try_from(rows.len()).is_ok_and(|found| found < most);
    let up_to = rows
        .last()
        .filter(|_| !is_last)
        .map(|(last, since)| UnexplainedUpTo {
            since: *since,
            id: last.id.clone(),
        });
    Ok((rows.iter().map(|(row, _)| row.breach()).collect(), up_to))
}

/// Notes that breaches have been looked at.
///
/// # Errors
/// What the database says.
pub fn explained(tx: &mut impl Writes, list: &[(TenantId, BreachId)]) -> StoreResult<()> {
    for (tenant, id) in list {
        let one = limit_breaches::table
            .filter(limit_breaches::tenant_id.eq(tenant.to_string()))
            .filter(limit_breaches::id.eq(id.to_string()));
        diesel::update(one)
            .set(limit_breaches::unexplained_since.eq(None::<i64>))
            .execute(tx.conn())?;
    }
    Ok(())
}
