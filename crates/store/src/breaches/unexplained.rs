//! Which Limits were hit without anybody having looked at it?

use diesel::prelude::*;
use model::breach::Breach;
use model::id::{BreachId, TenantId};
use model::time::Timestamp;

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

/// Breaches of all tenants that nobody has looked at, the first ones first, behind `after`, at most `most`.
///
/// # Errors
/// What the database says.
pub fn unexplained(
    tx: &mut impl Tx,
    after: Option<(Timestamp, BreachId)>,
    most: i64,
) -> StoreResult<Vec<Breach>> {
    let mut query = limit_breaches::table
        .filter(limit_breaches::unexplained_since.is_not_null())
        .order((limit_breaches::unexplained_since, limit_breaches::id))
        .limit(most)
        .select(Stored::as_select())
        .into_boxed();
    if let Some((since, id)) = after {
        let since = since.as_micros();
        let later = limit_breaches::unexplained_since
            .gt(since)
            .or(limit_breaches::unexplained_since
                .eq(since)
                .and(limit_breaches::id.gt(id.to_string())));
        query = query.filter(later.assume_not_null());
    }
    let rows: Vec<Stored> = query.load(tx.conn())?;
    rows.iter().map(Stored::breach).collect()
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
