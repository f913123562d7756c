//! What becomes of a signal from outside?
//!
//! It is kept, detected, brought together with what was detected before, and the gate is asked, all in the transaction that
//! takes it. Told again within a minute it is the same signal, and nothing happens.

use domain::attribution::{Facts, attribute};
use domain::pipeline::signals::ingest_external;
use model::authority::AuthorityContext;
use model::candidate::Candidate;
use model::id::{IdGenerator, IncidentId, SignalId, TenantId};
use model::incident::{CauseType, Creation, IncidentSource, Occurrence, Promotion};
use model::money::NanoUsd;
use model::principal::PrincipalAction;
use model::promotion::{RejectionCode, Verdict};
use model::signal::Signal;
use model::time::Timestamp;
use store::{StoreError, TxError, WriteTx};

use super::pipeline::{self, Promoted};
use super::{IncidentError, Opened, again};
use crate::audit::Author;
use crate::context::Context;
use crate::identity::TooOften;
use crate::measure::{self, Counted};
use crate::once::{Done, Once, OnceError, Render};
use crate::principals::{Signed, SpendError, Toll, answered_or_spent};

pub use domain::pipeline::signals::{SignalDraft, SignalError};

/// Why a signal is not taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// Fields are not what they should be.
    #[error("the signal is not valid")]
    Invalid(Vec<SignalError>),
    /// The signature of the request was used before.
    #[error(transparent)]
    Spent(#[from] SpendError),
    /// The idempotency key cannot be used.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// Whoever sends it has sent too many.
    #[error(transparent)]
    TooOften(#[from] TooOften),
    /// What it leads to cannot be written down.
    #[error(transparent)]
    Incident(#[from] IncidentError),
    /// The database failed.
    #[error("the signals could not be read or written")]
    Store(#[from] StoreError),
}

impl TxError for TakeError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error)
            | Self::Once(OnceError::Store(error))
            | Self::Spent(SpendError::Store(error)) => Some(error),
            Self::Incident(error) => error.store_error(),
            Self::Invalid(_) | Self::Spent(_) | Self::Once(_) | Self::TooOften(_) => None,
        }
    }
}

/// Who sends a signal.
#[derive(Debug, Clone)]
pub struct Sender {
    /// Whose signal it is.
    pub tenant: TenantId,
    /// Who, as the audit ledger says it.
    pub author: Author,
    /// By what authority.
    pub authority: AuthorityContext,
    /// The idempotency key, if the request has one.
    pub once: Option<Once>,
    /// The signature of the request, if it has one: it is used up by the signal.
    pub signed: Option<Signed>,
}

/// What the gate said of a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What.
    pub verdict: Verdict,
    /// Why not, if it is REJECT.
    pub rejection_code: Option<RejectionCode>,
    /// In words.
    pub reason: String,
    /// The Incident that there is now, or was.
    pub incident: Option<IncidentId>,
}

/// What has become of a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its id.
    pub signal: SignalId,
    /// Whether nobody has told of it before.
    pub is_new: bool,
    /// What the gate said, if a rule made a candidate of it.
    pub said: Option<Said>,
}

/// What is wrong with a signal that came in from outside, in the order of its fields; nothing if it can be taken.
pub fn problems(tenant: TenantId, draft: &SignalDraft, now: Timestamp) -> Vec<SignalError> {
    ingest_external(tenant, draft, now).err().unwrap_or_default()
}

/// Takes a signal. The same request again gets the same answer, and makes nothing.
///
/// # Errors
/// [`TakeError`].
pub async fn take(
    cx: &Context,
    sender: Sender,
    draft: SignalDraft,
    render: Render<Taken>,
) -> Result<Done<Taken>, TakeError> {
    let (clock, ids) = (cx.clock.clone(), cx.ids.clone());
    let by = sender.authority.authority_type;
    let toll = sender.signed.as_ref();
    let toll = toll.map(|signed| Toll::of(cx, signed, PrincipalAction::Create, by));
    let (done, counted) = cx
        .db
        .write(move |tx| -> Result<(Done<Taken>, Counted), TakeError> {
            let once = sender.once.as_ref();
            let before = answered_or_spent::<TakeError>(tx, once, sender.signed.as_ref())?;
            if let Some(before) = before {
                return Ok((Done::Before(before), Counted::default()));
            }
            let now = clock.now();
            let signal = ingest_external(sender.tenant, &draft, now).map_err(TakeError::Invalid)?;
            toll.as_ref().map_or(Ok(()), Toll::pay)?;
            let (taken, counted) = commit(tx, ids.as_ref(), &sender, signal, now)?;
            let body = render(&taken);
            if let Some(once) = once {
                once.record(tx, 201, &body, now)?;
            }
            Ok((Done::Now(taken, body), counted))
        })
        .await?;
    measure::pipeline(&counted);
    let said = match &done {
        Done::Now(taken, _) => taken.said.as_ref(),
        Done::Before(_) => None,
    };
    if said.is_some_and(|said| said.verdict == Verdict::Promote && said.incident.is_some()) {
        measure::done_by(by, "signal");
    }
    Ok(done)
}

