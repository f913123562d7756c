//! What may somebody do whose signature is right, and how often?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::rates::Rate;
use model::audit::ActorType;
use model::authority::AuthorityType;
use model::id::TenantId;
use model::principal::{AccessKeyId, Principal, PrincipalAction, PrincipalRole};
use model::time::Timestamp;
use store::{StoreError, Tx, TxError, Writes};

use crate::audit::Author;
use crate::context::Context;
use crate::identity::{Counted, TooOften};
use crate::ledger::Replay;
use crate::measure;
use crate::once::{Once, OnceError};

/// How long a signature is still kept when nobody takes it any more, in seconds: the clocks of nodes differ.
const KEEP_SECONDS: i64 = 300;

/// How many times as often somebody may ask for a change as get it: what is refused costs a look at the database.
const TRIES_FACTOR: u32 = 10;

/// Somebody whose signature is right.
#[derive(Debug, Clone)]
pub struct Signed {
    /// Who.
    pub principal: Arc<Principal>,
    /// With which access key.
    pub access_key: AccessKeyId,
    pub(super) signature: String,
    pub(super) expires_at: Timestamp,
}

/// Somebody may not do, or not claim, what the request says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// None of the roles leads to this kind of request.
    #[error("no role of the principal allows requests that {}", verb(*.0))]
    Action(PrincipalAction),
    /// None of the roles that lead here gives this authority.
    #[error("no role of the principal grants the authority {} for requests that {}", .1.as_str(), verb(*.0))]
    Authority(PrincipalAction, AuthorityType),
}

/// What a request does, in words.
fn verb(action: PrincipalAction) -> &'static str {
    match action {
        PrincipalAction::Read => "read Incidents",
        PrincipalAction::Create => "open Incidents",
        PrincipalAction::Transition => "change Incidents",
    }
}

/// A signature cannot be used for a change.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SpendError {
    /// It was used before.
    #[error("the signature has been used before")]
    Replayed,
    /// Nobody can tell.
    #[error("it could not be noted that the signature is used")]
    Store(#[from] StoreError),
}

impl TxError for SpendError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Replayed => None,
        }
    }
}

impl Signed {
    /// Whose data.
    pub fn tenant_id(&self) -> TenantId {
        self.principal.tenant
    }

    /// Who acts, for records and idempotency keys: the ARN of the principal.
    pub fn arn(&self) -> String {
        self.principal.arn()
    }

    /// Who acts, for the audit ledger: a person, or a program that is nothing else.
    pub fn author(&self) -> Author {
        let program = |role: &PrincipalRole| matches!(role, PrincipalRole::Service);
        let mut author = Author::human(self.arn());
        if self.principal.roles.iter().all(program) {
            author.actor.kind = ActorType::Agent;
        }
        author
    }

    /// Refuses a kind of request that no role leads to.
    ///
    /// # Errors
    /// [`NotAllowed::Action`].
    pub fn require(&self, action: PrincipalAction) -> Result<(), NotAllowed> {
        let allowed = self.principal.may(action);
        allowed.then_some(()).ok_or(NotAllowed::Action(action))
    }

    /// Refuses an authority that no role gives for this kind of request.
    ///
    /// # Errors
    /// [`NotAllowed`].
    pub fn claim(&self, action: PrincipalAction, claimed: AuthorityType) -> Result<(), NotAllowed> {
        self.require(action)?;
        let granted = self.principal.may_claim(action, claimed);
        granted
            .then_some(())
            .ok_or(NotAllowed::Authority(action, claimed))
    }

    /// Uses the signature up. The first thing that the transaction of a change does: a request that was seen on its way and
    /// is sent again changes nothing, and one whose transaction came to nothing may be sent again.
    ///
    /// # Errors
    /// [`SpendError::Replayed`] if a change was made with it before.
    pub fn spend(&self, tx: &mut impl Writes) -> Result<(), SpendError> {
        let owner = (self.principal.tenant, self.access_key);
        if store::principals::use_signature(tx, owner, &self.signature, self.expires_at)? {
            return Ok(());
        }
        measure::signature("replayed");
        Err(SpendError::Replayed)
    }
}

