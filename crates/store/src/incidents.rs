//! Which Incidents are there, and what happened to them?
//!
//! Nothing is written but a [`Transition`], which only the machine can make: its event, and in the same statement the
//! Incident as it is now; and in the same transaction what is told to the outside of it.

mod breaches;
mod closed;
mod events;
mod listed;
mod named;
mod row;
mod runs;
mod service;
mod shown;
mod window;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use model::id::{IncidentId, TenantId};
use model::incident::{Incident, Projection, Standing, Transition};

use self::row::{Row, TABLE, facets, incident};
use crate::error::{StoreError, StoreResult};
use crate::schema::{incident_events, incidents};
use crate::totals::{self, Listing};
use crate::tx::{Tx, Writes};

pub use self::breaches::{breaches_of, latest, link_breaches, of_breach};
pub use self::closed::{Closed, ClosedUpTo, closed};
pub use self::events::events;
pub use self::listed::{Filter, Listed, list, page};
pub use self::named::{Named, after};
pub use self::runs::{led_to, linked, of_failure, of_run, of_signature, runs_of};
pub use self::service::{OfService, of_service};
pub use self::shown::{Shown, shown};
pub use self::window::{Brief, Lately, find_all, window};

/// Adds what has happened to one Incident, in the order in which it happened.
///
/// # Errors
/// [`StoreError::Contention`] if something else has happened to it meanwhile: repeated, the transaction finds that.
pub fn append(tx: &mut impl Writes, happened: &[Transition]) -> StoreResult<()> {
    let (Some(first), Some(last)) = (happened.first(), happened.last()) else {
        return Ok(());
    };
    let now = last.after();
    let row = Row::of(now, &last.standing().head);
    if first.event().seq == 1 {
        let inserted = diesel::insert_into(incidents::table)
            .values(row)
            .execute(tx.conn());
        match inserted.map_err(StoreError::from) {
            Err(StoreError::Duplicate(source)) => return Err(StoreError::Contention(source)),
            inserted => inserted?,
        };
        totals::add(tx, now.tenant, Listing::Incidents, &facets(now))?;
    } else {
        let before = replace(tx, first, row)?;
        let facets = (&facets(&before)[..], &facets(now)[..]);
        totals::change(tx, now.tenant, Listing::Incidents, facets)?;
    }
    events::insert(tx, happened)?;
    runs::link(tx, happened)?;
    crate::outbox::insert(tx, happened)
}

/// Replaces what stands there, if nothing else has happened to it since, and says what stood there.
fn replace(tx: &mut impl Writes, first: &Transition, row: Row) -> StoreResult<Incident> {
    let before: Row = incidents::table
        .find((&first.event().tenant, &first.event().incident))
        .get_result(tx.conn())?;
    let changed = diesel::update(incidents::table.find((&first.event().tenant, &first.event().incident)))
        .filter(incidents::version.eq(before.version))
        .filter(incidents::head_hash.eq(&first.event().prev_event_hash))
        .set(row)
        .execute(tx.conn())?;
    if changed == 0 || before.version != first.event().seq - 1 {
        return Err(StoreError::overtaken());
    }
    incident(&before)
}

/// One Incident.
///
/// # Errors
/// What the database says.
pub fn find(tx: &mut impl Tx, tenant: TenantId, id: IncidentId) -> StoreResult<Option<Incident>> {
    Ok(standing(tx, tenant, id)?.map(|standing| standing.incident))
}

/// One Incident as the next change is made from.
///
/// # Errors
/// What the database says.
pub fn standing(tx: &mut impl Tx, tenant: TenantId, id: IncidentId) -> StoreResult<Option<Standing>> {
    let row: Option<Row> = incidents::table
        .find((tenant.to_string(), id.to_string()))
        .get_result(tx.conn())
        .optional()?;
    row.as_ref().map(Row::standing).transpose()
}

/// The Incident that is about the same and not over, if there is one.
///
/// # Errors
/// What the database says.
pub fn same(tx: &mut impl Tx, tenant: TenantId, fingerprint: &str) -> StoreResult<Option<Standing>> {
    let row: Option<Row> = incidents::table
        .filter(incidents::tenant_id.eq(tenant.to_string()))
        .filter(incidents::fingerprint.eq(fingerprint))
        // The words of the partial index, so that it is seen to fit.
        .filter(sql::<Bool>(
            "(state = 'PENDING' OR state = 'OPEN' OR state = 'MITIGATING')",
        ))
        .get_result(tx.conn())
        .optional()?;
    row.as_ref().map(Row::standing).transpose()
}

/// What is stored of an Incident, as it is compared with its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The whole.
    pub projection: Projection,
    /// Whether what it is looked for by is what the whole says.
    pub is_found_by_what_it_is: bool,
}

/// What is stored of an Incident, whatever has become of it.
///
/// # Errors
/// What the database says.
pub fn stored(tx: &mut impl Tx, tenant: TenantId, id: IncidentId) -> StoreResult<Option<Stored>> {
    let row: Option<Row> = incidents::table
        .find((tenant.to_string(), id.to_string()))
        .get_result(tx.conn())
        .optional()?;
    Ok(row.map(|row| Stored {
        is_found_by_what_it_is: row.is_consistent(),
        projection: Projection {
            version: row.version,
            head: row.head_hash,
            body: row.body,
        },
    }))
}

/// Whose Incident it is, or was, if events alone are left of it. Every tenant is looked through: this is for the people who run the installation.
///
/// # Errors
/// What the database says.
pub fn tenant_of(tx: &mut impl Tx, id: IncidentId) -> StoreResult<Option<TenantId>> {
    let tenant: Option<String> = incidents::table
        .filter(incidents::id.eq(id.to_string()))
        .select(incidents::tenant_id)
        .first(tx.conn())
        .optional()?;
    if let Some(tenant) = tenant {
        return TABLE.parse("tenant_id", &tenant).map(Some);
    }
    let told: Option<String> = incident_events::table
        .filter(incident_events::incident_id.eq(id.to_string()))
        .select(incident_events::tenant_id)
        .first(tx.conn())
        .optional()?;
    TABLE.parse_opt("tenant_id", told.as_deref())
}
