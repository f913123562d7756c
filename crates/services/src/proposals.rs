//! How does a failure, or a person, propose a Policy Rule, and what becomes of a proposal?
//!
//! A proposal changes nothing. A person approves or rejects it once; what it wants is done in the transaction that approves
//! it. One that nobody reviews in time ends by itself.

mod backtest;
mod review;
mod told;
mod view;
mod write;

use std::collections::BTreeMap;

use domain::policy::draft::FieldProblem;
use domain::policy::proposals::{ActiveRule, ActiveRules, Conflict, Draft};
use model::id::{IdGenerator, IncidentId, ProposalId, RuleId, RunId, SignatureId, TenantId};
use model::permille::Permille;
use model::policy::{Definition, Proposal, ProposalStatus, ProposalType, ProposedBy, Provenance, Rule};
use model::time::Timestamp;
use store::{StoreError, StoreResult, Tx, TxError, Writes};

use crate::audit::{self, Author};
use crate::once::{Done, Once, OnceError, Render};
use crate::policies::PolicyError;

pub use self::backtest::backtest;
pub use self::review::{Approval, Review, conclude, expire};
pub use self::view::{Filter, Known, get, list};
pub use self::write::{Wish, create};

/// After how many days a proposal ends that nobody has reviewed.
pub const OPEN_DAYS: i64 = 30;

/// Why a proposal cannot be made or reviewed.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    /// There is no such proposal, or it is not the caller's.
    #[error("there is no such proposal")]
    NotFound,
    /// Fields are not what they should be.
    #[error("the proposal is not valid")]
    Invalid(Vec<FieldProblem>),
    /// What the rule is to say is not what it should be.
    #[error("what the rule is to say is not valid")]
    Definition(Vec<FieldProblem>),
    /// The failure has a proposal that waits for a person.
    #[error("there is a proposal for this failure")]
    Exists(ProposalId),
    /// It has been reviewed otherwise, or its time is over.
    #[error("the proposal waits no more")]
    Reviewed(ProposalStatus),
    /// ACTIVE rules stand against it.
    #[error("the proposal is at odds with rules that are active")]
    Conflicts(Vec<Conflict>),
    /// It is the reviewer's own, and the tenant wants two persons.
    #[error("the proposal is the reviewer's own")]
    OwnProposal,
    /// The rule cannot be made, changed or retired.
    #[error("what the proposal wants cannot be done")]
    Policy(PolicyError),
    /// It retires a rule, and has nothing that could be tried.
    #[error("the proposal has nothing to try")]
    NothingToTry,
    /// The idempotency key cannot be used.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// The database failed.
    #[error("the proposals could not be read or written")]
    Store(#[from] StoreError),
}

impl From<PolicyError> for ProposalError {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::Store(error) => Self::Store(error),
            PolicyError::Once(error) => Self::Once(error),
            PolicyError::Invalid(problems) => Self::Definition(problems),
            error => Self::Policy(error),
        }
    }
}

impl TxError for ProposalError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) | Self::Once(OnceError::Store(error)) => Some(error),
            _ => None,
        }
    }
}

/// What a proposal is made for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause {
    /// Whose failure.
    pub tenant: TenantId,
    /// The LLM Run that failed.
    pub run: Option<RunId>,
    /// The Incident that it opened.
    pub incident: Option<IncidentId>,
}

/// Proposes the rule that would have prevented a failure, unless that has been proposed or rejected lately, or a rule
/// does it already.
pub(crate) fn propose(
    tx: &mut impl Writes,
    ids: &dyn IdGenerator,
    author: &Author,
    (cause, draft): (Cause, &Draft),
    now: Timestamp,
) -> StoreResult<Option<ProposalId>> {
    let since = now.plus_seconds(-OPEN_DAYS * 86_400);
    let latest = store::proposals::latest_for(tx, cause.tenant, draft.signature)?;
    let known = latest.is_some_and(|latest| match latest.status {
        ProposalStatus::Pending => true,
        // Who said no is not asked again at once.
        ProposalStatus::Rejected => latest.created_at >= since,
        ProposalStatus::Approved | ProposalStatus::Expired => false,
    });
    let mut met = || -> StoreResult<bool> {
        let found = at_odds(tx, cause.tenant, &draft.definition, None)?;
        Ok(found.iter().any(|conflict| conflict.blocking))
    };
    if known || met()? {
        return Ok(None);
    }
    let new = drafted(ids, cause, draft, None, now);
    insert(tx, ids, author, &new, now)?;
    Ok(Some(new.id))
}