/// What was answered to the same key before; if nothing was, the signature of the request is used up, if it has one. The first
/// thing that the transaction of a change does.
///
/// # Errors
/// Those of [`Once::before`] and of [`Signed::spend`].
pub(crate) fn answered_or_spent<E>(
    tx: &mut impl Writes,
    once: Option<&Once>,
    signed: Option<&Signed>,
) -> Result<Option<Replay>, E>
where
    E: From<OnceError> + From<SpendError>,
{
    if let Some(before) = answered(tx, once)? {
        return Ok(Some(before));
    }
    match signed.map_or(Ok(()), |signed| signed.spend(tx)) {
        Ok(()) => Ok(None),
        // Somebody who sent the same signature with the same key at the same instant was faster.
        Err(error) => Ok(Some(answered(tx, once)?.ok_or(error)?)),
    }
}

fn answered(tx: &mut impl Tx, once: Option<&Once>) -> Result<Option<Replay>, OnceError> {
    once.map_or(Ok(None), |once| once.before(tx))
}

/// Takes one request out of what the principal has for such requests, by the authority that it claims; without a claim,
/// by the highest that it has (one that only reads, as a `HUMAN_OPERATOR`).
///
/// # Errors
/// [`TooOften`]; then nothing was taken.
pub fn admit(
    cx: &Context,
    signed: &Signed,
    action: PrincipalAction,
    claimed: Option<AuthorityType>,
) -> Result<(), TooOften> {
    let highest = signed.principal.highest(action);
    let authority = claimed.or(highest).unwrap_or(AuthorityType::HumanOperator);
    let mutation = action.is_mutation();
    let rate = cx.identity.settings.rates.of(authority).of(mutation);
    let counted = if mutation {
        Counted::Changes
    } else {
        Counted::Reads
    };
    let who = (signed.principal.id, counted);
    let taken = cx.identity.rates.take(who, rate, cx.clock.now());
    if taken.is_err() {
        measure::rate_limited(authority, mutation);
    }
    taken
}

/// Counts that somebody asks for a change, before anything is known of what becomes of it.
///
/// # Errors
/// [`TooOften`]: so many were refused, or repeated, that no other is looked at for a while.
pub fn attempt(cx: &Context, signed: &Signed, action: PrincipalAction) -> Result<(), TooOften> {
    let highest = signed.principal.highest(action);
    let authority = highest.unwrap_or(AuthorityType::HumanOperator);
    let rate = cx.identity.settings.rates.of(authority).of(true);
    let rate = Rate {
        per_minute: rate.per_minute.saturating_mul(TRIES_FACTOR),
        burst: rate.burst.saturating_mul(TRIES_FACTOR),
    };
    let who = (signed.principal.id, Counted::Tries);
    let taken = cx.identity.rates.take(who, rate, cx.clock.now());
    if taken.is_err() {
        measure::rate_limited(authority, true);
    }
    taken
}

/// What a change costs of the rate of whoever asks for it. It is paid when nothing else is left that could refuse the
/// change: what is refused, or was answered before, costs nothing.
pub(crate) struct Toll {
    cx: Context,
    signed: Signed,
    action: PrincipalAction,
    claimed: AuthorityType,
    is_paid: AtomicBool,
}

impl Toll {
    /// What one change by this authority costs.
    pub(crate) fn of(cx: &Context, signed: &Signed, action: PrincipalAction, claimed: AuthorityType) -> Self {
        Self {
            cx: cx.clone(),
            signed: signed.clone(),
            action,
            claimed,
            is_paid: AtomicBool::new(false),
        }
    }

    /// Pays, once: a transaction that is repeated has paid already.
    ///
    /// # Errors
    /// [`TooOften`].
    pub(crate) fn pay(&self) -> Result<(), TooOften> {
        if !self.is_paid.load(Ordering::Relaxed) {
            admit(&self.cx, &self.signed, self.action, Some(self.claimed))?;
            self.is_paid.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Uses a signature up by itself, for a change that is no transaction of ours.
///
/// # Errors
/// [`SpendError`].
pub async fn spend(cx: &Context, signed: &Signed) -> Result<(), SpendError> {
    let signed = signed.clone();
    cx.db.write(move |tx| signed.spend(tx)).await
}

/// Forgets the signatures that are too old to be taken again, and says how many they were.
///
/// # Errors
/// What the database says.
pub async fn prune_signatures(cx: &Context) -> Result<usize, StoreError> {
    let before = cx.clock.now().plus_seconds(-KEEP_SECONDS);
    cx.db
        .write(move |tx| store::principals::delete_signatures(tx, before))
        .await
}
