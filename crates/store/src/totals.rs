//! How many rows has a table of the console, without counting them?
//!
//! Rows are added up by what they are filtered by, in the transaction that adds or changes one. There are as many sums as
//! there are combinations of words, however many rows there are.

use diesel::prelude::*;
use diesel::upsert::excluded;
use model::id::TenantId;

use crate::dialect::upsert;
use crate::error::StoreResult;
use crate::schema::listing_totals;
use crate::tx::{Tx, Writes};

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    Incidents,
    Limits,
    PolicyRules,
}

impl Listing {
    const fn word(self) -> &'static str {
        match self {
            Self::Incidents => "incidents",
            Self::Limits => "limits",
            Self::PolicyRules => "policy_rules",
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = listing_totals)]
struct Row {
    tenant_id: String,
    listing: &'static str,
    facets: String,
    total: i64,
}

/// One row more with these words.
pub(crate) fn add(
    tx: &mut impl Writes,
    owner: TenantId,
    listing: Listing,
    words: &[&str],
) -> StoreResult<()> {
    use listing_totals as totals;
    let row = Row {
        tenant_id: owner.to_string(),
        listing: listing.word(),
        facets: words.join("/"),
        total: 1,
    };
    upsert!(
        tx.conn(),
        totals::table,
        &row,
        (totals::tenant_id, totals::listing, totals::facets),
        totals::total.eq(totals::total + excluded(totals::total))
    );
    Ok(())
}

/// One row that had the first words has the others now.
pub(crate) fn change(
    tx: &mut impl Writes,
    owner: TenantId,
    listing: Listing,
    (before, after): (&[&str], &[&str]),
) -> StoreResult<()> {
    if before == after {
        return Ok(());
    }
    let key = (owner.to_string(), listing.word(), before.join("/"));
    diesel::update(listing_totals::table.find(key))
        .set(listing_totals::total.eq(listing_totals::total - 1))
        .execute(tx.conn())?;
    add(tx, owner, listing, after)
}

/// How many rows have these words; no word in a place means any.
pub(crate) fn of(
    tx: &mut impl Tx,
    owner: TenantId,
    listing: Listing,
    wanted: &[Option<&str>],
) -> StoreResult<i64> {
    let sums: Vec<(String, i64)> = listing_totals::table
        .filter(listing_totals::tenant_id.eq(owner.to_string()))
        .filter(listing_totals::listing.eq(listing.word()))
        .select((listing_totals::facets, listing_totals::total))
        .load(tx.conn())?;
    let fits = |facets: &str| {
        facets
            .split('/')
            .zip(wanted)
            .all(|(word, wanted)| wanted.is_none_or(|wanted| wanted == word))
    };
    let fitting = sums.iter().filter(|(facets, _)| fits(facets));
    Ok(fitting.fold(0, |sum, (_, total)| sum.saturating_add(*total)))
}
