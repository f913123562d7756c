//! Which LLM Runs were there, and what did they cost?

mod logs;

use model::cost::CostRecord;
use model::id::{RunId, TenantId};
use model::page::{Page, PageRequest};
use model::run::{Run, RunStatus};
use store::{StoreError, TxError};

use crate::context::Context;

pub use self::logs::{RunLogs, logs};

/// Why runs cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no such run, or it is not the caller's.
    #[error("there is no such run")]
    NotFound,
    /// The database failed.
    #[error("the runs could not be read")]
    Store(#[from] StoreError),
}

impl TxError for RunError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::NotFound => None,
            Self::Store(error) => Some(error),
        }
    }
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
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
/// [`RunError::Store`].
pub async fn list(
    cx: &Context,
    tenant: TenantId,
    filter: RunFilter,
    page: PageRequest,
) -> Result<Page<Run>, RunError> {
    let filter = store::runs::Filter {
        status: filter.status,
        model: filter.model,
        api_key_id: filter.api_key_id,
    };
    Ok(cx
        .db
        .read(move |tx| store::runs::list(tx, tenant, &filter, &page))
        .await?)
}

/// One run.
///
/// # Errors
/// [`RunError::NotFound`].
pub async fn get(cx: &Context, tenant: TenantId, id: RunId) -> Result<Run, RunError> {
    cx.db
        .read(move |tx| store::runs::find(tx, tenant, id))
        .await?
        .ok_or(RunError::NotFound)
}

/// The cost records of one run.
///
/// # Errors
/// [`RunError::NotFound`] if there is no such run.
pub async fn cost(cx: &Context, tenant: TenantId, id: RunId) -> Result<Vec<CostRecord>, RunError> {
    let found = cx
        .db
        .read(move |tx| -> Result<_, StoreError> {
            let run = store::runs::find(tx, tenant, id)?;
            Ok((run, store::costs::of_run(tx, tenant, id)?))
        })
        .await?;
    match found {
        (None, records) if records.is_empty() => Err(RunError::NotFound),
        (_, records) => Ok(records),
    }
}
