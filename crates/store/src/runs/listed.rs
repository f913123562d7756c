//! Which LLM Runs fit, page by page?

use diesel::prelude::*;
use model::id::TenantId;
use model::page::{Cursor, Page, PageRequest};
use model::run::{Run, RunStatus};

use super::{Row, run};
use crate::error::StoreResult;
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
    let most = i64::from(page.limit);
    let mut query = runs::table
        .filter(runs::tenant_id.eq(tenant.to_string()))
        .order((runs::started_at.desc(), runs::id.desc()))
        .limit(most + 1)
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
    if let Some(Cursor { at_micros, id }) = page.after.clone() {
        query = query.filter(
            runs::started_at
                .lt(at_micros)
                .or(runs::started_at.eq(at_micros).and(runs::id.lt(id))),
        );
    }
    let mut items = query
        .load::<Row>(tx.conn())?
        .into_iter()
        .map(run)
        .collect::<StoreResult<Vec<_>>>()?;
    let more = items.len() > usize::try_from(page.limit).unwrap_or(usize::MAX);
    if more {
        items.pop();
    }
    let next = items.last().filter(|_| more).map(|last| Cursor {
        at_micros: last.started_at.as_micros(),
        id: last.id.to_string(),
    });
    Ok(Page { items, next })
}
