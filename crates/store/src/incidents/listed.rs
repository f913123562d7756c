//! Which Incidents fit, piece by piece?

use diesel::prelude::*;
use model::id::TenantId;
use model::incident::{CauseType, Incident, IncidentState};
use model::page::{Cursor, Page, PageRequest};
use model::severity::Severity;
use model::time::Timestamp;

use super::row::{Row, incident, readable, topic};
use crate::error::StoreResult;
use crate::rows::paging::{behind, place};
use crate::schema::incidents;
use crate::totals::{self, Listing};
use crate::tx::Tx;

/// What the console lists: only what was approved, and nothing that was put away.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those that are over (`RESOLVED`), or only those that are not (`ACTIVE` and `ACKED`).
    pub is_over: bool,
    /// Only this severity.
    pub severity: Option<Severity>,
    /// Only this category.
    pub category: Option<String>,
    /// Only this cause.
    pub cause_type: Option<CauseType>,
    /// Only those opened then or later.
    pub created_after: Option<Timestamp>,
    /// Only those opened then or before.
    pub created_before: Option<Timestamp>,
}

impl Filter {
    const fn topic(&self) -> &'static str {
        topic(if self.is_over {
            IncidentState::Resolved
        } else {
            IncidentState::Open
        })
    }
}

macro_rules! filtered {
    ($tenant:expr, $filter:expr, $query:expr) => {{
        let filter: &Filter = $filter;
        let mut query = $query
            .filter(incidents::tenant_id.eq($tenant.to_string()))
            .filter(incidents::topic.eq(filter.topic()));
        if let Some(severity) = filter.severity {
            query = query.filter(incidents::severity.eq(severity.as_str()));
        }
        if let Some(category) = &filter.category {
            query = query.filter(incidents::category.eq(category.clone()));
        }
        if let Some(cause) = filter.cause_type {
            query = query.filter(incidents::cause_type.eq(cause.as_str()));
        }
        if let Some(after) = filter.created_after {
            query = query.filter(incidents::created_at.ge(after.as_micros()));
        }
        if let Some(before) = filter.created_before {
            query = query.filter(incidents::created_at.le(before.as_micros()));
        }
        query
    }};
}

/// A piece of the Incidents that fit, newest first, each by itself, as one that cannot be read must not hide the others;
/// and how many there are in all.
///
/// # Errors
/// What the database says.
pub fn page(
    tx: &mut impl Tx,
    tenant: TenantId,
    filter: &Filter,
    (limit, offset): (i64, i64),
) -> StoreResult<(Vec<StoreResult<Incident>>, i64)> {
    let total = if filter.created_after.is_some() || filter.created_before.is_some() {
        filtered!(tenant, filter, incidents::table.into_boxed())
            .count()
            .get_result(tx.conn())?
    } else {
        let wanted = [
            Some(filter.topic()),
            filter.severity.map(Severity::as_str),
            filter.category.as_deref(),
            filter.cause_type.map(CauseType::as_str),
        ];
        totals::of(tx, tenant, Listing::Incidents, &wanted)?
    };
    let rows: Vec<Row> = filtered!(tenant, filter, incidents::table.into_boxed())
        .order((incidents::created_at.desc(), incidents::id.desc()))
        .limit(limit)
        .offset(offset)
        .load(tx.conn())?;
    Ok((rows.iter().map(incident).collect(), total))
}

/// What the incident control plane lists: all of these at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Only those in this state.
    pub state: Option<IncidentState>,
    /// Only those of this service.
    pub service: Option<String>,
    /// Only this severity.
    pub severity: Option<Severity>,
    /// Only those that came to be then or later.
    pub created_after: Option<Timestamp>,
    /// Only those that came to be then or before.
    pub created_before: Option<Timestamp>,
}

/// A page of the Incidents that fit, in every state, newest first.
///
/// # Errors
/// What the database says.
pub fn list(
    tx: &mut impl Tx,
    tenant: TenantId,
    filter: &Listed,
    page: &PageRequest,
) -> StoreResult<Page<Incident>> {
    let mut query = incidents::table
        .filter(incidents::tenant_id.eq(tenant.to_string()))
        .order((incidents::created_at.desc(), incidents::id.desc()))
        .limit(i64::from(page.limit) + 1)
        .into_boxed();
    if let Some(state) = filter.state {
        query = query.filter(incidents::state.eq(state.as_str()));
    }
    if let Some(service) = &filter.service {
        query = query.filter(incidents::service.eq(service.clone()));
    }
    if let Some(severity) = filter.severity {
        query = query.filter(incidents::severity.eq(severity.as_str()));
    }
    if let Some(after) = filter.created_after {
        query = query.filter(incidents::created_at.ge(after.as_micros()));
    }
    if let Some(before) = filter.created_before {
        query = query.filter(incidents::created_at.le(before.as_micros()));
    }
    let query = behind!(query, place(page), (incidents::created_at, incidents::id));
    Ok(cut(query.load(tx.conn())?, page))
}

/// What is shown of one row more than that, and where what follows begins. A row that cannot be read is passed over, with a
/// line in the log: the others are shown, and the verifier tells of it.
pub(super) fn cut(rows: Vec<Row>, page: &PageRequest) -> Page<Incident> {
    let cut = Page::cut(rows, page.limit, |last| Cursor {
        at_micros: last.created_at,
        id: last.id.clone(),
    });
    Page {
        items: readable(&cut.items),
        next: cut.next,
    }
}