/// The proposal that a draft becomes; of a person, or of the installation.
fn drafted(
    ids: &dyn IdGenerator,
    cause: Cause,
    draft: &Draft,
    person: Option<&Author>,
    now: Timestamp,
) -> Proposal {
    let reason = draft.definition.description.clone().unwrap_or_default();
    Proposal {
        confidence: draft.confidence,
        proposed_by: if person.is_some() {
            ProposedBy::Human
        } else {
            ProposedBy::System
        },
        created_by: person.map(|person| person.actor.name().to_owned()),
        provenance: Provenance {
            triggering_run: cause.run,
            triggering_incident: cause.incident,
            signature: Some(draft.signature),
        },
        ..wanted(
            (ProposalId::generate(ids), cause.tenant),
            ProposalType::Create,
            (draft.definition.name.clone(), reason),
            Some(draft.definition.clone()),
            now,
        )
    }
}

/// A proposal of a person that waits to be reviewed.
fn wanted(
    (id, tenant): (ProposalId, TenantId),
    proposal_type: ProposalType,
    (name, reason): (String, String),
    definition: Option<Definition>,
    now: Timestamp,
) -> Proposal {
    Proposal {
        id,
        tenant,
        proposal_type,
        status: ProposalStatus::Pending,
        name,
        reason,
        target: None,
        target_version: None,
        definition,
        confidence: Permille::ONE,
        proposed_by: ProposedBy::Human,
        created_by: None,
        provenance: Provenance::default(),
        review: None,
        created_at: now,
        expires_at: now.plus_seconds(OPEN_DAYS * 86_400),
    }
}

fn insert(
    tx: &mut impl Writes,
    ids: &dyn IdGenerator,
    author: &Author,
    new: &Proposal,
    now: Timestamp,
) -> StoreResult<()> {
    store::proposals::insert(tx, new)?;
    audit::tell(tx, ids, author, told::proposed(new), now)
}

fn finish(
    tx: &mut impl Writes,
    once: Option<&Once>,
    status: u16,
    done: Proposal,
    render: Render<Known>,
    now: Timestamp,
) -> Result<Done<Known>, ProposalError> {
    let known = view::known(tx, done)?;
    let body = render(&known);
    if let Some(once) = once {
        once.record(tx, status, &body, now)?;
    }
    Ok(Done::Now(known, body))
}

/// The tenant's ACTIVE rules that a definition is at odds with; `but` is the rule that it is of.
fn at_odds(
    tx: &mut impl Tx,
    tenant: TenantId,
    definition: &Definition,
    but: Option<RuleId>,
) -> StoreResult<Vec<Conflict>> {
    let active = Active::load(tx, tenant)?;
    Ok(active.compared().conflicts(definition, None, but))
}

/// What proposals are compared with.
struct Active {
    rules: Vec<Rule>,
    /// The failures that rules were made for, by the proposals they came from.
    signatures: BTreeMap<ProposalId, SignatureId>,
}

impl Active {
    fn load(tx: &mut impl Tx, tenant: TenantId) -> StoreResult<Self> {
        let rules = store::policy_rules::active(tx, tenant)?;
        let from: Vec<_> = rules.iter().filter_map(|rule| rule.source_proposal).collect();
        Ok(Self {
            signatures: store::proposals::signatures(tx, tenant, &from)?,
            rules,
        })
    }

    /// The same, ready to be compared with any number of proposals.
    fn compared(&self) -> ActiveRules<'_> {
        let signature_of = |rule: &Rule| {
            rule.source_proposal
                .and_then(|from| self.signatures.get(&from).copied())
        };
        let rules = self.rules.iter().map(|rule| ActiveRule {
            id: rule.id,
            definition: &rule.definition,
            signature: signature_of(rule),
        });
        rules.collect()
    }
}
