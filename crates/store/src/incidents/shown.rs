//! Which Incidents does a customer see, page by page?

use diesel::prelude::*;
use model::id::TenantId;
use model::incident::{CauseType, Incident, IncidentLifecycle};
use model::page::{Page, PageRequest};
use model::severity::Severity;
use model::time::Timestamp;

use super::listed::cut;
use super::row::{ARCHIVED, OPEN, OVER, PENDING};
use crate::error::StoreResult;
use crate::rows::paging::{behind, place};
use crate::schema::incidents;
use crate::tx::Tx;

/// What a customer lists: all of these at once. What nobody has approved is never among it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Only those that are over, or only those that are not.
    pub is_over: Option<bool>,
    /// Only those that the console shows so.
    pub lifecycle: Option<IncidentLifecycle>,
    /// Only this severity.
    pub severity: Option<Severity>,
    /// Only this category.
    pub category: Option<String>,
    /// Only this cause.
    pub cause_type: Option<CauseType>,
    /// Only those of this service.
    pub service: Option<String>,
    /// Only those opened then or later.
    pub created_after: Option<Timestamp>,
    /// Only those opened then or before.
    pub created_before: Option<Timestamp>,
    /// Those that were put away as well.
    pub with_archived: bool,
}

/// A page of the Incidents that fit, newest first.
///
/// # Errors
/// What the database says.
pub fn shown(
    tx: &mut impl Tx,
    tenant: TenantId,
    filter: &Shown,
    page: &PageRequest,
) -> StoreResult<Page<Incident>> {
    let mut query = incidents::table
        .filter(incidents::tenant_id.eq(tenant.to_string()))
        .order((incidents::created_at.desc(), incidents::id.desc()))
        .limit(i64::from(page.limit) + 1)
        .into_boxed();
    query = match (filter.is_over, filter.with_archived) {
        (Some(false), _) => query.filter(incidents::topic.eq(OPEN)),
        (Some(true), false) => query.filter(incidents::topic.eq(OVER)),
        (Some(true), true) => query.filter(incidents::topic.eq(OVER).or(incidents::topic.eq(ARCHIVED))),
        (None, true) => query.filter(incidents::topic.ne(PENDING)),
        (None, false) => query.filter(incidents::topic.ne(PENDING).and(incidents::topic.ne(ARCHIVED))),
    };
    if let Some(lifecycle) = filter.lifecycle {
        query = query.filter(incidents::lifecycle.eq(lifecycle.as_str()));
    }
    if let Some(severity) = filter.severity {
        query = query.filter(incidents::severity.eq(severity.as_str()));
    }
    if let Some(category) = &filter.category {
        query = query.filter(incidents::category.eq(category.clone()));
    }
    if let Some(cause) = filter.cause_type {
        query = query.filter(incidents::cause_type.eq(cause.as_str()));
    }
    if let Some(service) = &filter.service {
        query = query.filter(incidents::service.eq(service.clone()));
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