fn commit(
    tx: &mut WriteTx<'_>,
    ids: &dyn IdGenerator,
    sender: &Sender,
    signal: Signal,
    now: Timestamp,
) -> Result<(Taken, Counted), TakeError> {
    let noticed = pipeline::keep(tx, signal, now)?;
    let taken = |said| Taken {
        signal: noticed.signal.id,
        is_new: noticed.is_new,
        said,
    };
    if !noticed.is_new {
        return Ok((taken(None), Counted::default()));
    }
    let asked = pipeline::Asked {
        tenant: sender.tenant,
        naming: pipeline::Naming::OfCandidate,
        authority: sender.authority.clone(),
        request_id: sender.author.correlation_id.clone(),
    };
    let promoted = match pipeline::decide(tx, &noticed, &asked, now) {
        Ok(promoted) => promoted,
        // Nobody has a rule for it: it is kept, and nothing follows.
        Err(IncidentError::NotNoticed) => return Ok((taken(None), noticed.counted())),
        Err(error) => return Err(error.into()),
    };
    let incident = follow(tx, ids, (sender, &noticed.signal, &promoted), now)?;
    let decision = promoted.decision();
    let said = Said {
        verdict: decision.decision,
        rejection_code: decision.rejection_code,
        reason: decision.reason.clone(),
        incident,
    };
    Ok((taken(Some(said)), promoted.counted))
}

/// Opens the Incident of a candidate, or adds the signal to the one that is about the same and going on. What a person's
/// authority has opened says whose it was.
fn follow(
    tx: &mut WriteTx<'_>,
    ids: &dyn IdGenerator,
    (sender, signal, promoted): (&Sender, &Signal, &Promoted),
    now: Timestamp,
) -> Result<Option<IncidentId>, IncidentError> {
    let fingerprint = promoted.fingerprint();
    let decision = promoted.decision().decision;
    let is_by_hand = decision == Verdict::Promote && sender.authority.authority_type.is_human();
    let promotion = Promotion {
        promoted_by: is_by_hand.then(|| Box::new(sender.authority.clone())),
        ..promoted.promotion()
    };
    if let Some(same) = store::incidents::same(tx, sender.tenant, &fingerprint)? {
        let occurrence = Occurrence {
            signal_id: signal.id.to_string(),
            checksum: Some(signal.raw_checksum.to_string()),
            run: None,
            signature: None,
            cost: NanoUsd::ZERO,
        };
        let new = (&same, occurrence, promotion);
        again::attach(tx, ids, &sender.author, new, now)?;
        return Ok(Some(same.incident.id));
    }
    let creation = creation(promoted.candidate(), fingerprint, &sender.author);
    let incident = IncidentId::derive(sender.tenant, &creation.identity);
    let new = (sender.tenant, creation, promotion);
    let opened = super::open(tx, ids, &sender.author, new, now)?;
    Ok((opened != Opened::Refused).then_some(incident))
}

fn creation(of: &Candidate, fingerprint: String, author: &Author) -> Creation {
    Creation {
        identity: pipeline::identity(of),
        source: IncidentSource::Promotion,
        severity: of.suggested_severity,
        category: of.category,
        cause_type: CauseType::System,
        attribution: attribute(&Facts::of_category(of.category)),
        service: of.suggested_service.clone(),
        title: of.suggested_title.clone(),
        description: of.suggested_description.clone().unwrap_or_default(),
        tags: of.tags.clone(),
        run: None,
        error_code: None,
        signature: None,
        fingerprint: Some(fingerprint),
        cost: NanoUsd::ZERO,
        correlation_id: author.correlation_id.clone(),
    }
}
