//! What did a day cost, and whom?

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use model::anomaly::{AnomalyEntity, SpentInADay};
use model::id::TenantId;
use model::money::NanoUsd;
use model::time::Timestamp;

use crate::dialect::upsert;
use crate::error::StoreResult;
use crate::rows::Table;
use crate::schema::{cost_days, cost_records};
use crate::tx::{Tx, WriteTx};

const TABLE: Table = Table("cost_days");

/// The most users, and the most features, that are kept of a day: those that cost most.
const KEPT_MOST: i64 = 1000;

#[derive(Queryable, Selectable, Insertable, AsChangeset, Clone)]
#[diesel(table_name = cost_days, primary_key(tenant_id, entity_type, day, entity_id))]
struct Row {
    tenant_id: String,
    day: i64,
    entity_type: String,
    entity_id: String,
    cost: i64,
    requests: i64,
    input_tokens: i64,
    summed_at: i64,
    retries: i64,
}

type Sums = (Option<String>, (i64, i64, i64, i64));

/// Up to when each day from `from` on was added up, the earliest first.
///
/// # Errors
/// What the database says.
pub fn summed(tx: &mut impl Tx, tenant: TenantId, from: i64) -> StoreResult<Vec<(i64, Timestamp)>> {
    let rows: Vec<(i64, i64)> = cost_days::table
        .filter(cost_days::tenant_id.eq(tenant.to_string()))
        .filter(cost_days::entity_type.eq(AnomalyEntity::Tenant.as_str()))
        .filter(cost_days::day.ge(from))
        .order(cost_days::day)
        .select((cost_days::day, cost_days::summed_at))
        .load(tx.conn())?;
    let at = |(day, at): (i64, i64)| (day, Timestamp::from_micros(at));
    Ok(rows.into_iter().map(at).collect())
}

/// The first day from `from` on of which there is a cost record.
///
/// # Errors
/// What the database says.
pub fn first(tx: &mut impl Tx, tenant: TenantId, from: i64) -> StoreResult<Option<i64>> {
    let first: Option<i64> = cost_records::table
        .filter(cost_records::tenant_id.eq(tenant.to_string()))
        .filter(cost_records::created_at.ge(Timestamp::start_of_day(from).as_micros()))
        .order(cost_records::created_at)
        .select(cost_records::created_at)
        .first(tx.conn())
        .optional()?;
    Ok(first.map(|at| Timestamp::from_micros(at).day()))
}

/// What a day cost as its cost records say: the tenant, and the users and features that cost most.
///
/// # Errors
/// What the database says.
pub fn of_records(tx: &mut impl Tx, tenant: TenantId, day: i64) -> StoreResult<Vec<SpentInADay>> {
    use cost_records::{created_at, end_user, feature, tenant_id};
    // Sums are NUMERIC on PostgreSQL unless they are cast back.
    let sums = || {
        (
            sql::<BigInt>("CAST(COALESCE(SUM(cost), 0) AS BIGINT)"),
            sql::<BigInt>("COUNT(*)"),
            sql::<BigInt>("CAST(COALESCE(SUM(input_tokens), 0) AS BIGINT)"),
            sql::<BigInt>("COUNT(CASE WHEN is_retry THEN 1 END)"),
        )
    };
    let of_day = || {
        cost_records::table
            .filter(tenant_id.eq(tenant.to_string()))
            .filter(created_at.ge(Timestamp::start_of_day(day).as_micros()))
            .filter(created_at.lt(Timestamp::start_of_day(day.saturating_add(1)).as_micros()))
    };
    let whole: (i64, i64, i64, i64) = of_day().select(sums()).first(tx.conn())?;
    macro_rules! by {
        ($column:expr) => {
            of_day()
                .filter($column.is_not_null())
                .group_by($column)
                .select(($column, sums()))
                .order((sql::<BigInt>("SUM(cost)").desc(), $column.asc()))
                .limit(KEPT_MOST)
                .load::<Sums>(tx.conn())?
        };
    }
    let spent = |entity, (id, (cost, requests, input_tokens, retries)): Sums| SpentInADay {
        day,
        entity,
        entity_id: id.unwrap_or_default(),
        cost: NanoUsd(cost),
        requests,
        retries,
        input_tokens,
    };
    let (users, features) = (by!(end_user), by!(feature));
    let mut all = vec![spent(AnomalyEntity::Tenant, (None, whole))];
    all.extend(users.into_iter().map(|it| spent(AnomalyEntity::User, it)));
    all.extend(features.into_iter().map(|it| spent(AnomalyEntity::Feature, it)));
    Ok(all)
}

/// Keeps what a day cost, as it was added up at `at`.
///
/// # Errors
/// What the database says.
pub fn keep(tx: &mut WriteTx<'_>, tenant: TenantId, spent: &[SpentInADay], at: Timestamp) -> StoreResult<()> {
    use crate::tx::sealed::Connected as _;
    for one in spent {
        let row = Row {
            tenant_id: tenant.to_string(),
            day: one.day,
            entity_type: one.entity.as_str().to_owned(),
            entity_id: one.entity_id.clone(),
            cost: one.cost.0,
            requests: one.requests,
            input_tokens: one.input_tokens,
            summed_at: at.as_micros(),
            retries: one.retries,
        };
        let change = row.clone();
        upsert!(
            tx.conn(),
            cost_days::table,
            row,
            (
                cost_days::tenant_id,
                cost_days::entity_type,
                cost_days::day,
                cost_days::entity_id
            ),
            change
        );
    }
    Ok(())
}

/// What the days from `from` on cost.
///
/// # Errors
/// What the database says.
pub fn since(tx: &mut impl Tx, tenant: TenantId, from: i64) -> StoreResult<Vec<SpentInADay>> {
    let words =
        [AnomalyEntity::Tenant, AnomalyEntity::User, AnomalyEntity::Feature].map(AnomalyEntity::as_str);
    let rows: Vec<Row> = cost_days::table
        .filter(cost_days::tenant_id.eq(tenant.to_string()))
        .filter(cost_days::entity_type.eq_any(words))
        .filter(cost_days::day.ge(from))
        .order((cost_days::entity_type, cost_days::day, cost_days::entity_id))
        .select(Row::as_select())
        .load(tx.conn())?;
    let spent = |row: Row| {
        Ok(SpentInADay {
            day: row.day,
            entity: TABLE.parse("entity_type", &row.entity_type)?,
            entity_id: row.entity_id,
            cost: NanoUsd(row.cost),
            requests: row.requests,
            retries: row.retries,
            input_tokens: row.input_tokens,
        })
    };
    rows.into_iter().map(spent).collect()
}
