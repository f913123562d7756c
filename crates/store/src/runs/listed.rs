//! Which LLM Runs fit, page by page?

use diesel::prelude::*;
use model::id::TenantId;
use model::page::{Cursor, Page, PageRequest};
use model::run::{Run, RunStatus};

use super::{Row, run};
use crate::error::StoreResult;
use crate::rows::paging::{behind, place};
use crate::schema::runs;
use crate::tx::Tx;

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this status.
    pub status: Option<RunStatus>,
    /// Only this model.
    pub model: Option<String>,
    /// Only this key.
    pub api_key_id: Option<String>,
}

/// Runs of a tenant, newest first.
///
/// # Errors
/// What the database says.
pub fn list(
    tx: &mut impl Tx,
    tenant: TenantId,
    filter: &Filter,
    page: &PageRequest,
) -> StoreResult<Page<Run>> {
    let mut query = runs::table
        .filter(runs::tenant_id.eq(tenant.to_string()))
        .order((runs::started_at.desc(), runs::id.desc()))
        .limit(i64::from(page.limit) + 1)
        .into_boxed();
    if let Some(status) = filter.status {
        query = query.filter(runs::status.eq(status.as_str()));
    }
    if let Some(model) = &filter.model {
        query = query.filter(runs::model.eq(model.clone()));
    }
    if let Some(key) = &filter.api_key_id {
        query = query.filter(runs::api_key_id.eq(key.clone()));
    }
    let query = behind!(query, place(page), (runs::started_at, runs::id));
    let rows: Vec<Row> = query.load(tx.conn())?;
    let items = rows.into_iter().map(run).collect::<StoreResult<Vec<_>>>()?;
    Ok(Page::cut(items, page.limit, |last| Cursor {
        at_micros: last.started_at.as_micros(),
        id: last.id.to_string(),
    }))
}
