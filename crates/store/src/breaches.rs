//! Which limits were hit, when, and by what?

mod days;
mod of_run;
mod unexplained;

use diesel::prelude::*;
use model::breach::{Breach, BreachType};
use model::id::{LimitId, TenantId};
use model::time::Timestamp;

use crate::dialect::append::{append, appended};
use crate::dialect::prepared::{Rows as _, Value};
use crate::error::StoreResult;
use crate::schema::limit_breaches;
use crate::tx::{Tx, Writes};

pub use self::days::{is_first_audited_since, is_first_since, recent};
pub use self::of_run::{Hit, of_run};
pub(crate) use self::unexplained::Stored;
pub use self::unexplained::{UnexplainedUpTo, explained, unexplained};

struct Row {
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
    unexplained_since: Option<i64>,
}

impl Row {
    fn values(&self) -> [Value<'_>; NewBreaches::COLUMNS] {
        [
            Value::Text(&self.tenant_id),
            Value::Text(&self.id),
            Value::Text(&self.limit_owner),
            Value::Text(&self.limit_id),
            Value::MaybeText(self.run_id.as_deref()),
            Value::Text(&self.decision_id),
            Value::Text(&self.breach_type),
            Value::Number(self.value_at_breach),
            Value::Number(self.limit_value),
            Value::Number(self.breached_at),
            Value::MaybeNumber(self.unexplained_since),
        ]
    }
}

appended! {
    /// Limits that were hit.
    NewBreaches: limit_breaches (
        tenant_id, id, limit_owner, limit_id, run_id, decision_id, breach_type, value_at_breach, limit_value,
        breached_at, unexplained_since
    )
}

/// Adds breaches, and notes of those that an Incident may come of that nobody has looked at them.
///
/// # Errors
/// What the database says.
pub fn insert(tx: &mut impl Writes, breaches: &[Breach]) -> StoreResult<()> {
    let rows: Vec<Row> = breaches
        .iter()
        .map(|breach| Row {
            tenant_id: breach.tenant.to_string(),
            id: breach.id.to_string(),
            limit_owner: breach.limit_owner.to_string(),
            limit_id: breach.limit.to_string(),
            run_id: breach.run.map(|run| run.to_string()),
            decision_id: breach.decision.to_string(),
            breach_type: breach.breach_type.as_str().to_owned(),
            value_at_breach: breach.value,
            limit_value: breach.max,
            breached_at: breach.at.as_micros(),
            unexplained_since: is_looked_at(breach.breach_type).then_some(breach.at.as_micros()),
        })
        .collect();
    let values: Vec<_> = rows.iter().flat_map(Row::values).collect();
    append::<NewBreaches>(crate::tx::sealed::Connected::conn(tx), &values)?;
    days::count(tx, breaches)
}

/// Whether somebody is to look at it: a rate that is full is part of how it works.
const fn is_looked_at(how: BreachType) -> bool {
    match how {
        BreachType::Breached | BreachType::Exhausted | BreachType::Violated => true,
        BreachType::Throttled => false,
    }
}

/// How often a tenant's request has hit the limit since.
///
/// # Errors
/// What the database says.
pub fn count(tx: &mut impl Tx, owner: TenantId, limit: LimitId, since: Timestamp) -> StoreResult<i64> {
    Ok(limit_breaches::table
        .filter(limit_breaches::limit_owner.eq(owner.to_string()))
        .filter(limit_breaches::limit_id.eq(limit.to_string()))
        .filter(limit_breaches::breached_at.ge(since.as_micros()))
        .count()
        .get_result(tx.conn())?)
}
