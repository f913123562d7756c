//! How does an Incident come to be, and how does it change?
//!
//! Everything that happens to one comes through here, so that its events, the audit ledger, the timeline and the stream of
//! ops events agree about it: all of it is one transaction.

mod again;
pub mod anomalies;
pub mod archive;
pub mod breaches;
pub mod change;
pub mod cost_impact;
mod emergency;
pub mod failures;
pub mod integrity;
pub mod learnings;
pub mod patterns;
mod pipeline;
pub mod promote;
pub mod recurring;
pub mod replay;
pub mod report;
pub mod signals;
mod told;

use model::authority::AuthorityContext;
use model::id::{IdGenerator, IncidentId, RunId, TenantId};
use model::incident::{
    Change, Creation, Incident, IncidentEvent, Promotion, Refusal, Standing, Step, StepOf, Transition,
};
use model::page::{Page, PageRequest};
use model::promotion::{PromotionDecision, Verdict};
use model::time::Timestamp;
use store::{StoreError, StoreResult, TxError, Writes};

pub use store::incidents::{Listed, Shown};

use crate::audit::Author;
use crate::context::Context;
use crate::identity::TooOften;
use crate::once::OnceError;
use crate::principals::SpendError;

/// The part of the product that opens Incidents by itself.
pub(crate) const ENGINE: &str = "incidents";

/// Why an Incident cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum IncidentError {
    /// There is none of this id, or it is not the caller's.
    #[error("there is no such Incident")]
    NotFound,
    /// The machine does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It has changed since the caller has seen it.
    #[error("the Incident is of version {actual}, not {expected}")]
    Outdated {
        /// Which Incident.
        id: IncidentId,
        /// What the caller has seen.
        expected: i64,
        /// What it is now.
        actual: i64,
    },
    /// A program asks while automatic changes are switched off.
    #[error("automatic changes of Incidents are switched off")]
    SwitchedOff,
    /// No rule makes an Incident of it.
    #[error("no rule makes an Incident of it")]
    NotNoticed,
    /// There is no such LLM Run.
    #[error("there is no such LLM Run")]
    UnknownRun,
    /// The gate does not let it through.
    #[error("the gate does not let the Incident through: {}", .0.reason)]
    NotLetThrough(Box<PromotionDecision>),
    /// The signature of the request cannot be used.
    #[error(transparent)]
    Spent(#[from] SpendError),
    /// The idempotency key cannot be used.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// Whoever asks has asked too often.
    #[error(transparent)]
    TooOften(#[from] TooOften),
    /// The database failed.
    #[error("the Incidents could not be read or written")]
    Store(#[from] StoreError),
}

impl TxError for IncidentError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error)
            | Self::Once(OnceError::Store(error))
            | Self::Spent(SpendError::Store(error)) => Some(error),
            _ => None,
        }
    }
}

/// A page of what a customer sees of a tenant's Incidents, newest first.
///
/// # Errors
/// What the database says.
pub async fn visible(
    cx: &Context,
    tenant: TenantId,
    filter: Shown,
    page: PageRequest,
) -> Result<Page<Incident>, StoreError> {
    cx.db
        .read(move |tx| store::incidents::shown(tx, tenant, &filter, &page))
        .await
}

/// One that nobody has approved is not there for a customer.
fn shown(found: Option<Incident>) -> Result<Incident, IncidentError> {
    found
        .filter(|incident| incident.lifecycle().is_some())
        .ok_or(IncidentError::NotFound)
}

/// One Incident.
///
/// # Errors
/// [`IncidentError::NotFound`].
pub async fn get(cx: &Context, tenant: TenantId, id: IncidentId) -> Result<Incident, IncidentError> {
    cx.db
        .read(move |tx| store::incidents::find(tx, tenant, id))
        .await?
        .ok_or(IncidentError::NotFound)
}

/// A page of a tenant's Incidents, in every state, newest first.
///
/// # Errors
/// What the database says.
pub async fn list(
    cx: &Context,
    tenant: TenantId,
    filter: Listed,
    page: PageRequest,
) -> Result<Page<Incident>, StoreError> {
    cx.db
        .read(move |tx| store::incidents::list(tx, tenant, &filter, &page))
        .await
}

/// What happened to an Incident behind this place, oldest first: at most as many events as this.
///
/// # Errors
/// What the database says.
pub async fn events(
    cx: &Context,
    of: (TenantId, IncidentId),
    behind: Option<i64>,
    most: u32,
) -> Result<Vec<IncidentEvent>, StoreError> {
    cx.db
        .read(move |tx| store::incidents::events(tx, of, behind, i64::from(most)))
        .await
}

/// The most Incidents that are shown of an LLM Run.
pub(crate) const OF_RUN_MOST: i64 = 200;

/// The newest Incidents of an LLM Run, [`OF_RUN_MOST`] at most.
///
/// # Errors
/// What the database says.
pub async fn of_run(cx: &Context, tenant: TenantId, run: RunId) -> Result<Vec<Incident>, StoreError> {
    cx.db
        .read(move |tx| store::incidents::of_run(tx, tenant, run, OF_RUN_MOST))
        .await
}

/// What has become of what the gate was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opened {
    /// There is an Incident, and it is open.
    Open,
    /// There is one, and it waits for a person.
    Waits,
    /// There is one of this id already.
    Before,
    /// There is none: what the gate said is all that is known of it.
    Refused,
}

/// Opens an Incident that a rule of the product's own has promoted. What the gate has put off waits for a person; what it
/// has rejected is none. One that is there already is left as it is.
pub(crate) fn open(
    tx: &mut impl Writes,
    ids: &dyn IdGenerator,
    author: &Author,
    (tenant, creation, promotion): (TenantId, Creation, Promotion),
    now: Timestamp,
) -> Result<Opened, IncidentError> {
    let id = IncidentId::derive(tenant, &creation.identity);
    if store::incidents::find(tx, tenant, id)?.is_some() {
        return Ok(Opened::Before);
    }
    if promotion.verdict == Verdict::Reject {
        tracing::warn!(incident_id = %id, reason = %promotion.reason, "the gate lets no Incident come to be");
        return Ok(Opened::Refused);
    }
    let step = || StepOf {
        authority: AuthorityContext::engine(ENGINE, now),
        at: now,
        request_id: author.correlation_id.clone(),
        idempotency_key: None,
    };
    let is_promoted = promotion.verdict == Verdict::Promote;
    let reason = why(&promotion);
    let decided = if is_promoted {
        Change::Opened(promotion)
    } else {
        Change::NotPromoted(promotion)
    };
    let first = Transition::create(tenant, creation, step())?;
    let decided = Step {
        reason,
        ..step().with(decided)
    };
    let second = Transition::of(&first.standing(), decided)?;
    record(tx, ids, author, None, &[first, second])?;
    Ok(if is_promoted { Opened::Open } else { Opened::Waits })
}

/// Why whoever has let it through did so, if a person did and says it.
pub(crate) fn why(promotion: &Promotion) -> Option<String> {
    promotion.promoted_by.as_ref()?.justification.clone()
}

/// Writes down what has happened to one Incident: its events and what it is now, the audit ledger, the timeline.
pub(crate) fn record(
    tx: &mut impl Writes,
    ids: &dyn IdGenerator,
    author: &Author,
    before: Option<&Standing>,
    happened: &[Transition],
) -> StoreResult<()> {
    store::incidents::append(tx, happened)?;
    let mut before = before.map(|before| &before.incident);
    for transition in happened {
        told::tell(tx, ids, author, before, transition)?;
        emergency::note(tx, ids, author, transition)?;
        before = Some(transition.after());
    }
    Ok(())
}
